"""Joints of legs are known by the robot file, or by a name that is surely no leg's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.robots import small_robot
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.legs import joints_of_legs
from kinfer_ros.robot.robot import load_robot

ARMS = (
    'left_shoulder_pitch_joint', 'right_elbow_joint', 'dof_left_wrist_00', 'lelbowpitch',
    'head_yaw', 'neck', 'rgripper', 'LeftForeArm', 'forearm_roll', 'r_hand_thumb_1', 'armjoint3',
)  # fmt: skip
LEGS = (
    'left_hip_pitch_joint', 'right_knee', 'left_ankle_roll', 'FL_thigh_joint', 'LL_HFE', 'LF_KFE',
    # Joints of unknown use, and shoulders of quadrupeds.
    'joint_7', 'waist_yaw_joint', 'front_left_shoulder', 'FL_shoulder', 'RHShoulder', 'rear_elbow',
)  # fmt: skip


@pytest.mark.parametrize('name', ARMS)
def test_a_name_of_an_arm_or_a_head(tmp_path, name):
    """Nobody has to list the legs of a robot whose names are plain."""
    assert joints_of_legs(small_robot(tmp_path, (name,)), [name]) == []


@pytest.mark.parametrize('name', LEGS)
def test_any_other_name_may_be_of_a_leg(tmp_path, name):
    """A guess that is wrong must not move a leg."""
    assert joints_of_legs(small_robot(tmp_path, (name,)), [name]) == [name]


def test_the_robot_file_knows_better(tmp_path):
    """Where it lists the legs, names do not count."""
    robot = small_robot(tmp_path, ('waist', 'left_arm'))
    robot = replace(robot, legs=('left_arm',))
    assert joints_of_legs(robot, ['waist', 'left_arm']) == ['left_arm']
    assert joints_of_legs(replace(robot, legs=()), ['waist', 'left_arm']) == []


def test_legs_in_the_file(tmp_path):
    """A list of its joints; one that it lacks is said with its line."""
    path = small_robot(tmp_path).path
    text = path.read_text()
    path.write_text(f'{text}legs: [joint_1]\n')
    assert load_robot(path).legs == ('joint_1',)
    path.write_text(f'{text}legs: []\n')
    assert load_robot(path).legs == ()
    path.write_text(f'{text}legs: [joint_2]\n')
    with pytest.raises(RobotError, match='legs: found joint_2'):
        load_robot(path)
    path.write_text(f'{text}legs:\n')
    with pytest.raises(RobotError, match='legs'):
        load_robot(path)
