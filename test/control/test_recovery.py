"""After a fall, tick by tick on a fake clock: the way up, and every fault on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from helpers.falls import ANNOUNCED_TICKS
from helpers.falls import STILL_TICKS
from helpers.falls import UPRIGHT_TICKS
from helpers.falls import SetRig
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send

STAGES = ('lying', 'announced', 'rising')


@pytest.fixture
def rig(tmp_path) -> SetRig:
    return SetRig(tmp_path)


def latched(rig: SetRig) -> None:
    """Nothing gets the robot up again, though it lies still."""
    for _ in range(700):
        rig.tick()
        assert rig.controller.mode in (Mode.DAMP, Mode.FAULT)
        assert rig.controller.send is Send.DAMPING
        assert not rig.controller.recovery.fall


def test_a_fallen_robot_gets_up_and_walks_on(rig):
    """Every step at its tick, and what is sent in it."""
    rig.fall()
    controller = rig.controller
    assert (controller.mode, controller.send) == (Mode.DAMP, Send.DAMPING)
    assert rig.mode.startswith('damp: recovery 1 of 2: fell: the base is tilted by 90 deg')
    assert controller.counts['falls'] == 1
    assert controller.counts['faults'] == 0
    said = [rig.mode]
    for _ in range(STILL_TICKS + ANNOUNCED_TICKS - 1):
        rig.tick()
        assert controller.send is Send.DAMPING
        if rig.mode != said[-1]:
            said.append(rig.mode)
            assert f'mode {rig.mode}' in rig.outcome.events
    assert said[1:] == [f'damp: recovery 1 of 2: policy getup begins in {s} s' for s in (3, 2, 1)]
    version = rig.outcome.gains_version
    rig.tick()
    assert (controller.mode, controller.send, rig.running) == (Mode.RUN, Send.POSITION, 'getup')
    assert 'mode run' in rig.outcome.events
    assert rig.outcome.ran
    assert rig.outcome.gains_version == version == 1, 'the gains were there before the command'
    rig.tick(100)
    assert rig.mode == 'run: policy getup'
    rig.tilt(0.1)
    rig.tick(UPRIGHT_TICKS)
    assert rig.running == 'getup'
    rig.tick()
    assert rig.running == 'stand'
    assert 'recovery 1 of 2 has ended' in rig.outcome.events
    rig.tick()
    assert rig.ask('walk') == ''
    rig.tick()
    assert rig.mode == 'run: policy walk'
    assert controller.counts['faults'] == 0


def test_the_first_targets_begin_at_the_measured_pose(tmp_path):
    """What was sent before the fall lies far behind: the slew limit counts from the joints."""
    rig = SetRig(tmp_path)
    rig.run()
    rig.fall()
    rig.tune(target_slew=1.0)
    rig.set_pose(-0.7)
    rig.tick(STILL_TICKS + ANNOUNCED_TICKS)
    assert rig.controller.mode is Mode.RUN
    assert rig.controller.target == pytest.approx(-0.7 + 0.02)


def test_the_time_of_the_run_goes_on(tmp_path):
    """Lying does not count, and what was walked before does: `duration` ends the run."""
    rig = SetRig(tmp_path, duration_ns=8_000_000_000)
    rig.run()
    rig.tick(100)
    rig.bring('rising')
    assert rig.controller.run_ns == pytest.approx(112 * 20_000_000, abs=40_000_000)


def test_without_leave_a_fall_is_a_fault(tmp_path):
    """Latched, and with the same words as ever."""
    rig = SetRig(tmp_path, allow_recovery=False)
    rig.fall()
    assert rig.mode == ('fault: fell: the base is tilted by 90 deg, at most 57 deg are accepted')
    latched(rig)


def test_a_third_fall_is_a_fault(rig):
    """At most two recoveries in an activation; a new one counts anew."""
    for number in (1, 2):
        rig.bring('rising')
        assert rig.controller.recovery.count == number
        rig.tilt(0.0)
        rig.tick(UPRIGHT_TICKS + 2)
        assert rig.running == 'stand'
    rig.fall()
    assert rig.controller.mode is Mode.FAULT
    assert 'it has recovered 2 times' in rig.mode
    latched(rig)
    rig.tilt(0.0)
    rig.tick()
    assert rig.controller.reset_fault() == ''
    rig.controller.request_fade()
    rig.tick(10)
    rig.bring('rising')
    assert rig.controller.recovery.count == 1


def test_it_waits_until_the_robot_lies_still(rig):
    """The two seconds begin anew with each movement, also within the countdown."""
    rig.fall()
    rig.tick(STILL_TICKS - 1)
    rig.frame.gyro[1] = 0.4
    rig.tick()
    rig.frame.gyro[1] = 0.0
    rig.tick(STILL_TICKS)
    assert 'begins in 3 s' in rig.mode
    rig.frame.velocity[0] = 0.6
    rig.tick()
    assert 'lain still' in rig.mode
    rig.frame.velocity[0] = 0.0
    rig.tick(STILL_TICKS + ANNOUNCED_TICKS)
    assert rig.mode.startswith('run')


def test_one_that_never_lies_still_is_given_up(rig):
    """20 s after the fall, whatever happens."""
    rig.fall()
    for _ in range(999):
        rig.frame.gyro[2] = 1.0
        rig.tick()
        assert rig.controller.mode is Mode.DAMP
    rig.tick()
    assert 'has not lain still for long enough within 20 s' in rig.mode
    assert rig.mode.startswith('fault: fell: ')
    latched(rig)


def test_a_get_up_that_takes_too_long_is_given_up(rig):
    """4 s in this set."""
    rig.bring('rising')
    rig.tick(189)
    assert rig.mode == 'run: policy getup'
    rig.tick()
    assert 'policy getup has led on to no other one within 4 s (timeout_s)' in rig.mode
    assert rig.controller.send is Send.DAMPING
    assert rig.count('recovery', Level.FAULT) == 1
    latched(rig)


def stop(rig: SetRig) -> None:
    rig.controller.request_stop('stop requested')


def deadman(rig: SetRig) -> None:
    rig.controller.request_stop('dead-man button 1 is not held')


def stale(rig: SetRig) -> None:
    rig.tick(13, fresh=False)


def nan(rig: SetRig) -> None:
    rig.frame.gyro[0] = np.nan


def hot(rig: SetRig) -> None:
    rig.controller.inputs.health.set_temperature('joint_0', 95.0)


def beyond(rig: SetRig) -> None:
    rig.set_pose(1.3)


def missed(rig: SetRig) -> None:
    rig.tick(missed=30)


def bridge(rig: SetRig) -> None:
    rig.controller.request_fault('the bridge is damping')


CAUSES = {
    stop: 'stop requested', deadman: 'dead-man', stale: 'is stale', nan: 'not a finite number',
    hot: '95 deg C', beyond: 'its limits are', missed: 'ticks missed', bridge: 'the bridge',
}  # fmt: skip


@pytest.mark.parametrize(('stage', 'cause'), list(itertools.product(STAGES, CAUSES)))
def test_whatever_goes_wrong_latches_damping(rig, stage, cause):
    """In each step: in the tick in which it is found, and for good, though it is gone again."""
    rig.bring(stage)
    cause(rig)
    if cause not in (stale, missed):
        rig.tick()
    assert rig.controller.mode is Mode.FAULT, 'a robot that lies is tilted as well'
    assert rig.controller.send is Send.DAMPING
    assert CAUSES[cause] in rig.mode
    assert rig.mode.count('fell: ') == 1
    rig.frame.gyro[0] = 0.0
    rig.set_pose(0.1)
    rig.controller.inputs.health.forget()
    latched(rig)


@pytest.mark.parametrize('cause', list(CAUSES))
def test_what_goes_wrong_in_the_tick_of_the_fall_is_a_fault(rig, cause):
    """The tilt is not the only cause."""
    rig.run()
    rig.lie()
    cause(rig)
    if cause not in (stale, missed):
        rig.tick()
    assert rig.controller.mode is Mode.FAULT
    assert CAUSES[cause] in rig.mode
    latched(rig)


def test_a_stalled_machine_is_the_first_cause(rig):
    """Nobody ran while the robot fell: that is no fall of the policy."""
    rig.run()
    rig.controller.first_cause = 'the machine stalled'
    rig.lie()
    rig.tick()
    assert rig.mode.startswith('fault: the machine stalled; then: fell')


@pytest.mark.parametrize('command', [-1.0, 1e4])
def test_an_output_that_is_no_action_latches(tmp_path, command):
    """NaN or an explosion of the get-up policy, from its first step on: the pose is held, then."""
    rig = SetRig(tmp_path, default_command=(command, 0.0, 0.0))
    rig.bring('announced')
    rig.tick(ANNOUNCED_TICKS // 2)
    assert (rig.controller.mode, rig.outcome.ran) == (Mode.RUN, False)
    assert rig.controller.target == pytest.approx(0.0), 'where it lies, not where it fell'
    rig.tick(3)
    assert rig.controller.mode is Mode.FAULT
    latched(rig)


@pytest.mark.parametrize(
    ('spoil', 'expected'),
    [
        (lambda rig: rig.command(0.4), 'expected a neutral command'),
        (lambda rig: rig.set_pose(1.1), 'outside its limits'),
        (
            lambda rig: setattr(rig.controller.recovery, 'more_checks', lambda: 'a cable'),
            'a cable',
        ),
    ],
)
@pytest.mark.parametrize('ticks', [STILL_TICKS, STILL_TICKS + ANNOUNCED_TICKS])
def test_the_checks_of_an_activation_hold(rig, spoil, expected, ticks):
    """Before the countdown, and once more at its end; without waiting."""
    rig.fall()
    rig.tick(ticks - 1)
    spoil(rig)
    rig.tick()
    assert rig.controller.mode is Mode.FAULT
    assert expected in rig.mode
    rig.set_pose(0.1)
    latched(rig)


def test_a_joint_far_from_the_start_pose_is_refused(tmp_path):
    """`max_ramp`, from the start pose of the get-up policy."""
    rig = SetRig(tmp_path, max_ramp=0.3)
    rig.fall()
    rig.set_pose(-0.5)
    rig.tick(STILL_TICKS)
    assert '0.60 rad from the start pose, at most 0.3 rad (max_ramp)' in rig.mode


def test_tracking_does_not_hold_in_the_get_up_and_tilt_does_not(rig):
    """A joint under the robot follows nothing; after it both hold again."""
    rig.tune(tracking_error=0.3, tracking_time=0.1)
    rig.bring('rising')
    rig.tick(50)
    assert rig.mode == 'run: policy getup'
    rig.tilt(0.0)
    rig.tick(UPRIGHT_TICKS + 1)
    assert rig.running == 'stand'
    rig.tune(tracking_error=0.15, tracking_time=0.1)
    rig.tick(10)
    assert 'does not follow' in rig.mode


def test_a_fall_after_the_get_up_is_another_one(rig):
    """The tilt holds from the first tick of the next policy on."""
    rig.bring('rising')
    rig.tilt(0.0)
    rig.tick(UPRIGHT_TICKS + 1)
    assert rig.running == 'stand'
    rig.lie()
    rig.tick()
    assert 'recovery 2 of 2' in rig.mode


@pytest.mark.parametrize('stage', STAGES)
def test_a_deactivation_damps_at_once(rig, stage):
    """A fade of its stiffness would push a robot that lies; the next session begins as ever."""
    rig.bring(stage)
    rig.controller.request_fade()
    rig.tick()
    assert (rig.controller.mode, rig.controller.send) == (Mode.FADE, Send.DAMPING)
    rig.tick(5)
    assert rig.controller.mode is Mode.INACTIVE
    rig.tilt(0.0)
    rig.run()
    assert rig.running == 'walk'
    np.testing.assert_array_equal(
        rig.controller.gains.policy.kp, rig.controller.policies.members['walk'].gains.kp
    )


def test_nobody_can_ask_for_it(rig):
    """The way after a fall is none while the robot stands."""
    rig.run()
    assert 'no transition leads from walk to getup' in rig.ask('getup')
    assert rig.controller.policies.onward() == []


def test_a_fall_in_hold_is_a_fault(rig):
    """No policy ran: the robot hangs, or somebody moves it."""
    rig.activate()
    rig.tick_until(Mode.HOLD)
    rig.lie()
    rig.tick()
    assert rig.controller.mode is Mode.FAULT
