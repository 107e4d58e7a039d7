"""Guards on the robot's body: tilt; joint positions, speeds, tracking; health; missed ticks."""

import math

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import told_apart

SPEED_TICKS = 3
"""Samples in a row in which a joint is too fast before it is a fault: one may be an outlier."""

LIKELY_DEGREES = 7.0
"""rad; a joint angle beyond this is likely to be one in degrees."""


class TiltGuard:
    """Faults on a tilt of the base beyond `max_tilt` (a fall), or on NaN."""

    def __init__(self, live: LiveSettings) -> None:
        self._live = live

    def check(self, gravity: Float64) -> Verdict:
        """Check `gravity` [3], m/s^2, in the base frame."""
        limit = self._live.max_tilt
        upright = -float(gravity[2]) / GRAVITY
        if upright > math.cos(limit):
            return OK
        angle = math.degrees(math.acos(max(-1.0, min(1.0, upright))))
        found, most = told_apart(angle, math.degrees(limit))
        return fault(
            'tilt', f'fell: the base is tilted by {found} deg, at most {most} deg are accepted'
        )


class JointGuard:
    """
    Faults on a joint far outside its limits, too fast, or off its target for `tracking_time`.

    All joints and all three limits are compared in one pass. A wheel, whose target is a velocity,
    has no target to be off.

    :ivar middle: [N] rad, of each joint's limits.
    :ivar limits: [3, N] of the distance from there, rad, of the speed, rad/s, and of the distance
        from the target, rad.
    """

    def __init__(self, robot: Robot, live: LiveSettings, wheels: Bools | None = None) -> None:
        self._names = robot.joint_names
        self._wheels = wheels
        self._live = live
        self.middle = (robot.lower + robot.upper) / 2
        self._half = (robot.upper - robot.lower) / 2
        self._speed = robot.velocity_limit
        n = len(robot.joint_names)
        self._values = np.zeros((3, n))
        self.limits = np.zeros((3, n))
        self._exceeded = np.zeros((3, n), dtype=bool)
        # Rows, and all numbers in a row, which numpy compares faster than a table.
        self._rows = tuple(self._values)
        self._flat = self._values.ravel(), self.limits.ravel(), self._exceeded.ravel()
        self._off_since_ns = np.zeros(n, dtype=np.int64)
        self.retune()
        self.restart()

    def retune(self) -> None:
        """Take over changed thresholds."""
        live = self._live
        self.limits[0] = self._half + live.position_margin
        self.limits[1] = self._speed * (live.joint_speed_factor or math.inf)
        self.limits[2] = live.tracking_error or math.inf
        if self._wheels is not None:
            self.limits[2, self._wheels] = math.inf

    def restart(self) -> None:
        """Reset the state: a new session begins."""
        self._fast_ticks = 0
        self._on_target = True

    def check(
        self, position: Float64, velocity: Float64, target: Float64 | None, context: TickContext
    ) -> Verdict:
        """
        Check a sample, all [N] in the robot's joint order, rad and rad/s.

        :param target: the last target sent, None if no position was sent.
        """
        outside_by, speed, off_by = self._rows
        np.subtract(position, self.middle, outside_by)
        speed[:] = velocity
        if target is None:
            off_by.fill(0.0)
        else:
            np.subtract(target, position, off_by)
        values, limits, exceeded = self._flat
        np.abs(values, values)
        np.greater(values, limits, exceeded)
        if not np.count_nonzero(exceeded):
            self.restart()
            return OK
        outside, fast, off = (row.any() for row in self._exceeded)
        if outside:
            return self._position_fault(position)
        if fast:
            verdict = self._check_speed(velocity, context)
        else:
            verdict, self._fast_ticks = OK, 0
        if off and target is not None:
            tracking = self._check_tracking(position, target, context)
            verdict = max(verdict, tracking, key=lambda each: each.level)
        else:
            self._on_target = True
        return verdict

    def _position_fault(self, position: Float64) -> Verdict:
        worst = int((self._values[0] - self.limits[0]).argmax())
        lower = self.middle[worst] - self._half[worst]
        upper = self.middle[worst] + self._half[worst]
        hint = ''
        if abs(position[worst]) > LIKELY_DEGREES:
            hint = ': does the driver publish degrees? joint_states is in rad'
        return fault(
            'position',
            f'{self._names[worst]} is measured at {position[worst]:.3f} rad, its limits are '
            f'{lower:.3f} to {upper:.3f}, {self._live.position_margin:g} more are borne{hint}',
        )

    def _check_speed(self, velocity: Float64, context: TickContext) -> Verdict:
        self._fast_ticks += context.new_joints
        worst = int((self._values[1] - self.limits[1]).argmax())
        found, most = told_apart(velocity[worst], self.limits[1][worst], 1)
        text = f'{self._names[worst]} moves at {found} rad/s, at most {most} are accepted'
        return (fault if self._fast_ticks >= SPEED_TICKS else warn)('speed', text)

    def _check_tracking(self, position: Float64, target: Float64, context: TickContext) -> Verdict:
        """Time each joint separately: joints that are off in turns are no fault."""
        if self._on_target:
            self._off_since_ns.fill(context.now_ns)
            self._on_target = False
        self._off_since_ns[~self._exceeded[2]] = context.now_ns
        worst = int(self._off_since_ns.argmin())
        seconds = (context.now_ns - int(self._off_since_ns[worst])) / 1e9
        if seconds < self._live.tracking_time:
            return OK
        return fault(
            'tracking',
            f'{self._names[worst]} does not follow: it is at {position[worst]:.3f} rad, its '
            f'target is {target[worst]:.3f}, for {seconds:.2f} s '
            f'(tracking_error {self._live.tracking_error:g}): blocked, or without torque?',
        )


