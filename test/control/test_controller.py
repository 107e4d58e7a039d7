"""The modes: what is sent in each, and that every way to go wrong ends in damping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from helpers.robots import sqrt_policy
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(leaky_policy(tmp_path), small_robot(tmp_path))


def test_nothing_is_sent_while_inactive(rig: Rig) -> None:
    """A node that is not active must not touch the robot."""
    assert rig.tick() is Mode.INACTIVE
    assert rig.controller.send is Send.NOTHING


def test_the_ramp_starts_where_the_robot_is_and_keeps_to_its_speed(tmp_path: Path) -> None:
    """A jump at the start is how robots and hands are broken."""
    settings = SessionSettings(period_ns=PERIOD_NS, ramp_speed=0.5)
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path, home=0.1), settings)
    rig.set_pose(-0.4)
    rig.activate()
    before = rig.frame.position.copy()
    ticks = 0
    while rig.tick() is Mode.RAMP:
        assert rig.controller.send is Send.POSITION
        step = np.abs(rig.controller.target - before).max()
        assert step <= 0.5 * PERIOD_NS / 1e9 + 1e-9
        before = rig.controller.target.copy()
        ticks += 1
    assert ticks == pytest.approx(0.5 / 0.5 * 1e9 / PERIOD_NS, abs=1)
    assert rig.controller.mode is Mode.HOLD
    np.testing.assert_allclose(rig.controller.target, 0.1)


def test_hold_waits_for_a_start(rig: Rig) -> None:
    """The policy is not let loose until somebody asks for it."""
    rig.activate()
    assert rig.tick(100) is Mode.HOLD
    assert rig.tick(100) is Mode.HOLD
    assert rig.controller.request_run() == ''
    assert rig.tick() is Mode.RUN


def test_auto_run_does_not_wait(tmp_path: Path) -> None:
    """A simulated robot walks from one command."""
    settings = SessionSettings(period_ns=PERIOD_NS, auto_run=True)
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path), settings)
    rig.set_pose(0.1)
    rig.activate()
    assert rig.tick() is Mode.RUN


@pytest.mark.parametrize('mode', [Mode.INACTIVE, Mode.RAMP, Mode.RUN, Mode.DAMP, Mode.FAULT])
def test_start_is_refused_outside_hold(rig: Rig, mode: Mode) -> None:
    """A start that came too early must not take effect later."""
    rig.controller.mode = mode
    assert mode in rig.controller.request_run()


def test_the_policy_runs_with_a_carry_that_goes_on(rig: Rig) -> None:
    """With action = carry' = 0.5 carry + angles, three ticks tell that the carry is kept."""
    rig.run()
    rig.set_pose(0.2)
    rig.policy.reset()
    for expected in (0.2, 0.3, 0.35):
        rig.tick()
        np.testing.assert_allclose(rig.runner.action, expected, rtol=1e-6)
        np.testing.assert_allclose(rig.controller.target, expected, rtol=1e-6)


def test_every_run_starts_with_a_fresh_carry(rig: Rig) -> None:
    """A robot that was stopped and started again must not act on what it saw before."""
    rig.run()
    rig.set_pose(0.5)
    rig.tick(5)
    rig.controller.request_fade()
    rig.tick(100)
    assert rig.controller.mode is Mode.INACTIVE
    rig.set_pose(0.1)
    rig.run()
    np.testing.assert_allclose(rig.runner.action, 0.1, rtol=1e-6)


def test_targets_are_kept_within_the_limits_and_counted(rig: Rig) -> None:
    """The leaky policy doubles a constant input: 0.8 rad becomes 1.6, the limit is 1."""
    rig.run()
    rig.set_pose(0.8)
    rig.tick(20)
    np.testing.assert_allclose(rig.controller.target, 1.0)
    assert rig.controller.counts['limited_ticks'] > 10
    assert rig.runner.action.max() > 1.5, 'the record keeps what the policy said'


def test_a_stop_damps_in_every_active_mode_and_latches(rig: Rig) -> None:
    """~/stop is obeyed whatever goes on, and a start does not undo it."""
    for prepare in (rig.activate, rig.run):
        prepare()
        rig.controller.request_stop('stop requested')
        assert rig.tick() is Mode.DAMP
        assert rig.controller.send is Send.DAMPING
        assert rig.controller.reason == 'stop requested'
        assert rig.controller.request_run()
        assert rig.tick(10) is Mode.DAMP
        rig.controller.request_fade()
        rig.tick(10)
        assert rig.controller.mode is Mode.INACTIVE


