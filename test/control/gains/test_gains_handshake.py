"""The gains asked for, and what the bridge says it has in force."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kinfer_ros.control.gains.handshake import ECHO_TIMEOUT
from kinfer_ros.control.gains.handshake import PERIOD_NS
from kinfer_ros.control.gains.handshake import GainsEcho
from kinfer_ros.control.gains.handshake import GainsHandshake
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp

NAMES = ('hip', 'knee')


@pytest.fixture
def made():
    now = [100.0]
    ramp = GainRamp(1.0, 1.0, 1.0)
    handshake = GainsHandshake(lambda: now[0])
    gains = Gains(np.array([40.0, 20.0]), np.array([2.0, 1.0]), np.array([9.0, 8.0]))
    handshake.set_target(NAMES, gains, ramp)
    handshake.begin_session()
    return SimpleNamespace(handshake=handshake, ramp=ramp, now=now)


def echo(kp=(40.0, 20.0), kd=(2.0, 1.0), limit=(9.0, 8.0), names=NAMES) -> GainsEcho:
    return GainsEcho(list(names), list(kp), list(kd), list(limit))


def test_a_silent_bridge_has_confirmed_nothing(made):
    """A robot is not activated on gains that nobody has acknowledged."""
    assert 'silent' in made.handshake.mismatch()


@pytest.mark.parametrize(
    ('found', 'joints'),
    [
        (echo(), ''),
        (echo(names=('knee', 'hip'), kp=(20.0, 40.0), kd=(1.0, 2.0), limit=(8.0, 9.0)), ''),
        (echo(kp=(40.0, 21.0)), "['knee']"),
        (echo(kd=(2.5, 1.0)), "['hip']"),
        (echo(limit=(9.0, 80.0)), "['knee']"),
        (echo(names=('hip', 'elbow')), "['knee']"),
        (echo(kd=(2.0,)), "['hip', 'knee']"),
    ],
)
def test_a_mismatch_names_the_joints(made, found, joints):
    """By name, in whatever order; an echo that leaves something out confirms nothing."""
    made.handshake.in_force = found
    assert (joints in made.handshake.mismatch()) if joints else made.handshake.mismatch() == ''


def test_gains_go_out_while_they_move_ten_times_a_second(made):
    """A bridge acknowledges each; once a tick would flood it."""
    assert not made.handshake.is_due(0)
    made.ramp.kp_factor = 0.5
    assert made.handshake.is_due(PERIOD_NS)
    names, gains = made.handshake.send(PERIOD_NS)
    assert (names, gains.kp.tolist()) == (NAMES, [20.0, 10.0])
    assert not made.handshake.is_due(5 * PERIOD_NS), 'they have not moved since'
    made.ramp.kp_factor = 0.4
    assert not made.handshake.is_due(2 * PERIOD_NS - 1)
    assert made.handshake.is_due(2 * PERIOD_NS)


def test_a_wrong_echo_is_a_fault_once_there_was_time_for_it(made):
    """The echo of the gains before is not the answer to those just sent."""
    made.handshake.in_force = echo(kp=(1.0, 20.0))
    assert made.handshake.fault() == ''
    made.now[0] += ECHO_TIMEOUT + 0.1
    assert "['hip']" in made.handshake.fault()
    assert made.handshake.fault() == '', 'one echo is one fault'
    assert "['hip']" in made.handshake.fault(recheck=True), 'a reset looks again'
    made.handshake.in_force = echo()
    assert made.handshake.fault() == ''
