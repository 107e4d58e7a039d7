"""What the capture does with topics that are odd, and how it counts what was lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.qos import DurabilityPolicy
from rclpy.qos import ReliabilityPolicy

from kinfer_ros.ros.topic_recorder import RecordedTopic
from kinfer_ros.ros.topic_recorder import TopicRecorder

RELIABLE = (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
BEST_EFFORT = (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
LATCHED = (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)


class Graph:
    """A node's view of a graph, as a test sets it."""

    def __init__(self) -> None:
        self.topics: dict[str, list[str]] = {}
        self.publishers: dict[str, list[Any]] = {}
        self.subscribed: list[tuple[str, Any]] = []

    def get_topic_names_and_types(self):
        """As rclpy's Node."""
        return list(self.topics.items())

    def count_publishers(self, topic):
        """As rclpy's Node."""
        return len(self.publishers.get(topic, ()))

    def get_publishers_info_by_topic(self, topic):
        """As rclpy's Node."""
        return [
            SimpleNamespace(qos_profile=SimpleNamespace(reliability=r, durability=d))
            for r, d in self.publishers[topic]
        ]

    def create_subscription(self, _type, topic, _callback, profile, **_kwargs):
        """As rclpy's Node."""
        self.subscribed.append((topic, (profile.reliability, profile.durability)))
        return self.subscribed[-1]

    def destroy_subscription(self, subscription):
        """As rclpy's Node."""
        self.subscribed.remove(subscription)


@pytest.fixture
def graph() -> Graph:
    return Graph()


def capture_of(graph: Graph, exclude=()) -> tuple[TopicRecorder, list[str], list[tuple[str, int]]]:
    warnings: list[str] = []
    offered: list[tuple[str, int]] = []
    capture = TopicRecorder(
        graph, list(exclude), lambda tap: offered.append((tap.topic, tap.latched)), warnings.append
    )
    return capture, warnings, offered


@pytest.mark.parametrize(
    ('types', 'warned'),
    [
        (['no_such_msgs/msg/Odd'], 'cannot be imported'),
        (['std_msgs/msg/NoSuchType'], 'cannot be imported'),
        (['std_msgs/msg/String', 'std_msgs/msg/Bool'], 'only std_msgs/msg/String'),
        (['example_interfaces/action/Fibonacci_FeedbackMessage'], None),
        (['std_srvs/srv/Trigger_Event'], None),
    ],
)
def test_odd_topics_are_told_once(graph, types, warned):
    """What is missing in the bag is said, not found out a week later; but once, not forever."""
    capture, warnings, _ = capture_of(graph)
    graph.topics['/odd'] = types
    graph.publishers['/odd'] = [RELIABLE]
    for _ in range(3):
        capture.discover()
    assert len(warnings) == (warned is not None)
    if warned:
        assert '/odd' in warnings[0]
        assert warned in warnings[0]


def test_topic_without_publisher_waits_for_one(graph):
    """Subscribing to what nobody publishes would keep a dead topic in the graph."""
    capture, _, _ = capture_of(graph)
    graph.topics['/a'] = ['std_msgs/msg/String']
    capture.discover()
    assert graph.subscribed == []
    graph.publishers['/a'] = [RELIABLE]
    capture.discover()
    assert graph.subscribed == [('/a', RELIABLE)]


@pytest.mark.parametrize(
    ('publishers', 'subscription', 'latched'),
    [
        ([RELIABLE], RELIABLE, 0),
        ([BEST_EFFORT, RELIABLE], BEST_EFFORT, 0),
        ([LATCHED, LATCHED], LATCHED, 2),
        ([LATCHED, RELIABLE], RELIABLE, 0),
    ],
)
def test_subscription_matches_every_publisher(graph, publishers, subscription, latched):
    """DDS does not connect a subscription that asks for more than a publisher offers."""
    capture, _, offered = capture_of(graph)
    graph.topics['/a'] = ['std_msgs/msg/String']
    graph.publishers['/a'] = publishers[:1]
    capture.discover()
    graph.publishers['/a'] = publishers
    capture.discover()
    assert graph.subscribed == [('/a', subscription)]
    assert offered[-1] == ('/a', latched)


