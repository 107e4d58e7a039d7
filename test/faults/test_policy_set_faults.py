"""A policy set over real DDS: every kind of transition, and what may go wrong within it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from fault_log import Step
from fault_sets import SWAY_S
from fault_sets import TRANSITIONS
from fault_sets import biped_set

ASKED, BEGINS = 'policy {} is asked for', 'policy {} begins to take over'
TAKEN = 'policy {} has taken over'
TRIES = 5
COMMAND = [0.2, 0.0, 0.0]


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    folder = tmp_path_factory.mktemp('set')
    with graph(folder, policies=biped_set(folder), default_command=COMMAND) as made:
        yield made


@pytest.fixture
def walking(running: Graph) -> Graph:
    """The set, in its first policy."""
    running.start()
    assert running.mode == 'run: policy walk'
    return running


def ask(made: Graph, name: str) -> None:
    """Ask for a policy, which must be granted."""
    assert made.set(policy=name) == ''


def go(made: Graph, name: str) -> None:
    """Ask for a policy, and wait until it runs."""
    ask(made, name)
    assert made.client.spin_until(lambda: made.mode == f'run: policy {name}', SOON), made.mode
    made.step_with(TAKEN.format(name))


def begin(made: Graph, kind: str) -> None:
    """Ask for a transition of a kind from where it can begin; it is not waited for."""
    if kind == 'blended':
        go(made, 'stand')
    ask(made, TRANSITIONS[kind])


def at(steps: list[Step], event: str) -> int:
    """Place of the first record with an event, given by its beginning."""
    return next(i for i, s in enumerate(steps) if any(e.startswith(event) for e in s['events']))


@pytest.mark.parametrize('kind', TRANSITIONS)
def test_a_stop_in_the_middle_of_a_transition(walking: Graph, kind: str) -> None:
    """It damps in its tick and latches; what was asked for is forgotten."""
    begin(walking, kind)
    assert walking.client.trigger('policy_node/stop').success
    assert walking.until('damp') == 'damp: stop requested'
    assert walking.client.spin_until(
        lambda: [step['mode'] for step in walking.steps()][-10:] == ['damp'] * 10, SOON
    )
    steps = walking.steps()
    stopped = at(steps, 'mode damp: stop requested')
    assert all(step['target'] is None for step in steps[stopped:])
    later = [event for step in steps[stopped:] for event in step['events']]
    assert not any('take' in event for event in later if not event.startswith('swap rolled back'))
    sent = [each for each in walking.relay.commands if each.session == walking.session]
    assert sent[-1].damping
    assert 'it needs mode run' in walking.set(policy='stand')


def test_a_stop_within_a_blend_rolls_it_back(walking: Graph) -> None:
    """Of both policies none goes on; the next session begins with the first policy."""
    for _ in range(TRIES):
        begin(walking, 'blended')
        # Said in the tick in which the blend begins.
        assert walking.client.spin_until(lambda: walking.mode == 'run: policy walk', SOON)
        walking.client.trigger('policy_node/stop')
        walking.step_with('mode damp')
        events = walking.events()
        again = TAKEN.format('walk') in events
        walking.start()
        if not again:
            break
    assert 'swap rolled back: the run ended in damp' in events
    assert walking.mode == 'run: policy walk'


@pytest.mark.parametrize(
    ('name', 'ticks'), [('nan', 0), ('soft_nan', 0), ('late_nan', 4)], ids=str
)
def test_nan_of_the_entered_policy(walking: Graph, name: str, ticks: int) -> None:
    """The old policy goes on in the same tick, with its gains; nothing is tried again."""
    ask(walking, name)
    step = walking.step_with('swap rolled back: the policy gave a non-finite')
    begun = walking.step_with(BEGINS.format(name))
    assert step['step_id'] - begun['step_id'] == ticks
    assert step['policy'] == 'walk'
    assert step['target'] is not None
    assert walking.client.spin_until(
        lambda: walking.steps()[-1]['step_id'] > step['step_id'] + 50, 5
    )
    steps = walking.steps()
    assert sum(BEGINS.format(name) in each['events'] for each in steps) == 1
    assert {each['policy'] for each in steps[at(steps, 'swap rolled') :]} == {'walk'}
    assert walking.mode == 'run: policy walk'
    assert walking.get('policy') == 'walk'
    frames = {each.version for each in walking.relay.commands if each.session == walking.session}
    # Gains of the first tick were never asked for; those of a blend were, and went back.
    assert frames == ({0} if not ticks else {0, 1, 2})
    go(walking, 'stand')


def test_nan_on_a_way_through_others(walking: Graph) -> None:
    """A policy that fails as the second of a chain leaves the robot with the first."""
    go(walking, 'stand')
    ask(walking, 'nan')
    walking.step_with('swap rolled back: the policy gave a non-finite')
    assert walking.mode == 'run: policy stand'


@pytest.mark.parametrize('name', ['walk', 'stand', 'low', 'sway'])
def test_a_fall_in_each_policy(walking: Graph, name: str) -> None:
    """A latched fault whose first cause is the tilt, whichever policy runs."""
    if name != 'walk':
        go(walking, name)
    walking.set(max_tilt=0.5)

    def lie(message: Any) -> Any:
        message.orientation.w, message.orientation.x = math.cos(0.5), math.sin(0.5)
        message.orientation.y = message.orientation.z = 0.0
        return message

    walking.relay.imu.tamper(lie)
    fault = walking.fault('tilt')
    assert fault.step['policy'] == name
    assert not any('take over' in event for step in fault.after for event in step['events'])
    walking.relay.mend()
    assert 'it needs mode run' in walking.set(policy='stand')
    assert walking.mode.startswith('fault')


def test_sensors_that_fall_silent_in_a_blend(walking: Graph) -> None:
    """Damped after stale_timeout; the policy that was leaving does not come back."""
    walking.set(stale_timeout=0.1)
    go(walking, 'stand')
    ask(walking, 'walk')
    walking.relay.joints.tamper(lambda message: None)
    fault = walking.fault('stale')
    assert not any(TAKEN.format('stand') in step['events'] for step in fault.after)


def test_a_motion_is_followed_by_its_policy_after_a_pause(walking: Graph) -> None:
    """The automatic transition waits for the end of the motion, not for its time."""
    go(walking, 'sway')
    assert walking.client.trigger('policy_node/motion/pause').success
    assert not walking.client.spin_until(lambda: 'low' in walking.mode, 2 * SWAY_S)
    assert walking.client.trigger('policy_node/motion/start').success
    assert walking.client.spin_until(lambda: walking.mode == 'run: policy low', SOON)
