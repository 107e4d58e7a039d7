"""The operator leads a motion by words; its end is said, and may stop the robot."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies.motions import JOINTS
from helpers.policies.motions import spec_of
from helpers.policies.motions import write_csv
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.modes import Mode


@pytest.fixture
def rig(tmp_path):
    def make(**changes) -> Rig:
        write_csv(tmp_path / 'motion.csv')
        model = flat_models.linear(13)[0]
        policy = flat_models.load(tmp_path, model, spec_of(**changes))
        made = Rig(policy, small_robot(tmp_path, tuple(JOINTS), home=0.0))
        made.run()
        return made

    return make


def ticks_of(rig: Rig) -> int:
    """Ticks of the motion that the policy has seen."""
    return int(rig.policy.carry[-3])


def events_of(rig: Rig, ticks: int) -> list[str]:
    """What is said in some ticks."""
    said: list[str] = []
    for _ in range(ticks):
        rig.tick()
        said += rig.outcome.events
    return said


def test_it_plays_from_the_first_tick(rig):
    """Where the spec does not ask to wait."""
    made = rig()
    made.tick(4)
    assert ticks_of(made) == 5


def test_it_waits_until_it_is_started(rig):
    """The policy balances on the first frame meanwhile."""
    made = rig(wait=True)
    made.tick(5)
    assert ticks_of(made) == 0
    assert made.controller.request_motion('start') == ''
    made.tick()
    assert 'motion start' in made.outcome.events
    made.tick(2)
    assert ticks_of(made) == 3


def test_pause_start_and_restart(rig):
    """Each takes effect in the next tick, and is an event."""
    made = rig()
    made.tick(4)
    made.controller.request_motion('pause')
    made.tick(3)
    assert ticks_of(made) == 5
    made.controller.request_motion('start')
    made.tick(2)
    assert ticks_of(made) == 7
    made.controller.request_motion('restart')
    made.tick()
    assert ticks_of(made) == 1, 'the first frame was seen in this tick'
    made.tick(2)
    assert ticks_of(made) == 3


def test_a_run_begins_at_the_start(rig):
    """A pause of the last run is forgotten."""
    made = rig()
    made.controller.request_motion('pause')
    made.tick(3)
    made.controller.request_stop('test')
    made.tick_until(Mode.DAMP)
    made.controller.request_fade()
    made.tick_until(Mode.INACTIVE)
    made.run()
    made.tick(4)
    assert ticks_of(made) == 5


def test_who_has_no_motion_or_does_not_run_is_told(rig, tmp_path):
    """Nothing happens silently."""
    made = rig()
    made.controller.request_stop('test')
    made.tick()
    assert 'refused in mode damp' in made.controller.request_motion('start')
    other = Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path))
    other.run()
    assert 'has no motion' in other.controller.request_motion('start')


@pytest.mark.parametrize(('end', 'mode'), [('hold', Mode.RUN), ('stop', Mode.DAMP)])
def test_its_end_is_said_once(rig, end, mode):
    """It holds the last frame, or stops softly."""
    made = rig(duration=0.1, end=end)
    events: list[str] = []
    for _ in range(12):
        made.tick()
        events += made.outcome.events
    assert events.count('the motion has ended') == 1
    assert made.controller.mode is mode
    if mode is Mode.DAMP:
        assert made.controller.reason == 'the motion has ended'


def test_a_motion_of_a_robot_that_turns_is_aligned_in_the_first_tick(rig, tmp_path):
    """Not while the robot is brought to its start pose."""
    made = rig(wait=True)
    half = 0.5
    made.frame.quaternion[:] = (np.cos(half), 0.0, 0.0, np.sin(half))
    made.controller.request_motion('restart')
    made.tick()
    assert made.policy._session.flat[6:12] == pytest.approx([1, 0, 0, 1, 0, 0], abs=1e-6)


@pytest.mark.parametrize('end', ['hold', 'loop'])
def test_stop_ends_it_where_it_is(rig, end):
    """No jump to the last frame: the present one is held, and the motion has ended."""
    made = rig(end=end)
    made.tick(4)
    before = made.policy._session.flat[:6].copy()
    assert made.controller.request_motion('stop') == ''
    said = events_of(made, 5)
    assert said.count('motion stop') == said.count('the motion has ended') == 1
    assert made.policy.motion_ended()
    assert ticks_of(made) == -1 - 5, 'the frame of the tick that stopped it'
    held = made.policy._session.flat[:6].copy()
    made.tick(3)
    assert made.policy._session.flat[:6].tobytes() == held.tobytes()
    assert np.abs(held - before).max() < 0.2
    assert 'it has ended; restart begins it again' in made.controller.request_motion('start')
    assert made.controller.request_motion('restart') == ''
    made.tick(3)
    assert ticks_of(made) == 3
    assert not made.policy.motion_ended()


def test_stop_stops_the_robot_where_the_end_does(rig):
    """It ends as it would have."""
    made = rig(end='stop')
    made.tick(4)
    made.controller.request_motion('stop')
    assert events_of(made, 3).count('the motion has ended') == 1
    assert made.controller.mode is Mode.DAMP
    assert made.controller.reason == 'the motion has ended'


def test_stop_of_a_motion_that_waits(rig):
    """It never begins, until it is restarted."""
    made = rig(wait=True)
    made.tick(2)
    made.controller.request_motion('stop')
    made.tick(2)
    assert made.policy.motion_ended()
    made.controller.request_motion('restart')
    made.tick(2)
    assert ticks_of(made) == 2


def test_a_stopped_motion_is_in_the_carry(rig):
    """A replay that begins after the stop shows the frame that was held."""
    made = rig()
    made.tick(4)
    made.controller.request_motion('stop')
    made.tick(2)
    policy = made.policy
    inputs = {name: array.copy() for name, array in policy.inputs.items()}
    carry, held = policy.carry.copy(), policy._session.flat.copy()
    policy.reset()
    policy.set_carry(carry)
    policy.step(inputs)
    assert policy._session.flat[:6].tobytes() == held[:6].tobytes()
    assert policy.motion_ended()
