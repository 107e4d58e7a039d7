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
