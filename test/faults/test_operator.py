"""The operator's stops, in every mode, over the services and a joystick; and what undoes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fault_graph import SOON
from fault_graph import Graph
from fault_graph import graph
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from helpers.client import DEACTIVATE

STIFF = ('ramp', 'hold', 'run')
HELD = [0, 1]
"""The stop button (0) is not pressed, the dead-man button (1) is."""


@pytest.fixture(scope='module')
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    joystick = {'joy_stop_button': 0, 'joy_deadman_button': 1, 'joy_timeout': 1.0}
    with graph(
        tmp_path_factory.mktemp('operator'),
        auto_run=False,
        ramp_speed=0.2,
        fade_time=5.0,
        **joystick,
    ) as made:
        yield made


def bent(message: Any) -> Any:
    """The left knee is not at the start pose: a ramp takes seconds."""
    message.position[message.name.index('left_knee')] += 0.3
    return message


def bring(made: Graph, mode: str) -> None:
    """Bring the robot into a mode, from whatever a case before has left."""
    made.relay.buttons = HELD
    made.relay.mend()
    if made.mode.startswith(STIFF):
        made.client.trigger('policy_node/stop')
        made.until('damp')
    if mode == 'ramp':
        made.rest()
        made.relay.joints.tamper(bent)
        assert made.client.spin_until(lambda: bool(made.relay.joints.first), SOON)
        made.client.trigger('policy_node/reset')
        made.begin_case()
        made.activate()
        made.until('ramp')
        return
    made.start('hold')
    if mode == 'run':
        assert made.client.trigger('policy_node/start').success
        made.until('run')
    if mode == 'damp':
        assert made.client.trigger('policy_node/stop').success
        made.until('damp')
    if mode == 'fault':
        made.relay.joints.tamper(lambda message: None)
        made.set(stale_timeout=0.3)
        made.until('fault')
        made.relay.mend()
    if mode == 'inactive':
        assert made.client.trigger('policy_node/stop').success
        made.until('damp')
        made.rest()
        made.client.trigger('policy_node/reset')


@pytest.mark.parametrize('mode', ['inactive', 'ramp', 'hold', 'run', 'damp', 'fault'])
def test_stop_in_every_mode(idle: Graph, mode: str) -> None:
    """Obeyed by the tick that answers; latched: no activation before ~/reset."""
    bring(idle, mode)
    before = idle.mode
    assert idle.client.trigger('policy_node/stop').success
    answered = time.time_ns()
    if mode in STIFF:
        assert idle.until('damp') == 'damp: stop requested'
        idle.step_with('mode damp: stop requested')
        late = [s for s in idle.steps() if s['target'] is not None and s['t_us'] > answered / 1e3]
        assert not late, 'a target was sent after the stop was answered'
    else:
        assert not idle.client.spin_until(lambda: idle.mode != before, 0.3)
    assert not idle.client.trigger('policy_node/start').success
    idle.rest()
    assert 'stopped (' in idle.refused_activation()
    assert idle.client.trigger('policy_node/reset').success
    idle.activate()
    idle.until('hold')


def test_stop_in_a_fade(idle: Graph) -> None:
    """The soft end takes 5 s here; a stop makes it a hard one, inside the transition."""
    bring(idle, 'hold')
    client = idle.client.node.create_client(ChangeState, 'policy_node/change_state')
    assert idle.client.spin_until(client.service_is_ready, SOON)
    future = client.call_async(ChangeState.Request(transition=Transition(id=DEACTIVATE)))
    idle.until('fade')
    assert idle.client.trigger('policy_node/stop').success
    answered = time.time_ns()
    assert idle.client.spin_until(future.done, 4.5), 'the fade went on'
    assert future.result().success
    idle.until('inactive')
    steps = [s for s in idle.steps() if s['t_us'] > answered / 1e3]
    assert all(step['target'] is None for step in steps)
    assert 'stopped (stop requested)' in idle.refused_activation()


@pytest.mark.parametrize('mode', ['inactive', 'ramp', 'hold', 'run'])
def test_reset_where_there_is_nothing_to_reset(idle: Graph, mode: str) -> None:
    """It is refused, and changes nothing."""
    bring(idle, mode)
    before = idle.mode
    answer = idle.client.trigger('policy_node/reset')
    assert not answer.success
    assert answer.message == f'nothing to reset in mode {mode}'
    assert idle.mode == before


@pytest.mark.parametrize('mode', ['damp', 'fault'])
def test_reset_does_not_bring_a_robot_back_to_life(idle: Graph, mode: str) -> None:
    """After it the robot is damped as before: only a new activation moves it."""
    bring(idle, mode)
    assert idle.client.spin_until(lambda: idle.client.trigger('policy_node/reset').success, SOON)
    idle.until('damp')
    start = idle.client.trigger('policy_node/start')
    assert not start.success
    assert 'damp' in start.message
    assert not idle.client.spin_until(lambda: not idle.mode.startswith('damp'), 0.3)


@pytest.mark.parametrize(
    ('buttons', 'reason'),
    [
        ([1, 1], 'joystick button 0 pressed'),
        ([0, 0], 'dead-man button 1 is not held'),
        (None, 'no joy message for 1 s: is the joystick connected?'),
    ],
    ids=['stop-button', 'dead-man-released', 'joystick-lost'],
)
def test_the_joystick(idle: Graph, buttons: list[int] | None, reason: str) -> None:
    """Each is a stop; and as long as it is so, a reset does not lead to an activation."""
    bring(idle, 'run')
    idle.relay.buttons = buttons
    assert idle.until('damp') == f'damp: {reason}'
    idle.step_with(f'mode damp: {reason}')
    assert idle.steps()[-1]['target'] is None
    idle.rest()
    assert f'stopped ({reason})' in idle.refused_activation()
    assert idle.client.trigger('policy_node/reset').success
    assert reason in idle.refused_activation()
    bring(idle, 'hold')
