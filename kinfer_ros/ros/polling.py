"""Subscriptions that no executor serves: their messages are taken when they are wanted.

Messages are taken as bytes and checked before rclpy reads them (ros/cdr_check.py); those that are
no message of their type are passed over with a warning.

A callback a message costs more than everything the policy does: a fifth of a core for a sensor of
500 Hz. And callbacks do not run inside a tick or a lifecycle transition.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from kinfer_ros.errors import MessageError
from kinfer_ros.ros import rclpy_internals
from kinfer_ros.ros.cdr_check import read_message
from kinfer_ros.ros.rclpy_internals import PRESENT
from kinfer_ros.ros.rclpy_internals import TAKE_MESSAGE

MAX_KEPT = 1000
"""Messages kept of a subscription that keeps all, where callbacks receive them."""

WARN_PERIOD = 5.0
"""s between two warnings of broken messages on one topic."""

_UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'
"""As rmw_fastrtps names a node of which it knows only an endpoint."""
NAMELESS = 'a node of unknown name'
"""Shown in place of such a name. DDS may tell it a moment later: ask again."""
SERVE_PERIOD_NS = 1_000_000
"""And the callbacks are run this often at most: it takes some 0.3 ms."""


class PollOnlyGroup(CallbackGroup):
    """
    A callback group whose entities an executor leaves out of its wait set.

    On a release of rclpy that cannot take from them (see `rclpy_internals.missing`), an executor
    of the group's own runs their callbacks in `serve`; those of subscriptions keep the messages.
    """

    def __init__(self, node: Node) -> None:
        super().__init__()
        rclpy_internals.warn_of_missing(node)
        self._node = weakref.ref(node)  # or nodes would live until garbage is collected
        self._executor: _GroupExecutor | None = None
        self._next_warning: dict[str, float] = {}
        self._server = 0
        self._begun = 0
        self._ended = 0
        self._served_ns = 0

    def add_entity(self, entity: Any) -> None:
        """Add an entity: rclpy calls this when it is made."""
        super().add_entity(entity)
        if isinstance(entity, Subscription) and not PRESENT[TAKE_MESSAGE]:
            entity.callback = _Keeper(entity.qos_profile)

    def warn(self, topic: str, text: str) -> None:
        """Log a warning of the node, at most one in WARN_PERIOD of each topic."""
        node, now = self._node(), time.monotonic()
        if node is not None and now >= self._next_warning.get(topic, 0.0):
            self._next_warning[topic] = now + WARN_PERIOD
            node.get_logger().warning(text)

    def can_execute(self, entity: Any) -> bool:
        """Only in `serve`, in its thread: whoever owns the subscription takes from it."""
        return self._server == threading.get_ident()

    def beginning_execution(self, entity: Any) -> bool:
        """Count it: any callback may begin that `can_execute` allows."""
        self._begun += 1
        return True

    def ending_execution(self, entity: Any) -> None:
        """Count it."""
        self._ended += 1

    def serve(self) -> None:
        """Run the callbacks of all that waits, and go on with the coroutines that can."""
        node = self._node()
        if node is None:
            return
        if self._executor is None:
            self._executor = _GroupExecutor(node, self)
        self._server = threading.get_ident()
        idle = 0
        try:
            # A spin may find only the end of a round, or a coroutine that goes on waiting.
            while idle <= 1 + self._begun - self._ended:
                begun = self._begun
                self._executor.spin_once(timeout_sec=0)
                idle = idle + 1 if self._begun == begun else 0
        finally:
            self._server = 0

    def serve_if_due(self) -> None:
        """Serve, unless it was done a moment ago."""
        now = time.monotonic_ns()
        if now - self._served_ns >= SERVE_PERIOD_NS:
            self.serve()
            self._served_ns = time.monotonic_ns()


class _GroupExecutor(SingleThreadedExecutor):
    """Serves the entities of one group, of a node that belongs to another executor or to none."""

    def __init__(self, node: Node, group: PollOnlyGroup) -> None:
        super().__init__(context=node.context)
        self._served, self._group = weakref.ref(node), group

    def get_nodes(self) -> list[Node]:
        """Return the node; it is not added, since it would leave its own executor."""
        node = self._served()
        return [] if node is None else [node]

    def can_execute(self, entity: Any) -> bool:
        """Serve this group only."""
        return entity.callback_group is self._group and super().can_execute(entity)


class _Keeper:
    """A callback that keeps the newest messages, each with its info."""

    def __init__(self, profile: QoSProfile) -> None:
        keep_last = profile.history == HistoryPolicy.KEEP_LAST
        self.kept: deque[tuple[Any, Any]] = deque(maxlen=profile.depth if keep_last else MAX_KEPT)

    def __call__(self, message: Any, info: Any) -> None:
        self.kept.append((message, info))


def subscribe(
    node: Node, kind: Any, topic: str, qos: QoSProfile, group: PollOnlyGroup, **options: Any
) -> Subscription:
    """Make a subscription for the functions below; `options` as of rclpy."""
    return node.create_subscription(
        kind, topic, ignore, qos, callback_group=group, raw=True, **options
    )


def take_bytes_with_info(subscription: Subscription) -> Iterator[tuple[bytes, Any]]:
    """Yield the bytes of the waiting messages, oldest first, each with rclpy's info."""
    if PRESENT[TAKE_MESSAGE]:
        return rclpy_internals.take_each(subscription)
    return _take_kept(subscription)


