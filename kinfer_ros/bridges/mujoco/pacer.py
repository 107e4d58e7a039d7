"""Keeps a simulation at the speed of a clock, on an absolute schedule.

Steps are counted from an anchor, so that late wake-ups do not add up. After a long stop the lost
time is dropped and counted: a burst of steps would look like a jump to the policy.
"""

from dataclasses import dataclass

from kinfer_ros.bridges import SECOND
from kinfer_ros.errors import ConfigError

MAX_STEPS = 10_000
"""Physics steps in a control period up to which a rate is proposed."""


@dataclass(frozen=True)
class Timing:
    """Periods and time-outs of a simulation."""

    period_ns: int
    """Control period: simulated time starts at one period; lockstep stops at each of them."""
    tick_ns: int
    """Time between two wake-ups in real time."""
    command_timeout_ns: int
    lockstep: bool = False

    def substeps(self, timestep_ns: int) -> int:
        """
        Return the number of physics steps in a control period.

        :raises ConfigError: it is not a whole number.
        """
        steps, rest = divmod(self.period_ns, timestep_ns)
        if rest or steps < 1:
            raise ConfigError(
                f'control period of {self.period_ns / SECOND:g} s (control_rate '
                f'{SECOND / self.period_ns:g} Hz), expected a whole number of physics steps '
                f'of {timestep_ns / SECOND:g} s{self._remedy(timestep_ns)}'
            )
        return steps

    def _remedy(self, timestep_ns: int) -> str:
        """Name the nearest physics rate, in whole Hz, that fits."""
        wanted = self.period_ns / timestep_ns
        fitting = [
            steps
            for steps in range(max(1, int(wanted / 2)), min(int(wanted * 2) + 2, MAX_STEPS))
            if self.period_ns % steps == 0 and steps * SECOND % self.period_ns == 0
        ]
        if not fitting:
            return ''
        steps = min(fitting, key=lambda each: abs(each - wanted))
        return f'; physics_rate:={steps * SECOND // self.period_ns} would fit'


class Pacer:
    """
    Tells how many steps are due; times are ns of one steady clock.

    :param step_ns: length of a physics step.
    :param max_behind_ns: delay after which the lost time is dropped.
    """

    def __init__(self, step_ns: int, max_behind_ns: int) -> None:
        self._step_ns = step_ns
        self._max_behind_ns = max_behind_ns
        self._anchor_ns: int | None = None
        self.dropped_ns = 0
        """Total time that was not simulated."""

    def start(self, first_ns: int | None = None) -> None:
        """
        Start the schedule again: one step is due at `first_ns`.

        :param first_ns: when the timer will fire, so that steps and wake-ups are in phase; None
            takes the next wake-up, even if it is late: samples are then older by that much.
        """
        self._anchor_ns = None if first_ns is None else first_ns - self._step_ns

    def due(self, now_ns: int) -> int:
        """
        Return the number of steps to make now, and count them as made.

        A wake-up up to a quarter of a step early makes its step: a timer with the period of a
        step would otherwise make none and two in turn, and samples would be up to a step old.
        """
        if self._anchor_ns is None:
            self._anchor_ns = now_ns
            return 1
        steps = (now_ns - self._anchor_ns + self._step_ns // 4) // self._step_ns
        if steps <= 0:
            return 0
        behind_ns = steps * self._step_ns
        self._anchor_ns += behind_ns
        if behind_ns <= self._max_behind_ns:
            return steps
        self.dropped_ns += behind_ns - self._step_ns
        return 1

    def lag_ns(self, now_ns: int) -> int:
        """Return how long ago the present state was due: less than a step, right after `due`."""
        return 0 if self._anchor_ns is None else max(0, now_ns - self._anchor_ns)
