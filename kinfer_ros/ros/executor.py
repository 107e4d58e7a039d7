"""An executor that sleeps until a control timer is due and calls it itself, in time.

rclpy's executor rebuilds its wait set at every wake-up, three times a tick: at 1 kHz that costs
half a core and makes ticks late. Here the executor sleeps until a timer of a `ControlTimerGroup`
is due, on the steady clock, and serves everything else (services, parameters, other timers)
between two ticks. In any other executor such a timer is an ordinary timer.

In lockstep two nodes wait for each other, and each wake-up would cost more than the robot's
physics. A `SteppedNode` is asked instead, many times in a millisecond, for as long as answers come
quickly.
"""

import ctypes
import inspect
import math
import time
from contextlib import suppress
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException
from rclpy.executors import ShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.executors import TimeoutException
from rclpy.executors import TimeoutObject
from rclpy.node import Node
from rclpy.task import Future
from rclpy.timer import Timer

from kinfer_ros.ros import rclpy_internals

SERVE_PERIOD_NS = 50_000_000
"""Everything of a node but its control timer is looked at this often; a look costs 0.3 ms. (What
must not wait, the policy node takes in its tick.)"""

OTHERS_PERIOD_NS = 5_000_000
"""And this often of a node without a control timer, which may have callbacks for messages."""

MIN_ROOM_NS = 300_000
"""And only with this much time before a control timer is due, unless it is long overdue."""

MAX_OVERDUE_NS = 100_000_000
"""A rate that leaves no time between two ticks must not keep a node from being deactivated."""

QUICK_NS = 5_000_000
"""How long after the last callback an answer is looked for; later ones cost a wake-up each."""

LOOK_PERIOD_S = 20e-6
"""Between two looks."""

PR_SET_TIMERSLACK = 29
"""prctl(2). Linux lets a sleep end 50 us late, to save power, unless a thread asks for less."""


class ControlTimerGroup(MutuallyExclusiveCallbackGroup):
    """
    Callback group of one timer on the steady clock that `ControlExecutor` is to call in time.

    The timer's callback is a plain function without arguments.

    :ivar spin_ns: how long before the timer is due the executor stops to sleep and looks at the
        clock instead: what a late wake-up may cost without a tick being late. It is CPU time.
    """

    def __init__(self, spin_ns: int = 0) -> None:
        super().__init__()
        self.spin_ns = spin_ns


@runtime_checkable
class SteppedNode(Protocol):
    """A node that can be in lockstep; see `ControlExecutor.spin_once`."""

    @property
    def in_lockstep(self) -> bool:
        """Whether it is now."""

    def look(self) -> bool:
        """Do what has come since the last call, without waiting; :return: if that was anything."""


