"""Limits on targets: each alone, their order, and that nothing but a finite target comes out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.robots import small_robot
from kinfer_ros.control.guards.targets import POSITION
from kinfer_ros.control.guards.targets import SLEW
from kinfer_ros.control.guards.targets import SLEW_BROKEN
from kinfer_ros.control.guards.targets import TORQUE
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.robot.robot import Robot

PERIOD_S = 0.02
WIDE = {'target_slew': 1000.0, 'torque_band': 0.0}


class Drive:
    """A limiter of two joints: limits -1..1 rad, kp 20, kd 1, torque limit 10 Nm."""

    def __init__(self, robot: Robot, **tunables: float) -> None:
        self.tunables = LiveSettings(**(WIDE | tunables))
        n = np.ones(2)
        self.limiter = TargetLimiter(robot, (20 * n, n, 10 * n), PERIOD_S, self.tunables)
        self.measured = np.zeros(4)
        self.position, self.velocity = self.measured[:2], self.measured[2:]

    def apply(self, *target: float) -> tuple[list[float], tuple[Verdict, ...]]:
        """Limit a target; what comes out, and what was limited."""
        values = np.array(target)
        found = self.limiter.apply(values, self.measured)
        return values.tolist(), found


@pytest.fixture(scope='module')
def robot(tmp_path_factory: pytest.TempPathFactory) -> Robot:
    return small_robot(tmp_path_factory.mktemp('robot'))


def test_a_target_within_all_limits_is_not_touched(robot: Robot) -> None:
    """To the last bit: what is logged as the policy's must be what is sent."""
    assert Drive(robot).apply(0.1, -1.0) == ([0.1, -1.0], ())


def test_a_target_beyond_a_joint_limit_is_brought_to_it(robot: Robot) -> None:
    """The last limit of all: no target is ever outside."""
    assert Drive(robot).apply(1.0, -1.5) == ([1.0, -1.0], (POSITION,))


def test_slew_is_a_step_from_the_target_sent_before(robot: Robot) -> None:
    """At 10 rad/s and 50 Hz that is 0.2 rad a tick, in both directions, and no less."""
    drive = Drive(robot, target_slew=10.0)
    assert drive.apply(0.2, -0.2) == ([0.2, -0.2], ())
    values, found = drive.apply(1.0, -1.0)
    assert values == pytest.approx([0.4, -0.4])
    assert found == (SLEW,)
    assert drive.apply(*values)[1] == ()


def test_the_torque_band_is_that_of_the_drive(robot: Robot) -> None:
    """With kp 20 and 10 Nm, a target half a rad away asks for the limit, further for more."""
    drive = Drive(robot, torque_band=1.0)
    assert drive.apply(0.5, -0.5) == ([0.5, -0.5], ())
    assert drive.apply(0.6, -0.6) == ([0.5, -0.5], (TORQUE,))
    assert Drive(robot, torque_band=0.5).apply(0.3, 0.2) == ([0.25, 0.2], (TORQUE,))


def test_the_torque_band_moves_with_the_speed(robot: Robot) -> None:
    """Damping takes a part: kd 1 at 4 rad/s is 4 Nm, that is 0.2 rad of the band."""
    drive = Drive(robot, torque_band=1.0)
    drive.velocity[:] = 4.0
    values, found = drive.apply(1.0, -1.0)
    assert values == pytest.approx([0.7, -0.3])
    assert found == (TORQUE,)


def test_the_torque_band_never_turns_the_stiffness_against_the_joint(robot: Robot) -> None:
    """At 20 rad/s the damping alone exceeds the limit: the target stops at the joint."""
    drive = Drive(robot, torque_band=1.0)
    drive.velocity[:] = 20.0
    assert drive.apply(-0.9, -0.9) == ([0.0, 0.0], (TORQUE,))


def test_a_torque_band_of_zero_is_off(robot: Robot) -> None:
    """As its description says."""
    assert Drive(robot, torque_band=0.0).apply(0.9, -0.9)[1] == ()


def test_the_torque_band_follows_the_gain_factors(robot: Robot) -> None:
    """Half the stiffness asks for half the torque; none asks for none."""
    drive = Drive(robot, torque_band=1.0)
    drive.limiter.retune(2.0, 1.0)
    assert drive.apply(0.3, 0.0) == ([0.25, 0.0], (TORQUE,))
    drive.limiter.retune(0.5, 1.0)
    assert drive.apply(0.9, 0.0) == ([0.9, 0.0], ())
    drive.limiter.retune(0.0, 1.0)
    assert drive.apply(-1.0, 1.0) == ([-1.0, 1.0], ())


def test_a_later_limit_that_breaks_the_slew_is_counted(robot: Robot) -> None:
    """A joint that is pushed away takes its band along; standing still would burn it."""
    drive = Drive(robot, torque_band=1.0, target_slew=5.0)
    drive.limiter.restart(np.array([-0.9, 0.0]))
    drive.position[0] = 0.4
    values, found = drive.apply(-0.9, 0.0)
    assert values == pytest.approx([-0.1, 0.0])
    assert found == (TORQUE, SLEW_BROKEN)
    assert drive.apply(*values)[1] == (), 'the next step begins where this one ended'


