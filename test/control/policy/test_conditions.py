"""Conditions of a transition on single values; test_transitions.py has them in the tick."""

from __future__ import annotations

import numpy as np

from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.policy.conditions import ConditionCheck
from kinfer_ros.policy.sets.transition import Conditions


def test_a_wheel_is_near_its_start_pose_wherever_it_stands(tmp_path):
    """Its angle grows without bound, and its target is a speed; other joints count as ever."""
    rig = Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path))
    rig.frame.position[:] = (0.1, 500.0)
    pose, near = np.array([0.1, 0.0]), Conditions(pose_within=0.2)
    command, policy = rig.controller.inputs.command, rig.policy
    check = ConditionCheck(rig.frame, command, np.array([False, True]))
    assert check.unmet(near, policy, pose, rig.now) == ''
    rig.frame.position[0] = 0.5
    assert 'joint_0 is 0.40 rad from the start pose' in check.unmet(near, policy, pose, rig.now)
    rig.frame.position[0] = 0.1
    without = ConditionCheck(rig.frame, command)
    assert 'joint_1 is 500.00 rad' in without.unmet(near, policy, pose, rig.now)


def test_a_robot_is_at_rest_when_no_joint_moves(tmp_path):
    """One that moves is enough to wait; a wheel may turn; a speed not known does not pass."""
    rig = Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path))
    rig.frame.velocity[:] = (-0.2, 40.0)
    rest, pose = Conditions(max_joint_speed=0.3), np.zeros(2)
    command, policy = rig.controller.inputs.command, rig.policy
    check = ConditionCheck(rig.frame, command, np.array([False, True]))
    assert check.unmet(rest, policy, pose, rig.now) == ''
    rig.frame.velocity[0] = -0.4
    said = check.unmet(rest, policy, pose, rig.now)
    assert said == 'joint_0 moves with 0.40 rad/s, expected at most 0.3 (max_joint_speed)'
    rig.frame.velocity[0] = np.nan
    assert check.unmet(rest, policy, pose, rig.now) != ''
    rig.frame.velocity[0] = 0.0
    without = ConditionCheck(rig.frame, command)
    assert 'joint_1 moves with 40.00' in without.unmet(rest, policy, pose, rig.now)
    # A pose that holds does not hide a joint that moves.
    both = Conditions(max_joint_speed=0.3, pose_within=10.0)
    assert 'max_joint_speed' in without.unmet(both, policy, rig.frame.position, rig.now)
