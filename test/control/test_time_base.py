"""When a tick is and which samples belong to it, in each kind of time; no ROS, a fake clock."""

from __future__ import annotations

import pytest

from helpers.fake_link import FakeClock
from helpers.fake_link import FakeLink
from helpers.robots import PERIOD_NS
from helpers.robots import START_NS
from helpers.robots import small_robot
from kinfer_ros.control import time_base
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.time_base import Lockstep
from kinfer_ros.control.time_base import RealTime
from kinfer_ros.control.time_base import SimTime
from kinfer_ros.run.odometer import Odometer


@pytest.fixture
def make(tmp_path):
    def build(kind):
        clock = FakeClock(START_NS, sim_time=kind is not RealTime)
        link = FakeLink(clock)
        frame = SensorFrame(small_robot(tmp_path))
        base = kind(clock, link, frame, PERIOD_NS, sleep=clock.sleep)
        return base, clock, link, frame

    return build


@pytest.mark.parametrize('kind', [RealTime, SimTime])
def test_a_timer_counts_from_its_first_call(make, kind):
    """The first tick is not run at activation: its timer has not fired."""
    base, clock, _, _ = make(kind)
    assert base.begin(clock.now_ns, clock.now_ns + PERIOD_NS) is None
    clock.now_ns += PERIOD_NS + 3_000
    t = base.next()
    assert (t.now_ns, t.late_ns, t.missed, t.problem) == (clock.now_ns, 3_000, 0, '')


@pytest.mark.parametrize('kind', [RealTime, SimTime])
def test_missed_ticks_are_counted_and_a_repeated_one_is_none(make, kind):
    """A policy that steps twice in one period runs at twice its speed."""
    base, clock, _, _ = make(kind)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    clock.now_ns += PERIOD_NS
    assert base.next().missed == 0
    assert base.next() is None
    clock.now_ns += 3 * PERIOD_NS
    assert base.next().missed == 2
    assert base.schedule.missed == 2


def test_real_time_reads_the_newest_samples_and_stamps_with_theirs(make):
    """A command answers the sample that it was made of, whatever the clock says meanwhile."""
    base, clock, link, frame = make(RealTime)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    clock.now_ns += PERIOD_NS
    t = base.next()
    link.stamp_ns = clock.now_ns - 2_000_000
    assert base.read_sensors(t) == clock.now_ns
    assert base.command_stamp(t) == link.stamp_ns == frame.joint_stamp_ns
    assert base.sample_age() == 2_000_000


def test_samples_ahead_of_the_simulated_clock_are_not_from_the_future(make):
    """Samples are taken directly, /clock only when the executor comes to it."""
    base, clock, link, _ = make(SimTime)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    clock.now_ns += PERIOD_NS
    t = base.next()
    link.stamp_ns = clock.now_ns + 5_000_000
    assert base.read_sensors(t) == link.stamp_ns


def test_a_fade_in_real_time_follows_the_clock_and_in_simulated_time_counts_periods(make):
    """No callback runs in a transition, so /clock stands still; the steady clock goes on."""
    base, clock, _, _ = make(RealTime)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    assert base.next_of_fade().now_ns == START_NS + PERIOD_NS
    assert clock.slept == [PERIOD_NS / 1e9]
    base, clock, _, _ = make(SimTime)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    clock.sleep = lambda seconds: None  # /clock stands still
    base._sleep = clock.sleep
    assert [base.next_of_fade().now_ns for _ in range(2)] == [
        START_NS + PERIOD_NS, START_NS + 2 * PERIOD_NS
    ]  # fmt: skip


def test_lockstep_begins_with_a_tick(make):
    """The simulation waits for its first command before its clock runs at all."""
    base, clock, _, _ = make(Lockstep)
    t = base.begin(clock.now_ns, 0)
    assert (t.now_ns, t.late_ns, t.missed) == (START_NS, 0, 0)


def test_lockstep_waits_for_the_samples_of_its_tick(make):
    """Samples and clock come on two topics, in either order."""
    base, clock, link, frame = make(Lockstep)
    base.begin(clock.now_ns, 0)
    clock.now_ns += PERIOD_NS
    link.stamp_ns = START_NS
    base._sleep = lambda seconds: setattr(link, 'stamp_ns', START_NS + PERIOD_NS)
    t = base.next()
    assert t.problem == ''
    assert frame.oldest_ns == t.now_ns == base.command_stamp(t) == base.read_sensors(t)
    assert base.sample_age() == 0


