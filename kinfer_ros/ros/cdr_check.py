"""Reads a message from untrusted bytes: they are checked to their end before rclpy reads them.

rclpy's own reader trusts what it gets: on Kilted the four bytes `00 00 00 03` end the process with
a segmentation fault. Here every length is held against the bytes that are there.

Format: OMG DDS-XTypes 1.3, 7.4.3, plain CDR (XCDR1), as in ros/cdr.py. The last two bits of the
encapsulation header count padding bytes at the end (7.6.3.1.2).
"""

import struct
from functools import cache
from importlib import import_module
from typing import Any

from rclpy.serialization import deserialize_message

from kinfer_ros.errors import MessageError

HEADER = 4
"""Bytes of the encapsulation header."""
MAX_MESSAGE = 256 << 10
"""Bytes; larger messages are refused, since each text takes time. Those read here have some kB."""
MAX_DEPTH = 8
"""Messages within messages."""

_BIG, _LITTLE = b'\x00\x00', b'\x00\x01'
_COUNTS = {_BIG: struct.Struct('>I'), _LITTLE: struct.Struct('<I')}
_SIZES = {
    'boolean': 1, 'octet': 1, 'char': 1, 'int8': 1, 'uint8': 1, 'int16': 2, 'uint16': 2,
    'int32': 4, 'uint32': 4, 'int64': 8, 'uint64': 8, 'float': 4, 'double': 8,
}  # fmt: skip

Layout = tuple[Any, ...]
"""What a message consists of, in order; see `_Walk.value`."""


def read_message(data: bytes, kind: Any, topic: str = 'message') -> Any:
    """
    Read a message of a ROS type from its bytes.

    :param data: with its encapsulation header.
    :param topic: for the error.
    :raises MessageError: the bytes are no whole message of this type.
    """
    try:
        end = check(data, kind)
        # rclpy trusts the count of padding bytes: it gets none.
        return deserialize_message(data[:2] + b'\x00\x00' + data[HEADER:end], kind)
    except MessageError as error:
        raise MessageError(
            f'{topic}: found {len(data)} bytes that are no {kind.__name__}: {error}. Its '
            'publisher does not mean this message type, or is broken'
        ) from None
    except Exception as error:  # the middleware's own, which share no base
        raise MessageError(
            f'{topic}: found {len(data)} bytes that rclpy cannot read as {kind.__name__}: {error}'
        ) from None


def check(data: bytes, kind: Any) -> int:
    """
    Walk through a message of a ROS type.

    :return: where its last value ends.
    :raises MessageError: the bytes are no whole message of this type; says which part is wrong.
    """
    if len(data) > MAX_MESSAGE:
        raise MessageError(f'expected at most {MAX_MESSAGE} bytes')
    count = _COUNTS.get(bytes(data[:2]))
    if count is None or len(data) < HEADER:
        raise MessageError(
            f'the encapsulation header is {bytes(data[:HEADER]).hex(" ") or "missing"}, expected '
            '00 00 or 00 01 (plain CDR) and two bytes of options'
        )
    end = len(data) - (data[3] & 3)
    walk = _Walk(data, end, count)
    for each in layout(kind):
        walk.value(each)
    return walk.at  # bytes may follow: rmw_fastrtps sends some where sequences are empty


class _Walk:
    """A position in a message, which never leaves it."""

    def __init__(self, data: bytes, end: int, count: struct.Struct) -> None:
        self.at = HEADER
        self._data, self._end, self._count = data, end, count

    def value(self, part: Layout) -> None:
        """Go past a value of a layout."""
        shape, *rest = part
        if shape == 'numbers':
            self._numbers(*rest)
        elif shape == 'booleans':
            self._booleans(rest[0])
        elif shape == 'texts':
            for _ in range(rest[0]):
                self._text(rest[1])
        elif shape == 'messages':
            for _ in range(rest[0]):
                for each in rest[1]:
                    self.value(each)
        else:
            self._sequence(*rest)

    def _align(self, size: int) -> None:
        self.at += (HEADER - self.at) % size

    def _numbers(self, count: int, size: int) -> None:
        if not count:
            return
        self._align(size)
        self.at += count * size
        if self.at > self._end:
            raise MessageError('it ends before its last number')

    def _booleans(self, count: int) -> None:
        begin = self.at
        self._numbers(count, 1)
        if any(byte > 1 for byte in self._data[begin : self.at]):
            raise MessageError('a bool is neither 0 nor 1')

    def _read_count(self) -> int:
        self._align(4)
        if self.at + 4 > self._end:
            raise MessageError('it ends before a length')
        (count,) = self._count.unpack_from(self._data, self.at)
        self.at += 4
        return int(count)

    def _text(self, bound: int) -> None:
        length = self._read_count()
        if not length:  # some senders write an empty text without its end
            return
        if length > self._end - self.at or (bound and length > bound + 1):
            raise MessageError(f'a text of {length} bytes does not fit')
        self.at += length
        if self._data[self.at - 1]:
            raise MessageError('a text has no end (a zero byte)')

    def _sequence(self, bound: int, smallest: int, shape: str, *rest: Any) -> None:
        count = self._read_count()
        if count * smallest > self._end - self.at or (bound and count > bound):
            raise MessageError(f'a sequence of {count} values does not fit')
        self.value((shape, count, *rest))


@cache
def layout(kind: Any, depth: int = 0) -> tuple[Layout, ...]:
    """
    Compile a ROS message class.

    :return: its parts in order: ('numbers', how many, bytes each), ('booleans', how many),
        ('texts', how many, largest length or 0), ('messages', how many, layout) and
        ('sequence', largest count or 0, bytes of the smallest element, shape, what its shape has).
    :raises MessageError: it holds a type that ROS 2 hardly uses (wstring, long double).
    """
    if depth > MAX_DEPTH:
        raise MessageError(f'{kind.__name__} is nested deeper than {MAX_DEPTH} messages')
    # A message without fields has one byte on the wire.
    parts = [_part(slot, depth) for slot in kind.SLOT_TYPES] or [('numbers', 1, 1)]
    return tuple(parts)


def _part(slot: Any, depth: int) -> Layout:
    shape = type(slot).__name__
    if shape == 'Array':
        name, *rest = _element(slot.value_type, depth)
        return (name, slot.size, *rest)
    if shape in ('UnboundedSequence', 'BoundedSequence'):
        name, *rest = _element(slot.value_type, depth)
        bound = slot.maximum_size if shape == 'BoundedSequence' else 0
        smallest = {'numbers': rest[0] if rest else 1, 'texts': 4}.get(name, 1)
        return ('sequence', bound, smallest, name, *rest)
    name, *rest = _element(slot, depth)
    return (name, 1, *rest)


def _element(slot: Any, depth: int) -> Layout:
    """:return: the shape of one element, and what its shape has behind the count."""
    shape = type(slot).__name__
    if shape == 'BasicType' and slot.typename == 'boolean':
        return ('booleans',)
    if shape == 'BasicType' and slot.typename in _SIZES:
        return ('numbers', _SIZES[slot.typename])
    if shape == 'UnboundedString':
        return ('texts', 0)
    if shape == 'BoundedString':
        return ('texts', slot.maximum_size)
    if shape == 'NamespacedType':
        module = import_module('.'.join(slot.namespaces))
        return ('messages', layout(getattr(module, slot.name), depth + 1))
    raise MessageError(f'values of type {slot} are not read')