def take_all(subscription: Subscription) -> Iterator[Any]:
    """Yield the messages waiting at a subscription, oldest first."""
    for data, _ in take_bytes_with_info(subscription):
        message = _read(subscription, data)
        if message is not None:
            yield message


def take_waiting_bytes(subscription: Subscription) -> list[tuple[bytes, Any]]:
    """Return what waits at a subscription, oldest first: the bytes and rclpy's info of each."""
    profile = subscription.qos_profile
    if profile.depth == 1 and profile.history == HistoryPolicy.KEEP_LAST and PRESENT[TAKE_MESSAGE]:
        # A second look would cost as much.
        taken = rclpy_internals.take_one(subscription)
        return [taken] if taken else []
    return list(take_bytes_with_info(subscription))


def take_newest(subscription: Subscription) -> Any:
    """Return the newest message waiting at a subscription, or None."""
    for data, _ in reversed(take_waiting_bytes(subscription)):
        message = _read(subscription, data)
        if message is not None:
            return message
    return None


def _read(subscription: Subscription, data: bytes) -> Any:
    """:return: the message, or None with a warning: the bytes are none of the type."""
    try:
        return read_message(data, subscription.msg_type, subscription.topic_name)
    except MessageError as error:
        group = subscription.callback_group
        if isinstance(group, PollOnlyGroup):
            group.warn(subscription.topic_name, f'{error}: passed over')
        return None


def _take_kept(subscription: Subscription) -> Iterator[tuple[bytes, Any]]:
    """Yield what the callback has kept; nothing of a subscription that is in no PollOnlyGroup."""
    keeper = subscription.callback
    if not isinstance(keeper, _Keeper):
        return
    subscription.callback_group.serve_if_due()
    while keeper.kept:
        yield keeper.kept.popleft()


def publisher_id(info: Any) -> bytes | None:
    """Return the id of the publisher of a message, or None where rclpy does not tell it."""
    gid = info.get('publisher_gid')
    return None if gid is None else bytes(gid['data'])


def publisher_nodes(node: Node, topic: str) -> list[str]:
    """
    Return the full names of the nodes that publish on a topic, sorted; takes a millisecond.

    Names are discovered a little later than publishers: one that is not known yet is left out.
    """
    found = node.get_publishers_info_by_topic(node.resolve_topic_name(topic))
    return sorted({full_name(each) for each in found} - {NAMELESS})


def full_name(info: Any) -> str:
    """Return the full name of the node that an endpoint of the graph belongs to, or NAMELESS."""
    if info.node_name == _UNKNOWN_NODE:
        return NAMELESS
    return f'{info.node_namespace.rstrip("/")}/{info.node_name}'


def ignore(message: Any) -> None:
    """Stand in for the callback that rclpy wants and that is never called."""
