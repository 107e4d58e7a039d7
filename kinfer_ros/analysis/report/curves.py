"""Reduces curves to what a screen can show: no peak is lost, moments that matter stay whole."""

from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64

MAX_INTERVALS = 1500
"""Time intervals of a reduced curve; two points of each are drawn."""
MAX_FINE = 3000
"""Records that are drawn one by one around the moments that matter."""


class CurveReducer:
    """
    Reduces curves over one time axis to the smallest and largest value of each interval.

    Short ones are unchanged.

    :ivar time: s, of the points that are drawn.
    """

    def __init__(self, time: Float64, fine: Sequence[tuple[float, float]] = ()) -> None:
        """:param fine: spans, s, whose records are kept, as far as they are few."""
        count = len(time)
        if count <= 2 * MAX_INTERVALS:
            self._starts = np.arange(count)
        else:
            size = -(-count // MAX_INTERVALS)
            starts = np.zeros(count, dtype=bool)
            starts[::size] = True
            for begin, end in fine:
                inside = np.flatnonzero((time >= begin) & (time <= end))
                if len(inside) and starts.sum() + len(inside) <= MAX_INTERVALS + MAX_FINE:
                    starts[inside] = True
                    starts[min(inside[-1] + 1, count - 1)] = True
            self._starts = np.flatnonzero(starts)
        ends = np.append(self._starts[1:], count)
        self._last = ends - 1
        self._double = ends - self._starts > 1
        self._places = np.repeat(np.arange(len(self._starts)), 1 + self._double)
        self._second = np.append(False, np.diff(self._places) == 0)
        first, last = time[self._starts], time[np.minimum(ends, count - 1)]
        self.time = np.where(self._second, ((first + last) / 2)[self._places], first[self._places])

    def values(self, values: Float64) -> Float64:
        """Return the points of a curve [n] to draw; NaN where an interval has no number."""
        low = np.fmin.reduceat(values, self._starts)
        high = np.fmax.reduceat(values, self._starts)
        with np.errstate(invalid='ignore'):
            rises = values[self._last] >= values[self._starts]
        rises |= ~self._double
        drawn: Float64 = np.where(
            self._second ^ rises[self._places], low[self._places], high[self._places]
        )
        drawn[~np.isfinite(drawn)] = np.nan
        return drawn


def connected(values: Float64) -> Float64:
    """Return a curve whose numbers stand alone, as slow readings do, each held until the next."""
    known = np.isfinite(values)
    alone = known.copy()
    alone[1:] &= ~known[:-1]
    alone[:-1] &= ~known[1:]
    if not known.any() or 2 * alone.sum() < known.sum() or len(values) == 1:
        return values
    places = np.flatnonzero(known)
    step = np.diff(places).max(initial=0)
    place = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    held = (place >= 0) & (np.arange(len(values)) - place < step)
    return np.where(held, values[np.maximum(place, 0)], np.nan)
