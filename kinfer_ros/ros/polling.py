"""Subscriptions that no executor serves: their messages are taken when they are wanted.

A callback a message costs more than everything the policy does, and callbacks do not run inside
a tick or a lifecycle transition. Without this module a 500 Hz sensor would cost a fifth of a core.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription


class PollOnlyGroup(CallbackGroup):
    """A callback group whose entities an executor leaves out of its wait set."""

    def can_execute(self, entity: Any) -> bool:
        """Never: whoever owns the subscription takes from it."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never called, since `can_execute` refuses."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Never called, since `can_execute` refuses."""


def take_all(subscription: Subscription, *, raw: bool = False) -> Iterator[Any]:
    """Yield the messages waiting at a subscription, oldest first; `raw`: as their bytes."""
    with subscription.handle:
        while True:
            taken = subscription.handle.take_message(subscription.msg_type, raw)
            if taken is None:
                return
            yield taken[0]


def take_newest(subscription: Subscription, *, raw: bool = False) -> Any:
    """Return the newest message waiting at a subscription, or None; `raw`: as its bytes."""
    if _keeps_one(subscription.qos_profile):
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, raw)
        return taken[0] if taken else None
    newest = None
    for message in take_all(subscription, raw=raw):
        newest = message
    return newest


def _keeps_one(profile: QoSProfile) -> bool:
    """Whether the one message that waits is the newest: a second look would cost as much."""
    return bool(profile.depth == 1 and profile.history == HistoryPolicy.KEEP_LAST)


def ignore(message: Any) -> None:
    """Stand in for the callback that rclpy wants and that is never called."""
