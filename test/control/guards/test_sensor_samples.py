"""Samples and clocks: fresh, in order, finite and alive, to the nanosecond of each threshold."""

from __future__ import annotations

import numpy as np
import pytest

from kinfer_ros.control.guards.sensor_samples import ClockGuard
from kinfer_ros.control.guards.sensor_samples import SampleGuard
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.settings import LiveSettings

MS = 1_000_000
S = 1_000_000_000
T0 = 100 * S
PERIOD = 20 * MS


class Source:
    """One source under its guard; stamps and ticks are in ns after T0."""

    def __init__(self, **tunables: float) -> None:
        self.values = np.zeros(3)
        self.disorder = 0
        self.moment = TickContext(T0, T0)
        names = ['gyro x', 'gyro y', 'gyro z']
        self.guard = SampleGuard('imu/data', self.values, names, LiveSettings(**tunables))

    def check(self, now: int, stamp: int, *, stamp_now: int | None = None) -> Verdict:
        """Judge a sample; the clock of the stamps is the control clock unless told."""
        self.moment.now_ns = T0 + now
        self.moment.stamp_now_ns = T0 + (now if stamp_now is None else stamp_now)
        return self.guard.check(T0 + stamp, self.disorder, self.moment)


def test_a_sample_is_stale_just_beyond_the_timeout() -> None:
    """At the threshold the robot goes on, a nanosecond later it does not."""
    assert Source(stale_timeout=0.25).check(250 * MS, 0) is OK
    verdict = Source(stale_timeout=0.25).check(250 * MS + 1, 0)
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'stale')
    assert 'imu/data is stale' in verdict.text
    assert 'held up, or the clocks of the hosts differ' in verdict.text


def test_a_silent_source_is_stale_whatever_its_stamp_says() -> None:
    """A stamp from the future, within the tolerance, must not buy a dead sensor time."""
    source = Source(stale_timeout=0.25, clock_tolerance=0.05)
    assert source.check(0, 40 * MS) is OK
    assert source.check(250 * MS, 40 * MS) is OK
    verdict = source.check(250 * MS + 1, 40 * MS)
    assert verdict.guard == 'stale'
    assert 'samples arrive' not in verdict.text


def test_a_repeated_stamp_is_silence() -> None:
    """New numbers under an old stamp are a broken driver; how old they are nobody knows."""
    source = Source(stale_timeout=0.25)
    for tick in range(14):
        source.values[0] = tick
        verdict = source.check(tick * PERIOD, 0)
    assert verdict.guard == 'stale'


def test_a_stamp_ahead_is_borne_up_to_the_tolerance() -> None:
    """Clocks of two hosts are never equal; further ahead than that the age says nothing."""
    assert Source(clock_tolerance=0.05).check(0, 50 * MS) is OK
    verdict = Source(clock_tolerance=0.05).check(0, 50 * MS + 1)
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'future')
    assert 'chrony' in verdict.text


def test_stamps_are_not_judged_while_their_clock_has_just_jumped() -> None:
    """Whoever sets the clock by an hour must not drop the robot, as long as samples come."""
    source = Source(stale_timeout=0.25)
    source.moment.stamps_hold = False
    assert source.check(0, 0, stamp_now=3600 * S) is OK
    assert source.check(250 * MS, 0, stamp_now=3600 * S) is OK
    assert source.check(250 * MS + 1, 0, stamp_now=3600 * S).guard == 'stale'


def test_frozen_numbers_are_found_only_while_running() -> None:
    """A robot held at rest in a simulation repeats itself rightly; a walking one never does."""
    source = Source(frozen_timeout=0.5)
    assert all(source.check(tick * PERIOD, tick * PERIOD) is OK for tick in range(100))
    source.moment.running = True
    answers = [source.check(tick * PERIOD, tick * PERIOD) for tick in range(100, 127)]
    assert [answer is OK for answer in answers] == [True] * 25 + [False] * 2
    assert (answers[-1].level, answers[-1].guard) == (Level.FAULT, 'frozen')


