"""Buttons of a joystick: stop, dead-man, and those that ask for a motion or a policy."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import Mode


class Joystick:
    """
    Turns the buttons of sensor_msgs/Joy into reasons to stop; button -1 is not used.

    With a button in use, the robot moves only while joy messages arrive and the dead-man button
    is held.
    """

    def __init__(self, stop_button: int, deadman_button: int, timeout_ns: int) -> None:
        """:param timeout_ns: age from which the last joy message counts as lost."""
        self._stop_button = stop_button
        self._deadman_button = deadman_button
        self._timeout_ns = timeout_ns
        self._stopped = False
        self._stop_held = False
        self._deadman_held = False
        self._last_ns = -1
        self._buttons = 0

    def update(self, buttons: Sequence[int], now_ns: int) -> None:
        """Take every message: a press may be shorter than a tick."""
        self._last_ns = now_ns
        self._buttons = len(buttons)
        self._deadman_held = _pressed(buttons, self._deadman_button)
        held, self._stop_held = self._stop_held, _pressed(buttons, self._stop_button)
        self._stopped = self._stopped or (self._stop_held and not held)

    def stop_reason(self) -> str:
        """Return once that the stop button was pressed, or ''."""
        stopped, self._stopped = self._stopped, False
        return self._stop_text() if stopped else ''

    def refusal(self, now_ns: int) -> str:
        """Return why the robot may not be activated now, or ''; a stop button held down counts."""
        return self._stop_text() if self._stop_held else self.deadman_reason(now_ns)

    def deadman_reason(self, now_ns: int) -> str:
        """Return why the robot must not be moved now, or ''."""
        highest = max(self._stop_button, self._deadman_button)
        if highest < 0:
            return ''
        if self._last_ns < 0 or now_ns - self._last_ns > self._timeout_ns:
            return f'no joy message for {self._timeout_ns / 1e9:g} s: is the joystick connected?'
        if self._buttons <= highest:
            return f'joy has {self._buttons} buttons, expected one with the number {highest}'
        if self._deadman_button < 0 or self._deadman_held:
            return ''
        return f'dead-man button {self._deadman_button} is not held'

    def _stop_text(self) -> str:
        return f'joystick button {self._stop_button} pressed'


class WordButtons:
    """Turns presses of buttons into words, such as `restart` of a motion."""

    def __init__(self, buttons: Mapping[str, int]) -> None:
        """:param buttons: by word; -1 is not used."""
        self._buttons = {word: button for word, button in buttons.items() if button >= 0}
        self._held = dict.fromkeys(self._buttons, False)

    def __bool__(self) -> bool:
        return bool(self._buttons)

    def pressed(self, buttons: Sequence[int]) -> list[str]:
        """Return the words of the buttons that went down with this message; take every message."""
        words = []
        for word, button in self._buttons.items():
            held, self._held[word] = self._held[word], _pressed(buttons, button)
            if self._held[word] and not held:
                words.append(word)
        return words


class RequestButtons:
    """Buttons that ask a controller for something: its motion's words, and policies of its set."""

    def __init__(self, motion: Mapping[str, int]) -> None:
        """:param motion: button of each of the words of a motion; -1 is not used."""
        self._motion = WordButtons(motion)
        self._policies = WordButtons({})

    def __bool__(self) -> bool:
        return bool(self._motion or self._policies)

    def use_policies(self, buttons: Mapping[str, int]) -> None:
        """Ask for these policies from now on. :param buttons: by name of the policy."""
        self._policies = WordButtons(buttons)

    def update(self, buttons: Sequence[int], controller: Controller | None) -> list[str]:
        """
        Take every message, and ask for what was pressed.

        :return: why something was refused; of an active controller it is an event as well.
        """
        motions, policies = self._motion.pressed(buttons), self._policies.pressed(buttons)
        if controller is None:
            return ['joystick: no policy runs'] if motions or policies else []
        asked = [controller.request_motion(word) for word in motions]
        asked += [controller.policies.request(name, controller.mode) for name in policies]
        refused = [f'joystick: {refusal}' for refusal in asked if refusal]
        if controller.mode is not Mode.INACTIVE:
            for text in refused:
                controller.stats.say(text)
        return refused


def double_use(policies: Mapping[str, int], parameters: Mapping[str, Any]) -> str:
    """
    Say which policy has a button that a parameter has, or ''.

    :param policies: the button of each policy that has one.
    :param parameters: those of the node, by name.
    """
    taken = {
        value: name
        for name, value in parameters.items()
        if name.startswith('joy_') and name.endswith('_button') and value >= 0
    }
    clashes = [
        f'policies.{name}.button: found {button}, which the parameter {taken[button]} has; '
        'expected a button of its own'
        for name, button in policies.items()
        if button in taken
    ]
    return '\n  '.join(clashes)


def _pressed(buttons: Sequence[int], button: int) -> bool:
    return 0 <= button < len(buttons) and bool(buttons[button])
