"""joint_overrides: takes the messages of the node that moves joints, and finds out who it is."""

import time
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription

from kinfer_ros.control.overrides.inbox import MAX_AGE_NS
from kinfer_ros.control.overrides.inbox import TOPIC
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr import JointSample
from kinfer_ros.ros.cdr import JointStateReader
from kinfer_ros.ros.messages import read_joint_sample
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polling import NAMELESS
from kinfer_ros.ros.polling import full_name
from kinfer_ros.ros.polling import publisher_id
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.polling import take_waiting_bytes

MAX_SENDERS = 32
MAX_WARNINGS = 100
"""Different ones that are logged, each once in a session."""
LOST = 20
"""Messages of one publisher that may be lost between two others."""
STREAM_S = 1.0
"""s of silence after which a publisher without an id may have left."""
ASK_PERIOD = 0.2
"""s between two questions for a name that the graph did not know yet: each takes a millisecond."""


class JointOverrideTopic:
    """Reads the topic in the tick; what is refused is logged once, with who published it."""

    def __init__(self, node: Node, subscription: Subscription) -> None:
        self._node = node
        self._subscription = subscription
        self._reader = JointStateReader(TOPIC)
        self._senders: dict[bytes | int, Sender] = {}
        self._streams = _Streams()
        self._logged: set[str] = set()
        self._unwanted = ''
        self._next_question = 0.0

    def is_published(self) -> bool:
        """Whether a node publishes targets."""
        return bool(self._subscription.get_publisher_count() > 0)

    def read(self, inbox: OverrideInbox, now_ns: int, stamp_now_ns: int) -> None:
        """
        Hand the waiting messages to `inbox`, oldest first.

        :param now_ns: the control clock.
        :param stamp_now_ns: the clock of the stamps.
        """
        waiting = take_waiting_bytes(self._subscription)
        for number, (data, info) in enumerate(waiting, start=1):
            sender = self._sender(info)
            sample = self._read(data, inbox, sender, now_ns)
            if sample is None:
                continue
            is_old = 0 < sample.stamp_ns < stamp_now_ns - MAX_AGE_NS
            if is_old and number < len(waiting):
                continue  # it waited for the session to begin, and newer ones follow
            refused = inbox.take(
                sender, sample.names, sample.position, sample.stamp_ns, now_ns, stamp_now_ns
            )
            self._log(refused)

    def _read(
        self, data: bytes, inbox: OverrideInbox, sender: Sender, now_ns: int
    ) -> JointSample | None:
        try:
            return read_joint_sample(data, self._reader, TOPIC)
        except (MessageError, ContractError) as error:
            self._log(inbox.refuse(sender, str(error).removeprefix(f'{TOPIC}: '), now_ns))
        return None

    def _log(self, text: str) -> None:
        if text and text not in self._logged and len(self._logged) < MAX_WARNINGS:
            self._logged.add(text)
            self._node.get_logger().warning(text)

    def begin_session(self) -> None:
        """Log again what was logged in another session."""
        self._logged.clear()

    def warn_if_unwanted(self) -> None:
        """Log who publishes targets where no joint may be moved; again once there is a name."""
        node, name = self._node, 'override_joints'
        wanted = node.has_parameter(name) and any(value(node, name))
        if wanted or self._unwanted not in ('', NAMELESS) or not self.is_published():
            return
        nodes = ', '.join(publisher_nodes(node, TOPIC)) or NAMELESS
        if nodes != self._unwanted:
            self._unwanted = nodes
            node.get_logger().warning(
                f'{TOPIC} is published by {nodes}, and no joint may be moved: override_joints is '
                'empty'
            )

    def _sender(self, info: Any) -> Sender:
        """Return who published a message; the graph is asked until it knows the name."""
        now = time.monotonic()
        key = publisher_id(info) or self._streams.find(info, now)
        known = self._senders.get(key)
        if known is None or (known.name == NAMELESS and now >= self._next_question):
            if len(self._senders) >= MAX_SENDERS:
                self._senders.clear()
            self._next_question = now + ASK_PERIOD
            known = self._senders[key] = Sender(key, self._find_name(key))
        return known

    def _find_name(self, key: bytes | int) -> str:
        """Return the full name of the node of a publisher, or NAMELESS."""
        found = self._node.get_publishers_info_by_topic(self._subscription.topic_name)
        if isinstance(key, bytes):
            its = (full_name(each) for each in found if bytes(each.endpoint_gid) == key)
            return next(its, NAMELESS)
        names = sorted({full_name(each) for each in found})
        if not names or NAMELESS in names:
            return NAMELESS  # that may be this one
        heard = self._streams.heard(time.monotonic())
        others = {self._senders[each].name for each in heard if each in self._senders}
        return ' or '.join([name for name in names if name not in others] or names)


class _Streams:
    """
    Tells publishers apart by the numbers of their messages, where rclpy tells no id (Jazzy).

    Each publisher counts its own messages: a number that does not follow is another's.
    """

    def __init__(self) -> None:
        self._streams: dict[int, tuple[int, float]] = {}
        self._made = 0

    def heard(self, now_s: float) -> list[int]:
        """Return the streams of late."""
        return [key for key, (_, last_s) in self._streams.items() if now_s - last_s <= STREAM_S]

    def find(self, info: Any, now_s: float) -> int:
        """Return the stream of a message, from 1; :param now_s: steady clock."""
        number = info.get('publication_sequence_number') or 0
        # One that is silent may have left, and another may count up to where it ended.
        follows = [
            (now_s - last_s > STREAM_S, number - last, now_s - last_s, stream)
            for stream, (last, last_s) in self._streams.items()
            if 0 < number - last <= LOST
        ]
        if follows:
            stream = min(follows)[-1]
        else:
            self._made += 1
            stream = self._made
            if len(self._streams) >= MAX_SENDERS:
                self._streams.clear()
        self._streams[stream] = (number, now_s)
        return stream
