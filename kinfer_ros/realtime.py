"""What a control loop asks of the operating system while the robot is live, and what it was given.

Without this module Python's garbage collector would look through every object there is in the
middle of a tick, and on a busy machine another program's thread would run first.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass

MCL_CURRENT, MCL_FUTURE = 1, 2
"""mlockall(2): the pages there are, and those that come."""


@dataclass(frozen=True)
class Wishes:
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

    def __init__(self) -> None:
        self.granted: dict[str, str] = {}
        self._undo: list[Callable[[], object]] = []

    @property
    def refused(self) -> list[str]:
        """Wishes that were not granted, each with its reason."""
        return [f'{name} {text}' for name, text in self.granted.items() if text != 'granted']

    def begin(self, wishes: Wishes) -> None:
        """
        Collect garbage, set aside what is left, and ask for what is wished.

        What is not granted is noted, not raised: a robot that stands has not to be dropped for it.
        """
        self.granted = {}
        # What is garbage now is collected now, and what is not is never looked at in some tick.
        gc.collect()
        gc.freeze()
        self._undo = [gc.unfreeze]
        if wishes.cpus:
            before = os.sched_getaffinity(0)
            self._ask(
                f'CPUs {",".join(map(str, wishes.cpus))}',
                lambda: os.sched_setaffinity(0, wishes.cpus),
                lambda: os.sched_setaffinity(0, before),
            )
        if wishes.priority:
            policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
            self._ask(
                f'priority {wishes.priority}',
                lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(wishes.priority)),
                lambda: os.sched_setscheduler(0, policy, parameters),
            )
        if wishes.lock_memory:
            self._ask('memory lock', _lock_memory, _unlock_memory)

    def end(self) -> None:
        """Give everything back; a second call does nothing."""
        undo, self._undo = self._undo, []
        for action in reversed(undo):
            action()

    def _ask(self, name: str, ask: Callable[[], object], undo: Callable[[], object]) -> None:
        try:
            ask()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.granted[name] = f'refused: {reason}'
        else:
            self.granted[name] = 'granted'
            self._undo.append(undo)


def _lock_memory() -> None:
    """:raises OSError: the limit on locked memory (ulimit -l) is below what the process has."""
    _call('mlockall', MCL_CURRENT | MCL_FUTURE)


def _unlock_memory() -> None:
    _call('munlockall')


def _call(name: str, *arguments: int) -> None:
    """:raises OSError: the C library's function failed."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
