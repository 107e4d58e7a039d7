"""Metadata of newer exporters of K-Scale's format is read as it was meant, or refused."""

from __future__ import annotations

import pytest

from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import load
from helpers.policies.policy_cases import refusal_of

BIASES = [
    {'joint_name': 'joint_1', 'reference_angle': -0.5, 'weight': 1.0},
    {'joint_name': 'joint_0', 'reference_angle': 0.25, 'weight': 0.01},
]
FIELDS = [
    {'name': 'vx', 'description': 'forward', 'units': 'm/s', 'range': [-0.5, 1.0]},
    {'name': 'vy', 'description': 'left', 'units': None, 'range': None},
    {'name': 'wz', 'description': 'turn', 'units': 'rad/s', 'range': [-1, 1]},
]
INFO = {'command_type': 'twist', 'description': 'base velocity', 'fields': FIELDS}


def contract_of(tmp_path, **more):
    meta = {key: value for key, value in (META | more).items() if value is not ...}
    return load(tmp_path, meta=meta).contract


@pytest.mark.parametrize('key', ['joint_biases', 'home_position'])
@pytest.mark.parametrize(
    'value',
    [
        BIASES,
        [['joint_1', -0.5, 1.0], ['joint_0', 0.25, 0.01]],
        [['joint_1', -0.5], ['joint_0', 0.25]],
        [*BIASES, {'joint_name': 'arm', 'reference_angle': 3.0, 'weight': 1.0}],
        [{'joint_name': 'joint_1', 'reference_angle': -0.5, 'weight': None}, BIASES[1]],
        {'joint_1': {'reference_angle': -0.5, 'weight': 1.0}, 'joint_0': {'angle': 0.25}},
        {'joint_1': -0.5, 'joint_0': 0.25},
        [0.25, -0.5],
    ],
)
def test_a_pose_in_each_form(tmp_path, key, value):
    """By name wherever names are given, whatever their order; rad."""
    contract = contract_of(tmp_path, **{key: value})
    assert contract.joint_biases == (0.25, -0.5)
    assert contract.assumptions == ()


def test_the_home_position_is_the_start_pose(tmp_path):
    """Where the reference angles of the reward differ from it, that is said."""
    contract = contract_of(tmp_path, joint_biases=BIASES, home_position=[0.0, -0.5])
    assert contract.joint_biases == (0.0, -0.5)
    assert contract.assumptions == (
        'start pose: home_position; joint_biases is up to 0.25 rad away from it',
    )
    same = contract_of(tmp_path, joint_biases=BIASES, home_position=[0.2504, -0.5])
    assert same.assumptions == ()


def test_the_fields_of_the_command_are_its_names_and_ranges(tmp_path):
    """Only where command_names is absent; its own ranges come first."""
    contract = contract_of(tmp_path, command_names=..., command_type_info=INFO)
    assert contract.command_names == ('vx', 'vy', 'wz')
    assert contract.command_ranges == {'vx': (-0.5, 1.0), 'wz': (-1.0, 1.0)}
    named = contract_of(
        tmp_path,
        command_names=['vx', 'vy', 'other'],
        command_type_info=INFO,
        command_ranges={'vx': [0.0, 0.1]},
    )
    assert named.command_names == ('vx', 'vy', 'other')
    assert named.command_ranges == {'vx': (0.0, 0.1)}


def units_notes(tmp_path, units):
    fields = [{'name': name, 'units': unit} for name, unit in units.items()]
    info = {'command_type': 'unified', 'fields': fields}
    return contract_of(tmp_path, command_names=[*units], command_type_info=info).assumptions


def test_units_that_commands_do_not_come_in_are_said(tmp_path):
    """A turn rate in deg/s would be turned 57 times too slowly, without a word."""
    good = {'xvel': 'm/s', 'yawrate': 'Radians/second', 'relbowpitch': 'rad'}
    assert units_notes(tmp_path, good) == ()
    assert units_notes(tmp_path, {'baseheight': 'm', 'basepitch': None, 'hand': 'deg'}) == ()
    notes = units_notes(tmp_path, {'yvel': 'rad', 'yawrate': 'deg/s', 'lwristroll': 'm'})
    assert [note.split(' but ')[0] for note in notes] == [
        "command_type_info: yvel is in 'rad',",
        "command_type_info: yawrate is in 'deg/s',",
        "command_type_info: lwristroll is in 'm',",
    ]
    assert notes[1].endswith('but its command comes in rad/s and is not converted')


def test_keys_that_nobody_reads_are_named(tmp_path):
    """A misspelt key would otherwise be no key."""
    more = {'kinfer_version': '0.7.1', 'training_metadata': {'seed': 1}}
    assert contract_of(tmp_path, **more).assumptions == ()
    contract = contract_of(tmp_path, joint_bias=[0.1, 0.2], licence='MIT', **more)
    assert contract.assumptions == ('metadata: not read: joint_bias, licence',)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'joint_biases': [BIASES[0]]}, 'joint_biases: found no entry for joint_0; expected one'),
        ({'joint_biases': [*BIASES, BIASES[0]]}, 'joint_biases: found joint_1 more than once'),
        ({'joint_biases': [['joint_0', 'up', 1]]}, 'joint_biases[0]: found'),
        ({'joint_biases': [['joint_0'], ['joint_1']]}, 'joint_biases[0]: found'),
        ({'joint_biases': [{'joint_name': 3, 'reference_angle': 0}]}, 'joint_biases[0]: found'),
        ({'joint_biases': [BIASES[0], 3]}, 'joint_biases[1]: found 3; expected {joint_name, '),
        ({'joint_biases': [BIASES[0] | {'weight': 'x'}]}, '[name, angle, weight], finite numbers'),
        ({'joint_biases': ['joint_0', 'joint_1']}, 'joint_biases: found ['),
        ({'home_position': [None, 0.0]}, 'home_position: found [None, 0.0]; expected 2 finite'),
        ({'home_position': 'zero'}, "home_position: found 'zero'; expected 2 finite numbers"),
        ({'command_names': []}, 'input command: found shape (3); expected (0)'),
        ({'kinfer_version': 7}, 'kinfer_version: found 7; expected a text'),
        ({'command_type_info': 'twist'}, "command_type_info: found 'twist'; expected an object"),
        ({'command_type_info': {'fields': 3}}, 'command_type_info: found'),
        ({'command_type_info': INFO | {'command_type': 3}}, 'command_type: found 3; expected a'),
        ({'command_type_info': {'fields': [3]}}, 'command_type_info.fields[0]: found 3; expected'),
        ({'command_type_info': {'fields': [FIELDS[0], FIELDS[0]]}}, 'fields[1]: found'),
        ({'command_type_info': {'fields': [{'name': 'vx', 'range': [1, 0]}]}}, 'fields[0]: found'),
        ({'command_names': None, 'num_commands': 2, 'command_type_info': INFO},
         'num_commands: found 2; expected 3'),
    ],
)  # fmt: skip
def test_malformed_keys_are_one_error(tmp_path, change, words):
    """With key, found and expected, as for all metadata."""
    assert words in refusal_of(tmp_path, meta=META | change)
