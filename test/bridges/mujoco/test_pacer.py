"""The pace of a simulation: no drift, no bursts."""

import pytest

from kinfer_ros.bridges.mujoco.pacer import Pacer
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.errors import ConfigError


def test_no_drift():
    """Late wake-ups must not add up: after 1 s there are 250 steps of 4 ms."""
    pacer = Pacer(4_000_000, 100_000_000)
    assert pacer.due(0) == 1
    now, steps = 0, 0
    while now < 1_000_000_000:
        now += 4_700_000
        steps += pacer.due(now)
    assert steps == (now + 1_000_000) // 4_000_000
    assert pacer.lag_ns(now) == max(0, now - steps * 4_000_000)
    assert pacer.dropped_ns == 0


def test_lost_time_is_dropped_and_counted():
    """A burst after a stop would be a leap for the policy."""
    pacer = Pacer(4_000_000, 100_000_000)
    assert pacer.due(0) == 1
    assert pacer.due(100_000_000) == 25
    assert pacer.due(100_000_000) == 0
    assert pacer.due(204_000_000) == 1
    assert pacer.dropped_ns == 100_000_000
    assert pacer.due(208_000_000) == 1


def test_control_period_is_whole_steps():
    """Lockstep stops at multiples of the control period, which must be states."""
    assert Timing(20_000_000, 4_000_000, 1).substeps(4_000_000) == 5
    with pytest.raises(ConfigError, match=r'control_rate 60.*whole number of physics steps'):
        Timing(16_666_667, 4_000_000, 1).substeps(4_000_000)
    with pytest.raises(ConfigError, match=r'of 0\.003 s; physics_rate:=400 would fit$'):
        Timing(20_000_000, 4_000_000, 1).substeps(3_000_000)
    assert Timing(20_000_000, 4_000_000, 1).substeps(2_500_000) == 8


def test_wake_ups_a_little_early_or_late_make_one_step_each():
    """None and two by turns would make every sample a step old when it is published."""
    pacer = Pacer(4_000_000, 100_000_000)
    pacer.start(1_000_000)
    for k in range(100):
        jitter = 1_500_000 if k % 2 else -300_000
        assert pacer.due(1_000_000 + k * 4_000_000 + jitter) == 1
        assert pacer.lag_ns(1_000_000 + k * 4_000_000 + jitter) == max(0, jitter)
