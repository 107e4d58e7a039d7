"""Real-time settings of the process while the robot is live: garbage collector, priority, CPUs.

gc.freeze() keeps a collection within a tick short: it skips all objects made before.
"""

import ctypes
import gc
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

MCL_CURRENT, MCL_FUTURE = 1, 2
"""mlockall(2): present and future pages."""


@dataclass(frozen=True)
class RealtimeConfig:
    """
    What to request; the defaults request nothing.

    :ivar priority: SCHED_FIFO 1..99 for the calling thread; 0: no change.
    :ivar cpus: where the calling thread may run; empty: anywhere.
    :ivar lock_memory: keep the process's memory out of swap.
    """

    priority: int = 0
    cpus: tuple[int, ...] = ()
    lock_memory: bool = False


class Realtime:
    """
    The settings of one activation; the control thread calls `begin` and `end`.

    :ivar granted: the result of each request: 'granted', or 'refused' with the reason.
    """

    _users: ClassVar[dict[str, int]] = {'frozen': 0, 'locked': 0}
    """Activations in this process that use a setting of the whole process."""

    def __init__(self) -> None:
        self.granted: dict[str, str] = {}
        self._undo: list[Callable[[], object]] = []
        self._before: tuple[set[int], int, os.sched_param] | None = None

    @property
    def refused(self) -> list[str]:
        """The refused requests, each with its reason."""
        return [f'{name} {text}' for name, text in self.granted.items() if text != 'granted']

    def begin(self, config: RealtimeConfig) -> None:
        """
        Collect garbage, freeze the remaining objects, and request what `config` names.

        A refusal is noted in `granted`, not raised: it is no reason to drop a standing robot.
        """
        self.end()
        self.granted = {}
        gc.collect()
        gc.freeze()
        self._use('frozen', gc.unfreeze)
        affinity, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
        parameters = os.sched_getparam(0)
        self._before = (affinity, policy, parameters)
        if config.cpus and self._is_granted(
            f'CPUs {",".join(map(str, config.cpus))}',
            lambda: os.sched_setaffinity(0, config.cpus),
        ):
            self._undo.append(lambda: os.sched_setaffinity(0, affinity))
        if config.priority and self._is_granted(
            f'priority {config.priority}',
            lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(config.priority)),
        ):
            self._undo.append(lambda: os.sched_setscheduler(0, policy, parameters))
        if config.lock_memory and self._is_granted('memory lock', _lock_memory):
            self._use('locked', _unlock_memory)

    def end(self) -> None:
        """Undo everything; a second call does nothing."""
        undo, self._undo = self._undo, []
        for action in reversed(undo):
            # One failure (a CPU that is gone) must not prevent the rest.
            self._is_granted('', action)
        self._before = None

    def reset_thread(self) -> None:
        """
        Take priority and CPUs from the calling thread, which the control thread has started.

        It inherits both, and could delay the ticks.
        """
        if self._before is not None:
            affinity, policy, parameters = self._before
            os.sched_setscheduler(0, policy, parameters)
            self._is_granted('', lambda: os.sched_setaffinity(0, affinity))

    def _use(self, what: str, release: Callable[[], object]) -> None:
        """Count a user of a setting of the process; the last one releases it."""
        self._users[what] += 1

        def undo() -> None:
            self._users[what] -= 1
            if self._users[what] == 0:
                release()

        self._undo.append(undo)

    def _is_granted(self, name: str, request: Callable[[], object]) -> bool:
        """Request something; with a name, note the result."""
        try:
            request()
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
        # mlockall would succeed now, and a later allocation fail during the run.
        raise ValueError(f'the limit on locked memory is {limit >> 20} MB, expected unlimited')
    _call('mlockall', MCL_CURRENT | MCL_FUTURE)


def _unlock_memory() -> None:
    _call('munlockall')


def _call(name: str, *arguments: int) -> None:
    """:raises OSError: the C library's function failed."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
