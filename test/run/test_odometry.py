"""A policy that takes the base's velocity: from odometry, in the right frame, and never stale."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from helpers import flat_models
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.modes import Mode

TERMS = [{'source': 'linear_velocity', 'frame': 'imu'}, {'source': 'quaternion', 'order': 'wxyz'}]
VELOCITY = (0.5, 0.1, -0.2)


class Walker(Rig):
    """A rig that also gives odometry, until it is told to stop."""

    silent = False

    def sense(self) -> None:
        """A fresh sample of everything."""
        super().sense()
        if not self.silent:
            self.frame.update_odometry(VELOCITY, self.now)


@pytest.fixture
def rig(tmp_path) -> Walker:
    content = flat_models.spec(TERMS, default_pose=[0.0, 0.0, 0.0])
    model = flat_models.linear(7)[0]
    policy = flat_models.load(tmp_path, model, content)
    robot = dataclasses.replace(
        small_robot(tmp_path, tuple(flat_models.JOINTS), home=0.0),
        imu_mounting=np.array([math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]),
    )
    return Walker(policy, robot)


def test_the_velocity_reaches_the_policy_in_the_frame_it_asks_for(rig):
    """The IMU is yawed by 90 degrees: the base's x is its -y."""
    rig.run()
    inputs = rig.controller._parts.runner.bound.policy.inputs
    np.testing.assert_allclose(inputs['base_linear_velocity_imu'], [0.1, -0.5, -0.2], atol=1e-7)


def test_stale_odometry_is_a_fault(rig):
    """A policy that walks on an old velocity falls within two seconds."""
    rig.run()
    rig.silent = True
    assert rig.tick(100) is Mode.FAULT
    assert 'odom is stale' in rig.controller.reason


def test_absent_odometry_is_a_fault(rig):
    """As absent joint states are."""
    rig.silent = True
    rig.frame.odom_stamp_ns = 0
    rig.activate()
    rig.tick()
    assert rig.controller.mode is Mode.FAULT
    assert 'no message yet on odom' in rig.controller.reason


def test_a_velocity_that_is_not_finite_is_a_fault(rig):
    """An estimator that diverges gives NaN before anything else does."""
    rig.run()
    rig.silent = True
    rig.frame.update_odometry((math.nan, 0.0, 0.0), rig.now + 1)
    assert rig.tick() is Mode.FAULT
    assert 'odom' in rig.controller.reason


def test_a_velocity_that_stays_the_same_is_no_fault(rig):
    """A robot that stands is not frozen."""
    rig.run()
    for step in range(100):
        rig.frame.position[0] = rig.frame.gyro[0] = 1e-4 * step  # else these are frozen
        assert rig.tick() is Mode.RUN, rig.controller.reason


def test_other_policies_need_none(tmp_path):
    """Hardware without an estimator walks all the same."""
    content = flat_models.spec([{'source': 'gyroscope'}], default_pose=[0.0, 0.0, 0.0])
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    rig = Rig(policy, small_robot(tmp_path, tuple(flat_models.JOINTS), home=0.0))
    rig.run()
    assert not rig.frame.needs_odometry
