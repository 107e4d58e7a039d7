"""A policy that takes the base's velocity: from odometry, in the right frame, and never stale."""

from __future__ import annotations

import dataclasses
import math

import mujoco
import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.policy.inputs import Observation
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ContractError
from kinfer_ros.rotations import rotation_matrix

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


IMU = """
<mujoco>
  <worldbody>
    <body name="base" pos="0 0 1">
      <freejoint/>
      <geom type="box" size="0.2 0.1 0.1" mass="5"/>
      <site name="imu" pos="0.1 -0.05 0.3" quat="0.7 0 0.7 0.1"/>
      <body><joint name="j"/><geom size="0.05"/></body>
    </body>
  </worldbody>
  <actuator><motor joint="j"/></actuator>
  <sensor><velocimeter name="v" site="imu"/><gyro name="w" site="imu"/></sensor>
</mujoco>
"""


@pytest.mark.parametrize('suffix', ['', '_imu'])
def test_the_velocity_at_the_imu_is_that_of_a_velocimeter(tmp_path, suffix):
    """Turning alone leaves out omega x r: 0.3 m/s on a humanoid that turns."""
    model = mujoco.MjModel.from_xml_string(IMU)
    data = mujoco.MjData(model)
    site = model.site('imu')
    robot = dataclasses.replace(
        small_robot(tmp_path), imu_mounting=site.quat, imu_position=tuple(site.pos.tolist())
    )
    frame = SensorFrame(robot)
    inputs = {'imu_linear_velocity' + suffix: np.zeros(3, np.float32)}
    command = CommandVector((), {}, live=LiveSettings())
    observation = Observation(
        inputs, frame, np.arange(1), command, MotionControl(), entries=command.names
    )
    rotation = np.eye(3) if suffix else rotation_matrix(robot.imu_mounting)
    rng = np.random.default_rng(3)
    for tick in range(1, 6):
        data.qpos[3:7] = rng.standard_normal(4)
        data.qvel[:] = rng.standard_normal(model.nv)
        mujoco.mj_forward(model, data)
        linear = data.xmat[1].reshape(3, 3).T @ data.qvel[:3]
        frame.update_imu((1.0, 0.0, 0.0, 0.0), data.sensor('w').data, np.zeros(3), tick)
        frame.update_odometry(tuple(linear), tick)
        observation.fill(0.0)
        (found,) = inputs.values()
        np.testing.assert_allclose(found, rotation @ data.sensor('v').data, atol=1e-6)
    assert frame.needs_odometry


def test_without_the_place_of_the_imu_it_is_refused(tmp_path):
    """Nothing is taken for zero."""
    content = flat_models.spec([{'source': 'imu_linear_velocity'}])
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    with pytest.raises(ContractError, match=r'imu\.position of .*found none'):
        Walker(policy, small_robot(tmp_path, tuple(flat_models.JOINTS)))


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
