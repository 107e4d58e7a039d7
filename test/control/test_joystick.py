"""A joystick's buttons: a stop that is not missed, and a dead man who is."""

from __future__ import annotations

import pytest

from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.joystick import Joystick
from kinfer_ros.control.joystick import RequestButtons
from kinfer_ros.control.joystick import double_use
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set

S = 1_000_000_000


def test_without_buttons_nothing_is_asked_of_a_joystick() -> None:
    """Most robots are run without one."""
    joystick = Joystick(-1, -1, S)
    assert joystick.stop_reason() == joystick.deadman_reason(100 * S) == ''
    joystick.update([1, 1, 1], 0)
    assert joystick.stop_reason() == ''


def test_a_press_shorter_than_a_tick_stops_once() -> None:
    """Every message counts, the newest does not hide the press; nor is it said twice."""
    joystick = Joystick(2, -1, S)
    for buttons in ([0, 0, 1], [0, 0, 0]):
        joystick.update(buttons, 0)
    assert joystick.stop_reason() == 'joystick button 2 pressed'
    assert joystick.stop_reason() == ''


def test_a_held_stop_button_is_one_press_and_keeps_the_robot_still() -> None:
    """After a reset it is no new stop, and no activation either, until it is let go."""
    joystick = Joystick(0, -1, S)
    joystick.update([1], 0)
    assert joystick.stop_reason()
    joystick.update([1], 1)
    assert joystick.stop_reason() == ''
    assert 'pressed' in joystick.refusal(1)
    joystick.update([0], 2)
    assert joystick.refusal(2) == ''
    joystick.update([1], 3)
    assert joystick.stop_reason()


def test_the_dead_man_button_has_to_be_held() -> None:
    """Nobody there, not pressed, held, let go."""
    joystick = Joystick(-1, 1, S)
    assert 'no joy message' in joystick.deadman_reason(0)
    joystick.update([1, 0], 0)
    assert joystick.deadman_reason(0) == 'dead-man button 1 is not held'
    joystick.update([0, 1], 0)
    assert joystick.deadman_reason(0) == ''
    joystick.update([0, 0], 0)
    assert joystick.deadman_reason(0)


def test_a_dead_man_whose_joystick_is_gone_is_not_held() -> None:
    """A radio out of reach says nothing; its last word was `held`."""
    joystick = Joystick(-1, 0, S)
    joystick.update([1], 5 * S)
    assert joystick.deadman_reason(6 * S) == ''
    assert 'no joy message for 1 s' in joystick.deadman_reason(6 * S + 1)
    joystick.update([1], 7 * S)
    assert joystick.deadman_reason(7 * S) == ''


@pytest.mark.parametrize('buttons', [[], [1]])
def test_a_joystick_with_fewer_buttons_is_one_whose_button_is_not_pressed(
    buttons: list[int],
) -> None:
    """Another model was plugged in: it can never stop anything, so nothing is moved."""
    joystick = Joystick(5, 4, S)
    joystick.update(buttons, 0)
    assert joystick.stop_reason() == ''
    assert f'joy has {len(buttons)} buttons' in joystick.deadman_reason(0)


def test_a_stop_button_needs_a_joystick() -> None:
    """One that is unplugged stops nothing any more."""
    joystick = Joystick(2, -1, S)
    assert 'no joy message' in joystick.refusal(0)
    joystick.update([0, 0, 0], 0)
    assert joystick.refusal(0) == ''
    assert 'no joy message' in joystick.deadman_reason(S + 1)


SET = """enter: low
policies:
  low: {model: level_0.1.kinfer, button: 4}
  high: {model: level_0.5.kinfer, button: 5}
transitions:
  - {from: low, to: high, conditions: {max_tilt: 0.2}}
"""
LOW, HIGH, NONE = [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0] * 6


