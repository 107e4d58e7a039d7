"""The recorder over real DDS, in a process of its own: every message, as it came, in a bag."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from helpers.processes import domain

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a node that stands for the rest of the graph."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain()))
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('robot', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


class Process:
    """A recorder in a process of its own, its output in a file."""

    def __init__(self, folder: Path, **parameters: str) -> None:
        self._log = folder / 'recorder.log'
        arguments = [
            part for key, value in parameters.items() for part in ('-p', f'{key}:={value}')
        ]
        with self._log.open('w') as log:
            self.child = subprocess.Popen(
                [sys.executable, '-m', 'kinfer_ros.nodes.recorder', '--ros-args', *arguments],
                env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def interrupt(self) -> int:
        """Stop it as a user does; return its exit code."""
        self.child.send_signal(signal.SIGINT)
        return self.child.wait(40)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**parameters: str) -> Process:
        started.append(Process(tmp_path, **parameters))
        return started[-1]

    yield start
    for process in started:
        process.child.kill()
        process.child.wait(40)


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 15.0) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f'{what} did not happen within {timeout} s'
        time.sleep(0.02)


def matched(*publishers: Any) -> None:
    """Wait until the recorder listens to each of them."""
    wait_for(lambda: all(p.get_subscription_count() for p in publishers), 'subscription')


def read(bag: Path) -> dict[str, list[tuple[int, bytes]]]:
    found: dict[str, list[tuple[int, bytes]]] = {}
    with Reader(bag) as reader:
        for connection, stamp, data in reader.messages():
            found.setdefault(connection.topic, []).append((stamp, bytes(data)))
    return found


def texts(messages: list[tuple[int, bytes]]) -> list[str]:
    """Text of std_msgs/String messages."""
    return [data[8:].rstrip(b'\0').decode() for _, data in messages]


def new_run(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def test_every_message_is_in_the_bag_and_reads_back(robot, recorder, tmp_path):
    """The whole job: latched before, held until the run is known, best effort, both readers."""
    latched = robot.create_publisher(String, 'bridge_state', LATCHED)
    latched.publish(String(data='enabled'))
    joints = robot.create_publisher(JointState, 'joint_states', 10)
    imu = robot.create_publisher(Imu, 'imu/data', BEST_EFFORT)
    process = recorder()
    matched(latched, joints, imu)
    run = new_run(tmp_path, 'run')
    told = robot.create_publisher(String, 'policy_node/run', LATCHED)
    for i in range(150):
        # No effort: an empty sequence at the end is where padding would show.
        joints.publish(
            JointState(name=['knee', 'hip'], position=[i / 7, 2.0], velocity=[0.0, 1.0])
        )
        imu.publish(Imu())
        if i == 50:
            told.publish(String(data=str(run)))
        time.sleep(0.005)
    wait_for((run / 'bag').is_dir, 'the bag')
    kinds = {str(i.topic_type_hash) for i in robot.get_publishers_info_by_topic('/joint_states')}
    for publisher in (latched, joints, imu, told):
        robot.destroy_publisher(publisher)
    assert process.interrupt() == 0, process.output

    found = read(run / 'bag')
    assert len(found['/joint_states']) == 150
    assert len(found['/imu/data']) >= 140
    assert texts(found['/bridge_state']) == ['enabled']
    assert texts(found['/policy_node/run']) == [str(run)]
    stamps = [stamp for stamp, _ in found['/joint_states']]
    gaps = sorted(b - a for a, b in pairwise(stamps))
    assert gaps[len(gaps) // 2] > 1_000_000, 'receive times are those of the batches'
    with Reader(run / 'bag') as reader:
        assert {c.digest for c in reader.connections if c.topic == '/joint_states'} == kinds
    store = get_typestore(Stores.ROS2_KILTED)
    positions = [
        store.deserialize_cdr(data, 'sensor_msgs/msg/JointState').position[0]
        for _, data in found['/joint_states']
    ]
    assert positions == [i / 7 for i in range(150)]
    with (run / 'bag' / 'bag.mcap').open('rb') as file:
        messages = list(make_reader(file).iter_messages(topics='/joint_states'))
    assert [m.data for _, _, m in messages] == [data for _, data in found['/joint_states']]


def test_each_run_has_its_own_bag(robot, recorder, tmp_path):
    """The bag of a second run begins with the latched state; that of the first is closed."""
    state = robot.create_publisher(String, 'bridge_state', LATCHED)
    mode = robot.create_publisher(String, 'mode', 10)
    told = robot.create_publisher(String, 'policy_node/run', LATCHED)
    state.publish(String(data='enabled'))
    process = recorder()
    matched(state, mode, told)
    for name in ('one', 'two'):
        run = new_run(tmp_path, name)
        told.publish(String(data=str(run)))
        wait_for((run / 'bag').is_dir, 'the bag')
        mode.publish(String(data=name))
        # A publisher that goes at once takes with it what has not arrived yet.
        assert mode.wait_for_all_acked(Duration(seconds=5))
    for publisher in (state, mode, told):
        robot.destroy_publisher(publisher)
    assert process.interrupt() == 0, process.output
    one, two = read(tmp_path / 'one' / 'bag'), read(tmp_path / 'two' / 'bag')
    assert texts(one['/bridge_state']) == texts(two['/bridge_state']) == ['enabled']
    assert texts(two['/mode'])[-1] == 'two'
    assert texts(one.get('/mode', []))[:1] in ([], ['one'])


def test_publisher_with_other_qos_joins_later(robot, recorder, tmp_path):
    """A reliable subscription never matches a best effort publisher: it has to follow."""
    first = robot.create_publisher(String, 'talk', 10)
    process = recorder(bag_path=tmp_path / 'bag')
    matched(first)
    second = robot.create_publisher(String, 'talk', BEST_EFFORT)
    matched(second)
    wait_for(lambda: first.get_subscription_count() == 1, 'one subscription')
    for _ in range(20):
        first.publish(String(data='reliable'))
        second.publish(String(data='best effort'))
        time.sleep(0.005)
    robot.destroy_publisher(first)
    robot.destroy_publisher(second)
    assert process.interrupt() == 0, process.output
    assert set(texts(read(tmp_path / 'bag')['/talk'])) == {'reliable', 'best effort'}


def test_excluded_topics_stay_out(robot, recorder, tmp_path):
    """A camera would fill the disk: its name, or a pattern, keeps it out."""
    wanted = robot.create_publisher(String, 'wanted', 10)
    camera = robot.create_publisher(String, 'camera/left/raw', 10)
    exact = robot.create_publisher(String, 'secret', 10)
    process = recorder(bag_path=tmp_path / 'bag', exclude="['/camera/.*', '/secret']")
    matched(wanted)
    assert camera.get_subscription_count() == exact.get_subscription_count() == 0
    assert process.interrupt() == 0, process.output


def test_diagnostics_tell_counts(robot, recorder, tmp_path):
    """A monitor sees that recording goes on, and where to."""
    seen: list[Any] = []
    robot.create_subscription(DiagnosticArray, '/diagnostics', seen.append, 10)
    recorder(bag_path=tmp_path / 'bag')
    executor = rclpy.executors.SingleThreadedExecutor(context=robot.context)
    executor.add_node(robot)
    end = time.monotonic() + 15
    while not seen and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    (status,) = seen[0].status
    assert status.name == '/recorder: bag'
    assert status.level == b'\x00'
    assert {v.key: v.value for v in status.values}['bag'] == str(tmp_path / 'bag')


@pytest.mark.parametrize('where', ['bag_path', 'run_topic'])
def test_unusable_directory_is_one_error_and_the_node_lives(robot, recorder, tmp_path, where):
    """The control loop must never suffer from where its bag should go."""
    (tmp_path / 'file').touch()
    talk = robot.create_publisher(String, 'talk', 10)
    told = robot.create_publisher(String, 'policy_node/run', LATCHED)
    told.publish(String(data='/no/such/run'))
    process = recorder(**({'bag_path': tmp_path / 'file' / 'bag'} if where == 'bag_path' else {}))
    wait_for(lambda: '[ERROR]' in process.output, 'an error')
    matched(talk)
    assert process.child.poll() is None
    robot.destroy_publisher(talk)
    code = process.interrupt()
    assert process.output.count('[ERROR]') == 1
    assert 'Traceback' not in process.output
    if where == 'bag_path':
        assert code == 2, 'a bag that was asked for and is not there is no success'
    else:
        assert 'on this machine' in process.output


def test_bad_pattern_is_one_line_and_exit_code_2(robot, recorder):
    """A user's mistake is told before anything starts, without a traceback."""
    process = recorder(exclude="['/camera(']")
    assert process.child.wait(40) == 2
    assert 'parameter exclude' in process.output
    assert 'Traceback' not in process.output


