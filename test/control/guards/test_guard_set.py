"""All guards together, on a running controller: each one speaks, and none without a cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.falls import SetRig
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.verdict import GUARDS
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.settings import SessionSettings

S = 1_000_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A robot whose sensors are alive, in mode run."""
    session = SessionSettings(period_ns=PERIOD_NS, overrides=OverrideSettings(('joint_0',)))
    rig = Rig(leaky_policy(tmp_path), small_robot(tmp_path), session)
    rig.run()
    return rig


def stale(rig: Rig) -> None:
    """No sample for longer than stale_timeout."""
    rig.tick(13, fresh=False)


def future(rig: Rig) -> None:
    """A driver on a host whose clock is a second ahead."""
    rig.frame.imu_stamp_ns = rig.now + S
    rig.tick(fresh=False)


def order(rig: Rig) -> None:
    """Two publishers, of which one is late."""
    for stamp in (rig.now, rig.now - 1):
        rig.frame.update_joints(['joint_0', 'joint_1'], np.zeros(2), np.zeros(2), stamp)
    rig.tick()


def frozen(rig: Rig) -> None:
    """A driver that repeats itself under new stamps."""
    rig.tick_until(Mode.FAULT)


def sample(rig: Rig) -> None:
    """Joint states that lost a joint; the shell has found it."""
    rig.frame.joint_problem = "joint_states lacks ['joint_1']"
    rig.tick()


def joints(rig: Rig) -> None:
    """A driver that restarts with another order."""
    for names in (['joint_0', 'joint_1'], ['joint_1', 'joint_0']):
        rig.frame.update_joints(names, np.zeros(2), np.zeros(2), rig.now)
    rig.tick()


def finite(rig: Rig) -> None:
    """An IMU that gives NaN."""
    rig.frame.gyro[0] = np.nan
    rig.tick()


def tilt(rig: Rig) -> None:
    """A fall."""
    rig.tilt(1.5)
    rig.tick()


def position(rig: Rig) -> None:
    """A joint half a rad outside its limits."""
    rig.set_pose(1.5)
    rig.tick()


def speed(rig: Rig) -> None:
    """One reading of a joint that is too fast."""
    rig.frame.velocity[0] = 100.0
    rig.tick()


def tracking(rig: Rig) -> None:
    """The leaky policy doubles the pose: its target is half a rad away."""
    rig.tune(tracking_error=0.2, tracking_time=0.1)
    rig.set_pose(0.5)
    rig.tick_until(Mode.FAULT)


def temperature(rig: Rig) -> None:
    """A motor about to burn."""
    rig.controller.inputs.health.set_temperature('joint_0', 95.0)
    rig.tick()


def battery(rig: Rig) -> None:
    """A battery that is nearly empty."""
    rig.controller.inputs.health.set_battery(0.06)
    rig.tick()


def clock(rig: Rig) -> None:
    """Somebody sets the time by a minute."""
    rig.tick(stamp_offset=60 * S)


def stall(rig: Rig) -> None:
    """The control loop notes it, which knows when it ran."""
    rig.controller.stats.note(warn('stall', 'this process was not run for 300 ms'))
    rig.tick()


def missed(rig: Rig) -> None:
    """A machine that stood still for 21 ticks."""
    rig.tick(missed=21)


def command_input(rig: Rig) -> None:
    """A command that is not finite as a float32."""
    rig.tune(command_scale=(1e300, 1.0, 1.0))
    rig.controller.inputs.command.set_twist(1.0, 0.0, 0.0, rig.now)
    with np.errstate(over='ignore'):
        rig.tick()


def output(rig: Rig) -> None:
    """An action further away than max_action."""
    rig.tune(max_action=0.1)
    rig.set_pose(0.5)
    rig.tick()


def command(rig: Rig) -> None:
    """A command above command_limit."""
    rig.tune(command_limit=(0.1, 0.0, 0.0))
    rig.controller.inputs.command.set_twist(0.5, 0.0, 0.0, rig.now)
    rig.tick()


def acceleration(rig: Rig) -> None:
    """A stick thrown to its stop."""
    rig.tune(command_acceleration=(1.0, 0.0, 0.0))
    rig.controller.inputs.command.set_twist(0.5, 0.0, 0.0, rig.now)
    rig.tick()


def slew(rig: Rig) -> None:
    """A policy that asks for a jump."""
    rig.tune(target_slew=1.0)
    rig.set_pose(0.4)
    rig.tick()


def torque(rig: Rig) -> None:
    """A target that asks for a fifth more than the share that is allowed."""
    rig.tune(torque_band=0.4)
    rig.set_pose(0.5)
    rig.tick(2)


def limit(rig: Rig) -> None:
    """The leaky policy doubles 0.7 rad; the limit is 1."""
    rig.set_pose(0.7)
    rig.tick(2)


def slew_broken(rig: Rig) -> None:
    """A robot that is pushed takes the torque band along, faster than the slew limit."""
    rig.tune(target_slew=0.1, torque_band=1.0)
    rig.set_pose(0.9)
    rig.tick()


def override(rig: Rig) -> None:
    """Another node sends what is no target."""
    inbox = rig.controller.inputs.overrides.inbox
    inbox.take(Sender(1, '/wave'), ['joint_0'], np.array([np.nan]), rig.now, rig.now, rig.now)
    rig.tick()


def shell(rig: Rig) -> None:
    """A bridge that is no longer enabled."""
    rig.controller.request_fault('the bridge is damping')
    rig.tick()


def recovery(rig: Rig) -> None:
    # On another robot, which has a policy to get up with.
    other = SetRig(rig.robot.path.parent)
    other.bring('rising')
    other.tick(190)
    vars(rig).update(vars(other))


