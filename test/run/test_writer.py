"""The step log: written beside the tick, never in its way, and readable whatever happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.step_records import produce
from helpers.step_records import small_format
from kinfer_ros.errors import RunError
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.writer import NdjsonWriter
from kinfer_ros.run.writer import read_steps
from kinfer_ros.run.writer import steps_path

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


def write(path: Path, steps: range) -> LogFile:
    layout = small_format()
    ring = layout.make_ring(len(steps) + 1)
    file = LogFile(path)
    writer = NdjsonWriter(file, ring, [layout])
    for step in steps:
        assert produce(ring, step)
    counters = writer.close()
    assert counters == {'written': len(steps), 'dropped': 0, 'missing': [], 'error': None}
    return file


def wait_for(condition, timeout: float = 10.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, 'nothing happened in time'
        time.sleep(0.01)


class SlowFormat:
    """A format that formats nothing until it is let go: a disk that hangs."""

    def __init__(self, layout) -> None:
        self.layout = layout
        self.go = threading.Event()

    def to_json(self, ring, slot) -> bytes:
        """Wait, then format."""
        assert self.go.wait(30)
        return self.layout.to_json(ring, slot)


def test_what_was_produced_is_what_is_read(tmp_path):
    """The log is the run: every record, in order, with its arrays."""
    path = tmp_path / 'steps.ndjson'
    write(path, range(40))
    records = list(read_steps(path))
    assert [r['step_id'] for r in records] == list(range(40))
    assert records[7]['joint_angles'].dtype == np.float32
    place = list(small_format().fields).index('joint_angles')
    assert (records[7]['joint_angles'] == np.float32(7 + place / 10)).all()
    assert [r['step_id'] for r in read_steps(tmp_path)] == list(range(40))


def test_records_reach_the_file_without_close(tmp_path):
    """Someone looks at the log while the robot walks."""
    layout = small_format()
    ring = layout.make_ring(8)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [layout])
    produce(ring, 1)
    wait_for(lambda: len(list(read_steps(tmp_path))) == 1)
    writer.close()


def test_killed_process_loses_at_most_the_last_second(tmp_path):
    """Kill -9 while writing: the log reads as it is, up to a second before the end."""
    code = (
        'import sys, time\n'
        'from pathlib import Path\n'
        'from helpers.step_records import produce, small_format\n'
        'from kinfer_ros.run.log_file import LogFile\n'
        'from kinfer_ros.run.writer import NdjsonWriter\n'
        'layout = small_format()\n'
        'ring = layout.make_ring()\n'
        'writer = NdjsonWriter(LogFile(Path(sys.argv[1])), ring, [layout])\n'
        'for step in range(10**6):\n'
        '    produce(ring, step)\n'
        '    print(step, flush=True)\n'
        '    time.sleep(0.002)\n'
    )
    path = tmp_path / 'steps.ndjson'
    child = subprocess.Popen(
        [sys.executable, '-c', code, str(path)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    stamps: list[float] = []
    for line in child.stdout:
        assert int(line) == len(stamps)
        stamps.append(time.monotonic())
        if len(stamps) == 800:
            child.send_signal(signal.SIGKILL)
            break
    killed = stamps[-1]
    child.wait(40)
    child.stdout.close()
    damaged: list[int] = []
    steps = [r['step_id'] for r in read_steps(path, damaged=damaged)]
    assert steps == list(range(len(steps)))
    assert len(damaged) <= 1
    assert stamps[len(steps) - 1] > killed - 1.0


def test_slow_disk_drops_and_counts_but_never_waits(tmp_path):
    """A full ring refuses a record at once; the gap shows in step_id and in the counters."""
    layout = small_format()
    ring = layout.make_ring(4)
    slow = SlowFormat(layout)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [slow])
    taken = [step for step in range(20) if produce(ring, step)]
    assert taken == [0, 1, 2, 3]
    assert writer.counters()['dropped'] == 16
    slow.go.set()
    wait_for(lambda: writer.counters()['written'] == 4)
    assert produce(ring, 20)
    # Dropped and placed: whoever reads the run knows which steps it lacks.
    missing = [[4, 19]]
    taken.append(20)
    assert writer.close() == {'written': 5, 'dropped': 16, 'missing': missing, 'error': None}
    assert [r['step_id'] for r in read_steps(tmp_path)] == taken


def test_hanging_disk_does_not_hang_the_end(tmp_path):
    """A robot's shutdown must not wait for ever for its log."""
    layout = small_format()
    ring = layout.make_ring(4)
    slow = SlowFormat(layout)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [slow])
    produce(ring, 0)
    counters = writer.close(timeout=0.2)
    assert 'within 0.2 s' in counters['error']
    assert not produce(ring, 1)
    slow.go.set()


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_full_disk_ends_recording_with_one_error():
    """The control loop goes on; what is not logged any more is counted."""
    layout = small_format()
    ring = layout.make_ring(8)
    writer = NdjsonWriter(LogFile(Path('/dev/full')), ring, [layout])
    assert produce(ring, 0)
    wait_for(lambda: writer.error is not None)
    first = writer.error
    assert 'No space left' in first
    produce(ring, 1)
    produce(ring, 2)
    assert writer.close() == {'written': 0, 'dropped': 3, 'missing': [], 'error': first}


