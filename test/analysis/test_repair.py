"""A killed recorder's bag is complete again after repair, for every reader."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import Reader

from helpers.bag_messages import JOINT_STATE
from helpers.bag_messages import STRING
from helpers.bag_messages import joint_state
from helpers.bag_messages import text
from kinfer_ros.__main__ import main
from kinfer_ros.analysis.repair import repair_bag
from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag import BagWriter
from kinfer_ros.recording.bag_types import MessageTypes
from kinfer_ros.recording.mcap_scan import Scan

SECONDS = 4
CHUNK, DATA_END = 0x06, 0x0F


def make_bag(path: Path) -> list[tuple[str, int, bytes]]:
    """Write a bag of some seconds, one chunk each; :return: the messages."""
    bag = BagWriter(path, MessageTypes('kilted'))
    bag.add_topic('/mode', STRING, latched=True)
    sent = []
    for second in range(SECONDS):
        for i in range(20):
            sent.append(('/joint_states', 1000 * second + i, joint_state(i)))
        sent.append(('/mode', 1000 * second + 30, text('run')))
        for topic, stamp, data in sent[-21:]:
            bag.add(topic, STRING if topic == '/mode' else JOINT_STATE, stamp, data)
        bag.flush()
    bag.close()
    return sent


def kill(path: Path, keep: float = 1.0) -> None:
    """Make the files of a killed recorder: no metadata.yaml, a truncated file, an old time."""
    (path / 'metadata.yaml').unlink()
    file = path / f'{path.name}.mcap'
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data))])
    long_ago = time.time() - 60
    os.utime(file, (long_ago, long_ago))


def read(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, stamp, bytes(data)) for c, stamp, data in reader.messages()]


@pytest.mark.parametrize('keep', [0.999, 0.8, 0.5, 0.31])
def test_a_cut_bag_reads_again(tmp_path, keep):
    """Both readers read all flushed messages, byte for byte; the damaged bag is kept."""
    path = tmp_path / 'bag'
    sent = make_bag(path)
    kill(path, keep)
    done = repair_bag(path)
    found = read(path)
    assert found == sent[: len(found)]
    assert done.messages == len(found) >= (keep * SECONDS - 1.5) * 21
    with (path / 'bag.mcap').open('rb') as file:
        assert len(list(make_reader(file).iter_messages())) == len(found)
    assert (tmp_path / 'bag-damaged' / 'bag.mcap').is_file()
    assert not done.refused
    with Reader(path) as reader:
        (latched,) = [c for c in reader.connections if c.topic == '/mode']
        assert latched.ext.offered_qos_profiles[0].durability.name == 'TRANSIENT_LOCAL'


def test_a_whole_bag_is_left_alone(tmp_path):
    """Repair changes nothing in a complete bag."""
    path = tmp_path / 'bag'
    sent = make_bag(path)
    assert repair_bag(path).kept is None
    kill(path, 0.6)
    repair_bag(path)
    assert repair_bag(path).kept is None
    assert read(path) == sent[: len(read(path))]


def test_a_changed_byte_costs_its_chunk_not_the_rest(tmp_path):
    """A bad sector in the second second: messages before and after it are kept."""
    path = tmp_path / 'bag'
    sent = make_bag(path)
    kill(path)
    file = path / 'bag.mcap'
    data = bytearray(file.read_bytes())
    at = 8
    chunks = []
    while at < len(data) and data[at] != DATA_END:
        if data[at] == CHUNK:
            chunks.append(at)
        at += 9 + int.from_bytes(data[at + 1 : at + 9], 'little')
    data[chunks[1] + 4] = 0xFF  # its length is now that of the moon
    file.write_bytes(data)
    os.utime(file, (0, 0))
    done = repair_bag(path)
    assert done.lost_bytes > 0
    assert read(path) == sent[:21] + sent[42:]


@pytest.mark.parametrize('compression', list(CompressionType))
def test_compressed_chunks(tmp_path, compression):
    """`ros2 bag record` and others compress; what a cut leaves whole is read."""
    file = io.BytesIO()
    writer = McapWriter(file, chunk_size=100, compression=compression)
    writer.start('ros2')
    schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data')
    channel = writer.register_channel('/mode', 'cdr', schema)
    for stamp in range(40):
        writer.add_message(channel, stamp, text('run'), stamp)
    writer.finish()
    data = file.getvalue()
    scan = Scan()
    assert [each.stamp_ns for each in scan.messages(data)] == list(range(40))
    assert (scan.complete, scan.lost_bytes) == (True, 0)
    cut = Scan()
    found = [each.stamp_ns for each in cut.messages(data[: len(data) // 4])]
    assert found == list(range(len(found))) != []
    assert not cut.complete


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))))
def test_the_scan_never_raises(tmp_path_factory, cut, flips):
    """Cut anywhere, any byte changed."""
    global _BAG
    if _BAG is None:
        folder = tmp_path_factory.mktemp('bag')
        make_bag(folder / 'bag')
        _BAG = (folder / 'bag' / 'bag.mcap').read_bytes()
    data = bytearray(_BAG)
    for where, value in flips:
        data[int(where * (len(data) - 1))] = value
    scan = Scan()
    found = list(scan.messages(bytes(data[: int(cut * len(data))])))
    assert len(found) <= SECONDS * 21 or flips


_BAG: bytes | None = None


def test_a_bag_that_is_still_written_is_refused(tmp_path):
    """Two writers on one file would damage it."""
    path = tmp_path / 'bag'
    make_bag(path)
    (path / 'metadata.yaml').unlink()
    with pytest.raises(RunError, match='may still be at work'):
        repair_bag(path)


def test_the_command_repairs_a_killed_run(tmp_path, capsys):
    """The command after a power cut; gaps of the log are listed."""
    make_bag(tmp_path / 'bag')
    kill(tmp_path / 'bag', 0.7)
    (tmp_path / 'run.json').write_text(json.dumps({'ended': None, 'reason': None}))
    log = tmp_path / 'steps.ndjson'
    lines = [json.dumps({'step_id': i, 't_us': 1_700_000_000_000_000 + i}) for i in range(10)]
    log.write_text('\n'.join(lines[:3] + lines[6:]) + '\n{"step_id": 10, "t_')
    os.utime(log, (0, 0))
    assert main(['repair', str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert 'messages recovered' in said
    facts = json.loads((tmp_path / 'run.json').read_text())
    assert facts['reason'] == 'killed'
    assert facts['ended'] == '2023-11-14T22:13:20.000Z'
    assert facts['repair']['missing'] == [[3, 5]]
    assert facts['repair']['damaged_lines'] >= 1
    assert main(['repair', str(tmp_path)]) == 0
    assert 'whole' in capsys.readouterr().out


def test_nothing_there_is_exit_code_2(tmp_path, capsys):
    """The error names the path."""
    assert main(['repair', str(tmp_path / 'none')]) == 2
    assert 'no such directory' in capsys.readouterr().err
