"""The messages of a simulated robot as bytes: what rclpy reads out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.nodes.mujoco.messages import SensorMessages
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.serialized import SerializedMessage

STAMP_NS = 12_000_000_345


def xyz(vector: Any) -> list[float]:
    return [vector.x, vector.y, vector.z]


def wxyz(quaternion: Any) -> list[float]:
    return [quaternion.w, *xyz(quaternion)]


def test_the_bytes_hold_what_the_sensors_read():
    """A number in a wrong place would be another joint's angle, or another axis."""
    robot = MujocoRobot(load_robot('biped'))
    messages = SensorMessages(robot, ImuNoise(imu_gyro_noise=0.1))
    robot.hold_base(False)
    robot.data.qvel[:] = np.linspace(-0.5, 0.5, robot.model.nv)
    robot.step(3)
    messages.fill(STAMP_NS)
    count = len(robot.robot.joint_names)
    position, velocity, effort = np.empty((3, count))
    robot.joint_state(position, velocity, effort)
    joints = deserialize_message(messages.joints(), JointState)
    assert tuple(joints.name) == robot.robot.joint_names
    assert list(joints.position) == position.tolist()
    assert list(joints.velocity) == velocity.tolist()
    assert list(joints.effort) == effort.tolist()

    quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
    robot.imu(quat, gyro, accel)
    imu = deserialize_message(messages.imu(), Imu)
    assert imu.header.frame_id == robot.robot.imu_frame
    assert wxyz(imu.orientation) == quat.tolist()
    assert xyz(imu.angular_velocity) == gyro.tolist()
    assert xyz(imu.linear_acceleration) == accel.tolist()
    assert imu.angular_velocity_covariance[[0, 4, 8]] == pytest.approx([0.01] * 3)
    assert imu.orientation_covariance[[0, 4, 8]] == pytest.approx([1e-8] * 3)

    place, turn, linear, angular = np.empty(3), np.empty(4), np.empty(3), np.empty(3)
    robot.base(place, turn, linear, angular)
    odometry = deserialize_message(messages.odometry(), Odometry)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', robot.robot.base_frame)
    assert xyz(odometry.pose.pose.position) == place.tolist()
    assert wxyz(odometry.pose.pose.orientation) == turn.tolist()
    assert xyz(odometry.twist.twist.linear) == linear.tolist()
    assert xyz(odometry.twist.twist.angular) == angular.tolist()
    assert odometry.pose.covariance[::7] == pytest.approx([1e-8] * 6)

    clock = deserialize_message(messages.clock(), Clock).clock
    for stamp in (joints.header.stamp, imu.header.stamp, odometry.header.stamp, clock):
        assert (stamp.sec, stamp.nanosec) == (12, 345)


def test_marks_that_stand_twice_are_refused():
    """The second place would keep its mark, as if a sensor had read it."""
    message = Imu()
    message.angular_velocity.x = message.linear_acceleration.x = 5.0
    with pytest.raises(ValueError, match='twice'):
        SerializedMessage(message).view(5.0)
    with pytest.raises(ValueError, match='not found'):
        SerializedMessage(message).view(6.0)
