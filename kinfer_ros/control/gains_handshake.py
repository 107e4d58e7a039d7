"""The gains asked of the bridge, and those that it says it has in force.

The bridge echoes the gains that it took. A mismatch keeps a robot from being activated, and is a
fault while it is active.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.gain_ramp import GainRamp
from kinfer_ros.control.gains import Gains

PERIOD_NS = 100_000_000
"""Between two messages while the gains are on their way to other factors."""

ECHO_TIMEOUT = 1.0
"""s, real time, for the bridge to echo gains that were sent."""


@dataclass(frozen=True)
class GainsEcho:
    """What the bridge has in force: [M] by name, kp Nm/rad, kd Nm s/rad, torque limit Nm."""

    names: Sequence[str]
    kp: Sequence[float]
    kd: Sequence[float]
    torque_limit: Sequence[float]


class GainsHandshake:
    """
    Says what to send, when, and whether it has been taken.

    :ivar in_force: newest echo of the bridge, or None.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """:param clock: s, steady."""
        self.in_force: GainsEcho | None = None
        self._clock = clock
        self._names: Sequence[str] = ()
        self._gains = Gains(np.empty(0), np.empty(0), np.empty(0))
        self._ramp = GainRamp(1.0, 1.0, 1.0)
        self._sent_factors = (1.0, 1.0)
        self._sent_ns = 0
        self._sent_s = 0.0
        self._checked: GainsEcho | None = None

    def set_target(self, names: Sequence[str], gains: Gains, ramp: GainRamp) -> None:
        """Take the gains that a policy asks for; `ramp` has their factors, and moves."""
        self._names, self._gains, self._ramp = names, gains, ramp

    def begin_session(self) -> None:
        """Start of a session, whose gains were sent before."""
        self._note_sent(0)

    def wanted(self) -> Gains:
        """The gains asked for in this moment."""
        kp, kd = self._factors()
        return Gains(self._gains.kp * kp, self._gains.kd * kd, self._gains.torque_limit)

    def is_due(self, now_ns: int) -> bool:
        """Whether the gains have moved since they were sent, and it is time to send them again."""
        moved = self._factors() != self._sent_factors
        return moved and now_ns - self._sent_ns >= PERIOD_NS

    def send(self, now_ns: int) -> tuple[Sequence[str], Gains]:
        """Note that gains are sent now; :return: the names of the joints, and their gains."""
        self._note_sent(now_ns)
        return self._names, self.wanted()

    def mismatch(self) -> str:
        """Say which joints have other gains in force than asked for, or ''."""
        found = self.in_force
        if found is None:
            return 'joint_gains_in_force is silent: the bridge has not echoed the gains'
        joints = self._differing(found)
        return f'the gains in force are not those asked for: {joints}' if joints else ''

    def fault(self, *, anew: bool = False) -> str:
        """
        Say that the bridge has other gains in force, or '', once there was time for an echo.

        :param anew: also of an echo that has been looked at already.
        """
        found = self.in_force
        settled = self._clock() - self._sent_s > ECHO_TIMEOUT
        if found is None or not settled or (found is self._checked and not anew):
            return ''
        self._checked = found
        return self.mismatch()

    def _note_sent(self, now_ns: int) -> None:
        self._sent_factors = self._factors()
        self._sent_ns, self._sent_s = now_ns, self._clock()
        self._checked = None

    def _factors(self) -> tuple[float, float]:
        return self._ramp.kp_factor, self._ramp.kd_factor

    def _differing(self, found: GainsEcho) -> list[str]:
        columns: tuple[Sequence[float], ...] = (found.kp, found.kd, found.torque_limit)
        if any(len(column) != len(found.names) for column in columns):
            return list(self._names)  # an echo that leaves something out confirms nothing
        in_force = dict(zip(found.names, zip(*columns, strict=True), strict=True))
        wanted = self.wanted()
        return [
            name
            for name, *values in zip(
                self._names, wanted.kp, wanted.kd, wanted.torque_limit, strict=True
            )
            if name not in in_force or not _close(values, in_force[name])
        ]


def _close(values: Sequence[float] | Float64, found: Sequence[float]) -> bool:
    return bool(np.allclose(values, found, rtol=1e-4, atol=1e-6))
