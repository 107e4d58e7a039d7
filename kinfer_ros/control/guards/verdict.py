"""The answer of a guard, and the tally of all answers.

Without this module every guard would report in its own way, and nobody could say afterwards which
one had been on the verge for how long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypedDict


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    LIMIT = 1
    """Something was brought within bounds; the robot goes on."""
    WARN = 2
    """Not acted upon, but a person should look."""
    FAULT = 3
    """The robot is damped, latched."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard says; `text` has what was found, what is accepted, and what to do."""

    level: Level
    guard: str = ''
    text: str = ''


OK = Verdict(Level.OK)


def fault(guard: str, text: str) -> Verdict:
    """Return a fault."""
    return Verdict(Level.FAULT, guard, text)


def warn(guard: str, text: str) -> Verdict:
    """Return a warning."""
    return Verdict(Level.WARN, guard, text)


GUARDS = {
    'stale': 'a sensor sample is too old',
    'future': 'a sensor sample is stamped later than now',
    'order': 'a sensor sample is older than the one before it',
    'frozen': "a sensor's numbers do not change any more",
    'sample': 'a sensor message cannot be used',
    'joints': 'joint_states gained or reordered joints',
    'finite': 'a sensor number is not finite',
    'tilt': 'the base is tilted too far',
    'position': 'a joint is measured far outside its limits',
    'speed': 'a joint moves too fast',
    'tracking': 'a joint does not follow its target',
    'temperature': 'a joint is too hot',
    'battery': 'the battery is nearly empty',
    'clock': 'a clock jumped',
    'missed': 'too many ticks are missed',
    'input': "a policy's input is not finite",
    'output': "a policy's output is not finite, explodes, or did not come",
    'command': 'the command was brought into its range',
    'acceleration': 'the command changes too fast',
    'slew': 'a target was slowed down',
    'torque': 'a target was brought within the torque limit',
    'limit': 'a target was brought within the joint limits',
    'slew_broken': 'a later limit moved a target further than the slew limit allows',
    'shell': 'a cause outside the control loop (bridge, lockstep, command source)',
}
"""Every guard by its name, and what it has found when it speaks; docs/modes.md has all of it."""


class GuardState(TypedDict):
    """What one guard has found since the controller was built, and what it says now."""

    limits: int
    warns: int
    faults: int
    now: str


class GuardStats:
    """
    Counts the verdicts of all guards by name.

    A warning is said when it begins, not in every tick; limits and faults are said always.

    :ivar said: what is new in this tick, in words.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self._counts = {name: [0, 0, 0, 0] for name in GUARDS}
        self._texts = dict.fromkeys(GUARDS, '')
        self._warned = dict.fromkeys(GUARDS, False)
        self._speaking: dict[str, bool] = {}

    def say(self, text: str) -> None:
        """Put a line of its own into this tick's record."""
        self.said.append(text)

    def note(self, verdict: Verdict) -> None:
        """Count a verdict that is not OK."""
        name, level = verdict.guard, verdict.level
        self._counts[name][level] += 1
        new = name not in self._speaking
        self._speaking[name] = True
        self._texts[name] = verdict.text
        self._warned[name] = level is Level.WARN
        if level is Level.LIMIT:
            self.said.append(f'{name} limit')
        elif level is Level.WARN and new:
            self.said.append(f'warning {name}: {verdict.text}')

    def take_events(self) -> Sequence[str]:
        """End the tick: :return: what is new in it, in a list of its own that a log may keep."""
        self.end_tick()
        if not self.said:
            return ()
        events, self.said = self.said, []
        return events

    def end_tick(self) -> None:
        """Forget what guards said that were silent in this tick."""
        if not self._speaking:
            return
        for name in [name for name, heard in self._speaking.items() if not heard]:
            del self._speaking[name]
            self._texts[name] = ''
        for name in self._speaking:
            self._speaking[name] = False

    def count(self, name: str, level: Level) -> int:
        """How often a guard gave a verdict of that level."""
        return self._counts[name][level]

    def warnings(self) -> list[str]:
        """What guards warn of now; limits and faults are told elsewhere."""
        return [f'{name}: {self._texts[name]}' for name in self._speaking if self._warned[name]]

    def state(self) -> dict[str, GuardState]:
        """Every guard's counts and what it says now, for diagnostics and the black box."""
        return {
            name: {
                'limits': counts[Level.LIMIT],
                'warns': counts[Level.WARN],
                'faults': counts[Level.FAULT],
                'now': self._texts[name] if name in self._speaking else '',
            }
            for name, counts in self._counts.items()
        }