def test_record_that_cannot_be_formatted_is_an_error_not_a_dead_thread(tmp_path):
    """A bug in a producer (an event that is no text) must show, not vanish with a thread."""
    layout = small_format()
    ring = layout.make_ring(8)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [layout])
    ring.obj['events'][ring.claim()] = [object()]
    produce(ring, 0)
    assert 'could not be written' in writer.close()['error']


def test_close_twice_and_late_records(tmp_path):
    """Ctrl-C twice does no harm, and a record after the end is counted."""
    layout = small_format()
    ring = layout.make_ring(8)
    writer = NdjsonWriter(LogFile(tmp_path / 'steps.ndjson'), ring, [layout])
    writer.close()
    assert not produce(ring, 0)
    assert writer.close() == {'written': 0, 'dropped': 1, 'missing': [], 'error': None}


def test_file_that_cannot_be_opened_is_one_clear_error(tmp_path):
    """Found at configure, with the path and what to do, before motors are live."""
    with pytest.raises(RunError, match='runs_dir') as error:
        LogFile(tmp_path / 'gone' / 'steps.ndjson')
    assert str(tmp_path) in str(error.value)


def test_appending_ends_a_line_that_was_cut_short(tmp_path):
    """KINFER_LOG_UUID appends: a killed run before must not eat this run's first record."""
    path = tmp_path / 'steps.ndjson'
    write(path, range(3))
    size = path.stat().st_size
    os.truncate(path, size - 10)
    file = write(path, range(100, 103))
    damaged: list[int] = []
    assert [r['step_id'] for r in read_steps(path, damaged=damaged)] == [0, 1, 100, 101, 102]
    assert damaged == [3]
    own = read_steps(path, offset=file.offset)
    assert [r['step_id'] for r in own] == [100, 101, 102]


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))))
def test_damaged_log_never_breaks_the_reader(tmp_path_factory, cut, flips):
    """Cut anywhere, any byte changed: what is whole is read, nothing raises."""
    path = tmp_path_factory.mktemp('log') / 'steps.ndjson'
    write(path, range(5))
    data = bytearray(path.read_bytes())
    for where, value in flips:
        data[int(where * (len(data) - 1))] = value
    path.write_bytes(data[: int(cut * len(data))])
    damaged: list[int] = []
    records = list(read_steps(path, damaged=damaged))
    assert len(records) + len(damaged) == len(path.read_bytes().splitlines(keepends=True)) or flips
    if not flips:
        assert [r['step_id'] for r in records] == list(range(len(records)))


def test_kinfers_own_log_reads(tmp_path):
    """The reader serves runs of kinfer as well: fewer keys, the same arrays."""
    line = {'step_id': 0, 't_us': 1, 'joint_angles': [0.5], 'joint_vels': None, 'output': [1.0]}
    (tmp_path / 'steps.ndjson').write_text(json.dumps(line) + '\n')
    (record,) = read_steps(tmp_path)
    assert record['joint_angles'] == np.float32(0.5)
    assert record['joint_vels'] is None


def test_missing_log_is_one_clear_error(tmp_path):
    """A wrong path must name itself."""
    with pytest.raises(RunError, match='No such file'):
        list(read_steps(tmp_path / 'nothing.ndjson'))


def test_log_is_in_the_run_directory_by_default(tmp_path):
    """Without kinfer's variables a run directory holds everything itself."""
    assert steps_path(tmp_path, NOON, {}) == tmp_path / 'steps.ndjson'
    assert steps_path(tmp_path, NOON, {'KINFER_LOG_UUID': 'x'}) == tmp_path / 'steps.ndjson'


@pytest.mark.parametrize(
    ('uuid', 'name'), [('', '2026-11-23_12-00-05.ndjson'), ('abc-1', 'abc-1.ndjson')]
)
def test_kinfer_log_path_is_honoured(tmp_path, uuid, name):
    """K-Scale's tools collect logs there, under that name; our tools find them by the link."""
    run_dir = tmp_path / 'run'
    run_dir.mkdir()
    environ = {'KINFER_LOG_PATH': str(tmp_path / 'logs'), 'KINFER_LOG_UUID': uuid}
    path = steps_path(run_dir, NOON, environ)
    assert path == run_dir / 'steps.ndjson'
    assert path.resolve() == tmp_path / 'logs' / name
    write(path, range(2))
    assert len(list(read_steps(run_dir))) == 2


@pytest.mark.parametrize('uuid', ['../up', 'a/b', '/tmp/x', '.'])
def test_kinfer_log_uuid_cannot_leave_its_directory(tmp_path, uuid):
    """A file name from the environment stays a file name."""
    environ = {'KINFER_LOG_PATH': str(tmp_path), 'KINFER_LOG_UUID': uuid}
    with pytest.raises(RunError, match='KINFER_LOG_UUID'):
        steps_path(tmp_path, NOON, environ)


def test_kinfer_log_path_that_cannot_be_made(tmp_path):
    """The error names the variable, so that the user knows what to change."""
    (tmp_path / 'file').touch()
    with pytest.raises(RunError, match='KINFER_LOG_PATH'):
        steps_path(tmp_path, NOON, {'KINFER_LOG_PATH': str(tmp_path / 'file')})
