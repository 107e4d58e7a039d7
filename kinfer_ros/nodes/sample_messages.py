"""The messages of a real robot, built once and refilled: new ones would cost 10 % of a core."""

from array import array
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.robot.robot import Robot


class SampleMessages:
    """The newest sample of joints and IMU, with one stamp."""

    def __init__(self, robot: Robot) -> None:
        names = list(robot.joint_names)
        zeros = bytes(8 * len(names))
        self._stamp = Time()
        self.joints = JointState(name=names)
        self.joints.position, self.joints.velocity = array('d', zeros), array('d', zeros)
        # Covariances stay zero, which is unknown in REP-145.
        self.imu = Imu()
        self.imu.header.frame_id = robot.imu_frame
        self.joints.header.stamp = self.imu.header.stamp = self._stamp
        self._effort = array('d', zeros)

    def stamp(self, stamp_ns: int) -> None:
        """Set the stamp of both, ns."""
        self._stamp.sec, self._stamp.nanosec = divmod(stamp_ns, 1_000_000_000)

    def fill_joints(self, sample: JointSample) -> JointState:
        """Fill and return the joints; `effort` stays empty if the robot does not report it."""
        np.frombuffer(self.joints.position)[:] = sample.position
        np.frombuffer(self.joints.velocity)[:] = sample.velocity
        if sample.effort is not None:
            if not len(self.joints.effort):
                self.joints.effort = self._effort
            np.frombuffer(self.joints.effort)[:] = sample.effort
        return self.joints

    def fill_imu(self, sample: ImuSample) -> Imu:
        """Fill and return the IMU, in its own frame."""
        q, g, a = self.imu.orientation, self.imu.angular_velocity, self.imu.linear_acceleration
        q.x, q.y, q.z, q.w = sample.quaternion
        g.x, g.y, g.z = sample.gyro
        a.x, a.y, a.z = sample.accel
        return self.imu


def temperatures_message(robot: Robot, temperature: Float64) -> JointState | None:
    """Return named values in deg C of the joints that report one (not NaN); None if none does."""
    known = np.isfinite(temperature)
    if not known.any():
        return None
    names = [name for name, is_known in zip(robot.joint_names, known, strict=True) if is_known]
    return JointState(name=names, position=array('d', temperature[known]))


def battery_message(voltage: float, current: float, percentage: float) -> BatteryState:
    """Return voltage (V), current (A) and charge (0 to 1); NaN is unknown, as is all the rest."""
    nan = float('nan')
    return BatteryState(
        voltage=voltage,
        current=current,
        percentage=percentage,
        charge=nan,
        capacity=nan,
        design_capacity=nan,
        temperature=nan,
        present=True,
    )


def robot_status(
    name: str, robot: str, level: bytes, texts: Sequence[str], entries: Mapping[str, object]
) -> DiagnosticStatus:
    """Return the entry of a robot in /diagnostics: its state and problems, and values."""
    return DiagnosticStatus(
        level=level,
        name=name,
        message='; '.join(texts),
        hardware_id=robot,
        values=[KeyValue(key=key, value=str(entry)) for key, entry in entries.items()],
    )


def joint_values(
    robot: Robot, columns: Mapping[str, tuple[Float64 | None, str]]
) -> dict[str, str]:
    """
    Return what joints report, as values of /diagnostics; those that report nothing are left out.

    :param columns: by what it is, numbers [N] and their unit.
    """
    return {
        f'{what} {joint}': f'{number:g}{unit}'
        for what, (column, unit) in columns.items()
        if column is not None
        for joint, number in zip(robot.joint_names, column, strict=True)
        if np.isfinite(number)
    }
