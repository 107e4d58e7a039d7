"""Berkeley-Humanoid-Lite's configuration: everything that its runtime needs, and so do we."""

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
from kinfer_ros.policy.importers.berkeley_lite import read_berkeley_lite
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.yaml_file import YamlFile

CONFIG: dict[str, Any] = {
    'policy_checkpoint_path': 'checkpoints/biped.onnx', 'control_dt': 0.004, 'policy_dt': 0.04,
    'physics_dt': 0.0005, 'cutoff_freq': 1000, 'num_joints': 3,
    'joints': ['arm', 'left', 'right'], 'joint_kp': [10.0, 20.0, 30.0],
    'joint_kd': [1.0, 2.0, 3.0], 'effort_limits': [4.0, 6.0, 6.0],
    'default_joint_positions': [0.1, -0.2, 0.4], 'num_observations': 15, 'history_length': 2,
    'command_velocity': [0.5, 0.0, 0.0], 'num_actions': 2, 'action_scale': 0.25,
    'action_indices': [1, 2], 'action_limit_lower': -100, 'action_limit_upper': 100,
}  # fmt: skip


def read(folder, *edits):
    path = folder / 'policy_biped.yaml'
    path.write_text(yaml.safe_dump(edited(CONFIG, *edits)))
    return read_berkeley_lite(YamlFile(path, 'file', ModelError, foreign=True))


def test_the_whole_spec(tmp_path):
    """Terms, history and clip of the runtime; the legs alone are seen and moved."""
    moved = ['left', 'right']
    contract = read(tmp_path)
    assert contract.spec() == {
        'name': 'policy_biped',
        'control_rate': 25.0,
        'joints': ['arm', 'left', 'right'],
        'default_pose': [0.1, -0.2, 0.4],
        'gains': {'kp': [10.0, 20.0, 30.0], 'kd': [1.0, 2.0, 3.0],
                  'torque_limit': [4.0, 6.0, 6.0]},
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'observation': {
            'history': {'length': 3, 'layout': 'per_frame', 'order': 'oldest_first',
                        'first': 'zero'},
            'terms': [
                {'source': 'command'},
                {'source': 'gyroscope'},
                {'source': 'gravity', 'unit': 'unit'},
                {'source': 'joint_positions', 'relative': True, 'joints': moved},
                {'source': 'joint_velocities', 'joints': moved},
                {'source': 'last_action', 'which': 'raw'},
            ],
        },
        'action': {'joints': moved, 'relative_to': 'default_pose', 'scale': 0.25,
                   'clip': [-100.0, 100.0]},
    }  # fmt: skip
    assert not contract.unknown_gains


def test_the_command_finds_the_network(tmp_path, capsys):
    """configs/ and checkpoints/ stand beside each other."""
    for name in ('configs', 'checkpoints'):
        (tmp_path / name).mkdir()
    (tmp_path / 'checkpoints/biped.onnx').write_bytes(flat_models.linear(45, joints=2)[0])
    path = tmp_path / 'configs/policy_biped.yaml'
    path.write_text(yaml.safe_dump(CONFIG))
    assert main(['import', str(path), '--out', str(tmp_path / 'o')]) == 0
    out = capsys.readouterr().out
    assert '3 joints, 45 observations' in out
    assert f'checked with {tmp_path / "checkpoints/biped.onnx"}' in out


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('joints', 'left', 'joints: found'),
        ('joint_kp', [1.0, 2.0], 'found 2 numbers, expected 3'),
        ('joint_kd', ..., "missing key 'joint_kd'"),
        ('policy_dt', 0, 'policy_dt: found 0'),
        ('action_indices', [1, 1], 'expected different indices'),
        ('action_indices', [1, 3], 'expected different indices'),
        ('num_actions', 3, 'another number than the 2 indices'),
        ('num_joints', 22, 'num_joints: found 22, expected 3'),
        ('num_observations', 45, 'found 45, expected 15'),
        ('history_length', -1, 'history_length: found -1'),
        ('action_scale', None, "missing key 'action_scale'"),
        ('action_limit_lower', 200, 'found a bound above action_limit_upper'),
        ('effort_limits', [0.0, 1.0, 1.0], 'effort_limits: found'),
    ],
)
def test_an_edit_that_cannot_be_used_names_its_line(tmp_path, key, value, words):
    """One error, with line, key, found and expected."""
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, ((key,), value))
    assert 'line ' in str(caught.value)


@given(some_edits(CONFIG))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """No value of any type may be a traceback."""
    folder = tmp_path_factory.mktemp('lite')
    try:
        contract = read(folder, *edits)
    except KinferRosError:
        return
    spec = folder / 'walk.spec.yaml'
    spec.write_text(yaml.safe_dump(contract.spec()))
    load_spec(spec)
