"""Reads and writes sensor messages as CDR bytes, without message objects.

A tick needs only the numbers of a JointState; to build one of 20 joints takes rclpy longer than a
small policy takes. Format: OMG DDS-XTypes 1.3, 7.4.3, plain CDR (XCDR1): every value is aligned to
its own size, counted from behind the four bytes of the encapsulation header.
"""

import struct
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.sensors import MAX_JOINTS
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import MessageError

LITTLE_ENDIAN = b'\x00\x01'
"""First two bytes of what every x86 and arm64 host sends; all else is left to ros/cdr_check.py."""
PADDING = 3
"""Bits of the header's last byte that count padding at the end; nobody is known to send any."""
BODY = 4
"""Bytes of the encapsulation header, before the body."""
IMU_DOUBLES = 37
"""quaternion x y z w, its covariance, angular velocity, its covariance, the same of the
acceleration: 4 + 9 + 3 + 9 + 3 + 9."""
COVARIANCE = 36
"""Numbers of the covariance of a pose, and of a twist."""

_HEADER = struct.Struct('<iII')  # sec, nanosec, length of frame_id
_COUNT = struct.Struct('<I')
_STAMP = struct.Struct('<iI')
_IMU = struct.Struct(f'<{IMU_DOUBLES}d')
# position, orientation x y z w; linear; angular and the second covariance only have to be there
_ODOMETRY = struct.Struct(f'<7d{8 * COVARIANCE}x3d{8 * (3 + COVARIANCE)}x')
_SECOND = 1_000_000_000
_LAST_STAMP = 2**31 * _SECOND - 1


@dataclass
class JointSample:
    """
    A joint state as it was on the wire.

    :ivar stamp_ns: stamp of the header.
    :ivar position: rad, as many as were sent; a view of the message's bytes. `velocity` and
        `effort` likewise.
    """

    stamp_ns: int
    names: Sequence[str]
    position: Float64
    velocity: Float64
    effort: Float64


class JointStateReader:
    """Reads sensor_msgs/JointState; the names, which hardly ever change, only when they do."""

    def __init__(self, topic: str = 'joint_states') -> None:
        """:param topic: for errors."""
        self._topic = topic
        self._names: list[str] = []
        self._name_block = b''

    def read(self, data: bytes) -> JointSample | None:
        """
        Read one message.

        :param data: with its encapsulation header.
        :return: the sample, or None where the encoding is not little-endian CDR.
        :raises MessageError: the bytes end before the message does, or are none.
        :raises ContractError: it has more than MAX_JOINTS names.
        """
        if not _is_little_endian(data):
            return None
        try:
            stamp, at = _head(data)
            position, at = _doubles(data, self._after_names(data, at))
            velocity, at = _doubles(data, at)
            effort, _ = _doubles(data, at)
        except (struct.error, ValueError, UnicodeDecodeError):
            raise MessageError(_broken(self._topic, data)) from None
        return JointSample(stamp, self._names, position, velocity, effort)

    def _after_names(self, data: bytes, at: int) -> int:
        """:return: where the names end; they are read only if they are other ones."""
        start = at + BODY
        if self._name_block and data.startswith(self._name_block, start):
            return at + len(self._name_block)
        (count,) = _COUNT.unpack_from(data, start)
        if count > MAX_JOINTS:
            raise ContractError(
                f'{self._topic}: found {count} joints, expected at most {MAX_JOINTS}'
            )
        names = []
        end = at + 4
        for _ in range(count):
            end = _aligned(end, 4)
            (length,) = _COUNT.unpack_from(data, end + BODY)
            end = _text_end(data, end + 4, length)
            names.append(data[end + BODY - length : end + BODY - 1].decode(errors='replace'))
        self._names = names
        self._name_block = data[start : end + BODY]
        return end


def read_imu_values(data: bytes) -> tuple[int, tuple[float, ...]] | None:
    """
    Read one sensor_msgs/Imu.

    :param data: with its encapsulation header.
    :return: stamp in ns and the IMU_DOUBLES numbers, or None where the encoding is not
        little-endian CDR.
    :raises MessageError: the bytes end before the message does.
    """
    if not _is_little_endian(data):
        return None
    try:
        stamp, at = _head(data)
        return stamp, _IMU.unpack_from(data, _aligned(at, 8) + BODY)
    except struct.error:
        raise MessageError(_broken('imu/data', data)) from None


def read_odometry_values(data: bytes) -> tuple[int, tuple[float, ...]] | None:
    """
    Read one nav_msgs/Odometry.

    :param data: with its encapsulation header.
    :return: stamp in ns and ten numbers: position, orientation x y z w, linear velocity; or None
        where the encoding is not little-endian CDR.
    :raises MessageError: the bytes end before the message does.
    """
    if not _is_little_endian(data):
        return None
    try:
        stamp, at = _head(data)
        (length,) = _COUNT.unpack_from(data, at + BODY)
        at = _text_end(data, at + 4, length)  # child_frame_id
        return stamp, _ODOMETRY.unpack_from(data, _aligned(at, 8) + BODY)
    except struct.error:
        raise MessageError(_broken('odom', data)) from None


