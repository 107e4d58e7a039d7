"""A policy held against a robot: what does not fit is refused with both sides named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.policies.models import COMMANDS_3
from helpers.policies.models import EVERY_INPUT
from helpers.policies.models import concat_step
from helpers.policies.models import init_fn
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble
from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.policy import load_model


def test_joints_the_robot_lacks_are_named_with_both_lists(tmp_path: Path) -> None:
    """The most frequent mistake: the wrong robot, or another naming."""
    robot = small_robot(tmp_path, ('joint_1', 'knee'))
    with pytest.raises(ContractError) as caught:
        assemble(leaky_policy(tmp_path), robot, SessionSettings(PERIOD_NS), LiveSettings())
    text = str(caught.value)
    for expected in ("['joint_0']", "['joint_0', 'joint_1']", "['joint_1', 'knee']", 'leaky'):
        assert expected in text


def test_gains_and_pose_come_from_the_policy_by_name(tmp_path: Path) -> None:
    """The policy was trained with its own gains; the robot's order is another."""
    robot = small_robot(tmp_path, ('spare', 'joint_1', 'joint_0'))
    policy = leaky_policy(tmp_path, joint_kp=[11.0, 12.0], joint_biases=[0.2, 0.3])
    np.testing.assert_allclose(gains(policy.contract, robot).kp, [20.0, 12.0, 11.0])
    np.testing.assert_allclose(gains(policy.contract, robot).kd, [1.0, 1.0, 1.0])
    np.testing.assert_allclose(start_pose(policy.contract, robot), [0.1, 0.3, 0.2])


def test_gains_above_the_hard_limits_and_a_pose_outside_are_all_reported(tmp_path: Path) -> None:
    """Everything that does not fit, at once, so that it is mended at once."""
    policy = leaky_policy(tmp_path, joint_kp=[100.0, 20.0], joint_biases=[0.0, 3.0])
    with pytest.raises(ContractError) as caught:
        assemble(policy, small_robot(tmp_path), SessionSettings(PERIOD_NS), LiveSettings())
    assert 'kp of joint_0' in str(caught.value)
    assert 'start pose of joint_1' in str(caught.value)


def test_every_input_gets_its_own_numbers(tmp_path: Path) -> None:
    """A swapped gyro and accelerometer would still have the right shape."""
    robot = small_robot(tmp_path, ('joint_1', 'joint_0'))
    size = sum(count or 2 for count in EVERY_INPUT.values())
    path = write_kinfer(
        tmp_path / 'all.kinfer',
        init_fn(np.zeros(size)),
        concat_step(),
        metadata(2, COMMANDS_3, carry_size=[size]),
    )
    rig = Rig(load_model(path), robot)
    rig.run()
    frame = rig.frame
    frame.position[:] = [0.2, 0.1]
    frame.velocity[:] = [2.0, 1.0]
    half = np.sqrt(0.5)
    frame.update_imu((half, 0.0, 0.0, half), (1.1, 1.2, 1.3), (2.1, 2.2, 2.3), rig.now)
    rig.controller.inputs.command.set_twist(0.3, 0.4, 0.5, rig.now)
    rig.tick()
    # The test policy hands its inputs through as its next carry.
    expected = {
        'joint_angles': [0.1, 0.2],
        'joint_angular_velocities': [1.0, 2.0],
        'projected_gravity': [0.0, 0.0, -9.81],
        'accelerometer': [2.1, 2.2, 2.3],
        'gyroscope': [1.1, 1.2, 1.3],
        'command': [0.3, 0.4, 0.5],
        'time': [PERIOD_NS / 1e9],
        'quaternion': [half, 0.0, 0.0, half],
        'initial_heading': [0.0],
    }
    found = rig.policy.carry
    flat = np.concatenate([expected[name] for name in EVERY_INPUT])
    np.testing.assert_allclose(found, flat, atol=1e-6)
