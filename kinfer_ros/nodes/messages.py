"""Messages to arrays and back: the only place where a quaternion changes its order.

Without this module every node would read `x y z w` its own way. The command messages are built
once and only their numbers change, because building them costs more than the policy does.
"""

from __future__ import annotations

from array import array

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from kinfer_ros.control.robot import Robot
from kinfer_ros.control.sensors import SensorFrame

Float64 = NDArray[np.float64]


def stamp_ns(header: Header) -> int:
    """Stamp of a message header in ns."""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def set_stamp(header: Header, ns: int) -> None:
    """Write a stamp given in ns."""
    header.stamp.sec, header.stamp.nanosec = divmod(ns, 1_000_000_000)


def read_joint_state(message: JointState, frame: SensorFrame) -> None:
    """
    Take a joint sample into the frame.

    :raises ContractError: joints are missing, or the lengths differ.
    """
    frame.update_joints(
        message.name,
        np.frombuffer(message.position) if message.position else np.empty(0),
        np.frombuffer(message.velocity) if message.velocity else np.empty(0),
        stamp_ns(message.header),
    )


def read_imu(message: Imu, frame: SensorFrame) -> None:
    """Take an IMU sample into the frame; what it says of itself is kept in `imu_problem`."""
    q = message.orientation
    g = message.angular_velocity
    a = message.linear_acceleration
    frame.imu_problem = ''
    if message.orientation_covariance[0] == -1.0:
        frame.imu_problem = (
            'imu/data has no orientation (covariance[0] is -1, REP-145): publish the output of '
            'an orientation filter'
        )
    elif not 0.98 < q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z < 1.02:
        frame.imu_problem = (
            f'imu/data orientation ({q.x}, {q.y}, {q.z}, {q.w}) is not a unit quaternion x y z w'
        )
    frame.update_imu(
        (q.w, q.x, q.y, q.z), (g.x, g.y, g.z), (a.x, a.y, a.z), stamp_ns(message.header)
    )


def read_odometry(message: Odometry, frame: SensorFrame) -> None:
    """Take the base's velocity, in its own frame, from an odometry sample into the frame."""
    v = message.twist.twist.linear
    frame.update_odometry((v.x, v.y, v.z), stamp_ns(message.header))


class CommandMessages:
    """
    The two messages a session sends, built once.

    frame_id is '<session> <mode>': the mode stands in the command itself because two topics are
    not ordered, and a bridge has to know which command is the first of `run`, and the last.
    """

    def __init__(self, joint_names: tuple[str, ...], session: str, modes: list[str]) -> None:
        n = len(joint_names)
        self._frame_ids = {mode: f'{session} {mode}' for mode in modes}
        self.position = JointState(name=list(joint_names), position=array('d', [0.0] * n))
        self.damping = JointState(name=list(joint_names), velocity=array('d', [0.0] * n))
        self._target = np.frombuffer(self.position.position)

    def for_position(self, target: Float64, mode: str, stamp: int) -> JointState:
        """Fill and return the message that asks for a position [N] rad."""
        self._target[:] = target
        return self._head(self.position, mode, stamp)

    def for_damping(self, mode: str, stamp: int) -> JointState:
        """Fill and return the message that asks for damping: velocity zeros, no position."""
        return self._head(self.damping, mode, stamp)

    def _head(self, message: JointState, mode: str, stamp: int) -> JointState:
        message.header.frame_id = self._frame_ids[mode]
        set_stamp(message.header, stamp)
        return message


def gains_message(
    robot: Robot, kp: Float64, kd: Float64, torque_limit: Float64, session: str = ''
) -> JointState:
    """Named gains: position = kp Nm/rad, velocity = kd Nm s/rad, effort = torque limit Nm."""
    return JointState(
        header=Header(frame_id=session),
        name=list(robot.joint_names),
        position=array('d', kp),
        velocity=array('d', kd),
        effort=array('d', torque_limit),
    )


def gains_differ(asked: JointState, found: JointState) -> list[str]:
    """Names of the joints whose gains in force are not the gains asked for."""
    if not len(found.name) == len(found.position) == len(found.velocity) == len(found.effort):
        return list(asked.name)  # an echo that leaves something out confirms nothing
    in_force = dict(
        zip(
            found.name, zip(found.position, found.velocity, found.effort, strict=True), strict=True
        )
    )
    wanted = zip(asked.name, asked.position, asked.velocity, asked.effort, strict=True)
    return [
        name
        for name, *gains in wanted
        if name not in in_force or not np.allclose(gains, in_force[name], rtol=1e-4, atol=1e-6)
    ]