def test_lockstep_without_its_sample_is_a_problem_of_the_tick(make, monkeypatch):
    """A dead simulation ends in a fault, not in a node that hangs."""
    base, clock, link, _ = make(Lockstep)
    base.begin(clock.now_ns, 0)
    link.alive = False
    clock.now_ns += PERIOD_NS
    monkeypatch.setattr(time_base, 'LOCKSTEP_TIMEOUT', 0.0)
    monkeypatch.setattr(time_base, 'FADE_TIMEOUT', 0.0)
    t = base.next()
    assert t.problem == f'no sample for the tick at {clock.now_ns} ns came'
    assert base.next_of_fade() is None


def test_lockstep_does_not_wait_for_a_sample_that_cannot_be_used(make):
    """The guards say what is wrong with it."""
    base, clock, link, frame = make(Lockstep)
    base.begin(clock.now_ns, 0)
    clock.now_ns += PERIOD_NS
    link.alive = False
    frame.joint_problem = 'joint_states lacks a joint'
    assert base.next().problem == ''


def test_lockstep_logs_the_odometry_of_its_own_tick(make):
    """Two equal runs would leave unequal logs otherwise."""
    base, clock, link, _ = make(Lockstep)
    t = base.begin(clock.now_ns, 0)
    base.await_odometry(t, Odometer())
    base.read_odometry(Odometer())
    assert link.odometry_stamps == [t.now_ns]


def test_lockstep_waits_once_for_odometry_that_has_a_pace_of_its_own(make, monkeypatch):
    """An estimator's comes when it comes; a wait in every tick would stretch the run."""
    monkeypatch.setattr(time_base, 'ODOMETRY_TIMEOUT', 0.01)
    base, clock, link, _ = make(Lockstep)
    link.odometry = False
    t = base.begin(clock.now_ns, 0)
    base.await_odometry(t, Odometer())
    assert len(link.odometry_stamps) > 1
    link.odometry_stamps.clear()
    clock.now_ns = t.now_ns + PERIOD_NS
    base.await_odometry(base.next(), Odometer())
    assert link.odometry_stamps == [0]


def test_real_time_reads_odometry_after_the_command(make):
    """Nothing waits for it."""
    base, clock, link, _ = make(RealTime)
    base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
    clock.now_ns += PERIOD_NS
    base.await_odometry(base.next(), Odometer())
    assert link.odometry_stamps == []
    base.read_odometry(Odometer())
    assert link.odometry_stamps == [0]


@pytest.fixture
def overriding(make, tmp_path):
    robot = small_robot(tmp_path)
    overrides = JointOverrides(OverrideSettings(('joint_1',)), robot, PERIOD_NS / 1e9)

    def build(kind):
        base, clock, link, _ = make(kind)
        base.begin(clock.now_ns, clock.now_ns + PERIOD_NS)
        clock.now_ns += PERIOD_NS
        return base, clock, link.overrides, overrides

    return build


def message(stamp):
    return (Sender(1, '/wave'), ['joint_1'], [0.5], stamp)


@pytest.mark.parametrize('kind', [RealTime, SimTime])
def test_targets_of_others_are_taken_as_they_come(overriding, kind):
    """In real time nothing waits for another node."""
    base, clock, source, overrides = overriding(kind)
    t = base.next()
    source.waiting = [message(clock.now_ns)]
    base.read_overrides(t, overrides)
    base.read_overrides(t, overrides)
    assert (source.reads, clock.slept) == (2, [])
    assert overrides.inbox.newest_ns == clock.now_ns


def test_lockstep_waits_for_the_target_with_its_own_stamp(overriding):
    """From the first message on: which tick a message acts in must not hang on chance."""
    base, _, source, overrides = overriding(Lockstep)
    t = base.next()
    base.read_overrides(t, overrides)
    assert source.reads == 1, 'nobody has said a word yet'
    source.waiting = [message(t.now_ns - PERIOD_NS)]

    def come_later() -> None:
        if source.reads == 5:
            source.waiting = [message(t.now_ns)]

    source.after = come_later
    base.read_overrides(t, overrides)
    assert source.reads == 5
    assert overrides.inbox.newest_ns == t.now_ns


def test_lockstep_does_not_wait_for_ever(overriding, monkeypatch):
    """Not for a node that has left, and three times for one with a pace of its own."""
    base, _, source, overrides = overriding(Lockstep)
    seconds = iter(range(1000))
    monkeypatch.setattr(time_base.time, 'monotonic', lambda: next(seconds) / 2)
    t = base.next()
    source.waiting = [message(t.now_ns - PERIOD_NS)]
    waits = []
    for _ in range(5):
        before = source.reads
        base.read_overrides(t, overrides)
        waits.append(source.reads - before > 1)
    assert waits == [True, True, True, False, False]
    base._override_waits, source.published = 3, False
    before = source.reads
    base.read_overrides(t, overrides)
    assert source.reads == before + 1
