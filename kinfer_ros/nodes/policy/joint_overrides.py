"""joint_overrides: takes the messages of the node that moves joints, and finds out who it is."""

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
from kinfer_ros.ros.polling import UNKNOWN_NODE
from kinfer_ros.ros.polling import full_name
from kinfer_ros.ros.polling import publisher_id
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.polling import take_waiting_bytes

MAX_SENDERS = 32
MAX_WARNINGS = 100
"""Different ones that are logged, each once in a session."""
LOST = 20
"""Messages of one publisher that may be lost between two others."""
NAMELESS = 'a node of unknown name'


class JointOverrideTopic:
    """Reads the topic in the tick; what is refused is logged once, with who published it."""

    def __init__(self, node: Node, subscription: Subscription) -> None:
        self._node = node
        self._subscription = subscription
        self._reader = JointStateReader(TOPIC)
        self._senders: dict[bytes | int, Sender] = {}
        self._streams = _Streams()
        self._logged: set[str] = set()
        self._unwanted = False

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
        for left, (data, info) in enumerate(waiting, start=1 - len(waiting)):
            sender = self._sender(info)
            sample = self._read(data, inbox, sender, now_ns)
            if sample is None:
                continue
            if left and 0 < sample.stamp_ns < stamp_now_ns - MAX_AGE_NS:
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
        """Log once that a node publishes targets where no joint may be moved."""
        node, name = self._node, 'override_joints'
        wanted = node.has_parameter(name) and any(value(node, name))
        if not wanted and not self._unwanted and self.is_published():
            self._unwanted = True
            nodes = ', '.join(publisher_nodes(self._node, TOPIC)) or NAMELESS
            self._node.get_logger().warning(
                f'{TOPIC} is published by {nodes}, and no joint may be moved: override_joints is '
                'empty'
            )

    def _sender(self, info: Any) -> Sender:
        """Return who published a message; the graph is asked once for each publisher."""
        key = publisher_id(info)
        stream = self._streams.find(info) if key is None else 0
        known = self._senders.get(key or stream)
        if known is None or known.name == NAMELESS:
            if len(self._senders) >= MAX_SENDERS:
                self._senders.clear()
            known = Sender(key or stream, self._name(key))
            self._senders[key or stream] = known
        return known

    def _name(self, gid: bytes | None) -> str:
        """Return the full name of the node of a publisher, as far as discovery knows it."""
        topic = self._subscription.topic_name
        if gid is None:
            owned = {sender.name for sender in self._senders.values()}
            names = [name for name in publisher_nodes(self._node, topic) if name not in owned]
            return ' or '.join(names) or NAMELESS
        for each in self._node.get_publishers_info_by_topic(topic):
            if bytes(each.endpoint_gid) == gid and each.node_name != UNKNOWN_NODE:
                return full_name(each)
        return NAMELESS


class _Streams:
    """
    Tells publishers apart by the numbers of their messages, where rclpy tells no id (Jazzy).

    Each publisher counts its own messages: a number that does not follow is another's.
    """

    def __init__(self) -> None:
        self._last: list[int] = []

    def find(self, info: Any) -> int:
        """Return the number of the message's stream, from 1."""
        number = info.get('publication_sequence_number') or 0
        gaps = [number - last if 0 < number - last <= LOST else LOST + 1 for last in self._last]
        if gaps and min(gaps) <= LOST:
            stream = gaps.index(min(gaps))
            self._last[stream] = number
            return stream + 1
        if len(self._last) == MAX_SENDERS:
            self._last.clear()
        self._last.append(number)
        return len(self._last)
