"""Messages are held until their run's bag opens, and failures never raise."""

from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader

from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag import BagWriter
from kinfer_ros.recording.bag_sink import BagSink
from kinfer_ros.recording.bag_types import MessageTypes

STRING = 'std_msgs/msg/String'


@pytest.fixture(scope='module')
def types() -> MessageTypes:
    return MessageTypes('kilted')


def cdr(text: str) -> bytes:
    data = text.encode() + b'\0'
    return b'\0\1\0\0' + len(data).to_bytes(4, 'little') + data


def read(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, stamp, bytes(data)) for c, stamp, data in reader.messages()]


def test_messages_before_the_bag_are_in_it(tmp_path, types):
    """Latched messages that describe the robot come before the run directory."""
    sink = BagSink(types)
    assert sink.add('/early', STRING, 1, cdr('a'))
    assert sink.open(tmp_path / 'bag')
    assert sink.path == tmp_path / 'bag'
    assert sink.add('/late', STRING, 2, cdr('b'))
    assert sink.close() == {'/early': 1, '/late': 1}
    assert read(tmp_path / 'bag') == [('/early', 1, cdr('a')), ('/late', 2, cdr('b'))]
    assert sink.path is None


def test_held_memory_is_bounded_and_counted(tmp_path, types):
    """A recorder may wait for hours without a run."""
    sink = BagSink(types, hold_bytes=10_000)
    for i in range(1000):
        sink.add('/clock', STRING, i, cdr(str(i)))
    assert sink.discarded > 900
    sink.open(tmp_path / 'bag')
    sink.close()
    stamps = [stamp for _, stamp, _ in read(tmp_path / 'bag')]
    assert stamps == list(range(sink.discarded, 1000))


def test_next_bag_begins_with_the_latched_state(tmp_path, types):
    """A second run has gains and bridge state in its bag as well."""
    sink = BagSink(types)
    sink.offer('/gains', STRING, reliable=True, latched=1)
    sink.offer('/tf_static', STRING, reliable=True, latched=2)
    sink.add('/gains', STRING, 1, cdr('old'))
    sink.add('/tf_static', STRING, 2, cdr('camera'))
    sink.add('/tf_static', STRING, 2, cdr('imu'))
    sink.add('/other', STRING, 2, cdr('x'))
    sink.open(tmp_path / 'one', now_ns=50)
    sink.add('/gains', STRING, 60, cdr('new'))
    sink.open(tmp_path / 'two', now_ns=100)
    sink.close()
    assert len(read(tmp_path / 'one')) == 5
    assert sorted(read(tmp_path / 'two')) == [
        ('/gains', 100, cdr('new')),
        ('/tf_static', 100, cdr('imu')),
        ('/tf_static', 100, cdr('camera')),
    ]


def test_unusable_directory_turns_recording_off_until_the_next(tmp_path, types):
    """One error; nothing is held, and the next run is recorded."""
    (tmp_path / 'file').touch()
    sink = BagSink(types)
    assert not sink.open(tmp_path / 'file' / 'bag')
    assert 'no bag can be created here' in sink.error
    assert not sink.add('/a', STRING, 1, cdr('lost'))
    assert sink.open(tmp_path / 'bag')
    assert sink.error is None
    assert sink.add('/a', STRING, 2, cdr('kept'))
    sink.close()
    assert read(tmp_path / 'bag') == [('/a', 2, cdr('kept'))]


@pytest.mark.parametrize('method', ['add', 'flush', 'close'])
def test_failing_disk_is_one_error_and_never_raises(tmp_path, types, monkeypatch, method):
    """A full disk ends the recording, not the recorder."""

    def fail(*_args):
        raise RunError('disk full')

    sink = BagSink(types)
    sink.open(tmp_path / 'bag')
    sink.add('/a', STRING, 1, cdr('x'))
    monkeypatch.setattr(BagWriter, method, fail)
    for _ in range(2):
        sink.add('/a', STRING, 2, cdr('y'))
        sink.flush()
    sink.close()
    assert sink.error == 'disk full'
    assert not sink.add('/a', STRING, 3, cdr('z'))


def test_many_messages_are_flushed_without_being_asked(tmp_path, types):
    """Chunks stay small at high rates, so that ending one never delays a tick."""
    sink = BagSink(types)
    sink.open(tmp_path / 'bag')
    size = (tmp_path / 'bag' / 'bag.mcap').stat().st_size
    for i in range(300):
        sink.add('/a', STRING, i, cdr('x'))
    assert (tmp_path / 'bag' / 'bag.mcap').stat().st_size > size + 256 * 30
    sink.close()


def test_refused_topics_are_told(tmp_path, types):
    """The reason for each refused topic is available."""
    sink = BagSink(types)
    assert sink.refused() == {}
    sink.open(tmp_path / 'bag')
    assert not sink.add('/odd', 'no_such_msgs/msg/Odd', 1, b'')
    assert 'no_such_msgs' in sink.refused()['/odd']
    sink.close()
