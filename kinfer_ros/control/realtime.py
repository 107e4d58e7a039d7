"""What a control loop asks of the operating system while the robot is live, and what it was given.

Without this module Python's garbage collector would look through every object there is in the
middle of a tick, and on a busy machine another program's thread would run first.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

MCL_CURRENT, MCL_FUTURE = 1, 2
"""mlockall(2): the pages there are, and those that come."""


@dataclass(frozen=True)
class RealtimeConfig:
    """
    What to ask for; the defaults ask for nothing.

    :ivar priority: of the calling thread, SCHED_FIFO 1..99; 0: leave it an ordinary thread.
    :ivar cpus: where the calling thread may run; empty: anywhere.
    :ivar lock_memory: keep the process's memory out of swap.
    """

    priority: int = 0
    cpus: tuple[int, ...] = ()
    lock_memory: bool = False


class Realtime:
    """
    One activation's hold on the system: `begin` and `end` are called by the thread that ticks.

    :ivar granted: what came of each wish, in words; empty without wishes.
    """

    _holders: ClassVar[dict[str, int]] = {'frozen': 0, 'locked': 0}
    """How many activations in this process hold what the process has only once."""

    def __init__(self) -> None:
        self.granted: dict[str, str] = {}
        self._undo: list[Callable[[], object]] = []
        self._before: tuple[set[int], int, os.sched_param] | None = None

    @property
    def refused(self) -> list[str]:
        """What was not granted, each with its reason."""
        return [f'{name} {text}' for name, text in self.granted.items() if text != 'granted']

    def begin(self, wishes: RealtimeConfig) -> None:
        """
        Collect garbage, set aside what is left, and ask for what is wished.

        What is not granted is noted, not raised: a robot that stands has not to be dropped for it.
        """
        self.end()
        self.granted = {}
        # What is garbage now is collected now, and what is not is never looked at in some tick.
        gc.collect()
        gc.freeze()
        self._hold('frozen', gc.unfreeze)
        affinity, policy, parameters = (
            os.sched_getaffinity(0),
            os.sched_getscheduler(0),
            os.sched_getparam(0),
        )
        self._before = (affinity, policy, parameters)
        if wishes.cpus and self._is_granted(
            f'CPUs {",".join(map(str, wishes.cpus))}',
            lambda: os.sched_setaffinity(0, wishes.cpus),
        ):
            self._undo.append(lambda: os.sched_setaffinity(0, affinity))
        if wishes.priority and self._is_granted(
            f'priority {wishes.priority}',
            lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(wishes.priority)),
        ):
            self._undo.append(lambda: os.sched_setscheduler(0, policy, parameters))
        if wishes.lock_memory and self._is_granted('memory lock', _lock_memory):
            self._hold('locked', _unlock_memory)

    def end(self) -> None:
        """Give everything back; a second call does nothing."""
        undo, self._undo = self._undo, []
        for action in reversed(undo):
            # One CPU that is gone must not keep the rest from being given back.
            self._is_granted('', action)
        self._before = None

    def leave(self) -> None:
        """
        Make the calling thread an ordinary one; for threads that the live one starts.

        They inherit priority and CPUs, and one that works for long would run before the ticks.
        """
        before = self._before
        if before is not None:
            affinity, policy, parameters = before
            os.sched_setscheduler(0, policy, parameters)
            self._is_granted('', lambda: os.sched_setaffinity(0, affinity))

    def _hold(self, what: str, release: Callable[[], object]) -> None:
        """Count a holder; the last one that lets go releases."""
        self._holders[what] += 1

        def let_go() -> None:
            self._holders[what] -= 1
            if self._holders[what] == 0:
                release()

        self._undo.append(let_go)

    def _is_granted(self, name: str, ask: Callable[[], object]) -> bool:
        """Ask; under a name, note what came of it."""
        try:
            ask()
        except (OSError, ValueError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            text = f'refused: {reason}'
        else:
            text = 'granted'
        if name:
            self.granted[name] = text
        return text == 'granted'


def _lock_memory() -> None:
    """:raises ValueError: the limit on locked memory (ulimit -l) is too low."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY and os.geteuid() != 0:
        # It would be granted now, and a thread or a buffer refused in the middle of a run.
        raise ValueError(f'the limit on locked memory is {limit >> 20} MB, expected unlimited')
    _call('mlockall', MCL_CURRENT | MCL_FUTURE)


def _unlock_memory() -> None:
    _call('munlockall')


def _call(name: str, *arguments: int) -> None:
    """:raises OSError: the C library's function failed."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