@pytest.mark.parametrize(
    ('offered', 'subscription'),
    [(RELIABLE, BEST_EFFORT), (BEST_EFFORT, BEST_EFFORT), (LATCHED, LATCHED)],
)
def test_who_only_looks_asks_for_no_repeats(graph, offered, subscription):
    """A viewer must cost the robot's publishers nothing; what is latched comes no other way."""
    graph.topics['/a'] = ['std_msgs/msg/String']
    graph.publishers['/a'] = [offered]
    viewer = TopicRecorder(graph, [], lambda _: None, pytest.fail, reliable=False)
    viewer.discover()
    assert graph.subscribed == [('/a', subscription)]


def test_subscription_outlives_its_publishers(graph):
    """A publisher that restarts must not lose its first messages to a new discovery."""
    capture, _, _ = capture_of(graph)
    graph.topics['/a'] = ['std_msgs/msg/String']
    for publishers in ([LATCHED], [], [LATCHED]):
        graph.publishers['/a'] = publishers
        capture.discover()
    assert graph.subscribed == [('/a', LATCHED)]


def test_subscription_that_fails_costs_only_its_topic(graph, monkeypatch):
    """Two types on one topic cannot be subscribed in one process: the rest is still recorded."""
    capture, warnings, _ = capture_of(graph)
    subscribe = graph.create_subscription

    def refuse(type_, topic, *arguments, **others):
        if topic == '/a':
            raise RuntimeError('invalid allocator')
        return subscribe(type_, topic, *arguments, **others)

    monkeypatch.setattr(graph, 'create_subscription', refuse)
    for topic in ('/a', '/b'):
        graph.topics[topic] = ['std_msgs/msg/String']
        graph.publishers[topic] = [RELIABLE]
    for _ in range(2):
        capture.discover()
    assert list(capture.taps) == ['/b']
    assert len(warnings) == 1
    assert '/a' in warnings[0]


def test_excluded_by_name_or_pattern(graph):
    """A pattern has to match the whole name, so that /a does not take /ab with it."""
    capture, _, _ = capture_of(graph, exclude=['/a', '/camera/.*'])
    for topic in ('/a', '/ab', '/camera/left'):
        graph.topics[topic] = ['std_msgs/msg/String']
        graph.publishers[topic] = [RELIABLE]
    capture.discover()
    assert list(capture.taps) == ['/ab']


@pytest.mark.parametrize(
    ('publishers', 'numbers', 'lost'),
    [
        (1, [1, 2, 3], 0),
        (1, [5, 6, 9], 2),
        (1, [5, 1, 2], 0),
        (2, [1, 7, 2, 9], 0),
        (1, [None, None], 0),
    ],
)
def test_gaps_in_numbering_are_lost_messages(publishers, numbers, lost):
    """Loss is counted, not guessed; with two publishers mixed it cannot be told."""
    tap = RecordedTopic('/a', 'std_msgs/msg/String', None, True, 0, publishers)
    for number in numbers:
        tap.count(number)
    assert (tap.taken, tap.lost) == (len(numbers), lost)


def test_each_publisher_has_its_own_numbering():
    """Two publishers gave 73270 lost messages, and a driver that restarted 27."""
    tap = RecordedTopic('/a', 'std_msgs/msg/String', None, True, 0, 1)
    for number in range(1000, 1010):
        tap.count(number, b'first')
        tap.count(number - 990, b'second')
    assert tap.lost == 0
    tap.count(1012, b'first')
    tap.count(28, b'third')
    assert tap.lost == 2


def test_without_ids_a_huge_gap_is_another_publisher():
    """The graph tells of it only a moment later."""
    tap = RecordedTopic('/a', 'std_msgs/msg/String', None, True, 0, 1)
    for number in (5, 6, 50_000, 50_001):
        tap.count(number)
    assert tap.lost == 0
