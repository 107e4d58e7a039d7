"""The messages of a simulated robot, built once and refilled: new ones cost more than physics."""

from array import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
from geometry_msgs.msg import Vector3
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.bridges.mujoco.height_scan import HeightScanner
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.ros.messages import SCAN_ENCODING

EXACT = 1e-8
"""Variance of exact values: zero would mean unknown."""


class ScanMessage:
    """
    The newest height scan: one each control period, as in a training.

    :ivar due: it is new, and has to be sent.
    """

    def __init__(self, scanner: HeightScanner, period_ns: int, frame_id: str) -> None:
        rows, columns = scanner.shape
        self._scanner, self._period_ns = scanner, period_ns
        self._stamp_ns = 0
        self.due = False
        self.message = Image(
            height=rows, width=columns, encoding=SCAN_ENCODING, is_bigendian=0, step=4 * columns,
            data=array('B', bytes(4 * rows * columns)),
        )  # fmt: skip
        self.message.header.frame_id = frame_id
        self._view = np.frombuffer(self.message.data, '<f4')

    def fill(self, stamp_ns: int) -> None:
        """Scan the ground if a control period has passed, or time has gone back."""
        # Real stamps waver: a scan is due at the physics step nearest to the period.
        passed = stamp_ns - self._stamp_ns
        self.due = not 0 <= passed < 0.9 * self._period_ns
        if self.due:
            self._stamp_ns = stamp_ns
            stamp = self.message.header.stamp
            stamp.sec, stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
            self._scanner.scan()
            self._view[:] = self._scanner.heights


class SensorMessages:
    """The newest sample of all sensors; `fill` overwrites it."""

    def __init__(self, robot: MujocoRobot, noise: ImuNoise) -> None:
        names = robot.robot.joint_names
        self._robot = robot
        self._stamp = Time()  # shared by all headers
        self.joints = JointState(
            name=list(names),
            position=array('d', bytes(8 * len(names))),
            velocity=array('d', bytes(8 * len(names))),
            effort=array('d', bytes(8 * len(names))),
        )
        self.imu = Imu()
        self.odometry = Odometry(child_frame_id=robot.robot.base_frame)
        self.clock = ClockMessage(clock=self._stamp)
        self.imu.header.frame_id = robot.robot.imu_frame
        self.odometry.header.frame_id = 'odom'
        for message in (self.joints, self.imu, self.odometry):
            message.header.stamp = self._stamp
        self._set_covariances(noise)
        self._views = [
            np.frombuffer(values)
            for values in (self.joints.position, self.joints.velocity, self.joints.effort)
        ]
        self._quat = np.empty(4)
        self._first = np.empty(3)
        self._second = np.empty(3)

    def fill(self, stamp_ns: int) -> None:
        """Read the robot's sensors into the messages."""
        self._stamp.sec, self._stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
        self._robot.joint_state(*self._views)
        self._robot.imu(self._quat, self._first, self._second)
        _set_quaternion(self.imu.orientation, self._quat)
        _set_vector(self.imu.angular_velocity, self._first)
        _set_vector(self.imu.linear_acceleration, self._second)
        pose, twist = self.odometry.pose.pose, self.odometry.twist.twist
        position = np.empty(3)
        self._robot.base(position, self._quat, self._first, self._second)
        _set_vector(pose.position, position)
        _set_quaternion(pose.orientation, self._quat)
        _set_vector(twist.linear, self._first)
        _set_vector(twist.angular, self._second)

    def _set_covariances(self, noise: ImuNoise) -> None:
        imu = self.imu
        for covariance, deviation in (
            (imu.orientation_covariance, noise.imu_orientation_noise),
            (imu.angular_velocity_covariance, noise.imu_gyro_noise),
            (imu.linear_acceleration_covariance, noise.imu_accel_noise),
        ):
            covariance[[0, 4, 8]] = max(deviation**2, EXACT)
        for part in (self.odometry.pose, self.odometry.twist):
            part.covariance[::7] = EXACT


def _set_quaternion(message: Quaternion, wxyz: np.ndarray) -> None:
    message.w, message.x, message.y, message.z = wxyz.tolist()


def _set_vector(message: Vector3, xyz: np.ndarray) -> None:
    message.x, message.y, message.z = xyz.tolist()
