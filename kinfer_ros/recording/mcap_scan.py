"""Reads what can be read of a damaged MCAP file: cut anywhere, bytes changed, no footer.

`mcap` reads what is in a record. Where a record begins and ends is found here, because the readers
of `mcap` (1.6.0) do not go on after damage: one needs the index at a file's end, which a killed
recorder never wrote. The other, StreamReader, stops at the first record that it cannot read, drops
a chunk that the end of the file cuts off, and does not stay inside a record with a damaged length.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from io import BytesIO

import lz4.frame  # type: ignore[import-untyped, unused-ignore]
import zstandard
from mcap import records
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode

from kinfer_ros.untrusted import MAX_CHUNK_BYTES
from kinfer_ros.untrusted import MAX_RATIO
from kinfer_ros.untrusted import MEGABYTE

MAGIC = b'\x89MCAP0\r\n'

_HEAD = struct.Struct('<BQ')
"""Of a record: opcode, length of its content."""
# A chunk's opcode and a length below 4 GiB: where reading may go on behind damage.
_CHUNK_START = re.compile(rb'\x06[\x00-\xff]{4}\x00{4}', re.DOTALL)


@dataclass(frozen=True)
class Channel:
    """A topic: its type, definition (.msg text) and the QoS text of its publishers."""

    topic: str
    msgtype: str
    definition: str
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
    _schemas: dict[int, records.Schema] = field(default_factory=dict)
    _channels: dict[int, Channel] = field(default_factory=dict)

    def messages(self, data: bytes) -> Iterator[Message]:
        """Yield the messages in the order in which they were written; raises nothing."""
        at = len(MAGIC) if data[: len(MAGIC)] == MAGIC else 0
        while at < len(data):
            record = _record(data, at)
            if record is None:
                behind = _next_chunk(data, at + 1)
                if behind == len(data):
                    yield from self._cut_chunk(data, at)
                self.lost_bytes += behind - at
                at = behind
                continue
            opcode, content, at = record
            if opcode == Opcode.DATA_END:
                self.complete = True
                return  # the summary repeats schemas and channels
            yield from self._content(opcode, content)

    def _content(self, opcode: int, content: bytes) -> Iterator[Message]:
        """Read one whole record; a chunk gives those in it."""
        stream = _stream(content)
        try:
            if opcode == Opcode.CHUNK:
                yield from self._inside(_unpack(content))
            elif opcode == Opcode.SCHEMA:
                schema = records.Schema.read(stream)
                self._schemas[schema.id] = schema
            elif opcode == Opcode.CHANNEL:
                self._add_channel(records.Channel.read(stream))
            elif opcode == Opcode.MESSAGE:
                yield from self._message(records.Message.read(stream, len(content)))
        except Exception:  # mcap, struct and each decompressor have error families of their own
            self.lost_bytes += len(content)

    def _inside(self, data: bytes) -> Iterator[Message]:
        """Records inside a chunk, up to the first that is not whole."""
        at = 0
        while at < len(data):
            record = _record(data, at)
            if record is None:
                self.lost_bytes += len(data) - at
                return
            opcode, content, at = record
            yield from self._content(opcode, content)

    def _cut_chunk(self, data: bytes, at: int) -> Iterator[Message]:
        """Whole records in an uncompressed chunk that the end of the file cuts off."""
        if data[at] != Opcode.CHUNK:
            return
        try:
            chunk = records.Chunk.read(_stream(data[at + _HEAD.size :]))
        except Exception:  # cut in its head
            return
        if not chunk.compression:
            yield from self._inside(chunk.data)

    def _add_channel(self, found: records.Channel) -> None:
        schema = self._schemas.get(found.schema_id)
        if schema is not None:
            qos = found.metadata.get('offered_qos_profiles', '')
            channel = Channel(found.topic, schema.name, schema.data.decode(), qos)
            self._channels[found.id] = channel

    def _message(self, found: records.Message) -> Iterator[Message]:
        channel = self._channels.get(found.channel_id)
        if channel is None:
            self.orphans += 1
        else:
            yield Message(channel, found.log_time, found.data)


def _stream(content: bytes) -> ReadDataStream:
    return ReadDataStream(BytesIO(content))


def _record(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Opcode and content of the record at a place, and where it ends; None if it is not whole."""
    start = at + _HEAD.size
    if start > len(data):
        return None
    opcode, length = _HEAD.unpack_from(data, at)
    if not Opcode.HEADER <= opcode <= Opcode.DATA_END or start + length > len(data):
        return None
    return opcode, data[start : start + length], start + length


def _next_chunk(data: bytes, at: int) -> int:
    """Where the next whole chunk begins; the end of the data where there is none."""
    for found in _CHUNK_START.finditer(data, at):
        record = _record(data, found.start())
        with suppress(Exception):  # bytes that look like the start of a chunk, and are none
            if record is not None:
                _unpack(record[1])
                return found.start()
    return len(data)


def _unpack(content: bytes) -> bytes:
    """Records of a whole chunk, decompressed; raises anything where it is none."""
    stream = _stream(content)
    chunk = records.Chunk.read(stream)
    data = _decompress(chunk)
    if stream.count != len(content) or len(data) != chunk.uncompressed_size:
        raise ValueError('the lengths in a chunk do not add up')
    return data


def _decompress(chunk: records.Chunk) -> bytes:
    """Return a chunk's records; raises ValueError where they are far larger than the chunk."""
    if not chunk.compression:
        return chunk.data
    # Zeros compress without bounds: the ratio counts above a megabyte.
    largest = min(MAX_CHUNK_BYTES, max(MEGABYTE, MAX_RATIO * len(chunk.data)))
    packed = BytesIO(chunk.data)
    if chunk.compression == 'zstd':
        data = zstandard.ZstdDecompressor().stream_reader(packed).read(largest + 1)
    elif chunk.compression == 'lz4':
        data = lz4.frame.open(packed).read(largest + 1)
    else:
        raise ValueError(f'unknown compression {chunk.compression}')
    if len(data) > largest:
        raise ValueError('a chunk is far larger than what it was compressed to')
    return bytes(data)
