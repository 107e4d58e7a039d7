"""Stop button and dead-man button of a joystick.

Without this module an operator who drops the joystick could only watch.
"""

from __future__ import annotations

from collections.abc import Sequence


class Joystick:
    """
    Turns the buttons of sensor_msgs/Joy into reasons to stop; a button of -1 is not there.

    Where there is one, joy messages have to go on coming as long as the robot is moved, and the
    dead-man button has to be held: a joystick that is gone stops nothing any more.
    """

    def __init__(self, stop_button: int, deadman_button: int, timeout_ns: int) -> None:
        """:param timeout_ns: age from which the last joy message counts as lost."""
        self._stop_button = stop_button
        self._deadman_button = deadman_button
        self._timeout_ns = timeout_ns
        self._stopped = False
        self._stop_held = False
        self._deadman_held = False
        self._heard_ns = -1
        self._buttons = 0

    def update(self, buttons: Sequence[int], now_ns: int) -> None:
        """Take one message; every message counts, a press may be shorter than a tick."""
        self._heard_ns = now_ns
        self._buttons = len(buttons)
        self._deadman_held = _pressed(buttons, self._deadman_button)
        held, self._stop_held = self._stop_held, _pressed(buttons, self._stop_button)
        self._stopped = self._stopped or (self._stop_held and not held)

    def stop_reason(self) -> str:
        """Say once that the stop button was pressed, in whatever mode."""
        stopped, self._stopped = self._stopped, False
        return self._stop_text() if stopped else ''

    def refusal(self, now_ns: int) -> str:
        """Say why no robot may be activated now, or '': a button held down is no new press."""
        return self._stop_text() if self._stop_held else self.deadman_reason(now_ns)

    def deadman_reason(self, now_ns: int) -> str:
        """Say why the robot must not be moved now, or ''."""
        wanted = max(self._stop_button, self._deadman_button)
        if wanted < 0:
            return ''
        if self._heard_ns < 0 or now_ns - self._heard_ns > self._timeout_ns:
            return f'no joy message for {self._timeout_ns / 1e9:g} s: is the joystick connected?'
        if self._buttons <= wanted:
            return f'joy has {self._buttons} buttons, expected one with the number {wanted}'
        if self._deadman_button < 0:
            return ''
        return '' if self._deadman_held else f'dead-man button {self._deadman_button} is not held'

    def _stop_text(self) -> str:
        return f'joystick button {self._stop_button} pressed'


def _pressed(buttons: Sequence[int], button: int) -> bool:
    return 0 <= button < len(buttons) and bool(buttons[button])
