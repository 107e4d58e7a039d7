"""Notices that a thread was not run: the machine was overloaded, or the process was stopped.

Old samples then are no fault of the sensor or the network.
"""

from pathlib import Path

STALL_NS = 100_000_000
"""A gap between two beats, beyond the expected one, from which it is a stall."""
CAUSE_NS = 200_000_000
"""Shortest stall that is given as the first cause of a fault."""
RECENT_NS = 1_000_000_000
"""After a stall, the time in which it is given as the first cause of a fault."""
ADVICE = (
    'an overloaded machine, or a stopped process: see `doctor`, and thread_priority and '
    'cpu_affinity in docs/performance.md'
)


class StallMeter:
    """
    Measures the gaps between the beats of one thread; times are ns of one steady clock.

    :ivar count: stalls so far; `longest_ns` and `last_ns` of them.
    """

    def __init__(self, period_ns: int) -> None:
        """:param period_ns: expected time between two beats."""
        self.count = 0
        self.longest_ns = 0
        self.last_ns = 0
        self._period_ns = period_ns
        self._beat_ns = -1
        self._ended_ns = 0
        self._cause = ''

    def restart(self) -> None:
        """Expect no beat since the last one."""
        self._beat_ns = -1

    def beat(self, now_ns: int) -> bool:
        """Note that the thread runs; :return: whether it has not been run for too long."""
        gap = now_ns - self._beat_ns - self._period_ns if self._beat_ns >= 0 else 0
        self._beat_ns = now_ns
        if gap < STALL_NS:
            return False
        self.count += 1
        self.last_ns = gap
        self.longest_ns = max(self.longest_ns, gap)
        if gap >= CAUSE_NS:
            self._ended_ns, self._cause = now_ns, f'the machine stalled: {self.describe()}'
        return True

    def describe(self) -> str:
        """Describe the last stall."""
        return f'this process was not run for {self.last_ns / 1e6:.0f} ms (stall {self.count})'

    def cause(self, now_ns: int) -> str:
        """Return a long stall of the last second, the cause of what goes wrong now; or ''."""
        return self._cause if now_ns - self._ended_ns <= RECENT_NS else ''


def steal_ms(proc: Path = Path('/proc')) -> float | None:
    """
    Read the time that a hypervisor has taken from this machine since it started, ms, all CPUs.

    :return: None where the kernel does not tell. Source: proc(5), /proc/stat, in ticks of 10 ms.
    """
    try:
        fields = (proc / 'stat').read_text().split('\n', 1)[0].split()
        return float(fields[8]) * 10.0
    except (OSError, ValueError, IndexError):
        return None