def test_any_change_of_a_number_is_life() -> None:
    """One trembling axis is enough to know that the driver measures."""
    source = Source(frozen_timeout=0.1)
    source.moment.running = True
    for tick in range(50):
        source.values[2] = 1e-6 * (tick // 5)
        assert source.check(tick * PERIOD, tick * PERIOD) is OK


def test_a_frozen_timeout_of_zero_turns_the_guard_off() -> None:
    """A simulation without noise, standing still, would fault for nothing."""
    source = Source(frozen_timeout=0.0)
    source.moment.running = True
    assert all(source.check(tick * PERIOD, tick * PERIOD) is OK for tick in range(200))


def test_late_samples_are_no_frozen_ones() -> None:
    """Without a new sample nobody can know whether the numbers change: that is for `stale`."""
    source = Source(frozen_timeout=0.1, stale_timeout=1.0)
    source.moment.running = True
    source.check(0, 0)
    assert source.check(900 * MS, 0) is OK


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named(bad: float) -> None:
    """The text has to say which of ten numbers it was."""
    source = Source()
    source.values[1] = bad
    verdict = source.check(0, 0)
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'finite')
    assert 'gyro y' in verdict.text


def test_a_number_too_large_to_be_measured_is_not_finite() -> None:
    """Beyond float32 it would be infinite for the policy, and its square overflows at last."""
    source = Source()
    for number in (1e200, 1e39, 1e7):
        source.values[1] = number
        with np.errstate(over='ignore'):
            assert 'too large' in source.check(0, 0).text
    source.values[1] = 1e5
    assert source.check(PERIOD, PERIOD) is OK


def test_samples_out_of_order_are_a_warning_each_time_they_come() -> None:
    """Two publishers on one topic are found; a single one is passed over without harm."""
    source = Source()
    assert source.check(0, 0) is OK
    source.disorder = 2
    verdict = source.check(PERIOD, PERIOD)
    assert (verdict.level, verdict.guard) == (Level.WARN, 'order')
    assert '2 samples' in verdict.text
    assert source.check(2 * PERIOD, 2 * PERIOD) is OK


def test_disorder_of_an_earlier_session_is_not_warned_about_again() -> None:
    """The count never goes down: a new session begins from where it stands."""
    source = Source()
    source.check(0, 0)
    source.disorder = 3
    source.check(PERIOD, PERIOD)
    source.guard.restart()
    assert source.check(2 * PERIOD, 2 * PERIOD) is OK
    source.disorder = 4
    assert '1 samples' in source.check(3 * PERIOD, 3 * PERIOD).text


class Clocks:
    """A clock guard, and the two clocks in ns after T0."""

    def __init__(self) -> None:
        self.moment = TickContext()
        self.guard = ClockGuard(LiveSettings(stale_timeout=0.25))

    def check(self, now: int, stamp_now: int) -> Verdict:
        """Judge the two clocks."""
        self.moment.now_ns, self.moment.stamp_now_ns = T0 + now, T0 + stamp_now
        return self.guard.check(self.moment)


@pytest.mark.parametrize('sign', [1, -1])
def test_a_jump_of_the_stamps_clock_is_a_warning(sign: int) -> None:
    """100 ms pass for a busy machine; more is somebody who set the time."""
    clocks = Clocks()
    assert clocks.check(0, 0) is OK
    assert clocks.check(PERIOD, PERIOD + sign * 100 * MS) is OK
    assert clocks.moment.stamps_hold
    verdict = clocks.check(2 * PERIOD, 2 * PERIOD + sign * (200 * MS + 1))
    assert (verdict.level, verdict.guard) == (Level.WARN, 'clock')
    assert not clocks.moment.stamps_hold


def test_stamps_are_judged_again_when_samples_from_after_the_jump_can_be_there() -> None:
    """Not judging them for ever would be no guard."""
    clocks = Clocks()
    clocks.check(0, 0)
    clocks.check(PERIOD, 10 * S)
    clocks.check(PERIOD + 250 * MS, 10 * S + 250 * MS)
    assert not clocks.moment.stamps_hold
    clocks.check(PERIOD + 250 * MS + 1, 10 * S + 250 * MS)
    assert clocks.moment.stamps_hold


def test_a_control_clock_that_goes_back_is_a_fault() -> None:
    """Ramps and watchdogs would wait for the past; standing still is no harm."""
    clocks = Clocks()
    clocks.check(PERIOD, PERIOD)
    assert clocks.check(PERIOD, PERIOD) is OK
    verdict = clocks.check(PERIOD - 1, PERIOD - 1)
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'clock')
    clocks.guard.restart()
    assert clocks.check(0, 0) is OK
