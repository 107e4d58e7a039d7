"""Guards on what the robot's body does: tilt, joint positions, speeds, tracking, health.

Without this module a fallen robot would go on kicking, and a joint whose belt has slipped would
be driven into its stop.
"""

from __future__ import annotations

import math

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.robot.robot import Robot

SPEED_TICKS = 3
"""Samples in a row in which a joint has to be too fast: one wild reading is no runaway."""

DEGREES = 7.0
"""A joint angle beyond this, in rad, is likely to be one in degrees."""


class TiltGuard:
    """
    Faults when the base is tilted further than `max_tilt` from upright (a fall).

    Written so that anything but a clear "upright" is a fault: upside down and NaN as well.
    """

    def __init__(self, tunables: LiveSettings) -> None:
        self._tunables = tunables

    def check(self, gravity: Float64) -> Verdict:
        """Judge `gravity` [3], m/s^2, in the base frame."""
        limit = self._tunables.max_tilt
        upright = -float(gravity[2]) / GRAVITY
        if upright > math.cos(limit):
            return OK
        angle = math.degrees(math.acos(max(-1.0, min(1.0, upright))))
        return fault(
            'tilt',
            f'fell: the base is tilted by {angle:.0f} deg, '
            f'at most {math.degrees(limit):.0f} deg are accepted',
        )


class JointGuard:
    """
    Faults on a joint far outside its limits, too fast for some ticks, or off its target for long.

    The three are judged together, in one pass over all joints.
    """

    def __init__(self, robot: Robot, tunables: LiveSettings) -> None:
        self._names = robot.joint_names
        self._tunables = tunables
        self._middle = (robot.lower + robot.upper) / 2
        self._half = (robot.upper - robot.lower) / 2
        self._speed = robot.velocity_limit
        n = len(robot.joint_names)
        self._measured = np.zeros((3, n))
        self._limits = np.zeros((3, n))
        self._over = np.zeros((3, n), dtype=bool)
        self._off_since_ns = np.zeros(n, dtype=np.int64)
        self.retune()
        self.restart()

    def retune(self) -> None:
        """Take the thresholds as they now stand."""
        tunables = self._tunables
        self._limits[0] = self._half + tunables.position_margin
        self._limits[1] = self._speed * (tunables.joint_speed_factor or math.inf)
        self._limits[2] = tunables.tracking_error or math.inf

    def restart(self) -> None:
        """Forget what came before: a new session begins."""
        self._fast_ticks = 0
        self._followed = True

    def check(
        self, position: Float64, velocity: Float64, target: Float64 | None, moment: TickContext
    ) -> Verdict:
        """
        Judge a sample, all [N] in the robot's joint order, rad and rad/s.

        :param target: what was sent last, None where no position was sent.
        """
        measured = self._measured
        np.subtract(position, self._middle, out=measured[0])
        measured[1] = velocity
        if target is None:
            measured[2] = 0.0
        else:
            np.subtract(target, position, out=measured[2])
        np.abs(measured, out=measured)
        np.greater(measured, self._limits, out=self._over)
        if not self._over.any():
            self.restart()
            return OK
        outside, fast, off = (row.any() for row in self._over)
        if outside:
            return self._outside(position)
        verdict = self._fast(velocity, moment) if fast else self._slow()
        if off and target is not None:
            verdict = max(verdict, self._off(position, target, moment), key=_level)
        else:
            self._followed = True
        return verdict

    def _outside(self, position: Float64) -> Verdict:
        worst = int((self._measured[0] - self._limits[0]).argmax())
        lower = self._middle[worst] - self._half[worst]
        upper = self._middle[worst] + self._half[worst]
        hint = ''
        if abs(position[worst]) > DEGREES:
            hint = ': does the driver publish degrees? joint_states is in rad'
        return fault(
            'position',
            f'{self._names[worst]} is measured at {position[worst]:.3f} rad, its limits are '
            f'{lower:.3f} to {upper:.3f}, {self._tunables.position_margin:g} more are borne{hint}',
        )

    def _slow(self) -> Verdict:
        self._fast_ticks = 0
        return OK

    def _fast(self, velocity: Float64, moment: TickContext) -> Verdict:
        self._fast_ticks += moment.new_joints
        worst = int((self._measured[1] - self._limits[1]).argmax())
        text = (
            f'{self._names[worst]} moves at {velocity[worst]:.1f} rad/s, '
            f'at most {self._limits[1][worst]:.1f} are accepted'
        )
        return (fault if self._fast_ticks >= SPEED_TICKS else warn)('speed', text)

    def _off(self, position: Float64, target: Float64, moment: TickContext) -> Verdict:
        """Judge each joint for itself: several may be off by turns, and all of them follow."""
        if self._followed:
            self._off_since_ns.fill(moment.now_ns)
            self._followed = False
        self._off_since_ns[~self._over[2]] = moment.now_ns
        worst = int(self._off_since_ns.argmin())
        seconds = (moment.now_ns - int(self._off_since_ns[worst])) / 1e9
        if seconds < self._tunables.tracking_time:
            return OK
        return fault(
            'tracking',
            f'{self._names[worst]} does not follow: it is at {position[worst]:.3f} rad, its '
            f'target is {target[worst]:.3f}, for {seconds:.2f} s '
            f'(tracking_error {self._tunables.tracking_error:g}): blocked, or without torque?',
        )


