"""Recordings made to fill the memory: their chunks and parts are not unpacked."""

from __future__ import annotations

import io
import resource
from pathlib import Path

import pytest
from mcap.writer import CompressionType
from mcap.writer import Writer

from kinfer_ros.analysis.log_parts import part_path
from kinfer_ros.analysis.log_parts import read_lines
from kinfer_ros.analysis.log_parts import zstd
from kinfer_ros.recording.mcap_scan import Scan

BOMB = 200 << 20
GOOD = b'\x01' * 1000


def recording(compression: CompressionType, sizes: list[int]) -> bytes:
    """Return an MCAP file with messages of zeros, a chunk each, between two of GOOD."""
    out = io.BytesIO()
    writer = Writer(out, chunk_size=100, compression=compression)
    writer.start()
    schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data')
    channel = writer.register_channel('/topic', 'cdr', schema)
    for data in (GOOD, *(bytes(size) for size in sizes), GOOD):
        writer.add_message(channel, 0, data, 0)
    writer.finish()
    return out.getvalue()


@pytest.mark.parametrize('compression', [CompressionType.ZSTD, CompressionType.LZ4])
def test_a_chunk_that_would_fill_the_memory(compression: CompressionType) -> None:
    """98 kB became 3 GB; the rest of the file is read."""
    data = recording(compression, [BOMB])
    assert len(data) < BOMB / 100
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scan = Scan()
    assert [message.data for message in scan.messages(data)] == [GOOD, GOOD]
    assert scan.lost_bytes > 0
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < BOMB


@pytest.mark.parametrize('compression', list(CompressionType))
def test_ordinary_chunks_are_read(compression: CompressionType) -> None:
    """Even where they compress very well."""
    messages = list(Scan().messages(recording(compression, [20_000, 30_000])))
    assert [len(message.data) for message in messages] == [len(GOOD), 20_000, 30_000, len(GOOD)]


@pytest.mark.skipif(zstd is None, reason='backports.zstd is not installed')
def test_a_part_of_a_log_that_would_fill_the_memory(tmp_path: Path) -> None:
    """It is read up to a length that no log has, and then damaged."""
    log = tmp_path / 'steps.ndjson'
    log.write_bytes(b'{}\n')
    part = part_path(log, 1)
    packed = zstd.compress(b'{}\n' * (BOMB // 3))
    part.with_name(part.name + '.zst').write_bytes(packed)
    size = sum(len(line) for line in read_lines(log))
    assert size < 1001 * len(packed) + 10
