"""Histograms of durations, and the absolute schedule a control loop is held to.

Without this module a late or missed tick would be noticed by nobody, or be measured with code
that allocates in the tick.
"""

from __future__ import annotations

_SUB_BITS = 4
_SUB = 1 << _SUB_BITS
_BUCKETS = 64 * _SUB


class Histogram:
    """
    Counts of durations in logarithmic buckets, 6 % wide; constant memory, no allocation.

    Quantiles are the upper edge of their bucket, so that they never look better than they were.
    """

    def __init__(self) -> None:
        self.count = 0
        self.max_ns = 0
        self._total_ns = 0
        self._counts = [0] * _BUCKETS

    def record(self, ns: int) -> None:
        """Count one duration in ns; a negative one (clocks disagree) counts as 0."""
        if ns < 0:
            ns = 0
        if ns > self.max_ns:
            self.max_ns = ns
        self.count += 1
        self._total_ns += ns
        shift = ns.bit_length() - _SUB_BITS - 1
        if shift <= 0:
            self._counts[ns] += 1
        else:
            self._counts[(shift << _SUB_BITS) + (ns >> shift)] += 1

    def quantile_ns(self, q: float) -> int:
        """Duration in ns that a share `q` (0..1) of the counted ones did not exceed; 0 if none."""
        rank = q * self.count
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return min(_upper_edge(bucket), self.max_ns)
        return 0

    def summary_us(self) -> dict[str, float | int]:
        """Count, mean and p50, p99, p99.9, max in us, as run.json holds them."""
        mean = self._total_ns / self.count / 1000 if self.count else 0.0
        return {
            'count': self.count,
            'mean': round(mean, 1),
            'p50': round(self.quantile_ns(0.5) / 1000, 1),
            'p99': round(self.quantile_ns(0.99) / 1000, 1),
            'p99_9': round(self.quantile_ns(0.999) / 1000, 1),
            'max': round(self.max_ns / 1000, 1),
        }


def _upper_edge(bucket: int) -> int:
    """Return the largest ns that falls into a bucket."""
    if bucket < 2 * _SUB:
        return bucket
    shift = (bucket >> _SUB_BITS) - 1
    return ((bucket - (shift << _SUB_BITS) + 1) << shift) - 1


class Schedule:
    """
    An absolute schedule: tick k is due at `first_ns + k * period_ns`.

    Ticks that were not run are skipped and counted, never made up for in a burst; one that comes
    twice is told, since a policy that steps twice in a period runs at twice its speed.

    :ivar missed: ticks skipped so far.
    :ivar missed_in_a_row: ticks skipped just before the newest one.
    :ivar repeated: the newest tick had been run before.
    :ivar late: histogram of how late the ticks ran.
    """

    def __init__(self, first_ns: int, period_ns: int) -> None:
        self.period_ns = period_ns
        self.missed = 0
        self.missed_in_a_row = 0
        self.repeated = False
        self.late = Histogram()
        self._first_ns = first_ns
        self._last = -1

    def tick(self, now_ns: int) -> int:
        """Note a tick run at `now_ns`; return how late it is in ns."""
        # A timer may fire a little before the instant it was read to fire at: not a tick early.
        since = now_ns - self._first_ns
        index = (since + self.period_ns // 10) // self.period_ns
        self.repeated = index == self._last
        self.missed_in_a_row = max(0, index - self._last - 1)
        self.missed += self.missed_in_a_row
        self._last = index
        late = max(0, since - index * self.period_ns)
        self.late.record(late)
        return late
