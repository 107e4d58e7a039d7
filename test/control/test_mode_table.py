"""The table of modes, cell by cell, and what an activation needs; in words: docs/modes.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.settings import SessionSettings

INACTIVE, RAMP, HOLD, RUN, FADE, DAMP, FAULT = Mode


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    settings = SessionSettings(period_ns=PERIOD_NS, fade_ns=10 * PERIOD_NS)
    return Rig(leaky_policy(tmp_path), small_robot(tmp_path), settings)


def bring(rig: Rig, mode: Mode) -> None:
    """Lead a robot into a mode as its user would, with one tick there at least."""
    if mode is INACTIVE:
        rig.tick()
        return
    rig.activate()
    rig.tick()
    if mode in (HOLD, RUN, FADE):
        rig.tick_until(HOLD)
    if mode is RUN:
        rig.controller.request_run()
    elif mode is FADE:
        rig.controller.request_fade()
    elif mode is DAMP:
        rig.controller.request_stop('stopped before')
    elif mode is FAULT:
        rig.controller.request_fault('failed before')
    rig.tick()
    assert rig.controller.mode is mode


def start(rig: Rig) -> str:
    """~/start."""
    return rig.controller.request_run()


def stop(rig: Rig) -> str:
    """~/stop."""
    rig.controller.request_stop('stop requested')
    return ''


def guard(rig: Rig) -> str:
    """A guard's fault: a fall."""
    rig.tilt(1.5)
    return ''


def bridge(rig: Rig) -> str:
    """A fault of the shell."""
    rig.controller.request_fault('bridge disabled')
    return ''


def reset(rig: Rig) -> str:
    """~/reset."""
    return rig.controller.reset_fault()


def deactivate(rig: Rig) -> str:
    """The lifecycle's deactivate."""
    rig.controller.request_fade()
    return ''


REQUESTS = {
    request.__name__: request for request in (start, stop, guard, bridge, reset, deactivate)
}
REFUSED = {'start': {*Mode} - {HOLD}, 'reset': {*Mode} - {FAULT}}
"""Requests that are answered with a reason, and in which modes."""

TABLE = {
    # mode      start     stop      guard     bridge    reset     deactivate
    INACTIVE: (INACTIVE, INACTIVE, INACTIVE, INACTIVE, INACTIVE, INACTIVE),
    RAMP:     (RAMP,     DAMP,     FAULT,    FAULT,    RAMP,     FADE),
    HOLD:     (RUN,      DAMP,     FAULT,    FAULT,    HOLD,     FADE),
    RUN:      (RUN,      DAMP,     FAULT,    FAULT,    RUN,      FADE),
    FADE:     (FADE,     FADE,     FADE,     FADE,     FADE,     FADE),
    DAMP:     (DAMP,     DAMP,     FAULT,    FAULT,    DAMP,     FADE),
    FAULT:    (FAULT,    FAULT,    FAULT,    FAULT,    DAMP,     FADE),
}  # fmt: skip
"""The mode after the tick that obeys."""


def sent(before: Mode, request: str, after: Mode) -> Send:
    """What is sent in that tick: a position only where nothing is wrong and nothing was."""
    if after is INACTIVE:
        return Send.NOTHING
    if after is FADE:
        soft = before not in (DAMP, FAULT) and request not in ('stop', 'guard', 'bridge')
        return Send.POSITION if soft else Send.DAMPING
    return Send.DAMPING if after in (DAMP, FAULT) else Send.POSITION


@pytest.mark.parametrize('request_name', REQUESTS)
@pytest.mark.parametrize('mode', list(Mode))
def test_a_cell_of_the_table(rig: Rig, mode: Mode, request_name: str) -> None:
    """One tick after the request: the mode, what is sent, and whether it was refused."""
    bring(rig, mode)
    expected = TABLE[mode][list(REQUESTS).index(request_name)]
    refusal = REQUESTS[request_name](rig)
    assert bool(refusal) == (mode in REFUSED.get(request_name, ()))
    assert rig.tick() is expected
    assert rig.controller.send is sent(mode, request_name, expected)


@pytest.mark.parametrize('mode', [INACTIVE, RAMP, RUN, FADE, DAMP, FAULT])
def test_a_refused_start_is_not_kept_for_later(rig: Rig, mode: Mode) -> None:
    """A start that came too early must not let the robot loose in the next hold."""
    bring(rig, mode)
    assert str(mode) in start(rig)
    rig.controller.request_fade()
    rig.tick(20)
    rig.activate()
    rig.tick_until(HOLD)
    assert rig.tick(3) is HOLD


