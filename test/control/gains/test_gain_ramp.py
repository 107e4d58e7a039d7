"""The gain ramp: the factors move to a new value by a step a tick."""

from __future__ import annotations

import pytest

from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.settings import LiveSettings


def test_factors_approach_and_arrive_exactly() -> None:
    """By at most a step a tick, from both sides, and without a rest that never goes."""
    ramp = GainRamp(action_scale=1.0, kp_factor=1.0, kd_factor=0.0)
    goal = LiveSettings(action_scale=0.95, kp_factor=0.7, kd_factor=0.25)
    moved = [ramp.approach(goal, 0.1) for _ in range(5)]
    assert moved == [True, True, True, True, False]
    assert (ramp.action_scale, ramp.kp_factor, ramp.kd_factor) == (0.95, 0.7, 0.25)


def test_a_scale_alone_moves_no_gains() -> None:
    """Gains are told to the bridge only when they moved."""
    ramp = GainRamp(1.0, 1.0, 1.0)
    assert not ramp.approach(LiveSettings(action_scale=0.5), 0.1)
    assert ramp.action_scale == pytest.approx(0.9)
