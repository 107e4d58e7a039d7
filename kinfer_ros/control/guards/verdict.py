"""Verdict: the result of a guard. GUARDS: all by name. GuardStats: counts of all verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypedDict


class Level(IntEnum):
    """Severity of a verdict."""

    OK = 0
    LIMIT = 1
    """A value was brought within its limits; the robot continues."""
    WARN = 2
    """No action, but a person should look."""
    FAULT = 3
    """The robot is damped, latched."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a guard; `text` says what was found, what is accepted, and what to do."""

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
    'stall': 'the node was not run for a while',
    'input': "a policy's input is not finite",
    'output': "a policy's output is not finite, explodes, or did not come",
    'command': 'the command was brought into its range',
    'acceleration': 'the command changes too fast',
    'slew': 'a target was slowed down',
    'torque': 'a target was brought within the torque limit',
    'limit': 'a target was brought within the joint limits',
    'slew_broken': 'a later limit moved a target further than the slew limit allows',
    'override': 'a message of a node that moves joints is refused',
    'recovery': 'a robot that fell does not get up',
    'shell': 'a cause outside the control loop (bridge, lockstep, command source)',
}
"""Every guard by name, with what its verdict means; details are in docs/modes.md."""


class GuardState(TypedDict):
    """Counts of one guard since the controller was built, and its text now."""

    limits: int
    warns: int
    faults: int
    now: str


class GuardStats:
    """
    Counts the verdicts of all guards by name.

    A warning is an event only in the tick in which it begins; a limit is one in every tick.

    :ivar events: events of this tick.
    """

    def __init__(self) -> None:
        self.events: list[str] = []
        self._counts = {name: [0, 0, 0, 0] for name in GUARDS}
        self._texts = dict.fromkeys(GUARDS, '')
        self._warned = dict.fromkeys(GUARDS, False)
        self._active: dict[str, bool] = {}

    def say(self, text: str) -> None:
        """Add an event to this tick."""
        self.events.append(text)

    def note(self, verdict: Verdict) -> None:
        """Count a verdict that is not OK."""
        name, level = verdict.guard, verdict.level
        self._counts[name][level] += 1
        new = name not in self._active
        self._active[name] = True
        self._texts[name] = verdict.text
        self._warned[name] = level is Level.WARN
        if level is Level.LIMIT:
            self.events.append(f'{name} limit')
        elif level is Level.WARN and new:
            self.events.append(f'warning {name}: {verdict.text}')

    def take_events(self) -> Sequence[str]:
        """End the tick; :return: its events, in a new list that a log may keep."""
        self.end_tick()
        if not self.events:
            return ()
        events, self.events = self.events, []
        return events

    def end_tick(self) -> None:
        """Clear the texts of guards that had no verdict in this tick."""
        if not self._active:
            return
        for name in [name for name, active in self._active.items() if not active]:
            del self._active[name]
            self._texts[name] = ''
        for name in self._active:
            self._active[name] = False

    def count(self, name: str, level: Level) -> int:
        """:return: number of verdicts of a guard at that level."""
        return self._counts[name][level]

    def warnings(self) -> list[str]:
        """:return: the warnings now; limits and faults are reported elsewhere."""
        return [f'{name}: {self._texts[name]}' for name in self._active if self._warned[name]]

    def state(self) -> dict[str, GuardState]:
        """:return: counts and text of every guard, for diagnostics and the black box."""
        return {
            name: {
                'limits': counts[Level.LIMIT],
                'warns': counts[Level.WARN],
                'faults': counts[Level.FAULT],
                'now': self._texts[name] if name in self._active else '',
            }
            for name, counts in self._counts.items()
        }
