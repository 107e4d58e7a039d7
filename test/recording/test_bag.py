"""The bag: common readers read back every message, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader

from helpers.bag_messages import JOINT_STATE
from helpers.bag_messages import STORE
from helpers.bag_messages import STRING
from helpers.bag_messages import joint_state
from helpers.bag_messages import text
from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag import BagWriter
from kinfer_ros.recording.bag_types import MessageTypes


@pytest.fixture(scope='module')
def types() -> MessageTypes:
    return MessageTypes('kilted')


def read_rosbags(path: Path) -> list[tuple[str, int, bytes]]:
    with Reader(path) as reader:
        return [(c.topic, stamp, bytes(data)) for c, stamp, data in reader.messages()]


def read_mcap(path: Path) -> list[tuple[str, int, bytes]]:
    with (path / f'{path.name}.mcap').open('rb') as file:
        messages = make_reader(file, validate_crcs=True).iter_messages()
        return [(c.topic, m.log_time, m.data) for _, c, m in messages]


def test_both_readers_give_back_every_byte(tmp_path, types):
    """Messages are recorded unchanged."""
    path = tmp_path / 'bag'
    bag = BagWriter(path, types)
    sent = [('/joint_states', 1000 + i, joint_state(i)) for i in range(50)]
    sent += [('/mode', 2000, text('run'))]
    for topic, stamp, data in sent:
        assert bag.add(topic, STRING if topic == '/mode' else JOINT_STATE, stamp, data)
    assert bag.close() == {'/joint_states': 50, '/mode': 1}
    assert read_rosbags(path) == sent
    assert read_mcap(path) == sent
    with Reader(path) as reader:
        (_, _, data), *_ = reader.messages()
        assert STORE.deserialize_cdr(data, JOINT_STATE).position == [0.5]


def test_metadata_is_what_ros2_bag_wants(tmp_path, types):
    """`ros2 bag` refuses a directory whose metadata.yaml it does not understand."""
    bag = BagWriter(tmp_path / 'bag', types)
    bag.add_topic('/run', STRING, latched=True)
    bag.add('/run', STRING, 5, text('x'))
    bag.add('/joint_states', JOINT_STATE, 7, joint_state(0))
    bag.close({'lost': '{"/a": 3}'})
    info = yaml.safe_load((tmp_path / 'bag' / 'metadata.yaml').read_text())
    info = info['rosbag2_bagfile_information']
    assert info['version'] == 9
    assert info['storage_identifier'] == 'mcap'
    assert info['relative_file_paths'] == ['bag.mcap']
    assert info['message_count'] == 2
    assert info['custom_data'] == {'lost': '{"/a": 3}'}
    assert info['starting_time'] == {'nanoseconds_since_epoch': 5}
    offered = {
        t['topic_metadata']['name']: t['topic_metadata']['offered_qos_profiles'][0]['durability']
        for t in info['topics_with_message_count']
    }
    assert offered == {'/run': 'transient_local', '/joint_states': 'volatile'}


def test_messages_out_of_order_are_sorted_by_the_reader(tmp_path, types):
    """Batches arrive by topic; playback must be in time order."""
    bag = BagWriter(tmp_path / 'bag', types)
    for stamp in (30, 10, 20):
        bag.add('/mode', STRING, stamp, text(str(stamp)))
        bag.flush()
    bag.close()
    assert [stamp for _, stamp, _ in read_rosbags(tmp_path / 'bag')] == [10, 20, 30]
    assert [stamp for _, stamp, _ in read_mcap(tmp_path / 'bag')] == [10, 20, 30]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(['flush', 'topic'])
        | st.tuples(st.sampled_from('abc'), st.integers(1, 2**62), st.binary(max_size=40))
    )
)
def test_any_sequence_of_calls_gives_a_readable_bag(tmp_path_factory, types, calls):
    """Including empty flushes, topics without messages and empty bags."""
    path = tmp_path_factory.mktemp('run') / 'bag'
    bag = BagWriter(path, types)
    sent = []
    for call in calls:
        if call == 'flush':
            bag.flush()
        elif call == 'topic':
            bag.add_topic('/d', STRING)
        else:
            name, stamp, value = call
            sent.append((f'/{name}', stamp, text(value.hex())))
            bag.add(f'/{name}', STRING, *sent[-1][1:])
    bag.close()
    assert sorted(read_rosbags(path)) == sorted(sent)
    assert sorted(read_mcap(path)) == sorted(sent)


def test_type_from_a_msg_file(tmp_path, types, monkeypatch):
    """User-defined messages are recorded with the definitions of all nested types."""
    folder = tmp_path / 'ws' / 'share' / 'my_msgs' / 'msg'
    folder.mkdir(parents=True)
    (folder / 'Outer.msg').write_text('std_msgs/Header header\nInner[] parts\nInner[2] two\n')
    (folder / 'Inner.msg').write_text('# a comment\nuint8 KIND=3\nfloat32 x\nstring<=8 label\n')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}/none{os.pathsep}{tmp_path}/ws')
    bag = BagWriter(tmp_path / 'bag', types)
    assert bag.add('/mine', 'my_msgs/msg/Outer', 1, b'\x00\x01\x00\x00rest')
    bag.close()
    with Reader(tmp_path / 'bag') as reader:
        (connection,) = reader.connections
        assert 'MSG: my_msgs/Inner' in connection.msgdef.data
        assert [bytes(d) for _, _, d in reader.messages()] == [b'\x00\x01\x00\x00rest']


@pytest.mark.parametrize(('content', 'why'), [(None, 'not found'), ('int32 ][', 'cannot be used')])
def test_unknown_type_is_refused_once_and_the_rest_goes_on(
    tmp_path, types, monkeypatch, content, why
):
    """Other topics are still recorded."""
    folder = tmp_path / 'share' / 'odd_msgs' / 'msg'
    folder.mkdir(parents=True)
    if content is not None:
        (folder / 'Odd.msg').write_text(content)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    bag = BagWriter(tmp_path / 'bag', types)
    for _ in range(2):
        assert not bag.add('/odd', 'odd_msgs/msg/Odd', 1, b'')
    assert list(bag.refused) == ['/odd']
    assert why in bag.refused['/odd']
    assert bag.add('/mode', STRING, 2, text('run'))
    assert bag.close() == {'/mode': 1}


@pytest.mark.parametrize('name', ['String', 'std_msgs/String', '../x/msg/Y', 'a/srv/B', ''])
def test_name_that_is_no_message_type_is_refused(types, name):
    """A type name becomes a file name: only package/msg/Name is allowed."""
    with pytest.raises(RunError, match='expected package/msg/Name'):
        types.definition(name)


@pytest.mark.parametrize('distro', ['jazzy', 'kilted'])
def test_hash_is_the_distributions_own(distro):
    """Hashes as seen on the wire with both distributions."""
    _, digest = MessageTypes(distro).definition(JOINT_STATE)
    assert digest == 'RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e'


def test_unknown_distribution_still_records(tmp_path):
    """A newer ROS than this package is accepted."""
    bag = BagWriter(tmp_path / 'bag', MessageTypes('zzz'))
    assert bag.add('/mode', STRING, 1, text('run'))
    bag.close()


def test_directory_in_use_is_one_clear_error(tmp_path, types):
    """A bag never overwrites another."""
    (tmp_path / 'bag').mkdir()
    with pytest.raises(RunError, match='no bag can be created here') as error:
        BagWriter(tmp_path / 'bag', types)
    assert str(tmp_path / 'bag') in str(error.value)


@pytest.mark.parametrize('below', ['file/bag', '/proc/none/bag'])
def test_directory_that_cannot_be_made_is_one_clear_error(tmp_path, types, below):
    """The error names the path and the reason."""
    (tmp_path / 'file').touch()
    with pytest.raises(RunError, match='no bag can be created here'):
        BagWriter(tmp_path / below, types)


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_full_disk_ends_the_bag_with_one_error(tmp_path, types):
    """One error; later calls are ignored."""
    bag = BagWriter(tmp_path / 'bag', types)
    bag._writer.storage.bio.close()
    bag._writer.storage.bio = open('/dev/full', 'wb')  # noqa: SIM115, PTH123
    assert bag.add('/mode', STRING, 1, text('run'))
    with pytest.raises(RunError, match='No space left'):
        bag.flush()
    assert not bag.add('/mode', STRING, 2, text('run'))
    assert not bag.add_topic('/other', STRING)
    bag.flush()
    assert bag.close() == {'/mode': 1}


def test_killed_process_keeps_what_was_flushed(tmp_path):
    """Kill -9: every chunk up to the last flush is complete, for repair to index."""
    code = (
        'import sys\n'
        'from pathlib import Path\n'
        'from kinfer_ros.recording.bag import BagWriter\n'
        'from kinfer_ros.recording.bag_types import MessageTypes\n'
        'bag = BagWriter(Path(sys.argv[1]), MessageTypes("jazzy"))\n'
        'cdr = bytes([0, 1, 0, 0, 4, 0, 0, 0]) + b"run\\0"\n'
        'for second in range(3):\n'
        '    for i in range(100):\n'
        '        bag.add("/mode", "std_msgs/msg/String", 1000 * second + i, cdr)\n'
        '    if second < 2:\n'
        '        bag.flush()\n'
        'print("ready", flush=True)\n'
        'sys.stdin.read()\n'
    )
    child = subprocess.Popen(
        [sys.executable, '-c', code, str(tmp_path / 'bag')],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == 'ready\n'
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=40)
    with (tmp_path / 'bag' / 'bag.mcap').open('rb') as file:
        messages = []
        with pytest.raises(EndOfFile):
            for record in StreamReader(file).records:
                if isinstance(record, Message):
                    messages.append(record.log_time)
    assert messages == [1000 * second + i for second in range(2) for i in range(100)]


def test_record_of_the_bag_serialises(tmp_path, types):
    """The counters are written to run.json and diagnostics."""
    bag = BagWriter(tmp_path / 'bag', types)
    bag.add('/mode', STRING, 1, text('run'))
    assert json.loads(json.dumps(bag.close())) == {'/mode': 1}
