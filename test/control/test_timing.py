"""Histograms must not flatter, and a schedule must count what it skipped."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinfer_ros.control.timing import Histogram
from kinfer_ros.control.timing import Schedule

MS = 1_000_000


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_never_flattering_and_at_most_a_bucket_off(
    values: list[int], q: float
) -> None:
    """A p99 that looks better than it was hides the ticks that matter."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = int(np.sort(values)[max(0, int(np.ceil(q * len(values))) - 1)])
    assert exact <= histogram.quantile_ns(q) <= exact * (1 + 1 / 16) + 1


def test_an_empty_histogram_and_a_negative_duration() -> None:
    """A run without ticks has figures as well; clocks that disagree do not crash the tick."""
    histogram = Histogram()
    assert histogram.summary_us()['p99'] == 0.0
    histogram.record(-5)
    assert histogram.summary_us()['count'] == 1
    assert histogram.max_ns == 0


def test_punctual_ticks_are_not_missed_ones() -> None:
    """A timer fires some microseconds early or late; neither is a missed tick."""
    schedule = Schedule(first_ns=100 * MS, period_ns=20 * MS)
    assert schedule.tick(100 * MS - 2000) == 0
    assert schedule.tick(120 * MS + 5000) == 5000
    assert schedule.tick(140 * MS - 50) == 0
    assert schedule.missed == 0


def test_skipped_ticks_are_counted_not_made_up_for() -> None:
    """A stall of 70 ms at 50 Hz misses three ticks."""
    schedule = Schedule(first_ns=0, period_ns=20 * MS)
    schedule.tick(0)
    assert schedule.tick(90 * MS) == 10 * MS
    assert schedule.missed == 3
    assert schedule.missed_in_a_row == 3
    schedule.tick(100 * MS)
    assert schedule.missed == 3
    assert schedule.missed_in_a_row == 0
