"""A joystick's buttons: a stop that is not missed, and a dead man who is."""

from __future__ import annotations

import pytest

from kinfer_ros.control.joystick import Joystick

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
