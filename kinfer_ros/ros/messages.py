"""Converts messages to arrays and back; the only place where a quaternion changes its order.

Sensors are read from CDR bytes, and commands are serialised once and only their numbers change
(ros/cdr.py): message objects cost more than the policy does.
"""

from array import array
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.command import parse_sender
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ContractError
from kinfer_ros.ros.cdr import CommandBytes
from kinfer_ros.ros.cdr import JointSample
from kinfer_ros.ros.cdr import JointStateReader
from kinfer_ros.ros.cdr import read_imu_values
from kinfer_ros.ros.cdr import read_odometry_values
from kinfer_ros.ros.cdr_check import read_message
from kinfer_ros.rotations import yaw_of

SCAN_ENCODING = '32FC1'
"""Of sensor_msgs/Image: one channel of float32."""


def stamp_ns(header: Header | Log) -> int:
    """Stamp of a message header, or of an event, in ns."""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def read_joint_sample(
    data: bytes, reader: JointStateReader, topic: str = 'joint_states'
) -> JointSample:
    """
    Read a joint state as it was on the wire.

    :raises MessageError: the bytes are none.
    :raises ContractError: it has too many names.
    """
    return reader.read(data) or joint_sample(read_message(data, JointState, topic))


def joint_sample(message: JointState) -> JointSample:
    """Look at a message as a sample."""
    stamp = stamp_ns(message.header)
    position, velocity = values(message.position), values(message.velocity)
    return JointSample(stamp, message.name, position, velocity, values(message.effort))


def read_joints(samples: Iterable[JointSample], frame: SensorFrame) -> None:
    """Take joint samples into the frame, in order; the last one that cannot be is its problem."""
    for sample in samples:
        try:
            frame.update_joints(
                sample.names, sample.position, sample.velocity, sample.stamp_ns, sample.effort
            )
            frame.joint_problem = ''
        except ContractError as error:
            frame.joint_problem = str(error)


def read_imu(message: Imu, frame: SensorFrame) -> None:
    """Take an IMU sample into the frame; what it says of itself is kept in `imu_problem`."""
    q = message.orientation
    g = message.angular_velocity
    a = message.linear_acceleration
    frame.imu_problem = _imu_problem(message.orientation_covariance[0], q.x, q.y, q.z, q.w)
    frame.update_imu(
        (q.w, q.x, q.y, q.z), (g.x, g.y, g.z), (a.x, a.y, a.z), stamp_ns(message.header)
    )


def read_imu_bytes(data: bytes, frame: SensorFrame) -> None:
    """
    The same, as it was on the wire.

    :raises MessageError: the bytes are none.
    """
    found = read_imu_values(data)
    if found is None:
        read_imu(read_message(data, Imu, 'imu/data'), frame)
        return
    stamp, v = found
    frame.imu_problem = _imu_problem(v[4], v[0], v[1], v[2], v[3])
    frame.update_imu((v[3], v[0], v[1], v[2]), (v[13], v[14], v[15]), (v[25], v[26], v[27]), stamp)


def _imu_problem(covariance: float, x: float, y: float, z: float, w: float) -> str:
    """Say why an orientation cannot be used, or ''."""
    if covariance == -1.0:
        return (
            'imu/data has no orientation (covariance[0] is -1, REP-145): publish the output of '
            'an orientation filter'
        )
    if not 0.98 < w * w + x * x + y * y + z * z < 1.02:
        return f'imu/data orientation ({x}, {y}, {z}, {w}) is not a unit quaternion x y z w'
    return ''


@dataclass(frozen=True, slots=True)
class OdometrySample:
    """
    Odometry of the base.

    :ivar pose: x m, y m, heading rad, in the frame of the odometry.
    :ivar linear: [3] m/s, in the base's own frame.
    """

    stamp_ns: int
    pose: tuple[float, float, float]
    linear: tuple[float, float, float]


def read_odometry_sample(data: bytes) -> OdometrySample:
    """
    Read odometry as it was on the wire.

    :raises MessageError: the bytes are none.
    """
    found = read_odometry_values(data)
    if found is None:
        return odometry_sample(read_message(data, Odometry, 'odom'))
    stamp, v = found
    return OdometrySample(stamp, (v[0], v[1], yaw_of(v[6], v[3], v[4], v[5])), (v[7], v[8], v[9]))


def odometry_sample(message: Odometry) -> OdometrySample:
    """Look at a message as a sample."""
    p, q = message.pose.pose.position, message.pose.pose.orientation
    v = message.twist.twist.linear
    pose = (p.x, p.y, yaw_of(q.w, q.x, q.y, q.z))
    return OdometrySample(stamp_ns(message.header), pose, (v.x, v.y, v.z))


def read_odometry(message: Odometry, frame: SensorFrame) -> None:
    """Take the base's velocity, in its own frame, from an odometry sample into the frame."""
    sample = odometry_sample(message)
    frame.update_odometry(sample.linear, sample.stamp_ns)


