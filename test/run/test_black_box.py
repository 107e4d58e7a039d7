"""The black box: what came before a fault is there, and nothing it does stops a robot."""

from __future__ import annotations

import json
import resource
from pathlib import Path

from helpers.step_records import produce
from helpers.step_records import small_format
from kinfer_ros.run import black_box
from kinfer_ros.run.black_box import BlackBox
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.writer import NdjsonWriter
from kinfer_ros.run.writer import read_steps


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_fault_leaves_the_newest_records_and_the_reason(tmp_path):
    """The record of the fault is the last one, though the file is written on another thread."""
    layout = small_format()
    ring = layout.make_ring(64)
    box = BlackBox(tmp_path, 10)
    writer = NdjsonWriter(None, ring, [layout], box)
    for step in range(25):
        assert produce(ring, step)
    box.request({'reason': 'fell', 'step_id': 24, 'guards': {'tilt': {'faults': 1}}})
    writer.close()
    header, *records = lines(tmp_path / 'fault_1.ndjson')
    assert header['fault'] == 1
    assert header['reason'] == 'fell'
    assert header['guards'] == {'tilt': {'faults': 1}}
    assert [record['step_id'] for record in records] == list(range(15, 25))
    assert box.written == 1
    assert writer.counters() == {'written': 0, 'dropped': 0, 'missing': [], 'error': None}
    assert not (tmp_path / 'steps.ndjson').exists()


def test_its_records_read_like_those_of_the_step_log(tmp_path):
    """A replay of the last seconds uses the same reader."""
    layout = small_format()
    ring = layout.make_ring(8)
    box = BlackBox(tmp_path, 10)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [layout], box)
    produce(ring, 3)
    box.request({'reason': 'fell'})
    writer.close()
    _, seen = read_steps(tmp_path / 'fault_1.ndjson')
    (logged,) = read_steps(tmp_path)
    assert seen['joint_angles'].tobytes() == logged['joint_angles'].tobytes()


def test_a_file_that_cannot_be_written_is_an_error_and_the_log_goes_on(tmp_path):
    """The disk is full, or the run directory was removed: the robot does not care."""
    layout = small_format()
    ring = layout.make_ring(8)
    box = BlackBox(tmp_path / 'gone', 10)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [layout], box)
    produce(ring, 0)
    box.request({'reason': 'fell'})
    produce(ring, 1)
    assert writer.close() == {'written': 2, 'dropped': 0, 'missing': [], 'error': None}
    assert 'fault_1.ndjson' in box.error
    assert box.written == 0


def test_a_full_disk_under_the_log_does_not_end_the_black_box(tmp_path):
    """The log has failed; the seconds before the fault are still there."""
    layout = small_format()
    ring = layout.make_ring(8)
    box = BlackBox(tmp_path, 10)
    writer = NdjsonWriter(LogFile(Path('/dev/full')), ring, [layout], box)
    produce(ring, 0)
    box.request({'reason': 'fell'})
    assert 'No space left' in writer.close()['error']
    assert len(lines(tmp_path / 'fault_1.ndjson')) == 2


def test_a_loop_of_faults_does_not_fill_the_disk(tmp_path, monkeypatch):
    """Fault, reset, fault: a script may do that a thousand times."""
    monkeypatch.setattr(black_box, 'MAX_FILES', 2)
    box = BlackBox(tmp_path, 10)
    for _ in range(5):
        box.request({'reason': 'fell'})
    box.write(box.requested())
    assert sorted(path.name for path in tmp_path.iterdir()) == ['fault_1.ndjson', 'fault_2.ndjson']


def test_a_file_is_whole_or_not_there(tmp_path):
    """A reader that looks while it is written, or a disk that fills up, finds no half of one."""
    box = BlackBox(tmp_path, 10)
    for _ in range(10):
        box.add(b'{"step_id": 1}\n' * 100)
    box.request({'reason': 'fell'})
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        box.write(box.requested())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert 'fault_1.ndjson: cannot be written (File too large)' in box.error
    assert list(tmp_path.iterdir()) == []
