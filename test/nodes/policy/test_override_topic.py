"""joint_overrides over real DDS: messages reach the inbox with the name of who published them."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState

from helpers.processes import domain
from helpers.processes import wait_until
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.nodes.policy.joint_overrides import _Streams
from kinfer_ros.nodes.policy.robot_link import RobotLink
from kinfer_ros.ros.polling import NAMELESS

NOW = 5_000_000_000
MS = 1_000_000


@pytest.fixture
def made():
    context = Context()
    context.init(domain_id=domain())
    nodes = {name: Node(name, context=context) for name in ('policy_node', 'wave', 'other')}
    link = RobotLink(nodes['policy_node'], lockstep=True, cmd_vel_type='auto')
    inbox = OverrideInbox(('elbow',), ('elbow', 'knee'), np.array([[-1.0], [1.0]]))
    publishers = {
        name: nodes[name].create_publisher(JointState, 'joint_overrides', 10)
        for name in ('wave', 'other')
    }
    for each in publishers.values():
        assert wait_until(lambda each=each: each.get_subscription_count() > 0, 10.0)
    topic = link.overrides
    assert wait_until(lambda: topic._subscription.get_publisher_count() == 2, 10.0)
    try:
        yield SimpleNamespace(topic=topic, inbox=inbox, publishers=publishers, nodes=nodes)
    finally:
        for node in nodes.values():
            node.destroy_node()
        context.try_shutdown()


def publish(made, who: str, target: float, stamp_ns: int) -> None:
    message = JointState(name=['elbow'], position=[target])
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 1_000_000_000)
    made.publishers[who].publish(message)


def read_until(made, condition, now: int = NOW) -> None:
    def reached() -> bool:
        made.topic.read(made.inbox, now, now)
        return condition()

    assert wait_until(reached, 10.0)


def test_who_published_it(made):
    """The owner by name; a second one is refused by name, on every distribution."""
    publish(made, 'wave', 0.5, NOW)
    read_until(made, lambda: made.inbox.owner is not None)
    # Without ids (Jazzy) a name is known where one publisher alone is left.
    assert '/wave' in made.inbox.owner.name
    publish(made, 'wave', 0.6, NOW + MS)
    read_until(made, lambda: made.inbox.target[0] == 0.6, NOW + MS)
    publish(made, 'other', -0.5, NOW + 2 * MS)
    read_until(made, lambda: made.inbox.refused == 1, NOW + 2 * MS)
    assert made.inbox.target[0] == 0.6
    assert 'moves the joints' in made.inbox.problem
    publish(made, 'wave', 0.7, NOW + 3 * MS)
    read_until(made, lambda: made.inbox.target[0] == 0.7, NOW + 3 * MS)


def test_a_name_that_the_graph_knows_late(made, monkeypatch):
    """DDS tells the name of a node after its first messages, on a busy machine after hundreds."""
    find, known = made.topic._find_name, []
    monkeypatch.setattr(made.topic, '_find_name', lambda key: find(key) if known else NAMELESS)
    stamps = itertools.count(NOW, 1000)

    def follow(target: float) -> None:
        publish(made, 'wave', target, next(stamps))
        read_until(made, lambda: made.inbox.target[0] == target)

    for number in range(100):
        follow(number / 1000)
    assert made.inbox.owner.name == NAMELESS
    known.append(True)

    def named() -> bool:
        follow(0.5)
        return '/wave' in made.inbox.owner.name

    assert wait_until(named, 10.0), made.inbox.owner


def test_without_ids_nobody_is_named_while_a_name_is_missing(made, monkeypatch):
    """On Jazzy a name is found by leaving out the others: it would be that of another node."""
    other, unknown = (
        SimpleNamespace(node_name=name, node_namespace='/')
        for name in ('other', '_NODE_NAME_UNKNOWN_')
    )
    found = [other, unknown]
    asked = SimpleNamespace(get_publishers_info_by_topic=lambda topic: found)
    monkeypatch.setattr(made.topic, '_node', asked)
    assert made.topic._find_name(1) == NAMELESS
    unknown.node_name = 'wave'
    assert made.topic._find_name(1) == '/other or /wave'
    found.remove(other)
    assert made.topic._find_name(1) == '/wave'
    found.clear()
    assert made.topic._find_name(1) == NAMELESS


def test_what_waited_for_the_session_is_no_refusal(made):
    """Old messages before a fresh one are what a queue holds when it is first read."""
    for age in (400, 300, 200, 0):
        publish(made, 'wave', 0.1, NOW - age * MS)
    read_until(made, lambda: made.inbox.owner is not None)
    assert made.inbox.refused == 0


def test_publishers_are_told_apart_by_the_numbers_of_their_messages():
    """Where rclpy does not tell who sent a message; some may be lost."""
    streams = _Streams()
    numbers = [1, 2, 4, 1, 5, 2, 3, 6, 1, 9, 4]
    found = [streams.find({'publication_sequence_number': number}, 0.0) for number in numbers]
    assert found == [1, 1, 1, 2, 1, 2, 2, 1, 3, 1, 2]


def test_a_publisher_that_has_left_is_not_taken_for_another():
    """A new one counts up to where the old one ended."""
    streams = _Streams()
    assert [streams.find({'publication_sequence_number': n}, n / 50) for n in (1, 2, 3)] == [1] * 3
    again = [streams.find({'publication_sequence_number': n}, 5 + n / 50) for n in range(1, 9)]
    assert again == [2] * 8
    assert streams.heard(5.1) == [2]


def test_a_publisher_that_stalls_stays_itself():
    """In lockstep, simulated time waits for as long as a machine may stall."""
    streams = _Streams()
    numbers = ((1, 0.0), (2, 0.1), (3, 9.0))
    assert [streams.find({'publication_sequence_number': n}, at) for n, at in numbers] == [1] * 3
