"""rl_sar's config.yaml with its base.yaml: what the runtime makes of it, or a place to fill in."""

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

BASE = {
    'dog': {
        'dt': 0.005, 'decimation': 4, 'joint_names': ['fr', 'fl', 'rear'],
        'joint_mapping': [0, 1, 2], 'num_of_dofs': 3,
    }
}  # fmt: skip
CONFIG: dict[str, Any] = {
    'dog/walk': {
        'model_name': 'walk.pt', 'num_observations': 18,
        'observations': ['commands', 'ang_vel', 'gravity_vec', 'dof_pos', 'dof_vel', 'actions'],
        'observations_history': [0, 1, 2], 'observations_history_priority': 'time',
        'clip_obs': 50.0, 'clip_actions_lower': [-9.0, -9.0, -9.0],
        'clip_actions_upper': [9.0, 9.0, 8.0], 'rl_kp': [10.0, 20.0, 30.0],
        'rl_kd': [1.0, 2.0, 3.0], 'fixed_kp': [80.0, 80.0, 80.0], 'fixed_kd': [3.0, 3.0, 3.0],
        'num_of_dofs': 3, 'action_scale': [0.25, 0.25, 0.5], 'wheel_indices': [],
        'lin_vel_scale': 2.0, 'ang_vel_scale': 0.25, 'dof_pos_scale': 1.0,
        'dof_vel_scale': 0.05, 'commands_scale': [2.0, 2.0, 0.25],
        'torque_limits': [23.0, 23.0, 35.0], 'default_dof_pos': [0.1, -0.2, 0.3],
        'joint_mapping': [1, 0, 2],
    }
}  # fmt: skip
WALK = ('dog/walk',)


def write(folder, config=CONFIG, base=BASE):
    """A folder of policies; :return: the config.yaml."""
    inner = folder / 'dog' / 'walk'
    inner.mkdir(parents=True, exist_ok=True)
    if base is not None:
        (folder / 'dog' / 'base.yaml').write_text(yaml.safe_dump(base))
    else:
        (folder / 'dog' / 'base.yaml').unlink(missing_ok=True)
    path = inner / 'config.yaml'
    path.write_text(yaml.safe_dump(config))
    return path


def no_names(count):
    """As the command answers where nobody gave names."""
    raise ModelError('no MJCF')


def read(folder, *edits, base=BASE, names=no_names):
    path = write(folder, edited(CONFIG, *edits), base)
    return read_exported_yaml(YamlFile(path, 'file', ModelError, foreign=True), names)


def test_every_list_in_the_order_that_the_runtime_reads(tmp_path):
    """joint_names of the base are the robot's; all else is the policy's, through the mapping."""
    spec = read(tmp_path).spec()
    assert spec == {
        'name': 'walk',
        'control_rate': 50.0,
        'joints': ['fl', 'fr', 'rear'],
        'default_pose': [0.1, -0.2, 0.3],
        'gains': {'kp': [10.0, 20.0, 30.0], 'kd': [1.0, 2.0, 3.0],
                  'torque_limit': [23.0, 23.0, 35.0]},
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'observation': {
            'clip': [-50.0, 50.0],
            'history': {'length': 3, 'layout': 'per_frame', 'order': 'newest_first',
                        'first': 'zero'},
            'terms': [
                {'source': 'command', 'scale': [2.0, 2.0, 0.25]},
                {'source': 'gyroscope', 'scale': 0.25},
                {'source': 'gravity', 'unit': 'unit'},
                {'source': 'joint_positions', 'relative': True},
                {'source': 'joint_velocities', 'scale': 0.05},
                {'source': 'last_action', 'which': 'raw'},
            ],
        },
        'action': {'relative_to': 'default_pose', 'scale': [0.25, 0.25, 0.5],
                   'clip': [[-9.0, 9.0], [-9.0, 9.0], [-9.0, 8.0]]},
    }  # fmt: skip


def test_the_command_writes_files_that_match_a_network(tmp_path, capsys):
    """With its network as ONNX beside, nothing is left to fill in."""
    path = write(tmp_path, edited(CONFIG, ((*WALK, 'model_name'), 'walk.onnx')))
    path.with_name('walk.onnx').write_bytes(flat_models.linear(54)[0])
    assert main(['import', str(path), '--out', str(tmp_path / 'o')]) == 0
    out = capsys.readouterr().out
    assert '3 joints, 54 observations' in out
    assert 'checked with' in out


def test_without_the_base_names_and_rate_are_filled_in(tmp_path):
    """A config alone is a draft; names may be given, in the robot's order."""
    spec = read(tmp_path, base=None).spec()
    assert spec['joints'].startswith('FILL IN')
    assert spec['control_rate'] == 'FILL IN (Hz)'
    assert spec['default_pose'] == [0.1, -0.2, 0.3]
    given_names = read(tmp_path, base=None, names=lambda n: (['a', 'b', 'c'], 'as given'))
    assert given_names.joints == ['b', 'a', 'c']


