"""Others on the robot's topics, and then no bridge any more: one graph for all of it."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

STALE_NS = 500_000_000


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(tmp_path_factory.mktemp('intruder')) as made:
        made.start()
        assert made.client.spin_until(lambda: bool(made.session), SOON)
        heard = made.client.follow(DiagnosticArray, '/diagnostics', QoSProfile(depth=50))
        assert made.client.spin_until(lambda: holder(heard) == made.session, SOON)
        yield made


def holder(heard: list[DiagnosticArray]) -> str:
    """The session that the bridge obeys: it may hear of it after this test does."""
    values = [value for message in heard for s in message.status for value in s.values]
    sessions = [value.value for value in values if value.key == 'session' and value.value]
    return str(sessions[-1]) if sessions else ''


def intruding(names: list[str], position: list[float], frame_id: str) -> JointState:
    message = JointState(name=names, position=position)
    message.header.frame_id = frame_id
    return message


NAMES = ['left_knee', 'right_knee']


@pytest.mark.parametrize(
    ('message', 'words'),
    [
        (intruding(NAMES, [1.0, 1.0], 'intruder run'), 'session intruder rejected'),
        (intruding(NAMES, [1.0, math.nan], 'SESSION run'), 'not finite for right_knee'),
        (intruding(['knee'], [1.0], 'SESSION run'), 'which the robot lacks'),
        (intruding(NAMES, [1.0], 'SESSION run'), 'found 1 values of target, expected 2'),
        (intruding(NAMES, [1.0, 1.0], 'SESSION dance'), "found mode 'dance'"),
        (intruding(NAMES, [1.0, 1.0], ''), "expected '<session> <mode>'"),
    ],
    ids=['another-session', 'nan', 'unknown-joint', 'lengths', 'mode', 'no-session'],
)
def test_a_second_sender_of_joint_commands(
    running: Graph, message: JointState, words: str
) -> None:
    """Refused as a whole with the reason, by the bridge; the robot goes on as it was."""
    session = running.session
    message.header.frame_id = message.header.frame_id.replace('SESSION', session)
    publisher = running.client.node.create_publisher(JointState, 'joint_commands', 1)

    def refused() -> bool:
        publisher.publish(message)
        return words in running.robot.output

    # What it refuses it says once a second.
    assert running.client.spin_until(refused, SOON), running.robot.output
    assert running.mode == 'run'
    assert running.states[-1].data == 'enabled'
    running.client.node.destroy_publisher(publisher)


def test_a_robot_that_another_commands_is_not_activated(running: Graph) -> None:
    """Even while that other one is silent; and the bridge has counted what it rejected."""
    found = running.client.follow(DiagnosticArray, '/diagnostics', QoSProfile(depth=50))

    def rejected() -> bool:
        values = [v for m in found for s in m.status for v in s.values if v.key == 'rejected']
        return any(int(value.value) > 0 for value in values)

    assert running.client.spin_until(rejected, SOON)
    running.rest()
    publisher = running.client.node.create_publisher(JointState, 'joint_commands', 1)
    assert running.client.spin_until(lambda: publisher.get_subscription_count() > 0, SOON)
    assert running.client.spin_until(
        lambda: 'a robot takes commands from one node' in running.refused_activation(), SOON
    )
    running.client.node.destroy_publisher(publisher)


def test_the_bridge_is_killed(running: Graph) -> None:
    """The last of this graph: samples stop, and the first tick after the time-out damps."""
    running.start()
    assert running.set(stale_timeout=STALE_NS / 1e9) == ''
    running.robot.send(signal.SIGKILL)
    fault = running.fault('is stale')
    last = max(running.relay.joints.last, running.relay.imu.last)
    assert fault.ticks_later_than(last + STALE_NS) <= 1
