"""The robot's body: tilt, joints, health and missed ticks, on both sides of each threshold."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.robots import PERIOD_NS
from helpers.robots import START_NS
from helpers.robots import small_robot
from kinfer_ros.control.guards.body import SPEED_TICKS
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.body import HealthGuard
from kinfer_ros.control.guards.body import JointGuard
from kinfer_ros.control.guards.body import MissedGuard
from kinfer_ros.control.guards.body import TiltGuard
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.settings import LiveSettings


@pytest.mark.parametrize(
    ('angle', 'limit', 'fell'),
    [
        (0.0, 1.0, False),
        (0.999, 1.0, False),
        (1.001, 1.0, True),
        (math.pi, 1.0, True),
        (2.0, 2.5, False),
        (math.pi - 0.01, 3.15, False),
        (0.01, 0.0, True),
    ],
)
@pytest.mark.parametrize('axis', [0, 1])
def test_tilt(angle: float, limit: float, fell: bool, axis: int) -> None:
    """A fall to any side, and upside down, is one; a lean is none."""
    gravity = np.zeros(3)
    gravity[axis] = GRAVITY * math.sin(angle)
    gravity[2] = -GRAVITY * math.cos(angle)
    verdict = TiltGuard(LiveSettings(max_tilt=limit)).check(gravity)
    if not fell:
        assert verdict is OK
        return
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'tilt')
    found, most = re.findall(r'([\d.]+) deg', verdict.text)
    decimals = len(found.partition('.')[2])
    assert found == f'{math.degrees(angle):.{decimals}f}'
    assert float(found) > float(most), 'nobody understands two equal numbers'


def test_a_gravity_that_is_not_a_number_is_not_upright() -> None:
    """The comparison is written so that NaN falls on the safe side."""
    gravity = np.array([0.0, 0.0, np.nan])
    assert TiltGuard(LiveSettings()).check(gravity).level is Level.FAULT


class Joints:
    """A guard of two joints (limits -1..1 rad, 8 rad/s) at rest at zero, and a clock."""

    def __init__(self, folder: Path, **tunables: float) -> None:
        self.tunables = LiveSettings(**tunables)
        self.guard = JointGuard(small_robot(folder), self.tunables)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.target: np.ndarray | None = np.zeros(2)
        self.moment = TickContext(START_NS, START_NS)

    def check(self) -> Verdict:
        """Judge the joints a period later."""
        self.moment.now_ns += PERIOD_NS
        return self.guard.check(self.position, self.velocity, self.target, self.moment)


@pytest.mark.parametrize('sign', [1.0, -1.0])
def test_a_joint_outside_its_limits_is_borne_up_to_the_margin(tmp_path: Path, sign: float) -> None:
    """A soft stop gives; further out a belt has slipped or an encoder lies."""
    joints = Joints(tmp_path, position_margin=0.25)
    joints.position[1] = joints.target[1] = sign * 1.25
    assert joints.check() is OK
    joints.position[1] = sign * 1.251
    verdict = joints.check()
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'position')
    assert f'joint_1 is measured at {sign * 1.251:.3f} rad' in verdict.text
    assert 'degrees' not in verdict.text


near_a_limit = st.tuples(
    st.sampled_from([-12.0, -1.25, -0.5, 0.0, 0.5, 1.25, 12.0]),
    st.sampled_from([-1e-9, 0.0, 1e-9]),
).map(sum)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(near_a_limit, near_a_limit, near_a_limit), min_size=2, max_size=2))
def test_one_pass_over_all_limits_finds_what_each_joint_by_itself_exceeds(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[float, float, float]]
) -> None:
    """The numbers of all joints stand in one row: none may be compared with another's limit."""
    joints = Joints(
        tmp_path_factory.mktemp('joints'), position_margin=0.25, joint_speed_factor=1.5
    )
    expected = ''
    for at, (position, velocity, target) in enumerate(states):
        joints.position[at], joints.velocity[at], joints.target[at] = position, velocity, target
    if any(abs(position) > 1.25 for position, _, _ in states):
        expected = 'position'
    elif any(abs(velocity) > 12.0 for _, velocity, _ in states):
        expected = 'speed'
    assert joints.check().guard == expected


def test_degrees_are_suspected(tmp_path: Path) -> None:
    """The most frequent cause of a joint at 30 rad is worth a hint."""
    joints = Joints(tmp_path)
    joints.position[0] = 30.0
    assert 'degrees' in joints.check().text


def test_a_joint_is_too_fast_only_for_some_ticks_in_a_row(tmp_path: Path) -> None:
    """One wild reading is a warning; a runaway is a fault."""
    joints = Joints(tmp_path, joint_speed_factor=1.5)
    joints.velocity[0] = -12.0
    assert joints.check() is OK
    joints.velocity[0] = -12.1
    levels = [joints.check().level for _ in range(SPEED_TICKS - 1)]
    joints.velocity[0] = 0.0
    assert joints.check() is OK
    joints.velocity[0] = -12.1
    levels += [joints.check().level for _ in range(SPEED_TICKS)]
    wild = [Level.WARN] * (SPEED_TICKS - 1)
    assert levels == [*wild, *wild, Level.FAULT]
    assert joints.check().guard == 'speed'


def test_a_speed_factor_of_zero_turns_the_guard_off(tmp_path: Path) -> None:
    """Some drivers give speeds of no use."""
    joints = Joints(tmp_path, joint_speed_factor=0.0)
    joints.velocity[:] = 1e6
    assert all(joints.check() is OK for _ in range(10))


