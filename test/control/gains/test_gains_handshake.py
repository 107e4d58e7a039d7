"""The gains asked for, and what the bridge says it has in force."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kinfer_ros.bridges.core import HOLD_NS
from kinfer_ros.control.gains.handshake import ECHO_TIMEOUT
from kinfer_ros.control.gains.handshake import SWITCH_TIMEOUT
from kinfer_ros.control.gains.handshake import GainsEcho
from kinfer_ros.control.gains.handshake import GainsHandshake
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.gains.requested import PERIOD_NS
from kinfer_ros.control.gains.requested import RequestedGains

NAMES = ('hip', 'knee')


@pytest.fixture
def made():
    now = [100.0]
    ramp = GainRamp(1.0, 1.0, 1.0)
    handshake = GainsHandshake(lambda: now[0])
    gains = Gains(np.array([40.0, 20.0]), np.array([2.0, 1.0]), np.array([9.0, 8.0]))
    requested = RequestedGains(gains, ramp)
    handshake.set_target(NAMES, requested)
    handshake.begin_session('abcd')
    return SimpleNamespace(handshake=handshake, requested=requested, ramp=ramp, now=now)


def echo(kp=(40.0, 20.0), kd=(2.0, 1.0), limit=(9.0, 8.0), names=NAMES, frame_id='') -> GainsEcho:
    return GainsEcho(list(names), list(kp), list(kd), list(limit), frame_id)


def switch(made, *, every_step=False) -> None:
    """Another policy takes over, with twice the stiffness in the hip; its gains are sent."""
    made.requested.every_step = every_step
    made.requested.switch(Gains(np.array([80.0, 20.0]), np.array([2.0, 1.0]), np.array([9.0, 8])))
    made.requested.end_tick(PERIOD_NS)
    assert made.handshake.is_due()
    made.handshake.send()


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

    def due(now_ns) -> bool:
        made.requested.end_tick(now_ns)
        return made.handshake.is_due()

    assert not due(0)
    made.ramp.kp_factor = 0.5
    assert due(PERIOD_NS)
    names, gains = made.handshake.send()
    assert (names, gains.kp.tolist()) == (NAMES, [20.0, 10.0])
    assert not due(5 * PERIOD_NS), 'they have not moved since'
    made.ramp.kp_factor = 0.4
    assert not due(2 * PERIOD_NS - 1)
    assert due(2 * PERIOD_NS)
    assert made.handshake.version == 0, 'small steps are no reason to wait for them'


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


def test_a_bridge_has_time_to_say_that_gains_have_not_come(made):
    """It holds the last target meanwhile; then old gains are a fault by name, as any others."""
    assert SWITCH_TIMEOUT >= HOLD_NS / 1e9 + 0.1
    made.handshake.in_force = echo()
    switch(made)
    made.now[0] += SWITCH_TIMEOUT - 0.01
    assert made.handshake.fault() == ''
    made.now[0] += 0.02
    assert "['hip']" in made.handshake.fault()
    made.handshake.in_force = echo(kp=(80.0, 20.0))
    assert made.handshake.fault() == '', 'an old driver that echoes no version'


def test_in_lockstep_nothing_moves_with_old_gains(made):
    """The bridge waits for the new ones, so that a busy machine is no fault."""
    made.handshake.in_force = echo()
    switch(made, every_step=True)
    made.now[0] += ECHO_TIMEOUT - 0.01
    assert made.handshake.fault() == ''
    made.now[0] += 0.02
    assert "['hip']" in made.handshake.fault()


@pytest.mark.parametrize(
    ('frame_id', 'words'),
    [
        ('abcd 1', ''),
        ('', ''),
        ('other 7', ''),
        ('abcd', 'of version 0, not 1'),
        ('abcd 2', 'of version 2, not 1'),
        ('abcd -1', "found version '-1'"),
        ('abcd 1 1', 'found header.frame_id'),
    ],
)
def test_the_version_is_part_of_what_is_awaited(made, frame_id, words):
    """Equal numbers of an older version are not the answer; a driver may know no versions."""
    switch(made)
    made.handshake.in_force = echo(kp=(80.0, 20.0), frame_id=frame_id)
    found = made.handshake.mismatch()
    assert (words in found) if words else found == ''


def test_a_session_begins_with_version_0(made):
    """Gains that were in force before it are echoed without one."""
    switch(made)
    made.handshake.begin_session('efgh')
    assert made.handshake.version == 0
    assert not made.handshake.is_due()
    made.handshake.in_force = echo(kp=(80.0, 20.0), frame_id='abcd 1')
    assert made.handshake.mismatch() == ''