@pytest.mark.parametrize('mode', [DAMP, FAULT])
@pytest.mark.parametrize('again', [stop, bridge, guard])
def test_the_first_reason_of_a_fault_stays(
    rig: Rig, mode: Mode, again: Callable[[Rig], str]
) -> None:
    """In fault whatever comes later is a consequence; in damp the first fault is news."""
    bring(rig, mode)
    before = rig.controller.reason
    again(rig)
    rig.tick()
    kept = mode is FAULT or again is stop
    assert (rig.controller.reason == before) is kept


@pytest.mark.parametrize('mode', [RAMP, HOLD, RUN, FADE, DAMP, FAULT])
@pytest.mark.parametrize('hurt', [None, stop, guard, bridge])
def test_every_end_is_damping_frames_and_then_silence(
    rig: Rig, mode: Mode, hurt: Callable[[Rig], str] | None
) -> None:
    """A soft end may turn into a hard one on its way, never into none."""
    bring(rig, mode)
    rig.controller.request_fade()
    rig.tick()
    if hurt is not None:
        hurt(rig)
    sends = []
    for _ in range(20):
        mode_now = rig.tick()
        sends.append(rig.controller.send)
        if mode_now is INACTIVE:
            break
    assert sends[-DAMPING_FRAMES + 1 :] == [Send.DAMPING] * (DAMPING_FRAMES - 1)
    if hurt is not None:
        assert Send.POSITION not in sends
    assert rig.tick() is INACTIVE
    assert rig.controller.send is Send.NOTHING


def test_a_stop_wins_over_a_start_and_a_fault_over_a_stop(rig: Rig) -> None:
    """All in the same tick: the safest one counts."""
    bring(rig, HOLD)
    assert start(rig) == ''
    stop(rig)
    assert rig.tick() is DAMP
    stop(rig)
    bridge(rig)
    assert rig.tick() is FAULT
    assert rig.controller.reason == 'stop requested; then: bridge disabled'


def test_requests_of_a_session_that_has_ended_are_forgotten(rig: Rig) -> None:
    """The next one begins as if nothing had been asked."""
    stop(rig)
    bridge(rig)
    deactivate(rig)
    rig.activate()
    assert rig.tick() is RAMP


def test_a_robot_at_rest_near_its_pose_may_be_activated(rig: Rig) -> None:
    """The conditions below each break this one."""
    assert rig.controller.checks.refusal(rig.now, rig.now, 0.1) == ''


def lean(rig: Rig) -> None:
    """Not upright."""
    rig.tilt(1.2)


def age(rig: Rig) -> None:
    """Its sensors are dead."""
    rig.now += 1_000_000_000


def go_blind(rig: Rig) -> None:
    """Its sensors are broken."""
    rig.frame.position[0] = np.nan


def step_away(rig: Rig) -> None:
    """Too far from the start pose for the ramp."""
    rig.set_pose(-0.1)


def push(rig: Rig) -> None:
    """Somebody holds the stick."""
    rig.command(x=0.3)


def step_out(rig: Rig) -> None:
    """A joint rests beyond its limit: the first target would be the limit."""
    rig.frame.position[0] = 1.1


def burn(rig: Rig) -> None:
    """It is too hot."""
    rig.controller.inputs.health.set_temperature('joint_0', 100.0)


@pytest.mark.parametrize(
    ('prepare', 'expected'),
    [
        (lean, 'fell'),
        (age, 'stale'),
        (go_blind, 'not a finite number'),
        (step_away, 'joint_0 is 0.20 rad from the start pose'),
        (step_out, 'is 0.10 rad outside its limits'),
        (push, 'expected a neutral command'),
        (burn, 'deg C'),
    ],
)
def test_what_refuses_an_activation(
    rig: Rig, prepare: Callable[[Rig], None], expected: str
) -> None:
    """Before the motors are live, not after; and asking counts nothing."""
    prepare(rig)
    before = rig.controller.stats.state()
    assert expected in rig.controller.checks.refusal(rig.now, rig.now, 0.1)
    assert rig.controller.stats.state() == before


@pytest.mark.parametrize('pose', [0.1, 0.0])
def test_a_clock_behind_the_activation_waits(rig: Rig, pose: float) -> None:
    """A simulation may be reset between the two; there is no time before the ramp."""
    rig.set_pose(pose)
    rig.activate()
    rig.now -= 1_000_000_000
    rig.tick()
    np.testing.assert_allclose(rig.controller.target, pose)


def test_a_clock_behind_the_fade_is_damping(rig: Rig) -> None:
    """A fault like any other; the tick must not divide by what is left of the fade."""
    bring(rig, FADE)
    rig.now -= 1_000_000_000
    rig.tick()
    assert rig.controller.send is Send.DAMPING
