"""A cheap look at whether an executor would find anything to do.

rclpy lists everything it waits for anew for each look: 0.3 ms for one policy node, fifty times a
second, to find nothing. Here the list is kept while it is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

KINDS = ('subscription', 'guard_condition', 'timer', 'client', 'service')
"""As rclpy's wait set calls them."""


class Look:
    """Everything of a node that is to be looked at; of use until an entity comes or goes."""

    def __init__(self, node: Node, served: Callable[[Any], bool], context: Context) -> None:
        """
        :param served: whether an entity is looked at.
        :raises AttributeError: this rclpy is another one than it was written for.
        """
        entities = dict(
            zip(
                KINDS,
                (node.subscriptions, node.guards, node.timers, node.clients, node.services),
                strict=True,
            )
        )
        kept = {kind: [e for e in entities[kind] if served(e)] for kind in KINDS}
        self._guards = kept['guard_condition']
        self._waitables = [e for e in node.waitables if served(e)]
        counts = [len(kept[kind]) for kind in KINDS]
        events = len(self._waitables)
        for waitable in self._waitables:
            others = waitable.get_num_entities()
            events += others.num_events - 1
            for index, kind in enumerate(KINDS):
                counts[index] += getattr(others, f'num_{kind}s')
        with context.handle:
            self._set = rclpy_implementation.WaitSet(*counts, events, context.handle)
        self._adds = [
            (getattr(self._set, f'add_{kind}'), [each.handle for each in kept[kind]])
            for kind in KINDS
        ]

    def finds_something(self) -> bool:
        """Whether anything is ready; does not wait."""
        wait_set = self._set
        wait_set.clear_entities()
        for add, handles in self._adds:
            for handle in handles:
                add(handle)
        for waitable in self._waitables:
            waitable.add_to_wait_set(wait_set)
        wait_set.wait(0)
        ready = [wait_set.get_ready_entities(kind) for kind in KINDS]
        for guard in self._guards:
            # Looking takes the trigger away: rclpy pulls it again for those that it marks so.
            if guard.handle.pointer in ready[1]:
                guard._executor_triggered = True
        events = [waitable.is_ready(wait_set) for waitable in self._waitables]
        return any(ready) or any(events)
