"""Abandons an inference that does not end: a thread looks at it now and then.

The tick pays two increments for that, and takes a lock only where an inference was abandoned.
"""

import threading
import time
import weakref
from collections.abc import Callable
from typing import Protocol

PATIENCE_NS = 5_000_000_000
"""Limit where no robot waits (lockstep, eval, replay): results must not depend on the machine."""
LOOKS = 8
"""Looks at an inference within the limit; so much later it may be abandoned."""
SHORTEST_POLL = 0.002
LONGEST_POLL = 0.05
"""s between two looks."""


class Abandonable(Protocol):
    """A policy whose inference can be ended from another thread."""

    def abandon(self, *, on: bool) -> None:
        """Make `infer` fail, until it is called with False."""


def patience() -> int:
    """Return the limit where no robot waits, ns."""
    return PATIENCE_NS


class InferenceWatch:
    """
    Watches the inferences of one thread, on a thread of its own that ends with this object.

    Make it before the control thread gets its priority and CPUs, which the thread would inherit.
    """

    def __init__(self, limit_ns: Callable[[], int]) -> None:
        """:param limit_ns: longest inference; asked at every look, so that it may change."""
        self.limit_ns = limit_ns
        self._policy: Abandonable | None = None
        self._count = 0  # odd while an inference runs
        self._seen = 0
        self._spent_ns = 0
        self._fired = False
        self._lock = threading.Lock()
        threading.Thread(
            target=_look_on, args=(weakref.ref(self),), name='inference_watch', daemon=True
        ).start()

    def begin(self, policy: Abandonable) -> None:
        """Begin to watch; an `end` has to follow, whatever happens."""
        self._policy = policy
        self._count += 1

    def end(self) -> bool:
        """End to watch; :return: whether the inference was told to end."""
        self._count += 1
        if not self._fired:
            return False
        # The other thread sets _fired before it looks at the count for the last time: what it
        # does after this line cannot reach the next inference.
        with self._lock:
            fired, self._fired = self._fired, False
            if self._policy is not None:
                self._policy.abandon(on=False)
            return fired

    @property
    def poll(self) -> float:
        """Time between two looks, s."""
        return max(SHORTEST_POLL, min(LONGEST_POLL, self.limit_ns() / 1e9 / LOOKS))

    def look(self, passed_ns: int) -> None:
        """
        Look once, and abandon an inference that has taken too long.

        :param passed_ns: time since the last look in which this machine ran the looking thread:
            where the process was stopped, the inference was as well.
        """
        count, policy = self._count, self._policy
        if count % 2 == 0 or count != self._seen or policy is None:
            self._seen, self._spent_ns = count, 0
            return
        self._spent_ns += passed_ns
        if self._spent_ns < self.limit_ns():
            return
        with self._lock:
            self._fired = True
            if self._count == count:
                policy.abandon(on=True)
            else:
                self._fired = False


def _look_on(reference: 'weakref.ref[InferenceWatch]') -> None:
    """Look until the watch is gone."""
    before = time.monotonic_ns()
    while (watch := reference()) is not None:
        poll = watch.poll
        now = time.monotonic_ns()
        watch.look(min(now - before, round(2e9 * poll)))
        del watch
        before = now
        time.sleep(poll)