class ControlExecutor(SingleThreadedExecutor):
    """A SingleThreadedExecutor that calls the timers of a `ControlTimerGroup` in time."""

    def __init__(self, *, context: Context | None = None) -> None:
        super().__init__(context=context)
        self._timers: list[Timer] | None = None
        self._serve_ns: dict[Node, int] = {}  # when it is each node's turn, steady clock
        self._slack_asked = False
        self._ended = False
        self._stepped: dict[Node, SteppedNode] = {}
        self._quick_until_ns = 0
        self._calls_timers = rclpy_internals.can_call_timers()

    def shutdown(self, *args: Any, **kwargs: Any) -> bool:
        """Stop executing callbacks."""
        self._ended = True
        return bool(super().shutdown(*args, **kwargs))

    def can_execute(self, entity: Any) -> bool:
        """Leave control timers out of what rclpy waits for, where they can be called here."""
        ours = self._calls_timers and type(entity.callback_group) is ControlTimerGroup
        return not ours and super().can_execute(entity)

    def wake(self) -> None:
        """Forget which timers there are: rclpy calls this when an entity comes or goes."""
        self._timers = None
        super().wake()

    def add_node(self, node: Any) -> bool:
        """Add a node."""
        rclpy_internals.warn_of_missing(node)
        added = super().add_node(node)
        self._serve_ns.setdefault(node, 0)
        self._timers = None
        if isinstance(node, SteppedNode):
            self._stepped[node] = node
        return added

    def remove_node(self, node: Any) -> None:
        """Remove a node."""
        super().remove_node(node)
        self._serve_ns.pop(node, None)
        self._stepped.pop(node, None)
        self._timers = None

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """
        Call the control timer that is due next, or serve what else is ready.

        Without a control timer, ask the nodes in lockstep, or do what rclpy's executor does.

        :param timeout_sec: longest wait, s; for ever if None or negative.
        """
        if self._ended:
            return
        if not self.context.ok():
            raise ExternalShutdownException
        found = self._soonest() if self._calls_timers else None
        if found is None:
            if not self._look(timeout_sec):
                super().spin_once(timeout_sec)
                self._quick_until_ns = time.monotonic_ns() + QUICK_NS
            return
        self._ask_for_no_slack()
        timer, due = found
        wake = due - timer.callback_group.spin_ns
        now = time.monotonic_ns()
        if self._serve_one(now, wake):
            return
        turn = min(self._serve_ns.values(), default=wake)
        until = turn if now < turn < wake - MIN_ROOM_NS else wake
        if timeout_sec is not None and timeout_sec >= 0:
            until = min(until, now + round(timeout_sec * 1e9))
        if until > now:
            time.sleep((until - now) / 1e9)
        if time.monotonic_ns() < wake:
            return
        while time.monotonic_ns() < due:
            pass
        _call(timer)

    def _look(self, timeout_sec: float | None) -> bool:
        """Ask the nodes in lockstep for a while; :return: whether there was something to do."""
        looks = [each.look for each in self._stepped.values() if each.in_lockstep]
        if not looks or not self._calls_timers:
            return False
        self._ask_for_no_slack()
        now, end = time.monotonic_ns(), self._quick_until_ns
        if timeout_sec is not None and timeout_sec >= 0:
            end = min(end, now + round(timeout_sec * 1e9))
        while now < end:
            if self._serve_one(now, now + QUICK_NS):
                return True
            if any(look() for look in looks):
                self._quick_until_ns = time.monotonic_ns() + QUICK_NS
                return True
            time.sleep(LOOK_PERIOD_S)
            now = time.monotonic_ns()
        return False

    def place(self, timer: Timer) -> None:
        """
        Let a control timer fall due in the largest gap between the others of its period.

        Robots that are activated together would else tick together, and wait for each other.
        """
        period = timer.timer_period_ns
        now = time.monotonic_ns()
        others = [
            until
            for other in self._control_timers()
            if other is not timer
            and other.timer_period_ns == period
            and (until := other.time_until_next_call()) is not None
        ]
        if not others:
            return
        ends = sorted((now + until) % period for until in others)
        gaps = [
            end - begin for begin, end in zip(ends, [*ends[1:], ends[0] + period], strict=True)
        ]
        widest = max(range(len(gaps)), key=gaps.__getitem__)
        # rcl counts a timer's first call from its reset, in the period that it then has.
        timer.timer_period_ns = 1 + (ends[widest] + gaps[widest] // 2 - now) % period
        timer.reset()
        timer.timer_period_ns = period

    def spin_once_until_future_complete(
        self, future: Future, timeout_sec: float | TimeoutObject | None = None
    ) -> None:
        """Spin once: rclpy's own would let the control timers rest."""
        if not future.done():
            timeout: Any = timeout_sec
            self.spin_once(timeout.timeout if isinstance(timeout, TimeoutObject) else timeout)

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Spin until a future is done, or for `timeout_sec` s; for ever if None or negative."""
        end = math.inf
        if timeout_sec is not None and timeout_sec >= 0:
            end = time.monotonic() + timeout_sec
        while self.context.ok() and not self._ended:
            if future.done() or future.cancelled():
                return
            left = end - time.monotonic()
            self.spin_once(min(max(left, 0.0), 0.1))
            if left <= 0:
                return

    def _control_timers(self) -> list[Timer]:
        """:raises TypeError: one of them has a callback that would never run."""
        timers = self._timers
        if timers is None:
            timers = [
                timer
                for node in self.get_nodes()
                for timer in node.timers
                if type(timer.callback_group) is ControlTimerGroup
            ]
            if any(inspect.iscoroutinefunction(timer.callback) for timer in timers):
                raise TypeError(
                    'the callback of a timer in a ControlTimerGroup has to be a plain function'
                )
            self._timers = timers
        return timers

    def _soonest(self) -> tuple[Timer, int] | None:
        """:return: the timer that is due first, and when on the steady clock, ns; None if none."""
        now = time.monotonic_ns()
        soonest, least = None, 0
        try:
            for timer in self._control_timers():
                until = timer.time_until_next_call()  # None of one that is cancelled
                if until is not None and (soonest is None or until < least):
                    soonest, least = timer, until
        except InvalidHandle:
            self._timers = None  # destroyed by another thread
            return None
        return None if soonest is None else (soonest, now + least)

    def _serve_one(self, now: int, wake: int) -> bool:
        """
        Serve the node whose turn it is, if it is one's turn and there is time.

        One at a time: to look at sixteen takes longer than there is between their ticks.

        :param wake: ns, when the executor has to be ready for the next control timer.
        :return: whether one was served.
        """
        turns = dict(self._serve_ns)
        if not turns:
            return False
        node = min(turns, key=turns.__getitem__)
        overdue = now - turns[node]
        if overdue < 0 or (now + MIN_ROOM_NS > wake and overdue < MAX_OVERDUE_NS):
            return False
        self._serve(node, wake)
        if node in self._serve_ns:  # it may have been removed by a callback
            controls = any(timer in node.timers for timer in self._control_timers())
            seldom = controls or (node in self._stepped and self._stepped[node].in_lockstep)
            period = SERVE_PERIOD_NS if seldom else OTHERS_PERIOD_NS
            self._serve_ns[node] = time.monotonic_ns() + period
        return True

    def _serve(self, node: Node, until_ns: int) -> None:
        """
        Execute what is ready of a node, until nothing is; begin nothing more after `until_ns`.

        What is ready first is executed in any case: a slow look must not be in vain.
        """
        waiting: set[int] = set()
        found = True
        while found:
            found = False
            # Each round gives what is ready once, one request of a service, and then times out.
            with suppress(TimeoutException, ShutdownException):
                while True:
                    handler = rclpy_internals.next_ready(self, [node])
                    if id(handler) in waiting:
                        return  # a coroutine that waits for something
                    handler()
                    if handler.done():
                        handler.result()  # raises what the callback raised
                        found = True
                    else:
                        waiting.add(id(handler))
                    if time.monotonic_ns() >= until_ns:
                        return

    def _ask_for_no_slack(self) -> None:
        """Once, in the thread that sleeps; a system without prctl sleeps as it does."""
        if not self._slack_asked:
            self._slack_asked = True
            prctl = getattr(ctypes.CDLL(None), 'prctl', None)
            if prctl is not None:
                prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def _call(timer: Timer) -> None:
    """Call a timer that is due; rcl sets its next call on the absolute schedule."""
    try:
        if not rclpy_internals.call_if_ready(timer):
            return
    except InvalidHandle:
        return  # destroyed a moment ago
    timer.callback()