class CommandBytes:
    """
    One sensor_msgs/JointState with as many numbers as names, as bytes; only numbers change.

    :ivar values: [N] the numbers, to be written in place.
    :ivar velocities: [N] those beside positions; None without `both`.
    """

    def __init__(
        self,
        frame_id: str,
        names: Sequence[str],
        *,
        velocity: bool = False,
        both: bool = False,
    ) -> None:
        """
        Serialise the message once.

        :param velocity: the numbers are velocities and there is no position, else reverse.
        :param both: positions and velocities.
        """
        data = bytearray(b'\x00\x01\x00\x00' + bytes(8))
        _put_text(data, frame_id)
        _put_count(data, len(names))
        for name in names:
            _put_text(data, name)
        if velocity:
            _put_count(data, 0)
        _put_count(data, len(names))
        data += bytes(-(len(data) - BODY) % 8)
        first = len(data)
        data += bytes(8 * len(names))
        second = 0
        if both:
            _put_count(data, len(names))
            data += bytes(-(len(data) - BODY) % 8)
            second = len(data)
            data += bytes(8 * len(names))
        for _ in range(1 if velocity or both else 2):
            _put_count(data, 0)
        self._data = data
        self.values: Float64 = np.frombuffer(data, '<f8', len(names), first)
        self.velocities: Float64 | None = None
        if both:
            self.velocities = np.frombuffer(data, '<f8', len(names), second)

    def stamped(self, ns: int) -> bytes:
        """
        Give the message as it stands, with this stamp in its header.

        :param ns: one that no header can hold becomes the nearest that it can.
        :return: bytes for a publisher.
        """
        _STAMP.pack_into(self._data, BODY, *divmod(min(max(ns, 0), _LAST_STAMP), _SECOND))
        return bytes(self._data)


def diagnostic_bytes(
    stamp_ns: int, level: bytes, texts: tuple[str, str, str], values: Mapping[str, object]
) -> bytes:
    """
    Serialise a diagnostic_msgs/DiagnosticArray of one status.

    :param level: one byte, as DiagnosticStatus has it.
    :param texts: name, message and hardware_id.
    :param values: what becomes its KeyValues, as text.
    :return: bytes for a publisher; with fifty values in a tenth of the time that rclpy takes.
    """
    data = bytearray(b'\x00\x01\x00\x00' + _STAMP.pack(*divmod(stamp_ns, _SECOND)))
    _put_text(data, '')
    _put_count(data, 1)
    data += level
    for text in texts:
        _put_text(data, text)
    _put_count(data, len(values))
    for key, value in values.items():
        _put_text(data, key)
        _put_text(data, str(value))
    return bytes(data)


def _is_little_endian(data: bytes) -> bool:
    return data[:2] == LITTLE_ENDIAN and len(data) >= BODY and not data[3] & PADDING


def _head(data: bytes) -> tuple[int, int]:
    """:return: the header's stamp in ns, and where the next value stands, aligned to 4."""
    seconds, rest, length = _HEADER.unpack_from(data, BODY)
    return seconds * _SECOND + rest, _aligned(_text_end(data, 12, length), 4)


def _text_end(data: bytes, at: int, length: int) -> int:
    """:return: where a text of `length` bytes ends that begins at `at`; its last byte is zero."""
    end = at + length
    if end + BODY > len(data) or (length and data[end + BODY - 1]):
        raise struct.error('cut')
    return end


def _doubles(data: bytes, at: int) -> tuple[Float64, int]:
    """:return: a sequence of doubles that begins at `at`, and where it ends."""
    at = _aligned(at, 4)
    (count,) = _COUNT.unpack_from(data, at + BODY)
    at += 4
    if not count:
        return np.empty(0), at
    at = _aligned(at, 8)
    return np.frombuffer(data, '<f8', count, at + BODY), at + 8 * count


def _aligned(at: int, size: int) -> int:
    return at + (-at % size)


def _put_count(data: bytearray, count: int) -> None:
    data += bytes(-(len(data) - BODY) % 4)
    data += _COUNT.pack(count)


def _put_text(data: bytearray, text: str) -> None:
    encoded = text.encode() + b'\x00'
    _put_count(data, len(encoded))
    data += encoded


def _broken(topic: str, data: bytes) -> str:
    return (
        f'{topic}: found a message of {len(data)} bytes that ends before its last value, expected '
        'a whole one: its publisher and this node do not mean the same message type'
    )