@pytest.mark.parametrize(
    ('frames', 'priority', 'history'),
    [
        ([], 'time', None),
        ([0], 'time', None),
        ([1, 0], 'term', (2, 'per_term', 'oldest_first')),
        ([0, 1], ..., (2, 'per_frame', 'newest_first')),
    ],
)
def test_history(tmp_path, frames, priority, history):
    """Frame 0 is the newest, and the order of the list is that of the vector."""
    edits = (((*WALK, 'observations_history'), frames),
             ((*WALK, 'observations_history_priority'), priority))  # fmt: skip
    found = read(tmp_path, *edits).observation.get('history')
    expected = None if history is None else dict(zip(('length', 'layout', 'order'), history,
                                                     strict=True), first='zero')  # fmt: skip
    assert found == expected


def test_a_clock_that_stands_in_the_runtime(tmp_path):
    """g1_phase has 0.8 s; `phase`, with three clocks, is a place to fill in."""
    names = ['g1_phase', 'phase', 'dof_pos']
    contract = read(tmp_path, ((*WALK, 'observations'), names))
    assert contract.phase['frequency'] == pytest.approx(1.25)
    assert contract.phase['start'] == [pytest.approx(0.157080, abs=1e-6)]
    assert contract.observation['terms'][0] == {'source': 'phase', 'encoding': ['sin', 'cos']}
    assert contract.observation['terms'][1]['source'].startswith('FILL IN (of phase, 6 numbers')
    assert read(tmp_path, ((*WALK, 'observations'), names), base=None).phase['start'] == (
        'FILL IN ([rad]: 2 pi / 0.8 s / control_rate)'
    )


def test_an_older_file(tmp_path):
    """state_mapping in place of joint_mapping: the names beside it are the policy's."""
    contract = read(
        tmp_path, ((*WALK, 'joint_mapping'), ...), ((*WALK, 'state_mapping'), [1, 0, 2]),
        ((*WALK, 'joint_names'), ['fl', 'fr', 'rear']), ((*WALK, 'dt'), 0.01), base=None,
    )  # fmt: skip
    assert contract.joints == ['fl', 'fr', 'rear']


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('wheel_indices', [2], 'rl_kp: found 30 for rear, expected 0'),
        ('wheel_indices', [3], 'found .3., expected different indices below 3'),
        ('wheel_indices', [1, 1], 'expected different indices below 3'),
        ('num_observations', 45, 'found 45, expected 18, the sum of the terms'),
        ('num_of_dofs', '3', "num_of_dofs: found the text '3'"),
        ('rl_kp', [1.0], 'found 1 numbers, expected 3'),
        ('rl_kp', [1.0, 2.0, -3.0], 'of at least 0'),
        ('rl_kd', ..., "missing key 'rl_kd'"),
        ('joint_mapping', [0, 0, 1], 'expected 3 different indices'),
        ('joint_mapping', [0, 1, 3], 'expected 3 different indices'),
        ('joint_mapping', None, 'joint_mapping'),
        ('observations', 'ang_vel', 'observations: found'),
        ('observations_history', [0, 2], 'expected 0, 1, 2, ...'),
        ('observations_history', 5, 'observations_history: found 5'),
        ('observations_history_priority', 'frame', 'expected one of time, term'),
        ('commands_scale', [1.0], 'found 1 numbers, expected 3'),
        ('ang_vel_scale', 'small', 'ang_vel_scale: found'),
        ('clip_obs', 0, 'clip_obs: found 0'),
        ('clip_actions_lower', [10.0, 0.0, 0.0], 'above clip_actions_upper'),
        ('action_scale', {'a': 1}, 'action_scale: lacks'),
        ('dt', 20, 'dt: found 20'),
    ],
)
def test_an_edit_that_cannot_be_used_names_its_line(tmp_path, key, value, words):
    """One error, with line, key, found and expected."""
    base = None if key == 'joint_mapping' and value is None else BASE
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, ((*WALK, key), value), base=base)
    assert 'line ' in str(caught.value)


@given(some_edits({'config': CONFIG, 'base': BASE}))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """In either file, no value of any type may be a traceback."""
    folder = tmp_path_factory.mktemp('sar')
    both = edited({'config': CONFIG, 'base': BASE}, *edits)
    try:
        path = write(folder, both.get('config'), both.get('base'))
        file = YamlFile(path, 'file', ModelError, foreign=True)
        contract = read_exported_yaml(file, no_names)
    except KinferRosError:
        return
    spec = folder / 'walk.spec.yaml'
    spec.write_text(yaml.safe_dump(contract.spec()))
    if 'FILL IN' not in spec.read_text():
        load_spec(spec)
