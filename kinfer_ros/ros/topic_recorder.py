"""Raw subscriptions to every topic of the graph, emptied in batches by their owner.

Nothing is decoded and no executor serves them: a callback for each message would make recording
cost more than walking.
"""

import re
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from importlib import import_module
from itertools import islice
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription

from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import publisher_id
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_bytes_with_info

DEPTH = 1000
"""Messages that DDS keeps for us of each topic between two batches."""

MAX_PUBLISHERS = 64
"""Publishers of one topic whose numbers are kept."""

_PAUSE = 0.001


@dataclass
class RecordedTopic:
    """One recorded topic: its subscription, and what became of its messages."""

    topic: str
    msgtype: str
    subscription: Subscription
    reliable: bool
    """Whether every publisher is reliable; one that is not would not match otherwise."""
    latched: int
    """Number of publishers when all of them are transient local, else 0."""
    publishers: int
    """Number of publishers when the graph was last looked at."""
    taken: int = 0
    lost: int = 0
    """Messages that gaps in the publishers' numbering show."""
    last: dict[bytes | None, int] = field(default_factory=dict)
    """Number of the last message taken, by the publisher's id; None where rclpy tells no id."""

    def count(self, number: int | None, publisher: bytes | None = None) -> None:
        """Count a message, and those of its publisher that are missing before it."""
        self.taken += 1
        if number is None or (publisher is None and self.publishers != 1):
            return
        missing = number - self.last.get(publisher, number - 1) - 1
        # Without ids, a larger gap is another publisher, whose numbers have nothing to do with it.
        if missing > 0 and (publisher is not None or missing <= DEPTH):
            self.lost += missing
        if len(self.last) >= MAX_PUBLISHERS:
            self.last.clear()
        self.last[publisher] = number


class TopicRecorder:
    """
    Follows the graph: a tap for each topic that has publishers and a type that can be imported.

    `taps` holds them by topic.
    """

    def __init__(
        self,
        node: Node,
        exclude: list[str],
        offer: Callable[[RecordedTopic], None],
        warn: Callable[[str], None],
        *,
        reliable: bool = True,
    ) -> None:
        """
        Prepare; nothing is subscribed before discover().

        :param exclude: regular expressions; a topic that one matches in full is left out.
        :param offer: called with each tap that is new or whose publishers offer something else.
        :param warn: called with what the user has to know, once for each topic.
        :param reliable: False: subscribe best effort, but for latched topics, so that a viewer
            that is slow makes no publisher repeat anything.
        """
        self.taps: dict[str, RecordedTopic] = {}
        self._node = node
        self._exclude = [re.compile(pattern) for pattern in exclude]
        self._offer = offer
        self._warn = warn
        self._reliable = reliable
        self._group = PollOnlyGroup(node)
        self._skipped: set[str] = set()

    def discover(self) -> None:
        """Subscribe to what is new in the graph, and follow publishers that came or left."""
        for topic, types in self._node.get_topic_names_and_types():
            if topic in self._skipped:
                continue
            publishers = self._node.count_publishers(topic)
            tap = self.taps.get(topic)
            if tap is not None:
                if publishers != tap.publishers:
                    self._follow(tap, publishers)
            elif publishers and self._wanted(topic, types):
                self._add(topic, types[0], publishers)
                # A subscription costs a millisecond or more: let others have the interpreter.
                time.sleep(_PAUSE)

    def take(self) -> Iterator[tuple[RecordedTopic, int, bytes]]:
        """Yield (tap, receive time in ns since the epoch, CDR bytes) of all that waits."""
        for tap in list(self.taps.values()):
            for data, info in islice(take_bytes_with_info(tap.subscription), DEPTH):
                tap.count(info.get('publication_sequence_number'), publisher_id(info))
                yield tap, info['received_timestamp'] or time.time_ns(), data

    def _wanted(self, topic: str, types: list[str]) -> bool:
        """Decide, once for each topic, whether it can and should be recorded."""
        if any(pattern.fullmatch(topic) for pattern in self._exclude):
            self._skipped.add(topic)
            return False
        if len(types) > 1:
            self._warn(f'{topic} has several types {types}; only {types[0]} is taken')
        if '/msg/' not in types[0]:
            # Feedback of actions and events of services: not messages that a bag can describe.
            self._skipped.add(topic)
            return False
        if _import_type(types[0]) is None:
            self._skipped.add(topic)
            self._warn(f'{topic} is left out: its type {types[0]} cannot be imported here')
            return False
        return True

    def _add(self, topic: str, msgtype: str, publishers: int) -> None:
        reliable, latched = self._offered(topic)
        subscription = self._subscribe(topic, msgtype, reliable, latched)
        if subscription is None:
            self._skipped.add(topic)
            return
        self.taps[topic] = RecordedTopic(
            topic, msgtype, subscription, reliable, latched, publishers
        )
        self._offer(self.taps[topic])

    def _follow(self, tap: RecordedTopic, publishers: int) -> None:
        """Adapt a tap to publishers that came or left; without any it stays as it is."""
        tap.publishers = publishers
        tap.last.pop(None, None)
        if not publishers:
            return
        reliable, latched = self._offered(tap.topic)
        if (reliable, latched) == (tap.reliable, tap.latched):
            return
        if (reliable, latched > 0) != (tap.reliable, tap.latched > 0):
            # What waits at the old subscription is in the batch that was taken just before.
            old, new = tap.subscription, self._subscribe(tap.topic, tap.msgtype, reliable, latched)
            if new is not None:
                tap.subscription = new
                self._node.destroy_subscription(old)
        tap.reliable, tap.latched = reliable, latched
        self._offer(tap)

    def _offered(self, topic: str) -> tuple[bool, int]:
        """Say whether all publishers are reliable, and how many are latched when all are."""
        profiles = [info.qos_profile for info in self._node.get_publishers_info_by_topic(topic)]
        reliable = all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles)
        latched = all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles)
        return reliable and (self._reliable or latched), len(profiles) if latched else 0

    def _subscribe(
        self, topic: str, msgtype: str, reliable: bool, latched: int
    ) -> Subscription | None:
        """Subscribe, or warn and return None: one odd topic must not cost the others."""
        profile = QoSProfile(
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        try:
            return subscribe(self._node, _import_type(msgtype), topic, profile, self._group)
        except Exception as error:  # rclpy raises a family of types without a common base
            self._warn(f'{topic} ({msgtype}) cannot be subscribed and is left out: {error}')
            return None


def _import_type(msgtype: str) -> Any:
    """Return the Python class of 'package/msg/Name', or None when it is not installed."""
    package, _, name = msgtype.partition('/msg/')
    try:
        return getattr(import_module(f'{package}.msg'), name)
    except (ImportError, AttributeError):
        return None
