"""The control loop on a fake clock and a fake link: the order of a tick, and how it ends."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from helpers.fake_link import FakeClock
from helpers.fake_link import FakeLink
from helpers.fake_link import FakeOperator
from helpers.fake_link import FakeRecord
from helpers.fake_link import FakeTimer
from helpers.robots import PERIOD_NS
from helpers.robots import START_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.loop import SLOW_HZ
from kinfer_ros.control.loop import ControlLoop
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.time_base import Lockstep
from kinfer_ros.control.time_base import RealTime


@pytest.fixture
def make(tmp_path):
    def build(kind=RealTime, **settings):
        given = {'auto_run': True, 'ramp_speed': 100.0, 'fade_ns': 3 * PERIOD_NS, **settings}
        rig = Rig(
            level_policy(tmp_path, 0.1), small_robot(tmp_path), SessionSettings(PERIOD_NS, **given)
        )
        clock = FakeClock(START_NS)
        found = SimpleNamespace(
            controller=rig.controller, clock=clock, link=FakeLink(clock), modes=[],
            operator=FakeOperator(), record=FakeRecord(), timer=FakeTimer(clock, PERIOD_NS),
        )  # fmt: skip
        frame = rig.controller.inputs.frame
        found.time = kind(clock, found.link, frame, PERIOD_NS, sleep=clock.sleep)
        found.loop = ControlLoop(
            rig.controller, found.time, found.link, found.record, found.operator, found.timer,
            found.modes.append,
        )  # fmt: skip
        return found

    return build


def test_a_tick_reads_commands_first_and_sensors_last_then_sends(make):
    """Sensors are read last, so that nothing else makes them older; the log comes after all."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire()
    it.link.calls.clear()
    it.timer.fire()
    assert it.link.calls == ['commands', 'bridge', 'sensors', 'send', 'odometry']
    assert len(it.record.ticks) == 2


def test_it_goes_through_its_modes_and_tells_each(make):
    """A client of ~/mode sees every mode once."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    assert it.controller.mode is Mode.RUN
    assert it.modes[-1] == 'run'
    assert [send for send, _, _ in it.link.sent] == [Send.POSITION] * 3


def test_late_and_missed_ticks_are_recorded(make):
    """What run.json says of the timing comes from here."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire()
    it.timer.fire(periods=3)
    it.clock.now_ns += 1_000_000
    it.timer.fire()
    assert it.time.schedule.missed == 2
    assert it.record.ticks[-1][2] == 1_000_000


def test_a_repeated_call_of_the_timer_is_no_tick(make):
    """A clock that jumps makes its timers fire anew."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire()
    it.timer.callback()
    assert len(it.record.ticks) == 1


def test_slow_topics_are_read_five_times_a_second(make):
    """Temperatures and battery cost as much to read as sensors, and change slowly."""
    it = make()
    it.loop.start(it.clock.now_ns)
    seconds = 2
    it.timer.fire(seconds * round(1e9 / PERIOD_NS))
    assert it.link.calls.count('health') == seconds * SLOW_HZ


def test_odometry_is_read_in_every_tick_of_the_run(make):
    """At 5 Hz the path of a swaying robot is 2 percent short."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(100)
    running = [mode for mode, *_ in it.record.ticks].count('run')
    assert running > 20
    assert it.link.calls.count('odometry') == running


def test_a_bridge_that_lapsed_is_a_fault(make):
    """A policy must not come back to life when somebody enables the bridge again."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    it.link.lapse = 'the bridge is disabled'
    it.timer.fire()
    assert it.controller.mode is Mode.FAULT
    assert it.modes[-1] == 'fault: the bridge is disabled'
    assert it.link.sent[-1][0] is Send.DAMPING


def test_a_stop_of_the_operator_is_obeyed_in_the_same_tick(make):
    """Not one more target goes out."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    it.operator.reason = 'stop requested'
    it.timer.fire()
    assert it.link.sent[-1][:2] == (Send.DAMPING, 'damp')


@pytest.mark.parametrize('kind', [RealTime, Lockstep])
def test_stop_fades_and_ends_in_damping_frames(make, kind):
    """Where no timer fires, as in a lifecycle transition, the loop makes its own ticks."""
    it = make(kind)
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    if kind is Lockstep:  # the simulation goes on with each command
        send = it.link.send

        def answer(tick, stamp_ns):
            send(tick, stamp_ns)
            it.clock.now_ns = stamp_ns + PERIOD_NS

        it.link.send = answer
        it.clock.now_ns += PERIOD_NS
    it.loop.stop()
    assert it.controller.mode is Mode.INACTIVE
    assert it.timer.callback is None
    assert [send for send, _, _ in it.link.sent[-DAMPING_FRAMES:]] == [Send.DAMPING] * (
        DAMPING_FRAMES
    )
    assert it.link.silences == 0


def test_a_simulation_that_is_gone_is_left_with_damping_frames(make, monkeypatch):
    """The last resort of a session that cannot fade."""
    it = make(Lockstep)
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    it.link.alive = False
    monkeypatch.setattr('kinfer_ros.control.time_base.FADE_TIMEOUT', 0.0)
    it.loop.stop()
    assert it.controller.mode is Mode.INACTIVE
    assert it.link.silences == 1
    assert it.modes[-1] == 'inactive: ended without a fade'


def test_a_bug_of_ours_leaves_no_target_in_force(make, monkeypatch):
    """The traceback is kept for the log of the node; the robot is damped."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    monkeypatch.setattr(it.record, 'record', lambda *args: 1 / 0)
    it.timer.fire()
    assert 'ZeroDivisionError' in it.loop.crash
    assert it.link.silences == 1
    assert it.controller.mode is Mode.INACTIVE


def test_lockstep_without_a_sample_is_a_fault(make, monkeypatch):
    """The simulation has stopped, or its sample is lost."""
    it = make(Lockstep)
    it.loop.start(it.clock.now_ns)
    it.timer.fire(2)
    monkeypatch.setattr('kinfer_ros.control.time_base.LOCKSTEP_TIMEOUT', 0.0)
    it.link.alive = False
    it.timer.fire()
    assert it.controller.mode is Mode.FAULT
    assert 'no sample for the tick' in it.controller.reason


def test_a_sample_that_is_asked_again_gets_the_same_answer_again(make):
    """The timer does not fire twice for one time, and the policy must not step twice."""
    it = make(Lockstep)
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    steps = it.controller.counts['run_ticks']
    it.loop.answer_repeated_sample()
    assert it.link.repeats == 1
    it.link.stamp_ns = it.clock.now_ns + PERIOD_NS  # a new sample is for the next tick
    it.loop.answer_repeated_sample()
    assert it.link.repeats == 1
    assert it.controller.counts['run_ticks'] == steps


def test_the_stages_of_a_tick_add_up(make):
    """run.json shows where the time of a tick goes; nothing may be counted twice."""
    it = make()
    it.loop.start(it.clock.now_ns)
    it.timer.fire(3)
    for stages in it.record.stages:
        assert len(stages) == 4
        assert min(stages) >= 0
