"""Reads what can be read of a damaged MCAP file: cut anywhere, bytes changed, no footer.

Readers want the index at a file's end, which a killed recorder never wrote, and stop at the first
record that is not whole. Format: https://mcap.dev/spec (opcode, length, content; little-endian).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

MAGIC = b'\x89MCAP0\r\n'

_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x03, 0x04, 0x05, 0x06
_DATA_END = 0x0F
_HEAD = struct.Struct('<BQ')
_CHUNK_HEAD = struct.Struct('<QQQI')
_MESSAGE_HEAD = struct.Struct('<HIQQ')
# A chunk's opcode and a length below 4 GiB: where reading may go on behind damage.
_CHUNK_START = re.compile(rb'\x06[\x00-\xff]{4}\x00{4}', re.DOTALL)


@dataclass(frozen=True)
class Channel:
    """A topic: its type, definition (.msg text) and the QoS text of its publishers."""

    topic: str
    msgtype: str
    definition: str
    encoding: str
    qos: str


@dataclass(frozen=True)
class Message:
    """One message: `data` is what was recorded, `stamp_ns` when."""

    channel: Channel
    stamp_ns: int
    data: bytes


@dataclass
class Scan:
    """
    What a file gave.

    :ivar complete: it ends as a whole file does.
    :ivar lost_bytes: bytes that belong to no whole record.
    :ivar orphans: messages whose channel is not known.
    """

    complete: bool = False
    lost_bytes: int = 0
    orphans: int = 0
    _schemas: dict[int, tuple[str, str]] = field(default_factory=dict)
    _channels: dict[int, Channel] = field(default_factory=dict)

    def messages(self, data: bytes) -> Iterator[Message]:
        """Yield the messages in the order in which they were written; raises nothing."""
        at = len(MAGIC) if data[: len(MAGIC)] == MAGIC else 0
        while at < len(data):
            record = _record(data, at)
            if record is None:
                yield from self._broken(data, at)
                behind = _next_chunk(data, at + 1)
                self.lost_bytes += behind - at
                at = behind
                continue
            opcode, start, end = record
            if opcode == _CHUNK:
                yield from self._chunk(data[start:end])
            else:
                yield from self._one(opcode, data[start:end])
            self.complete |= opcode == _DATA_END
            at = end
            if opcode == _DATA_END:
                return  # the summary repeats schemas and channels

    def _chunk(self, content: bytes) -> Iterator[Message]:
        opened = _open_chunk(content)
        if opened is None:
            self.lost_bytes += len(content)
        else:
            yield from self._records(opened)

    def _records(self, records: bytes) -> Iterator[Message]:
        """Records inside a chunk, up to the first that is not whole."""
        at = 0
        while at < len(records):
            record = _record(records, at)
            if record is None:
                self.lost_bytes += len(records) - at
                return
            opcode, start, at = record
            yield from self._one(opcode, records[start:at])

    def _broken(self, data: bytes, at: int) -> Iterator[Message]:
        """Whole records in a chunk that the end of the file cuts off."""
        start = at + _HEAD.size
        if data[at] != _CHUNK or _next_chunk(data, at + 1) < len(data):
            return
        content = data[start:]
        if len(content) > _CHUNK_HEAD.size + 12 and content[28:32] == b'\0\0\0\0':
            yield from self._records(content[_CHUNK_HEAD.size + 12 :])

    def _one(self, opcode: int, content: bytes) -> Iterator[Message]:
        try:
            if opcode == _SCHEMA:
                number = struct.unpack_from('<H', content)[0]
                name, at = _text(content, 2)
                _, at = _text(content, at)
                self._schemas[number] = (name, _text(content, at)[0])
            elif opcode == _CHANNEL:
                self._channel(content)
            elif opcode == _MESSAGE:
                number, _, stamp, _ = _MESSAGE_HEAD.unpack_from(content)
                if number in self._channels:
                    channel = self._channels[number]
                    yield Message(channel, stamp, bytes(content[_MESSAGE_HEAD.size :]))
                else:
                    self.orphans += 1
        except (struct.error, ValueError):
            self.lost_bytes += len(content)

    def _channel(self, content: bytes) -> None:
        number, schema = struct.unpack_from('<HH', content)
        topic, at = _text(content, 4)
        encoding, at = _text(content, at)
        at, qos = at + 4, ''
        while at < len(content):
            key, at = _text(content, at)
            value, at = _text(content, at)
            qos = value if key == 'offered_qos_profiles' else qos
        if schema in self._schemas:
            self._channels[number] = Channel(topic, *self._schemas[schema], encoding, qos)


def _record(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Opcode, start and end of the content of the record at a place; None if it is not whole."""
    if at + _HEAD.size > len(data):
        return None
    opcode, length = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if not 0x01 <= opcode <= 0x0F or start + length > len(data):
        return None
    return opcode, start, start + length


def _next_chunk(data: bytes, at: int) -> int:
    """Where the next whole, unpacked chunk begins; the end of the data where there is none."""
    for found in _CHUNK_START.finditer(data, at):
        record = _record(data, found.start())
        if record and _open_chunk(data[record[1] : record[2]]) is not None:
            return found.start()
    return len(data)


def _open_chunk(content: bytes) -> bytes | None:
    """Records of a whole chunk, unpacked; None where it is none."""
    try:
        size = _CHUNK_HEAD.unpack_from(content)[2]
        compression, at = _text(content, _CHUNK_HEAD.size)
        (packed_size,) = struct.unpack_from('<Q', content, at)
    except (struct.error, ValueError):
        return None
    packed = content[at + 8 :]
    if packed_size != len(packed) or compression not in ('', 'lz4', 'zstd'):
        return None
    if not compression:
        return packed if size == len(packed) else None
    # Here, because our own bags are not packed. rosbags has both.
    from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

    try:
        return bytes(DECOMPRESSORS[compression](packed, size))
    except Exception:  # each packer has an error family of its own
        return None


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Read a text with its length before it; :raises struct.error, ValueError: it is none."""
    (length,) = struct.unpack_from('<I', content, at)
    end = at + 4 + length
    if end > len(content):
        raise ValueError('a text ends behind its record')
    return content[at + 4 : end].decode(), end
