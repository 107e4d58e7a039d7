"""A message that is serialised once; after that its stamp and its numbers are replaced in place.

To convert a message object at every sample takes rclpy longer than a small robot's physics takes.
"""

import struct
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message

from kinfer_ros.arrays import Float64

_STAMP = struct.Struct('=iI')  # sec, nanosec
_STAMP_AT = 4
"""Behind the encapsulation header; a message begins with its header or its time."""
_SECOND = 1_000_000_000


class SerializedMessage:
    """
    A message that begins with a stamp.

    The numbers that are to be replaced are found by their values, so the message that it is made
    of holds marks there: numbers that stand nowhere else in it.
    """

    def __init__(self, message: Any) -> None:
        self._data = bytearray(serialize_message(message))

    def view(self, *marks: float) -> Float64:
        """
        Find numbers that stand one behind the other.

        :return: an array to write into, which holds the marks.
        :raises ValueError: the marks stand nowhere, or twice.
        """
        found = struct.pack(f'={len(marks)}d', *marks)
        at = self._data.index(found)
        if self._data.find(found, at + 1) >= 0:
            raise ValueError(f'found the marks {marks} twice, expected them in one place')
        return np.frombuffer(self._data, np.float64, len(marks), at)

    def stamped(self, stamp_ns: int) -> bytes:
        """Return the message as it stands, with this stamp, for a publisher."""
        _STAMP.pack_into(self._data, _STAMP_AT, *divmod(stamp_ns, _SECOND))
        return bytes(self._data)
