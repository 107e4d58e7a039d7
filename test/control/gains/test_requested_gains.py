"""What a controller asks the robot side for: at once in a switch, in steps by the operator."""

from __future__ import annotations

import numpy as np
import pytest

from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.gains.requested import PERIOD_NS
from kinfer_ros.control.gains.requested import RequestedGains


def gains(kp: float) -> Gains:
    return Gains(np.array([kp, 20.0]), np.array([2.0, 1.0]), np.array([9.0, 8.0]))


def made(*, every_step: bool = False) -> RequestedGains:
    return RequestedGains(gains(40.0), GainRamp(1.0, 1.0, 1.0), every_step=every_step)


def test_a_switch_takes_effect_at_once_and_keeps_the_factors() -> None:
    """Gains belong to the policy; what the operator set goes on holding."""
    found = made()
    found.ramp.kp_factor = 0.5
    assert found.switch(gains(80.0))
    assert found.now().kp.tolist() == [40.0, 10.0]
    found.end_tick(1)
    assert (found.version, found.changes, found.switched) == (1, 1, True)
    found.end_tick(2)
    assert (found.version, found.changes) == (1, 1)


def test_equal_gains_are_no_change() -> None:
    """A second training of the same policy: bridges need not be told."""
    found = made()
    assert not found.switch(gains(40.0))
    found.end_tick(1)
    assert (found.version, found.changes) == (0, 0)


def test_there_and_back_in_one_tick_is_no_change() -> None:
    """A swap that was rolled back before anything was sent."""
    found = made()
    assert found.switch(gains(80.0))
    assert found.switch(gains(40.0))
    found.end_tick(1)
    assert (found.version, found.changes) == (0, 0)


def test_the_version_only_counts_up() -> None:
    """The way back to the old gains is a new version: an old message must not be taken for it."""
    found = made()
    for tick, kp in enumerate((80.0, 40.0, 80.0), 1):
        found.switch(gains(kp))
        found.end_tick(tick)
        assert found.version == tick
    found.begin_session()
    assert found.version == 0
    assert found.now().kp[0] == 80.0


@pytest.mark.parametrize(('every_step', 'version'), [(False, 0), (True, 3)])
def test_steps_of_the_factors_are_versions_in_lockstep_alone(
    every_step: bool, version: int
) -> None:
    """There the bridge waits, and a run repeats to the bit; a robot is not kept waiting."""
    found = made(every_step=every_step)
    for step in range(1, 4):
        found.ramp.kp_factor -= 0.1
        found.end_tick(step * PERIOD_NS)
        found.end_tick(step * PERIOD_NS + 1)
    assert (found.version, found.changes, found.switched) == (version, 3, every_step)