def test_a_joint_that_does_not_follow_is_found_after_the_time(tmp_path: Path) -> None:
    """Blocked, or without torque: pushing on would burn a motor or break a finger."""
    joints = Joints(tmp_path, tracking_error=0.5, tracking_time=0.1)
    joints.target[1] = 0.5
    assert all(joints.check() is OK for _ in range(20))
    joints.target[1] = 0.51
    verdicts = [joints.check() for _ in range(6)]
    assert [verdict.level for verdict in verdicts] == [Level.OK] * 5 + [Level.FAULT]
    assert verdicts[-1].guard == 'tracking'
    assert 'joint_1 does not follow' in verdicts[-1].text


def test_following_again_begins_the_time_anew(tmp_path: Path) -> None:
    """Every stride has a moment in which a joint lags."""
    joints = Joints(tmp_path, tracking_error=0.5, tracking_time=0.1)
    for _ in range(10):
        joints.target[0] = 0.9
        assert all(joints.check() is OK for _ in range(5))
        joints.target[0] = 0.0
        assert joints.check() is OK


def test_a_joint_without_a_target_cannot_be_off_it(tmp_path: Path) -> None:
    """A damped robot follows nothing; what it was off by before is forgotten."""
    joints = Joints(tmp_path, tracking_error=0.5, tracking_time=0.1)
    joints.target[0] = 0.9
    joints.check()
    target, joints.target = joints.target, None
    assert all(joints.check() is OK for _ in range(20))
    joints.target = target
    assert joints.check() is OK


def test_a_tracking_error_of_zero_turns_the_guard_off(tmp_path: Path) -> None:
    """As its description says."""
    joints = Joints(tmp_path, tracking_error=0.0)
    joints.target[0] = 100.0
    assert all(joints.check() is OK for _ in range(100))


def test_a_fast_joint_does_not_hide_one_that_is_outside(tmp_path: Path) -> None:
    """The worse of two findings counts."""
    joints = Joints(tmp_path)
    joints.velocity[0], joints.position[1] = 100.0, 3.0
    assert joints.check().guard == 'position'


def test_thresholds_hold_from_a_retune_on(tmp_path: Path) -> None:
    """They are kept as arrays, which a change of a parameter has to reach."""
    joints = Joints(tmp_path, position_margin=0.0)
    joints.position[0] = joints.target[0] = 1.1
    assert joints.check().guard == 'position'
    joints.tunables.position_margin = 0.2
    joints.guard.retune()
    assert joints.check() is OK


class Body:
    """What a robot tells of its health, under its guard (90 deg C, 5 %)."""

    def __init__(self, folder: Path, **tunables: float) -> None:
        robot = small_robot(folder)
        self.health = Health(robot)
        self.guard = HealthGuard(robot, LiveSettings(**tunables))

    def check(self) -> Verdict:
        """Judge what has been told."""
        return self.guard.check(self.health)


def test_a_robot_that_tells_nothing_of_its_health_has_none_to_judge(tmp_path: Path) -> None:
    """Most robots do not; a battery that is not measured is NaN in the message."""
    body = Body(tmp_path)
    assert body.check() is OK
    body.health.set_battery(math.nan)
    assert body.check() is OK
    body.health.set_temperature('no_such_joint', 500.0)
    body.health.set_temperature('joint_0', math.nan)
    assert body.check() is OK


@pytest.mark.parametrize(
    ('celsius', 'level'),
    [(80.0, Level.OK), (80.1, Level.WARN), (90.0, Level.WARN), (90.1, Level.FAULT)],
)
def test_a_hot_joint(tmp_path: Path, celsius: float, level: Level) -> None:
    """A warning first: whoever looks can end the run before the robot does."""
    body = Body(tmp_path)
    body.health.set_temperature('joint_1', celsius)
    verdict = body.check()
    assert verdict.level is level
    assert verdict is OK or (verdict.guard == 'temperature' and 'joint_1' in verdict.text)


@pytest.mark.parametrize(
    ('charge', 'level'),
    [(0.1, Level.OK), (0.099, Level.WARN), (0.05, Level.WARN), (0.049, Level.FAULT)],
)
def test_an_empty_battery(tmp_path: Path, charge: float, level: Level) -> None:
    """A robot whose power sags falls by itself, later and harder."""
    body = Body(tmp_path)
    body.health.set_battery(charge)
    verdict = body.check()
    assert verdict.level is level
    assert verdict is OK or verdict.guard == 'battery'


def test_a_smallest_battery_of_zero_turns_the_guard_off(tmp_path: Path) -> None:
    """A supply by cable reports 0."""
    body = Body(tmp_path, min_battery=0.0)
    body.health.set_battery(0.0)
    assert body.check() is OK


def test_a_warm_joint_does_not_hide_an_empty_battery(tmp_path: Path) -> None:
    """One verdict a tick: a fault has to win over a warning."""
    body = Body(tmp_path)
    body.health.set_temperature('joint_0', 85.0)
    body.health.set_battery(0.01)
    verdict = body.check()
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'battery')


def test_missed_ticks_are_borne_up_to_the_balance() -> None:
    """One long pause is found at once."""
    assert MissedGuard(LiveSettings(max_missed_ticks=10)).check(10) is OK
    verdict = MissedGuard(LiveSettings(max_missed_ticks=10)).check(11)
    assert (verdict.level, verdict.guard) == (Level.FAULT, 'missed')


def test_a_policy_that_is_always_too_slow_is_found_and_a_hiccup_is_not() -> None:
    """One missed for each in time adds up: that gait is a third too slow. One in 20 does not."""
    guard = MissedGuard(LiveSettings(max_missed_ticks=3))
    assert all(guard.check(missed) is OK for _ in range(50) for missed in (1, *[0] * 20))
    answers = [guard.check(missed).level for _ in range(4) for missed in (1, 0)]
    assert answers[-2] is Level.FAULT
    guard.restart()
    assert guard.check(3) is OK