def test_a_stop_during_a_fade_damps_at_once(rig: Rig) -> None:
    """A soft end must not delay a stop."""
    rig.run()
    rig.controller.request_fade()
    rig.tick()
    assert rig.controller.send is Send.POSITION
    rig.controller.request_stop('stop requested')
    rig.tick()
    assert rig.controller.send is Send.DAMPING


def test_a_stale_sample_is_a_fault(rig: Rig) -> None:
    """Acting on old sensors is acting blind."""
    rig.run()
    assert rig.tick(12, fresh=False) is Mode.RUN
    assert rig.tick(1, fresh=False) is Mode.FAULT
    assert rig.controller.send is Send.DAMPING
    assert 'joint_states is stale' in rig.controller.reason
    assert '260 ms' in rig.controller.reason


@pytest.mark.parametrize('field', ['position', 'velocity', 'gyro', 'accel', 'quaternion'])
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_a_fault(rig: Rig, field: str, bad: float) -> None:
    """A NaN is refused, never clamped: a clamped NaN is a boundary value."""
    rig.run()
    getattr(rig.frame, field)[1] = bad
    assert rig.tick() is Mode.FAULT
    assert rig.controller.send is Send.DAMPING
    assert field in rig.controller.reason


def test_an_output_that_is_not_finite_is_refused_and_the_carry_stays(tmp_path: Path) -> None:
    """The last good target is held for some ticks, with the carry as it was; then a fault."""
    rig = Rig(sqrt_policy(tmp_path), small_robot(tmp_path))
    rig.run()
    carry = rig.policy.carry.copy()
    held = rig.controller.target.copy()
    rig.controller.inputs.command.set_twist(-1.0, 0.0, 0.0, rig.now)
    for _ in range(LiveSettings().max_refused):
        assert rig.tick() is Mode.RUN
        assert not rig.controller.ran
        assert rig.controller.send is Send.POSITION
        np.testing.assert_array_equal(rig.controller.target, held)
        np.testing.assert_array_equal(rig.policy.carry, carry)
    assert rig.tick() is Mode.FAULT
    assert rig.controller.send is Send.DAMPING
    assert 'non-finite target' in rig.controller.reason
    np.testing.assert_array_equal(rig.policy.carry, carry)


def test_a_carry_that_is_not_finite_is_refused_as_well(tmp_path: Path) -> None:
    """A finite action with a poisoned carry would fault one tick later, one command too late."""
    rig = Rig(sqrt_policy(tmp_path), small_robot(tmp_path))
    rig.run()
    rig.controller.inputs.command.set_twist(0.0, -1.0, 0.0, rig.now)
    assert rig.tick(LiveSettings().max_refused) is Mode.RUN
    assert rig.tick() is Mode.FAULT
    assert 'next carry' in rig.controller.reason


def test_a_fall_is_a_fault_and_counted(rig: Rig) -> None:
    """Falls decide over the verdict of a walk."""
    rig.run()
    rig.tilt(0.9)
    assert rig.tick() is Mode.RUN
    rig.tilt(1.1)
    assert rig.tick() is Mode.FAULT
    assert rig.controller.counts['falls'] == 1
    assert 'fell' in rig.controller.reason


def test_a_fault_keeps_its_first_reason_and_needs_a_reset(rig: Rig) -> None:
    """The first reason is the cause, the later ones are its consequences."""
    rig.run()
    rig.tilt(1.5)
    rig.tick()
    first = rig.controller.reason
    rig.frame.position[0] = np.nan
    assert rig.tick(3) is Mode.FAULT
    assert rig.controller.reason == first
    assert 'still there' in rig.controller.reset_fault()
    rig.frame.position[0] = 0.0
    rig.tilt(0.0)
    assert rig.controller.reset_fault() == ''
    assert rig.tick() is Mode.DAMP


def test_a_fade_takes_the_stiffness_away_and_ends_in_damping(tmp_path: Path) -> None:
    """A robot that is switched off must sink, not drop."""
    settings = SessionSettings(period_ns=PERIOD_NS, fade_ns=10 * PERIOD_NS)
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path, home=0.5), settings)
    rig.run()
    rig.set_pose(0.0)
    rig.tick()
    rig.controller.target[:] = 0.5
    rig.controller.request_fade()
    pulls = []
    while rig.tick() is Mode.FADE and rig.controller.send is Send.POSITION:
        pulls.append(float(rig.controller.target[0]))
    assert pulls == sorted(pulls, reverse=True)
    assert pulls[0] == pytest.approx(0.5)
    assert pulls[-1] == pytest.approx(0.05)
    frames = 1
    while rig.controller.mode is not Mode.INACTIVE:
        assert rig.controller.send is Send.DAMPING
        rig.tick()
        frames += 1
    assert frames == DAMPING_FRAMES
    assert rig.controller.send is Send.DAMPING, 'the last frame says inactive and damps'
    rig.tick()
    assert rig.controller.send is Send.NOTHING


