"""Contracts of good models, and errors for wrong metadata."""

from __future__ import annotations

import json

import numpy as np
import pytest

from helpers.policies import models
from helpers.policies.policy_cases import INIT
from helpers.policies.policy_cases import INPUTS
from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import STEP
from helpers.policies.policy_cases import load
from helpers.policies.policy_cases import refusal_of
from helpers.policies.policy_cases import step_with
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.contract import KNOWN_INPUTS
from kinfer_ros.policy.policy import load_model


def test_contract_of_a_full_file(tmp_path):
    """All metadata is typed, by name and in the file's joint order."""
    meta = META | {
        'carry_size': [2],
        'joint_biases': [0.1, -0.1],
        'joint_kp': [30, 40.0],
        'joint_kd': {'joint_1': 2.0, 'joint_0': 1.0},
        'joint_torque_limits': [5.0, 6.0],
        'control_rate_hz': 50,
        'command_ranges': {'xvel': [-0.5, 1.2]},
        'provenance': {'seed': 1},
        'unknown': 'kept',
    }
    contract = load(tmp_path, meta=meta).contract
    assert contract.path == tmp_path / 'policy.kinfer'
    assert contract.kind == 'kinfer'
    assert len(contract.sha256) == 64
    assert contract.joint_names == ('joint_0', 'joint_1')
    assert contract.command_names == models.COMMANDS_3
    assert contract.carry_shape == (2,)
    assert contract.joint_biases == (0.1, -0.1)
    assert contract.joint_kp == (30.0, 40.0)
    assert contract.joint_kd == (1.0, 2.0)
    assert contract.joint_torque_limits == (5.0, 6.0)
    assert contract.control_rate_hz == 50.0
    assert contract.command_ranges == {'xvel': (-0.5, 1.2)}
    assert contract.provenance == {'seed': 1}
    assert contract.metadata['unknown'] == 'kept'
    assert [(each.name, each.shape) for each in contract.inputs] == [
        ('joint_angles', (2,)),
        ('command', (3,)),
    ]


def test_optional_keys_may_be_absent(tmp_path):
    """Files written by kinfer have none of our keys."""
    contract = load(tmp_path).contract
    assert contract.joint_biases is None
    assert contract.joint_kp is None
    assert contract.control_rate_hz is None
    assert contract.command_ranges == {}
    assert contract.provenance == {}


def test_every_input_of_every_version(tmp_path):
    """All inputs of kinfer 0.4 to 0.6 have a unit and a meaning."""
    step = models.concat_step()
    total = 2 * 2 + 3 * 4 + 1 + 4 + 1
    contract = load(tmp_path, models.init_fn(np.zeros(total)), step).contract
    assert {each.name for each in contract.inputs} == set(KNOWN_INPUTS)
    assert all(each.unit and each.meaning for each in contract.inputs)
    shapes = {each.name: each.shape for each in contract.inputs}
    assert shapes['quaternion'] == (4,)
    assert shapes['initial_heading'] == (1,)


UNIFIED = (
    'xvel yvel yawrate baseheight baseroll basepitch'
    ' rshoulderpitch rshoulderroll rshoulderyaw relbowpitch rwristroll'
    ' lshoulderpitch lshoulderroll lshoulderyaw lelbowpitch lwristroll'
)


@pytest.mark.parametrize(
    ('count', 'names'),
    [
        (3, 'xvel yvel yawrate'),
        (6, 'xvel yvel yaw baseheight baseroll basepitch'),
        (7, 'xvel yvel yawrate yaw baseheight baseroll basepitch'),
        (16, UNIFIED),
        # As in K-Scale's dummy_with_grippers.kinfer: each gripper after its wrist.
        (18, UNIFIED.replace('rwristroll', 'rwristroll rgripper') + ' lgripper'),
        (4, 'cmd_0 cmd_1 cmd_2 cmd_3'),
    ],
)
@pytest.mark.parametrize('keys', ['num_commands', 'null', 'absent'])
def test_command_names_of_older_files(tmp_path, count, names, keys):
    """Before 0.6 a file has a number of commands, or null; names follow from the length."""
    step = step_with({'command': (count,), 'carry': (2,)})
    meta = {'joint_names': models.joint_names(2)}
    if keys == 'num_commands':
        meta |= {'num_commands': count, 'command_names': None}
    elif keys == 'null':
        meta |= {'num_commands': None, 'carry_size': None}
    assert load(tmp_path, step=step, meta=meta).contract.command_names == tuple(names.split())


def test_no_command_input_means_no_commands(tmp_path):
    """Command names are ignored where the graph has no command input."""
    policy = load(tmp_path, step=step_with({'joint_angles': (2,), 'carry': (2,)}))
    assert policy.contract.command_names == ()