def _level(verdict: Verdict) -> int:
    return verdict.level


class Health:
    """
    What the robot tells of itself besides its motion.

    :ivar temperature: [N] deg C, robot joint order; NaN where it does not tell.
    :ivar battery: charge 0..1; NaN where it does not tell.
    :ivar tells: whether it has told anything yet.
    """

    def __init__(self, robot: Robot) -> None:
        self.temperature = np.full(len(robot.joint_names), np.nan)
        self.battery = math.nan
        self.tells = False
        self._place = {name: i for i, name in enumerate(robot.joint_names)}

    def set_temperature(self, joint: str, celsius: float) -> None:
        """Take one joint's temperature; a joint that is not the robot's is passed over."""
        place = self._place.get(joint)
        # A sensor that has gone keeps its last number: it is not well again.
        if place is not None and not math.isnan(celsius):
            self.temperature[place] = celsius
            self.tells = True

    def set_battery(self, charge: float) -> None:
        """Take the battery's charge, 0..1, or 1..100 from a driver that gives percent; no NaN."""
        if not math.isnan(charge):
            self.battery = charge / 100 if charge > 1.0 else charge
            self.tells = True

    def forget(self) -> None:
        """Begin anew: what was told in the last session may have changed."""
        self.temperature.fill(math.nan)
        self.battery = math.nan
        self.tells = False


class HealthGuard:
    """Warns, then faults, on a hot joint and on an empty battery."""

    WARM = 10.0
    """deg C below `max_temperature` at which the warning comes."""

    def __init__(self, robot: Robot, tunables: LiveSettings) -> None:
        self._names = robot.joint_names
        self._tunables = tunables

    def check(self, health: Health) -> Verdict:
        """Judge what the robot has told; what it does not tell is no fault."""
        if not health.tells:
            return OK
        heat, charge = self._heat(health.temperature), self._charge(health.battery)
        return charge if charge.level > heat.level else heat

    def _heat(self, temperature: Float64) -> Verdict:
        most = self._tunables.max_temperature
        hottest = float(np.fmax.reduce(temperature))
        if not hottest > most - self.WARM:
            return OK
        name = self._names[int(np.nanargmax(temperature))]
        text = f'{name} is at {hottest:.0f} deg C, at most {most:g} are accepted'
        return (fault if hottest > most else warn)('temperature', text)

    def _charge(self, battery: float) -> Verdict:
        least = self._tunables.min_battery
        if not battery < 2 * least:
            return OK
        text = f'the battery is at {100 * battery:.0f} %, at least {100 * least:g} % are needed'
        return (fault if battery < least else warn)('battery', text)


class MissedGuard:
    """
    Faults when too many ticks are missed: each one counts, ten in time take one back.

    One long pause and a policy that is always too slow are both found.
    """

    REFUSED_FORGOTTEN_AFTER = 10

    def __init__(self, tunables: LiveSettings) -> None:
        self._tunables = tunables
        self.restart()

    def restart(self) -> None:
        """Forget what came before: a new session begins."""
        self._balance = 0
        self._in_time = 0

    def check(self, missed: int) -> Verdict:
        """Judge a tick before which `missed` ticks were skipped."""
        if not missed:
            self._in_time += 1
            if self._in_time >= self.REFUSED_FORGOTTEN_AFTER:
                self._in_time = 0
                self._balance = max(0, self._balance - 1)
            return OK
        self._in_time = 0
        self._balance += missed
        most = self._tunables.max_missed_ticks
        if self._balance <= most:
            return OK
        return fault(
            'missed',
            f'{self._balance} ticks missed, at most {most} are borne: the machine or the policy '
            'is too slow for the control rate',
        )