def test_the_duration_ends_a_run_softly(tmp_path: Path) -> None:
    """A walk of 10 s must end by itself, at the same tick every time."""
    settings = SessionSettings(period_ns=PERIOD_NS, duration_ns=10 * PERIOD_NS, fade_ns=PERIOD_NS)
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path), settings)
    rig.run()
    assert rig.tick(9) is Mode.RUN
    assert rig.tick() is Mode.FADE
    assert rig.controller.run_ns == 10 * PERIOD_NS


def test_a_faulted_robot_fades_without_position_commands(rig: Rig) -> None:
    """Deactivating after a fault must not pull at the robot again."""
    rig.run()
    rig.tilt(1.5)
    rig.tick()
    rig.controller.request_fade()
    for _ in range(DAMPING_FRAMES):
        rig.tick()
        assert rig.controller.send is Send.DAMPING
    assert rig.controller.mode is Mode.INACTIVE


def test_a_fault_seen_by_the_shell_takes_effect_in_the_next_tick(rig: Rig) -> None:
    """In lockstep a missing sample is one; it must not vanish between two ticks."""
    rig.run()
    rig.controller.request_fault('no sample came')
    assert rig.tick() is Mode.FAULT
    assert rig.controller.reason == 'no sample came'
    assert rig.controller.send is Send.DAMPING


def test_events_belong_to_one_tick_and_are_not_changed_afterwards(rig: Rig) -> None:
    """The log keeps the list of a tick; a later event must not slip into it."""
    rig.activate()
    rig.tick()
    first = rig.controller.events
    assert first[0] == 'mode ramp'
    rig.controller.request_stop('stop requested')
    rig.tick()
    assert 'mode damp: stop requested' in rig.controller.events
    assert 'mode damp: stop requested' not in first
    rig.tick()
    assert not rig.controller.events


def test_a_fade_before_the_first_tick_starts_where_the_robot_is(tmp_path: Path) -> None:
    """Ctrl-C right after the activation must not pull the robot to the start pose."""
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path, home=0.5))
    rig.set_pose(-0.4)
    rig.activate()
    rig.controller.request_fade()
    rig.tick()
    np.testing.assert_allclose(rig.controller.target, -0.4)


def test_asking_for_a_fade_twice_does_not_drop_the_robot(rig: Rig) -> None:
    """A second Ctrl-C does no harm."""
    rig.run()
    rig.controller.request_fade()
    rig.tick(5)
    rig.controller.request_fade()
    rig.tick()
    assert rig.controller.send is Send.POSITION


def test_a_fade_with_dead_sensors_is_damping(rig: Rig) -> None:
    """The target would end at a pose measured long ago, held stiffly."""
    rig.run()
    rig.controller.request_fade()
    rig.tick()
    assert rig.tick(20, fresh=False) in (Mode.FADE, Mode.INACTIVE)
    assert rig.controller.send is not Send.POSITION


def test_a_stale_sensor_is_no_gone_cause(rig: Rig) -> None:
    """A fault by a dead sensor must not be reset while it is dead."""
    rig.run()
    rig.tick(20, fresh=False)
    assert rig.controller.mode is Mode.FAULT
    assert 'stale' in rig.controller.reset_fault()


def test_joints_without_a_policy_stay_at_the_start_pose(tmp_path: Path) -> None:
    """Not where the last session left them: a run can begin in the first tick."""
    robot = small_robot(tmp_path, ('spare', 'joint_0', 'joint_1'), home=0.1)
    settings = SessionSettings(period_ns=PERIOD_NS, auto_run=True, fade_ns=2 * PERIOD_NS)
    rig = Rig(leaky_policy(tmp_path), robot, settings)
    rig.set_pose(0.1)
    rig.activate()
    rig.tick(3)
    rig.set_pose(-0.9)
    rig.controller.request_fade()
    rig.tick(20)
    assert rig.controller.mode is Mode.INACTIVE
    rig.set_pose(0.1)
    rig.activate()
    assert rig.tick() is Mode.RUN
    assert rig.controller.target[0] == pytest.approx(0.1)


def test_an_input_that_is_not_finite_never_reaches_the_policy(rig: Rig) -> None:
    """A network can turn NaN into a finite target."""
    rig.run()
    rig.controller.inputs.command._default = (float('nan'), 0.0, 0.0)
    assert rig.tick() is Mode.FAULT
    assert 'input of the policy' in rig.controller.reason