def test_a_start_outside_the_limits_is_brought_in_and_counted(robot: Robot) -> None:
    """A joint may be measured a little outside; a target may not be there."""
    drive = Drive(robot, target_slew=1.0)
    drive.limiter.restart(np.array([1.1, 0.0]))
    drive.position[0] = 1.1
    assert drive.apply(1.1, 0.0) == ([1.0, 0.0], (POSITION, SLEW_BROKEN))


def test_the_low_pass_has_its_corner_where_it_says(robot: Robot) -> None:
    """First order: after 1 / (2 pi f) seconds 63 % of a step has been made."""
    corner = 1.0 / (math.tau * 10 * PERIOD_S)
    drive = Drive(robot, target_lowpass=corner)
    values = [drive.apply(0.5, 0.0)[0][0] for _ in range(10)]
    assert values[-1] == pytest.approx(0.5 * (1 - math.exp(-1)))
    assert values == sorted(values)
    drive.limiter.restart(np.zeros(2))
    assert drive.apply(0.0, 0.0) == ([0.0, 0.0], ())


def test_settings_hold_from_a_retune_on_without_a_jump(robot: Robot) -> None:
    """A low-pass that is switched on begins at the target, not at zero."""
    drive = Drive(robot)
    drive.apply(0.8, 0.8)
    drive.tunables.target_lowpass = 1.0
    drive.limiter.retune(1.0, 1.0)
    assert drive.apply(0.8, 0.8)[0] == pytest.approx([0.8, 0.8])


@pytest.mark.parametrize('factor', [5e-324, 1e-310, 1e-200, 1e-12])
@pytest.mark.parametrize('velocity', [0.0, 5.0, 1e150])
def test_hardly_any_stiffness_is_none(robot: Robot, factor: float, velocity: float) -> None:
    """A band divided by next to nothing is infinite, and infinity times a speed of 0 is NaN."""
    drive = Drive(robot, torque_band=1.0)
    drive.limiter.retune(factor, 4.0)
    drive.velocity[:] = velocity
    values, _ = drive.apply(0.5, -0.5)
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1.0


numbers = st.floats(-1e150, 1e150) | st.floats(-2.0, 2.0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    tunables=st.fixed_dictionaries(
        {
            'target_slew': st.floats(0.1, 1000.0),
            'torque_band': st.floats(0.0, 10.0),
            'target_lowpass': st.floats(0.0, 1000.0),
        }
    ),
    factors=st.tuples(st.floats(0.0, 2.0), st.floats(0.0, 4.0)),
    steps=st.lists(
        st.tuples(st.floats(-2000.0, 2000.0), numbers, numbers), min_size=1, max_size=6
    ),
)
def test_whatever_comes_in_a_finite_target_within_the_limits_comes_out(
    robot: Robot,
    tunables: dict[str, float],
    factors: tuple[float, float],
    steps: list[tuple[float, ...]],
) -> None:
    """The slew limit holds as well, unless a later one broke it and says so."""
    drive = Drive(robot, **tunables)
    drive.limiter.retune(*factors)
    last = 0.0
    for target, position, velocity in steps:
        drive.position[:], drive.velocity[:] = position, velocity
        (first, second), found = drive.apply(target, target)
        assert first == second
        assert -1.0 <= first <= 1.0
        step = tunables['target_slew'] * PERIOD_S
        assert SLEW_BROKEN in found or last - step <= first <= last + step
        last = first


near_limits = st.one_of(
    st.floats(-1.5, 1.5),
    st.sampled_from([-1.0, 1.0, 0.5, -0.5]).flatmap(
        lambda at: st.floats(-3e-6, 3e-6).map(lambda off: at + off)
    ),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    tunables=st.fixed_dictionaries(
        {'target_slew': st.floats(5.0, 100.0), 'torque_band': st.sampled_from([0.0, 0.5, 1.0])}
    ),
    steps=st.lists(st.tuples(near_limits, near_limits, numbers), min_size=1, max_size=8),
)
def test_the_quick_comparison_changes_nothing(
    robot: Robot, tunables: dict[str, float], steps: list[tuple[float, float, float]]
) -> None:
    """It passes over the exact one only where that finds nothing: a replay is to the bit."""
    quick, exact = Drive(robot, **tunables), Drive(robot, **tunables)
    exact.limiter._is_clear = lambda target: False  # type: ignore[method-assign]
    for left, right, velocity in steps:
        for drive in (quick, exact):
            drive.position[:] = right / 2
            drive.velocity[:] = velocity
        assert quick.apply(left, right) == exact.apply(left, right)
        assert quick.limiter.state.tobytes() == exact.limiter.state.tobytes()
