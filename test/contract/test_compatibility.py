"""Which policies may take over from each other while the robot is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.robots import leaky_policy
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.contract.compatibility import check_compatibility
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract

RATE = 50.0


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return leaky_policy(tmp_path, joint_kp=[20.0, 21.0]).contract


def refusal(folder: Path, incoming: Contract, running: Contract) -> str:
    """The error text for an incompatible policy."""
    with pytest.raises(ContractError) as caught:
        check_compatibility(incoming, running, small_robot(folder), RATE)
    text = str(caught.value)
    assert 'cannot take over' in text
    assert 'deactivate, then load it' in text
    return text


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'command_ranges': {'xvel': (-0.1, 0.1)}},
        {'control_rate_hz': RATE},
        {'joint_kp': (20.0, 25.0), 'joint_kd': (1.5, 1.0), 'joint_torque_limits': (9.0, 10.0)},
        {'provenance': {'seed': 2}, 'sha256': 'other'},
    ],
)
def test_another_training_of_the_same_contract_fits(
    tmp_path: Path, contract: Contract, changes: Mapping[str, Any]
) -> None:
    """A rate that no file gives is the running rate; gains change with the policy."""
    check_compatibility(replace(contract, **changes), contract, small_robot(tmp_path), RATE)


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'joint_names': ('joint_1', 'joint_0')}, "joints: found ('joint_1', 'joint_0')"),
        ({'command_names': ('xvel', 'yawrate', 'yvel')}, 'commands: found'),
        ({'carry_shape': (3,)}, 'carry shape: found (3,), expected (2,)'),
        ({'carry_shape': None}, 'carry shape: found None'),
        ({'control_rate_hz': 100.0}, 'control rate: found 100.0, expected 50.0'),
        ({'joint_biases': (0.1, 0.2)}, 'start pose of joint_1: found 0.2, expected 0.1'),
    ],
)
def test_what_would_move_the_robot_or_break_the_log_is_refused(
    tmp_path: Path, contract: Contract, changes: Mapping[str, Any], expected: str
) -> None:
    """A pose cannot change in one tick, and a step log has one layout."""
    assert expected in refusal(tmp_path, replace(contract, **changes), contract)


def test_other_inputs_are_refused(tmp_path: Path, contract: Contract) -> None:
    """A step record holds the inputs of one policy."""
    other = level_policy(tmp_path, 0.0).contract
    assert 'inputs: found' in refusal(tmp_path, other, contract)


def test_everything_that_does_not_fit_is_said_at_once(tmp_path: Path, contract: Contract) -> None:
    """One error lists all differences."""
    other = replace(contract, control_rate_hz=100.0, carry_shape=(4,))
    text = refusal(tmp_path, other, contract)
    assert 'control rate' in text
    assert 'carry shape' in text


def test_an_absolute_heading_cannot_be_exchanged(tmp_path: Path, contract: Contract) -> None:
    """It counts from the start of a run, so the new policy would turn the robot by it."""
    turning = replace(contract, command_names=('xvel', 'yvel', 'yaw'))
    assert 'absolute heading' in refusal(tmp_path, turning, turning)
