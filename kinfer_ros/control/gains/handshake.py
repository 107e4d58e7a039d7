"""The gains requested from the bridge, and the gains that it reports in force.

A mismatch prevents an activation, and is a fault while the robot is active.
"""

import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp

PERIOD_NS = 100_000_000
"""Between two messages while the gain ramp moves."""

ECHO_TIMEOUT = 1.0
"""s of real time that the bridge may take to echo gains."""


@dataclass(frozen=True)
class GainsEcho:
    """What the bridge has in force: [M] by name, kp Nm/rad, kd Nm s/rad, torque limit Nm."""

    names: Sequence[str]
    kp: Sequence[float]
    kd: Sequence[float]
    torque_limit: Sequence[float]


class GainsHandshake:
    """
    Decides which gains to send and when, and checks the echo.

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
        """Set the gains of a policy; `ramp` has their factors in each tick."""
        self._names, self._gains, self._ramp = names, gains, ramp

    def begin_session(self) -> None:
        """Start a session, whose gains have been sent."""
        self._note_sent(0)

    def requested(self) -> Gains:
        """Return the gains requested now."""
        kp, kd = self._factors()
        return Gains(self._gains.kp * kp, self._gains.kd * kd, self._gains.torque_limit)

    def is_due(self, now_ns: int) -> bool:
        """Whether the gains have changed since they were sent, at least PERIOD_NS ago."""
        moved = self._factors() != self._sent_factors
        return moved and now_ns - self._sent_ns >= PERIOD_NS

    def send(self, now_ns: int) -> tuple[Sequence[str], Gains]:
        """Note that gains are sent now; :return: joint names and gains."""
        self._note_sent(now_ns)
        return self._names, self.requested()

    def mismatch(self) -> str:
        """Return which joints have other gains in force than requested, or ''."""
        found = self.in_force
        if found is None:
            return 'joint_gains_in_force is silent: the bridge has not echoed the gains'
        joints = self._differing(found)
        return f'the gains in force are not those asked for: {joints}' if joints else ''

    def fault(self, *, recheck: bool = False) -> str:
        """
        Return `mismatch`, or '' before the bridge had time for an echo.

        :param recheck: check an echo again that was checked before.
        """
        found = self.in_force
        settled = self._clock() - self._sent_s > ECHO_TIMEOUT
        if found is None or not settled or (found is self._checked and not recheck):
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
            return list(self._names)  # an incomplete echo confirms nothing
        in_force = dict(zip(found.names, zip(*columns, strict=True), strict=True))
        requested = self.requested()
        return [
            name
            for name, *values in zip(
                self._names, requested.kp, requested.kd, requested.torque_limit, strict=True
            )
            if name not in in_force or not _close(values, in_force[name])
        ]


def _close(values: Sequence[float] | Float64, found: Sequence[float]) -> bool:
    return bool(np.allclose(values, found, rtol=1e-4, atol=1e-6))
