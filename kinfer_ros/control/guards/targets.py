"""Limits on the targets that are sent: low-pass, slew, torque band, position limits, in order.

The result is always finite and within the joint limits. The slew limit holds unless a later limit
moves the target further, which is counted (slew_broken).
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.settings import LiveSettings

CLEAR = 1e-6
"""rad; a target that keeps this distance from every limit is not compared exactly."""

NO_STIFFNESS = 1e-6
"""Nm/rad; below it a joint has no torque band, whose width would overflow in the division."""

SLEW = Verdict(Level.LIMIT, 'slew', 'a target was slowed down to target_slew')
WHEEL_SLEW = Verdict(
    Level.LIMIT, 'slew', 'a target was slowed down to target_slew, of a wheel to wheel_slew'
)
TORQUE = Verdict(Level.LIMIT, 'torque', 'a target asked for more than the torque limit')
POSITION = Verdict(Level.LIMIT, 'limit', 'a target was beyond a joint limit')
SLEW_BROKEN = Verdict(
    Level.LIMIT, 'slew_broken', 'the torque band or a joint limit moved a target faster than slew'
)


class Limits(Protocol):
    """What TargetLimiter needs of a robot; a replay reads it from run.json."""

    @property
    def joint_names(self) -> Sequence[str]:
        """Names of its N joints."""

    @property
    def lower(self) -> Float64:
        """Lower position limits [N], rad."""

    @property
    def upper(self) -> Float64:
        """Upper position limits [N], rad."""

    @property
    def velocity_limit(self) -> Float64:
        """Of each joint [N], rad/s."""


class TargetLimiter:
    """
    Limits targets [N] (rad, robot joint order).

    The target of a wheel is a velocity: it is held to the joint's velocity limit in place of the
    position limits, changes by `wheel_slew` in place of `target_slew`, and has no torque band.

    The torque band of a PD drive, torque = kp (target - q) - kd qd, holds the targets for which
    the torque stays within `torque_band` of the joint's limit now: q + (kd qd +- limit) / kp. A
    target is moved towards the joint position, never past it: where the damping alone reaches the
    limit, the stiffness must not act against it. A joint without stiffness has no band.

    :ivar lower, upper: the limits of the targets [N], rad, of a wheel rad/s.
    :ivar state: [2, N] the low-passed target and the last one, rad.
    :ivar before: [2, N] `state` before the last `apply`; a replay that begins at that step needs
        it.
    """

    def __init__(
        self,
        robot: Limits,
        gains: tuple[Float64, Float64, Float64],
        period_s: float,
        live: LiveSettings,
        wheels: Bools | None = None,
    ) -> None:
        """
        Begin at zero.

        :param gains: kp, kd and torque limits [N] that the policy was trained with.
        :param wheels: [N] the joints whose targets are velocities; None: none of them.
        """
        n = len(robot.joint_names)
        self.lower, self.upper = robot.lower, robot.upper
        if wheels is not None:
            self.lower = np.where(wheels, -robot.velocity_limit, robot.lower)
            self.upper = np.where(wheels, robot.velocity_limit, robot.upper)
        self._wheels = wheels
        self._slew_verdict = SLEW if wheels is None else WHEEL_SLEW
        self._step: float | Float64 = 0.0
        self._kp, self._kd, self._torque = gains
        self._period_s = period_s
        self._live = live
        # One block: the low-passed target, then the middles of slew (the last target), torque band
        # (where the joint is at rest) and position limits, which `_is_clear` subtracts at once.
        block = np.zeros((4, n))
        self._smooth, self._last, self._rest, middle = block
        self.state = block[:2]
        self.before = np.zeros((2, n))
        self._scratch = np.zeros(n)
        # Of the same three: half width, the target, its distance from the middle, flat [3 N].
        self._widths, self._repeated = np.full((3, n), math.inf), np.zeros((3, n))
        self._clear = np.zeros(3 * n, dtype=bool)
        self._flat = self._repeated.ravel(), block[1:].ravel(), self._widths.ravel(), self._clear
        bounded = np.isfinite(self.lower) & np.isfinite(self.upper)
        middle[bounded] = (self.lower + self.upper)[bounded] / 2
        self._widths[2] = (self.upper - self.lower) / 2 - CLEAR
        # float32 as in the step log, so that a replay repeats the torque band to the bit; then
        # float64 again, in which numpy computes without converting.
        self._rounded, self._measured = np.zeros(2 * n, dtype=np.float32), np.zeros(2 * n)
        self._position, self._velocity = self._measured[:n], self._measured[n:]
        self._slew_low, self._slew_high = np.zeros(n), np.zeros(n)
        self._band_low, self._band_high = np.zeros(n), np.zeros(n)
        self._low, self._high = np.zeros(n), np.zeros(n)
        self._inside = np.zeros(n, dtype=bool)
        self._band_per_speed = np.zeros(n)
        self._band = np.zeros(n)
        self.retune(1.0, 1.0)

    def set_gains(self, kp: Float64, kd: Float64, torque_limit: Float64) -> None:
        """Take another policy's gains [N]; `retune` follows."""
        self._kp, self._kd, self._torque = kp, kd, torque_limit

    def retune(self, kp_factor: float, kd_factor: float) -> None:
        """Take over changed settings, and the gain factors in force."""
        live = self._live
        kp = self._kp * kp_factor
        kd = self._kd * kd_factor
        stiff = (kp > NO_STIFFNESS) & (live.torque_band > 0.0)
        # Without a band no measured state limits a target: `_rest` stays zero.
        self._banded = bool(stiff.any())
        self._rest.fill(0.0)
        self._band.fill(math.inf)
        np.divide(self._torque * live.torque_band, kp, out=self._band, where=stiff)
        self._band_per_speed.fill(0.0)
        np.divide(kd, kp, out=self._band_per_speed, where=stiff)
        self._step = live.target_slew * self._period_s
        if self._wheels is not None:
            self._step = np.where(self._wheels, live.wheel_slew * self._period_s, self._step)
        self._widths[0] = self._step - CLEAR
        self._widths[1] = self._band - CLEAR
        corner = live.target_lowpass
        # First order, exact for a target held over a period.
        self._share = 1.0 - math.exp(-math.tau * corner * self._period_s) if corner else 1.0

    @property
    def last(self) -> Float64:
        """The last target [N], rad, after the limits."""
        return self._last

    def resume(self, before: Float64) -> None:
        """Continue from a recorded `before`."""
        self.state[:] = before

    def restart(self, pose: Float64) -> None:
        """Begin at a pose [N], rad, with which the next target is compared."""
        self._last[:] = pose
        self._smooth[:] = pose

    def apply(self, target: Float64, measured: Float64) -> tuple[Verdict, ...]:
        """
        Limit `target` in place.

        :param measured: [2 N] positions, then velocities.
        :return: which limits moved a target.
        """
        self.before[...] = self.state
        if self._share < 1.0:
            target -= self._smooth
            target *= self._share
            target += self._smooth
        if self._banded:
            self._rounded[...] = measured
            self._measured[...] = self._rounded
            np.multiply(self._velocity, self._band_per_speed, self._rest)
            np.add(self._rest, self._position, self._rest)
        if self._is_clear(target):
            self.state[...] = target
            return ()
        self._smooth[...] = target
        found = self._compare(target)
        self._last[...] = target
        return found

    def _is_clear(self, target: Float64) -> bool:
        """Whether the target is clear of every limit: one pass, which nearly every tick needs."""
        distances, middles, widths, clear = self._flat
        self._repeated[...] = target
        np.subtract(distances, middles, distances)
        np.abs(distances, distances)
        np.less(distances, widths, clear)
        return 0 not in clear.tobytes()  # four times as fast as `all`

    def _compare(self, target: Float64) -> tuple[Verdict, ...]:
        """Compare exactly; what is beyond a limit is brought within it."""
        # fmax and fmin ignore a NaN bound, so that an absurd measurement does not become a target.
        np.subtract(self._last, self._step, out=self._slew_low)
        np.add(self._last, self._step, out=self._slew_high)
        np.subtract(self._rest, self._band, out=self._band_low)
        np.add(self._rest, self._band, out=self._band_high)
        np.fmin(self._band_low, self._position, out=self._band_low)
        np.fmax(self._band_high, self._position, out=self._band_high)
        np.fmax(self._slew_low, self._band_low, out=self._low)
        np.fmax(self._low, self.lower, out=self._low)
        np.fmin(self._slew_high, self._band_high, out=self._high)
        np.fmin(self._high, self.upper, out=self._high)
        np.greater_equal(target, self._low, out=self._inside)
        self._inside &= target <= self._high
        return () if self._inside.all() else self._limit(target)

    def _limit(self, target: Float64) -> tuple[Verdict, ...]:
        """Apply the limits in order; a later one wins, and may make an earlier one unnecessary."""
        found = []
        without_slew = np.fmin(np.fmax(target, self._band_low), self._band_high)
        np.clip(without_slew, self.lower, self.upper, out=without_slew)
        for low, high, verdict in (
            (self._slew_low, self._slew_high, self._slew_verdict),
            (self._band_low, self._band_high, TORQUE),
            (self.lower, self.upper, POSITION),
        ):
            self._scratch[:] = target
            np.fmax(target, low, out=target)
            np.fmin(target, high, out=target)
            if (self._scratch != target).any():
                found.append(verdict)
        if self._slew_verdict in found and (without_slew == target).all():
            found.remove(self._slew_verdict)
        # An exact comparison is right: rounding does not move a target that is within the limit.
        if (target < self._slew_low).any() or (target > self._slew_high).any():
            found.append(SLEW_BROKEN)
        return tuple(found)
