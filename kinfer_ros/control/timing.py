"""Histograms of durations, and the absolute schedule of a control loop."""

_SUB_BITS = 4
_SUB = 1 << _SUB_BITS
_BUCKETS = 64 * _SUB


class Histogram:
    """
    Counts of durations in logarithmic buckets, 6 % wide; constant memory, no allocation.

    Quantiles are the upper edge of their bucket: never too low.
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
        """Return the ns that a share `q` (0..1) of the durations did not exceed; 0 if none."""
        rank = q * self.count
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                return min(_upper_edge(bucket), self.max_ns)
        return 0

    def summary_us(self) -> dict[str, float | int]:
        """Return count, mean, p50, p99, p99.9 and max in us, as in run.json."""
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

    Missed ticks are counted, never caught up in a burst. A repeated tick is marked: a policy that
    steps twice in a period would run at twice its speed.

    :ivar missed_in_a_row: ticks missed just before the newest one.
    :ivar repeated: the newest tick has run before.
    :ivar late: how late the ticks ran.
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
        """Count a tick at `now_ns`; :return: how late it is, ns."""
        # A timer may fire slightly early: that is not the tick before.
        since = now_ns - self._first_ns
        index = (since + self.period_ns // 10) // self.period_ns
        self.repeated = index == self._last
        self.missed_in_a_row = max(0, index - self._last - 1)
        self.missed += self.missed_in_a_row
        self._last = index
        late = max(0, since - index * self.period_ns)
        self.late.record(late)
        return late
