"""What may go wrong in a tick, each as a small object with one verdict.

Without this module a dead sensor, a NaN or a fallen robot would go on being acted upon. A guard
answers '' when all is well, else the reason of the fault; the controller latches the first one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import SensorFrame

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class StaleGuard:
    """
    Faults on a sample that is too old, or stamped later than now.

    :ivar limit_ns: oldest age that is accepted.
    :ivar ahead_ns: how far a stamp may lie ahead (clocks of two hosts are never equal).
    """

    limit_ns: int
    ahead_ns: int = 50_000_000

    def check(self, now_ns: int, frame: SensorFrame) -> str:
        """Reason, or '' if both samples are fresh. `now_ns` is on the clock of the stamps."""
        joint_age = now_ns - frame.joint_stamp_ns
        imu_age = now_ns - frame.imu_stamp_ns
        if max(joint_age, imu_age) <= self.limit_ns and min(joint_age, imu_age) >= -self.ahead_ns:
            return ''
        for source, age in (('joint_states', joint_age), ('imu/data', imu_age)):
            if age > self.limit_ns:
                return (
                    f'{source} is stale: the newest sample is {age / 1e6:.0f} ms old, '
                    f'at most {self.limit_ns / 1e6:.0f} ms are accepted'
                )
            if age < -self.ahead_ns:
                return (
                    f'{source} is stamped {-age / 1e6:.0f} ms in the future: '
                    'the clocks of the hosts differ'
                )
        return ''


@dataclass(frozen=True)
class FiniteGuard:
    """Faults on a sample with a NaN or an infinity in it, or without an orientation."""

    def check(self, frame: SensorFrame) -> str:
        """Reason, or '' if every number is finite."""
        if frame.joint_problem or frame.imu_problem:
            return frame.joint_problem or frame.imu_problem
        # One sum per array: it is finite only if every entry is.
        total = (
            frame.position.sum()
            + frame.velocity.sum()
            + frame.gyro.sum()
            + frame.accel.sum()
            + frame.quaternion.sum()
        )
        if math.isfinite(total):
            return ''
        for name in ('position', 'velocity', 'gyro', 'accel', 'quaternion'):
            values = getattr(frame, name)
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                i = int(bad[0])
                joints = name in ('position', 'velocity')
                which = frame.joint_names[i] if joints else f'entry {i}'
                return f'sensor {name} of {which} is {values[i]}, not a finite number'
        return 'sensor values are finite but so large that their sum is not'


@dataclass(frozen=True)
class TiltGuard:
    """
    Faults when the base is tilted further than `limit` rad from upright (a fall).

    Written so that anything but a clear "upright" is a fault.
    """

    limit: float

    def check(self, frame: SensorFrame) -> str:
        """Reason, or '' if the base is upright enough."""
        upright = -float(frame.gravity[2]) / GRAVITY
        if upright > math.cos(self.limit):
            return ''
        angle = math.degrees(math.acos(max(-1.0, min(1.0, upright))))
        return (
            f'fell: the base is tilted by {angle:.0f} deg, '
            f'at most {math.degrees(self.limit):.0f} deg are accepted'
        )


class PositionLimits:
    """
    Keeps targets within the joint limits of the robot YAML, and counts when it had to.

    :ivar limited: number of ticks in which a target was changed.
    """

    def __init__(self, lower: Float64, upper: Float64) -> None:
        self._lower = lower
        self._upper = upper
        self.limited = 0

    def apply(self, target: Float64) -> bool:
        """Limit `target` [N] rad in place; True if anything was changed."""
        inside = bool(((target >= self._lower) & (target <= self._upper)).all())
        if inside:
            return False
        np.clip(target, self._lower, self._upper, out=target)
        self.limited += 1
        return True