def test_killed_recorder_loses_at_most_the_last_second(robot, recorder, tmp_path):
    """Kill -9: the chunks of all but the last second are whole in the file."""
    talk = robot.create_publisher(String, 'talk', 50)
    process = recorder(bag_path=tmp_path / 'bag')
    matched(talk)
    sent: list[float] = []
    begin = time.monotonic()
    while time.monotonic() - begin < 3.5:
        sent.append(time.monotonic())
        talk.publish(String(data=str(len(sent) - 1)))
        time.sleep(0.01)
    process.child.kill()
    killed = time.monotonic()
    process.child.wait(40)
    numbers = []
    with (tmp_path / 'bag' / 'bag.mcap').open('rb') as file, pytest.raises(EndOfFile):
        for record in StreamReader(file).records:
            if isinstance(record, Message) and re.search(rb'\d+\0$', record.data):
                numbers += [int(text) for text in re.findall(rb'(\d+)\0$', record.data)]
    assert numbers
    # A flush a second, and the batch that was waiting; the rest is for a busy machine.
    assert killed - sent[max(numbers)] < 2.0


def test_restarted_recorder_does_not_overwrite(robot, recorder, tmp_path):
    """A recorder that comes back in the middle of a run makes a second bag."""
    run = new_run(tmp_path, 'run')
    told = robot.create_publisher(String, 'policy_node/run', LATCHED)
    told.publish(String(data=str(run)))
    for bag in ('bag', 'bag-2'):
        process = recorder()
        wait_for((run / bag).is_dir, 'the bag')
        assert process.interrupt() == 0, process.output
        assert (run / bag / 'metadata.yaml').is_file()