@pytest.fixture
def rig(tmp_path) -> Rig:
    """A robot in mode run with a set, and its buttons."""
    for level in (0.1, 0.5):
        level_policy(tmp_path, level)
    path = tmp_path / 'set.yaml'
    path.write_text(SET)
    loaded, robot = load_set(path), small_robot(tmp_path)
    live = LiveSettings(frozen_timeout=0.0)
    made = Rig(loaded.entry, robot, tunables=live)
    made.controller = assemble_set(loaded, robot, SessionSettings(20_000_000), live)
    made.frame = made.controller.inputs.frame
    made.set_pose(0.0)
    made.buttons = RequestButtons({'start': 0})
    made.buttons.use_policies(loaded.policy_set.buttons)
    made.sense()
    made.run()
    return made


def test_a_button_asks_for_its_policy_once(rig):
    """Held for many messages it is one press: nobody wants the policy to begin anew."""
    assert bool(rig.buttons)
    assert rig.buttons.update(HIGH, rig.controller) == []
    rig.tick()
    assert rig.controller.policies.running == 'high'
    assert 'policy high is asked for' in rig.outcome.events
    assert rig.buttons.update(HIGH, rig.controller) == []
    rig.tick()
    assert list(rig.outcome.events) == []


def test_a_press_that_cannot_be_is_said_and_changes_nothing(rig):
    """A condition, and a policy to which no transition leads: log, event, no more."""
    rig.tilt(0.3)
    rig.tick()
    said = rig.buttons.update(HIGH, rig.controller)
    assert said == [
        'joystick: low to high: the base is tilted by 0.30 rad, expected at most 0.2 (max_tilt)'
    ]
    rig.tick()
    assert list(rig.outcome.events) == said
    assert (rig.controller.policies.running, rig.controller.policies.goal) == ('low', '')
    rig.tilt(0.0)
    rig.buttons.update(NONE, rig.controller)
    rig.buttons.update(HIGH, rig.controller)
    rig.tick()
    said = rig.buttons.update(LOW, rig.controller)
    assert said == ['joystick: no transition leads from high to low; there are ways to none']
    rig.tick()
    assert rig.controller.policies.running == 'high'


@pytest.mark.parametrize('mode', [Mode.DAMP, Mode.INACTIVE])
def test_in_another_mode_a_press_is_refused(rig, mode):
    """A press while the robot lies must not start a dance later."""
    rig.controller.request_stop('enough')
    rig.tick()
    if mode is Mode.INACTIVE:
        rig.controller.request_fade()
        rig.tick_until(mode)
    said = rig.buttons.update(HIGH, rig.controller)
    assert said == [f'joystick: policy high is refused in mode {mode}: it needs mode run']
    rig.tick()
    assert list(rig.outcome.events) == (said if mode is Mode.DAMP else [])
    if mode is Mode.DAMP:
        rig.controller.request_fade()
        rig.tick_until(Mode.INACTIVE)
    rig.run()
    rig.tick(3)
    assert rig.controller.policies.running == 'low'


def test_without_a_loaded_policy_a_press_is_refused(rig):
    """Before configure."""
    assert rig.buttons.update(HIGH, None) == ['joystick: no policy runs']
    assert RequestButtons({'start': -1}).update(HIGH, None) == []
    assert not RequestButtons({'start': -1})


def test_a_dead_man_that_is_let_go_in_the_same_message_wins(rig):
    """The stop comes after the request, in one poll: the robot is damped, the request gone."""
    joystick = Joystick(-1, 0, S)
    joystick.update(HIGH, rig.now)
    assert rig.buttons.update(HIGH, rig.controller) == []
    rig.controller.request_stop(joystick.deadman_reason(rig.now))
    assert rig.tick() is Mode.DAMP
    assert (rig.controller.policies.running, rig.controller.policies.goal) == ('low', '')


def test_a_button_means_one_thing():
    """A button that stops and starts a dance would do the second when the first is meant."""
    parameters = {'joy_stop_button': 5, 'joy_deadman_button': -1, 'joy_timeout': 4.0}
    assert double_use({'low': 4}, parameters) == ''
    assert double_use({'low': 4, 'high': 5}, parameters) == (
        'policies.high.button: found 5, which the parameter joy_stop_button has; expected a '
        'button of its own'
    )