def read_scan(message: Image, frame: SensorFrame) -> None:
    """Take a height scan into the frame; one that cannot be used is its problem."""
    try:
        heights = scan_heights(message)
        frame.update_scan(heights, (message.height, message.width), stamp_ns(message.header))
        frame.scan_problem = ''
    except ContractError as error:
        frame.scan_problem = str(error)


def read_scan_bytes(data: bytes, frame: SensorFrame) -> None:
    """
    The same, as it was on the wire.

    :raises MessageError: the bytes are none.
    """
    read_scan(read_message(data, Image, 'height_scan'), frame)


def scan_heights(message: Image) -> Float32:
    """
    Return the numbers of an image with one float32 a pixel.

    :raises ContractError: it is another kind of image, or holds fewer numbers than it says.
    """
    row = 4 * message.width
    if message.encoding != SCAN_ENCODING or message.step != row:
        raise ContractError(
            f'height_scan: found an image with encoding {message.encoding[:32]!r} and step '
            f'{message.step}, expected {SCAN_ENCODING} (one float32 a point, m) and {row}'
        )
    if len(message.data) != row * message.height:
        raise ContractError(
            f'height_scan: found {len(message.data)} bytes, expected {row * message.height}: '
            f'{message.height} rows of {message.width} points'
        )
    heights: Float32 = np.frombuffer(message.data, '>f4' if message.is_bigendian else '<f4')
    return heights


POSITIONS, BOTH, DAMPING = 'positions', 'both', 'damping'
KINDS = (POSITIONS, BOTH, DAMPING)
"""What a command holds: positions, with velocities for wheels, or velocity zeros."""


class CommandMessages:
    """
    The messages a session sends, serialised once: a mode and a kind each.

    frame_id is '<session> <mode>', and the version of the gains where it is not 0. Both stand in
    the command itself because two topics are not ordered, and a bridge has to know which command
    is the first of `run`, the last, and the first for other gains.
    """

    def __init__(self, joint_names: tuple[str, ...], session: str, modes: list[str]) -> None:
        self._names, self._session = joint_names, session
        self._version = 0
        self._made: dict[tuple[str, str], CommandBytes] = {}
        for mode in modes:
            for kind in KINDS:
                self._message(mode, kind)

    def use_version(self, version: int) -> None:
        """Set the version of the gains; messages are then made when they are first needed."""
        if version != self._version:
            self._version = version
            self._made.clear()

    def for_position(
        self, target: Float64, mode: str, stamp: int, velocity: Float64 | None = None
    ) -> bytes:
        """Fill and return the message that asks for positions [N] rad, and rad/s of wheels."""
        message = self._message(mode, POSITIONS if velocity is None else BOTH)
        message.values[:] = target
        if message.velocities is not None:
            message.velocities[:] = velocity
        return message.stamped(stamp)

    def for_damping(self, mode: str, stamp: int) -> bytes:
        """Return the message that asks for damping: velocity zeros, no position."""
        return self._message(mode, DAMPING).stamped(stamp)

    def _message(self, mode: str, kind: str) -> CommandBytes:
        made = self._made.get((mode, kind))
        if made is None:
            version = f' {self._version}' if self._version else ''
            made = self._made[mode, kind] = CommandBytes(
                f'{self._session} {mode}{version}',
                self._names,
                velocity=kind == DAMPING,
                both=kind == BOTH,
            )
        return made


def gains_message(
    names: Sequence[str], kp: Float64, kd: Float64, torque_limit: Float64, frame_id: str = ''
) -> JointState:
    """
    Named gains: position = kp Nm/rad, velocity = kd Nm s/rad, effort = torque limit Nm.

    :param frame_id: session and version, as of bridges/gain_versions.py.
    """
    return JointState(
        header=Header(frame_id=frame_id),
        name=list(names),
        position=array('d', kp),
        velocity=array('d', kd),
        effort=array('d', torque_limit),
    )


def read_command(message: JointState) -> Command:
    """
    Read a message on joint_commands.

    :raises BridgeError: it names no session, or asks for neither a position nor damping.
    """
    session, mode, version = parse_sender(message.header.frame_id)
    position, velocity = None, None
    if len(message.position):
        position = values(message.position)
        velocity = values(message.velocity) if len(message.velocity) else None
    elif not len(message.velocity) or any(message.velocity):
        raise BridgeError(
            'found neither positions nor velocities that are all zero, expected the one '
            '(targets) or the other (damping)'
        )
    stamp = stamp_ns(message.header)
    return Command(session, mode, stamp, message.name, position, version, velocity)


def values(sequence: 'array[float]') -> np.ndarray:
    """Look at a message's float64 sequence as an array, without a copy."""
    return np.frombuffer(sequence) if len(sequence) else np.empty(0)
