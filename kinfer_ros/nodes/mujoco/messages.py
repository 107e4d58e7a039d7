"""The messages of a simulated robot, serialised once: new ones cost more than physics."""

from array import array

import numpy as np
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.bridges.mujoco.height_scan import HeightScanner
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.ros.messages import SCAN_ENCODING
from kinfer_ros.ros.serialized import SerializedMessage

EXACT = 1e-8
"""Variance of exact values: zero would mean unknown."""
XYZW = [1, 2, 3, 0]
"""Where the parts of a message's quaternion are in one of ours."""


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
    """
    The newest sample of all sensors; `fill` reads one, the others give it as bytes.

    :ivar stamp_ns: of the sample.
    """

    def __init__(self, robot: MujocoRobot, noise: ImuNoise) -> None:
        self.stamp_ns = 0
        self._robot = robot
        # MuJoCo's functions want arrays of their own.
        self._quat, self._gyro, self._accel = np.empty(4), np.empty(3), np.empty(3)
        self._base = np.empty(3), np.empty(4), np.empty(3), np.empty(3)
        self._make_joints(robot.robot.joint_names)
        self._make_imu(robot.robot.imu_frame, noise)
        self._make_odometry(robot.robot.base_frame)
        self._clock = SerializedMessage(ClockMessage())

    def _make_joints(self, names: tuple[str, ...]) -> None:
        count = len(names)
        marks = np.arange(1.0, 3 * count + 1).reshape(3, count)
        position, velocity, effort = (array('d', row) for row in marks)
        self._joints = SerializedMessage(
            JointState(name=list(names), position=position, velocity=velocity, effort=effort)
        )
        self._joint_views = [self._joints.view(*row) for row in marks]

    def _make_imu(self, frame: str, noise: ImuNoise) -> None:
        imu = Imu()
        imu.header.frame_id = frame
        turn, gyro, accel = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        turn.x, turn.y, turn.z, turn.w = 1.0, 2.0, 3.0, 4.0
        gyro.x, gyro.y, gyro.z = 5.0, 6.0, 7.0
        accel.x, accel.y, accel.z = 8.0, 9.0, 10.0
        for covariance, deviation in (
            (imu.orientation_covariance, noise.imu_orientation_noise),
            (imu.angular_velocity_covariance, noise.imu_gyro_noise),
            (imu.linear_acceleration_covariance, noise.imu_accel_noise),
        ):
            covariance[[0, 4, 8]] = max(deviation**2, EXACT)
        self._imu = SerializedMessage(imu)
        self._turn_view = self._imu.view(1.0, 2.0, 3.0, 4.0)
        self._gyro_view = self._imu.view(5.0, 6.0, 7.0)
        self._accel_view = self._imu.view(8.0, 9.0, 10.0)

    def _make_odometry(self, frame: str) -> None:
        odometry = Odometry(child_frame_id=frame)
        odometry.header.frame_id = 'odom'
        pose, twist = odometry.pose.pose, odometry.twist.twist
        place, turn = pose.position, pose.orientation
        place.x, place.y, place.z = 1.0, 2.0, 3.0
        turn.x, turn.y, turn.z, turn.w = 4.0, 5.0, 6.0, 7.0
        twist.linear.x, twist.linear.y, twist.linear.z = 8.0, 9.0, 10.0
        twist.angular.x, twist.angular.y, twist.angular.z = 11.0, 12.0, 13.0
        for part in (odometry.pose, odometry.twist):
            part.covariance[::7] = EXACT
        self._odometry = SerializedMessage(odometry)
        self._pose_view = self._odometry.view(*np.arange(1.0, 8.0))
        self._twist_view = self._odometry.view(*np.arange(8.0, 14.0))

    def fill(self, stamp_ns: int) -> None:
        """Read the robot's sensors."""
        self.stamp_ns = stamp_ns
        self._robot.joint_state(*self._joint_views)
        self._robot.imu(self._quat, self._gyro, self._accel)
        self._turn_view[:] = self._quat[XYZW]
        self._gyro_view[:] = self._gyro
        self._accel_view[:] = self._accel
        position, quat, linear, angular = self._base
        self._robot.base(position, quat, linear, angular)
        self._pose_view[:3], self._pose_view[3:] = position, quat[XYZW]
        self._twist_view[:3], self._twist_view[3:] = linear, angular

    def joints(self) -> bytes:
        """Return sensor_msgs/JointState."""
        return self._joints.stamped(self.stamp_ns)

    def imu(self) -> bytes:
        """Return sensor_msgs/Imu."""
        return self._imu.stamped(self.stamp_ns)

    def odometry(self) -> bytes:
        """Return nav_msgs/Odometry: the truth."""
        return self._odometry.stamped(self.stamp_ns)

    def clock(self) -> bytes:
        """Return rosgraph_msgs/Clock."""
        return self._clock.stamped(self.stamp_ns)