MIN_CELSIUS, MAX_CELSIUS = -273.15, 1000.0
"""deg C; a temperature outside is no measurement."""
MAX_PERCENT = 100.0


class Health:
    """
    Temperatures and battery charge that the robot reported last.

    :ivar temperature: [N] deg C, robot joint order; NaN where not reported.
    :ivar battery: charge 0..1; NaN if not reported.
    :ivar reported: whether anything was reported yet.
    """

    def __init__(self, robot: Robot) -> None:
        self.temperature = np.full(len(robot.joint_names), np.nan)
        self.battery = math.nan
        self.reported = False
        self._place = {name: i for i, name in enumerate(robot.joint_names)}

    def set_temperature(self, joint: str, celsius: float) -> bool:
        """
        Set a joint's temperature; NaN and unknown joints are ignored.

        :return: False where no sensor can have measured it: it is ignored, too.
        """
        place = self._place.get(joint)
        # A sensor that fails keeps its last temperature: the joint may still be hot.
        if place is None or math.isnan(celsius):
            return True
        if not MIN_CELSIUS < celsius < MAX_CELSIUS:
            return False
        self.temperature[place] = celsius
        self.reported = True
        return True

    def set_battery(self, charge: float) -> bool:
        """
        Set the charge, 0..1, or 1..100 from a driver that gives percent; NaN is ignored.

        :return: False for any other number: it is ignored, too.
        """
        if math.isnan(charge):
            return True
        if not 0.0 <= charge <= MAX_PERCENT:
            return False
        self.battery = charge / 100 if charge > 1.0 else charge
        self.reported = True
        return True

    def forget(self) -> None:
        """Clear all values: those of the last session may be out of date."""
        self.temperature.fill(math.nan)
        self.battery = math.nan
        self.reported = False


class HealthGuard:
    """Warns, then faults, on a hot joint and on an empty battery."""

    WARN_MARGIN = 10.0
    """deg C below `max_temperature` at which the warning comes."""

    def __init__(self, robot: Robot, live: LiveSettings) -> None:
        self._names = robot.joint_names
        self._live = live

    def check(self, health: Health) -> Verdict:
        """Check what was reported; a missing value is no fault."""
        if not health.reported:
            return OK
        joints = self._check_temperature(health.temperature)
        battery = self._check_battery(health.battery)
        return battery if battery.level > joints.level else joints

    def _check_temperature(self, temperature: Float64) -> Verdict:
        limit = self._live.max_temperature
        hottest = float(np.fmax.reduce(temperature))
        if not hottest > limit - self.WARN_MARGIN:
            return OK
        name = self._names[int(np.nanargmax(temperature))]
        found, _ = told_apart(hottest, limit)
        text = f'{name} is at {found} deg C, at most {limit:g} are accepted'
        return (fault if hottest > limit else warn)('temperature', text)

    def _check_battery(self, charge: float) -> Verdict:
        limit = self._live.min_battery
        if not charge < 2 * limit:
            return OK
        found, _ = told_apart(100 * charge, 100 * limit)
        text = f'the battery is at {found} %, at least {100 * limit:g} % are needed'
        return (fault if charge < limit else warn)('battery', text)


class MissedGuard:
    """
    Faults on more than `max_missed_ticks` missed ticks; each ten ticks in time take one off.

    This finds one long pause as well as a policy that is always a little too slow.
    """

    IN_TIME_PER_MISSED = 10

    def __init__(self, live: LiveSettings) -> None:
        self._live = live
        self.restart()

    def restart(self) -> None:
        """Reset the state: a new session begins."""
        self._balance = 0
        self._in_time = 0

    def check(self, missed: int) -> Verdict:
        """Check a tick before which `missed` ticks were skipped."""
        if not missed:
            self._in_time += 1
            if self._in_time >= self.IN_TIME_PER_MISSED:
                self._in_time = 0
                self._balance = max(0, self._balance - 1)
            return OK
        self._in_time = 0
        self._balance += missed
        limit = self._live.max_missed_ticks
        if self._balance <= limit:
            return OK
        return fault(
            'missed',
            f'{self._balance} ticks missed, at most {limit} are borne: the machine or the policy '
            'is too slow for the control rate',
        )
