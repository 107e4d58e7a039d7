"""booster_gym's configuration: the observation of its runtime; names come from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings

from helpers.edits import edited
from helpers.edits import some_edits
from helpers.policies import flat_models
from kinfer_ros.__main__ import main
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.yaml_kinds import read_exported_yaml
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.yaml_file import YamlFile

NAMES = ['neck', 'left', 'right']
CONFIG: dict[str, Any] = {
    'common': {
        'dt': 0.002, 'stiffness': [20, 200.0, 100.0], 'damping': [0.2, 5, 3.0],
        'default_qpos': [0, -0.2, 0.4], 'torque_limit': [7, 60, 30],
    },
    'policy': {
        'policy_path': 'models/T1.pt', 'num_actions': 2, 'num_observations': 17,
        'gait_frequency': 1.5,
        'normalization': {'gravity': 1.0, 'lin_vel': 2.0, 'ang_vel': 0.5, 'dof_pos': 1.0,
                          'dof_vel': 0.1, 'clip_actions': 3.0},
        'control': {'action_scale': 0.5, 'decimation': 10},
    },
    'mech': {'parallel_mech_indexes': [1, 2]},
    'prepare': {'stiffness': [5.0, 350.0, 350.0]},
}  # fmt: skip


def given_names(count):
    """As --joint-names gives them."""
    return NAMES, 'as given'


def no_names(count):
    """As the command answers where nobody gave names."""
    raise ModelError('no MJCF')


def read(folder, *edits, names=given_names):
    path = folder / 'T1.yaml'
    path.write_text(yaml.safe_dump(edited(CONFIG, *edits)))
    return read_exported_yaml(YamlFile(path, 'file', ModelError, foreign=True), names)


def test_the_observation_of_the_runtime(tmp_path):
    """Gravity, gyroscope, command, clock, the moved joints, last action; clock still at zero."""
    contract = read(tmp_path)
    moved = ['left', 'right']
    assert contract.spec() == {
        'name': 'T1',
        'control_rate': 50.0,
        'joints': NAMES,
        'default_pose': [0.0, -0.2, 0.4],
        'gains': {'kp': [20.0, 200.0, 100.0], 'kd': [0.2, 5.0, 3.0],
                  'torque_limit': [7.0, 60.0, 30.0]},
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'phase': {'frequency': 1.5, 'start': [0.0], 'wrap': 'two_pi',
                  'when_still': {'below': 1e-5, 'do': 'zero'}},
        'observation': {
            'terms': [
                {'source': 'gravity', 'unit': 'unit', 'scale': 1.0},
                {'source': 'gyroscope', 'scale': 0.5},
                {'source': 'command', 'scale': [2.0, 2.0, 0.5]},
                {'source': 'phase', 'encoding': ['cos', 'sin']},
                {'source': 'joint_positions', 'relative': True, 'joints': moved, 'scale': 1.0},
                {'source': 'joint_velocities', 'joints': moved, 'scale': 0.1},
                {'source': 'last_action', 'which': 'raw'},
            ]
        },
        'action': {'joints': moved, 'relative_to': 'default_pose', 'scale': 0.5,
                   'clip': [-3.0, 3.0]},
    }  # fmt: skip
    said = '\n'.join(contract.assumptions)
    for words in ('filters targets', 'at most 1 per second', 'joints [1, 2]', 'models/T1.pt'):
        assert words in said


def test_the_command_with_names_and_without(tmp_path, capsys):
    """A draft lists what is to be filled in; with names nothing is."""
    path, model = tmp_path / 'T1.yaml', tmp_path / 'walk.onnx'
    path.write_text(yaml.safe_dump(CONFIG))
    model.write_bytes(flat_models.linear(17, joints=2)[0])
    words = ['import', str(path), '--model', str(model), '--out', str(tmp_path / 'o')]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert 'joints: FILL IN' in out
    assert 'action.joints: FILL IN (names of the last 2 joints' in out
    assert main([*words, '--force', '--joint-names', *NAMES]) == 0
    assert 'checked with' in capsys.readouterr().out


def test_another_size_is_another_observation(tmp_path):
    """Forks change it: the terms are to be filled in, and the rest is used."""
    contract = read(tmp_path, (('policy', 'num_observations'), 20))
    assert contract.observation['terms'].startswith('FILL IN (list of terms')
    assert '20 numbers in all: those of the runtime are 17' in contract.observation['terms']


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        (('common', 'stiffness'), [1.0], 'found 1 numbers, expected 3'),
        (('common', 'stiffness'), ..., "missing key 'stiffness'"),
        (('common', 'default_qpos'), 0.5, 'default_qpos: found 0.5, expected a list'),
        (('common', 'default_qpos'), [0.0, 0.1], 'found 2 joints, expected 3, as given'),
        (('common', 'dt'), '2 ms', "dt: found the text '2 ms'"),
        (('policy', 'control'), None, 'control: found nothing'),
        (('policy', 'control', 'decimation'), 0, 'decimation: found 0'),
        (('policy', 'num_actions'), 4, 'expected a whole number from 1 to 3'),
        (('policy', 'normalization', 'dof_vel'), None, 'dof_vel: found nothing'),
        (('policy', 'normalization', 'clip_actions'), -1, 'clip_actions: found -1'),
        (('policy', 'gait_frequency'), [1, 2], 'gait_frequency: found'),
    ],
)
def test_an_edit_that_cannot_be_used_names_its_line(tmp_path, path, value, words):
    """One error, with line, key, found and expected."""
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, (path, value))
    assert 'line ' in str(caught.value)


@given(some_edits(CONFIG))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """No value of any type may be a traceback."""
    folder = tmp_path_factory.mktemp('booster')
    for names in (given_names, no_names):
        try:
            contract = read(folder, *edits, names=names)
        except KinferRosError:
            continue
        spec = folder / 'walk.spec.yaml'
        spec.write_text(yaml.safe_dump(contract.spec()))
        if 'FILL IN' not in spec.read_text():
            load_spec(spec)