def test_no_carry_input_means_no_state(tmp_path):
    """Kinfer allows a step without carry input; its second output is ignored."""
    policy = load(tmp_path, step=step_with({'joint_angles': (2,)}))
    assert policy.contract.carry_shape is None
    assert policy.carry.shape == (0,)
    assert policy.step({'joint_angles': [1.0, 2.0]}).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'joint_names': None}, 'joint_names: found nothing; expected a list'),
        ({'joint_names': 'hip'}, "joint_names: found 'hip'; expected a list"),
        ({'joint_names': []}, 'joint_names: found an empty list; expected at least one joint'),
        ({'joint_names': ['a', 3]}, 'joint_names: found 3; expected printable, non-empty strings'),
        ({'joint_names': ['a', '']}, "joint_names: found ''; expected printable"),
        ({'joint_names': ['a', 'b\n']}, "found 'b\\n'; expected printable"),
        ({'joint_names': ['a', 'a']}, "joint_names: found ['a'] more than once (duplicate)"),
        ({'command_names': ['x', 'x', 'y']}, "command_names: found ['x'] more than once"),
        ({'command_names': {'x': 1}}, "command_names: found {'x': 1}; expected a list"),
        ({'num_commands': 4}, 'num_commands: found 4; expected 3, as in command_names'),
        ({'num_commands': True}, 'num_commands: found True; expected an integer'),
        ({'num_commands': -1}, 'num_commands: found -1; expected an integer'),
        ({'carry_size': 2}, 'carry_size: found 2; expected a list of integers'),
        ({'carry_size': [2.0]}, 'carry_size: found [2.0]; expected a list of integers'),
        ({'control_rate_hz': 0}, 'control_rate_hz: found 0; expected a number above 0'),
        ({'control_rate_hz': '50'}, "control_rate_hz: found '50'; expected a number above 0"),
        ({'joint_biases': [0.0]}, 'joint_biases: found 1 numbers; expected 2 finite numbers'),
        ({'joint_biases': {'joint_0': 1.0}}, "joint_biases: found {'joint_0': 1.0}; expected 2"),
        ({'joint_kp': [1.0, -1.0]}, 'joint_kp: found [1.0, -1.0]; expected 2 finite numbers not'),
        ({'joint_kd': [1.0, True]}, 'joint_kd: found [1.0, True]; expected 2 finite numbers'),
        ({'joint_torque_limits': [1, None]}, 'joint_torque_limits: found [1, None]; expected 2'),
        ({'command_ranges': [1]}, 'command_ranges: found [1]; expected an object'),
        ({'command_ranges': {'xvel': [1, 0]}}, 'command_ranges.xvel: found [1, 0]; expected'),
        ({'command_ranges': {'zvel': [0, 1]}}, 'command_ranges.zvel: found an unknown command'),
        ({'provenance': 'me'}, "provenance: found 'me'; expected an object"),
        ({'command_names': ['x']}, 'input command: found shape (3); expected (1), one a command'),
        ({'carry_size': [3]}, 'carry_size [3]; expected [2], as init_fn gives it'),
        ({'joint_names': ['a']}, 'input joint_angles: found shape (2); expected (1), one a joint'),
    ],
)
def test_wrong_metadata(tmp_path, change, words):
    """Each error says what was found and what was expected."""
    assert words in refusal_of(tmp_path, meta=META | change)


def test_infinite_number_in_json(tmp_path):
    """JSON's 1e400 is an infinity in Python."""
    path = models.write_kinfer(tmp_path / 'policy.kinfer', INIT, STEP, META)
    entries = [('init_fn.onnx', INIT), ('step_fn.onnx', STEP)]
    text = json.dumps(META | {'joint_kp': [1, 2]}).replace('[1, 2]', '[1e400, 2]')
    path.write_bytes(models.raw_archive([*entries, ('metadata.json', text.encode())]))
    with pytest.raises(ModelError, match=r'joint_kp: found \[inf, 2\]; expected 2 finite numbers'):
        load_model(path)


def test_all_problems_at_once(tmp_path):
    """One error lists all problems."""
    text = refusal_of(tmp_path, meta=META | {'joint_kp': [1], 'control_rate_hz': -1})
    assert '2 problems:' in text
    assert 'joint_kp' in text
    assert 'control_rate_hz' in text
    inputs = INPUTS | {'joint_angles': (3,), 'gyroscope': (4,)}
    text = refusal_of(tmp_path, step=step_with(inputs, {'action': (5,), 'next': (2,)}))
    assert '3 problems:' in text