CASES: dict[str, tuple[Callable[[Rig], None], Level]] = {
    'stale': (stale, Level.FAULT),
    'future': (future, Level.FAULT),
    'order': (order, Level.WARN),
    'frozen': (frozen, Level.FAULT),
    'sample': (sample, Level.FAULT),
    'joints': (joints, Level.WARN),
    'finite': (finite, Level.FAULT),
    'tilt': (tilt, Level.FAULT),
    'position': (position, Level.FAULT),
    'speed': (speed, Level.WARN),
    'tracking': (tracking, Level.FAULT),
    'temperature': (temperature, Level.FAULT),
    'battery': (battery, Level.WARN),
    'clock': (clock, Level.WARN),
    'missed': (missed, Level.FAULT),
    'stall': (stall, Level.WARN),
    'input': (command_input, Level.FAULT),
    'output': (output, Level.WARN),
    'command': (command, Level.LIMIT),
    'acceleration': (acceleration, Level.LIMIT),
    'slew': (slew, Level.LIMIT),
    'torque': (torque, Level.LIMIT),
    'limit': (limit, Level.LIMIT),
    'slew_broken': (slew_broken, Level.LIMIT),
    'override': (override, Level.WARN),
    'recovery': (recovery, Level.FAULT),
    'shell': (shell, Level.FAULT),
}


def test_every_guard_has_a_case() -> None:
    """A guard that is added without a test is found here."""
    assert set(CASES) == set(GUARDS)


@pytest.mark.parametrize('guard', CASES)
def test_a_guard_speaks_is_counted_and_acts(rig: Rig, guard: str) -> None:
    """The whole way: from what is wrong to the tally, the events and what is sent."""
    cause, level = CASES[guard]
    cause(rig)
    assert rig.count(guard, level) == 1
    assert rig.controller.stats.state()[guard]['now']
    if level is Level.FAULT:
        assert rig.controller.mode is Mode.FAULT
        assert rig.controller.send is Send.DAMPING
        assert rig.controller.events[-1] == f'mode fault: {rig.controller.reason}'
    else:
        assert rig.controller.mode is Mode.RUN
        assert rig.controller.send is Send.POSITION
        assert any(guard in event for event in rig.controller.events)


def test_no_guard_speaks_without_a_cause(rig: Rig) -> None:
    """Five seconds of a healthy robot: a guard that cries wolf is turned off by its user."""
    for tick in range(250):
        rig.frame.accel[0] = rig.frame.velocity[0] = 1e-3 * np.sin(tick)
        rig.controller.inputs.command.set_twist(0.1, 0.0, 0.0, rig.now)
        assert rig.tick() is Mode.RUN
    for name in GUARDS:
        assert [rig.count(name, level) for level in Level] == [0] * 4, name


def test_the_first_cause_is_the_reason_and_the_only_count(rig: Rig) -> None:
    """A stale sample explains a tilt that cannot be trusted, not the other way round."""
    rig.tick(12, fresh=False)
    rig.frame.gravity[2] = 9.81
    rig.tick(fresh=False)
    assert 'stale' in rig.controller.reason
    assert rig.count('tilt', Level.FAULT) == 0


def test_a_cause_that_is_only_asked_for_is_not_counted(rig: Rig) -> None:
    """~/reset asks what would be a fault; asking is none."""
    tilt(rig)
    before = rig.controller.stats.state()
    for _ in range(5):
        assert 'fell' in rig.controller.reset_fault()
    assert rig.controller.stats.state() == before


def test_a_new_session_begins_without_the_last_ones_findings(rig: Rig) -> None:
    """Warnings of samples that came while nobody was active belong to nobody."""
    rig.controller.request_fade()
    rig.tick(100)
    assert rig.controller.mode is Mode.INACTIVE
    order(rig)
    joints(rig)
    rig.activate()
    rig.tick()
    assert rig.controller.mode is Mode.RAMP
    assert rig.count('order', Level.WARN) == rig.count('joints', Level.WARN) == 0


def live_tick(rig: Rig, stamp_offset: int = 0, sample_offset: int | None = None) -> Mode:
    """
    Let a period pass, with samples that came as messages do.

    :param stamp_offset: ns by which the clock of the stamps is ahead of the control clock.
    :param sample_offset: the same of the stamps themselves, where it is another.
    """
    offset = stamp_offset if sample_offset is None else sample_offset
    stamp = rig.now + PERIOD_NS + offset
    wiggle = 1e-3 * np.sin(stamp)
    rig.frame.update_joints(['joint_0', 'joint_1'], np.full(2, wiggle), np.zeros(2), stamp)
    rig.frame.update_imu((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, wiggle), (0.0, 0.0, 9.81), stamp)
    return rig.tick(fresh=False, stamp_offset=stamp_offset)


@pytest.mark.parametrize('offset', [60 * S, -60 * S])
def test_setting_the_clock_does_not_stop_a_robot_whose_samples_go_on(
    rig: Rig, offset: int
) -> None:
    """Set back, it makes every new sample older than the last one from before."""
    for tick in range(100):
        assert live_tick(rig, offset if tick >= 5 else 0) is Mode.RUN, rig.controller.reason
    assert rig.count('clock', Level.WARN) == 1


def test_one_stamp_from_the_future_is_gone_with_the_next_sample(rig: Rig) -> None:
    """Else every later sample would be an older one, and no ~/reset would ever help."""
    live_tick(rig)
    assert live_tick(rig, 0, 3600 * S) is Mode.FAULT
    assert 'future' in rig.controller.reason
    live_tick(rig)
    assert rig.controller.reset_fault() == ''
    assert live_tick(rig) is Mode.DAMP
