"""Keeps a simulation at the speed of a clock, on an absolute schedule.

Steps counted from the last wake-up would add up every lateness into a robot that lives slower than
its clock. Steps counted from an anchor do not; and after a long stop the time is dropped and
counted, because a burst of steps would show the policy a leap.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinfer_ros.errors import ConfigError

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Timing:
    """How simulated time goes."""

    period_ns: int
    """Control period: simulated time starts at one of them, and lockstep stops at every one."""
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
                f'of {timestep_ns / SECOND:g} s'
            )
        return steps


class Pacer:
    """
    Says how many steps are due; times are ns of one steady clock.

    :param step_ns: length of a physics step.
    :param patience_ns: how far to fall behind before the lost time is dropped.
    """

    def __init__(self, step_ns: int, patience_ns: int) -> None:
        self._step_ns = step_ns
        self._patience_ns = patience_ns
        self._anchor_ns: int | None = None
        self.dropped_ns = 0
        """Time that was never simulated, in all."""

    def start(self, first_ns: int | None = None) -> None:
        """
        Begin anew: one step is due at `first_ns`.

        :param first_ns: when the timer will fire, so that steps and wake-ups are in phase; None
            takes the next wake-up, which may be a late one, and then samples stay as old.
        """
        self._anchor_ns = None if first_ns is None else first_ns - self._step_ns

    def due(self, now_ns: int) -> int:
        """
        Return the number of steps to make now, and count them as made.

        A wake-up a quarter of a step early makes its step: a timer whose period is a step would
        else bring none and two by turns, and every sample would be a step old at birth.
        """
        if self._anchor_ns is None:
            self._anchor_ns = now_ns
            return 1
        steps = (now_ns - self._anchor_ns + self._step_ns // 4) // self._step_ns
        if steps <= 0:
            return 0
        behind_ns = steps * self._step_ns
        self._anchor_ns += behind_ns
        if behind_ns <= self._patience_ns:
            return steps
        self.dropped_ns += behind_ns - self._step_ns
        return 1

    def lag_ns(self, now_ns: int) -> int:
        """Return how long ago the present state was due: less than a step, right after `due`."""
        return 0 if self._anchor_ns is None else max(0, now_ns - self._anchor_ns)
