"""One look at all numbers of joints and IMU: whether they need a closer one."""

import math

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.body import JointGuard
from kinfer_ros.control.guards.sensor_samples import TOO_LARGE
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings

CLEAR = 1e-6
"""m/s^2; a gravity that keeps this distance from the largest tilt is not compared exactly."""


class QuickLook:
    """
    Compares all numbers of joints and IMU with the limits of their guards, in one pass.

    Where it finds them clear, the guards finite, tilt, position, speed and tracking have nothing
    to say. Where it does not, those guards decide: it may be narrower than they are.
    """

    def __init__(self, frame: SensorFrame, joints: JointGuard, live: LiveSettings) -> None:
        self._joints = joints
        self._live = live
        self._sensed, self._position = frame.values, frame.position
        sensed, n = frame.values.size, frame.position.size
        self._middles = np.zeros(sensed)
        # One row: how far each sensor number is from its middle, and each joint from its target.
        self._distances, self._widths = np.zeros(sensed + n), np.zeros(sensed + n)
        self._from_middle, self._from_target = self._distances[:sensed], self._distances[sensed:]
        self._inside = np.zeros(sensed + n, dtype=bool)
        self.retune()

    def retune(self) -> None:
        """Take over changed thresholds; the joint guard has them already."""
        n, sensed = self._position.size, self._sensed.size
        position, speed, off_target = self._joints.limits
        self._middles[:n] = self._joints.middle
        self._widths.fill(math.inf)
        self._widths[:n], self._widths[n : 2 * n] = position, speed
        # So large may each be without their squares reaching the limit of the guard finite.
        largest = 0.99 * math.sqrt(TOO_LARGE / sensed)
        widest = largest - np.abs(self._middles)
        self._widths[:sensed] = np.minimum(self._widths[:sensed], widest)
        # The last number is gravity along z: -GRAVITY where the base is upright.
        low, high = -2 * GRAVITY, -GRAVITY * math.cos(self._live.max_tilt) - CLEAR
        self._middles[-1], self._widths[sensed - 1] = (low + high) / 2, (high - low) / 2
        self._widths[sensed:] = off_target

    def is_clear(self, target: Float64 | None) -> bool:
        """
        Whether all numbers are; one that is not finite is not.

        :param target: [N] rad, the last one sent, None if no position was sent.
        """
        np.subtract(self._sensed, self._middles, self._from_middle)
        if target is None:
            self._from_target.fill(0.0)
        else:
            np.subtract(target, self._position, self._from_target)
        np.abs(self._distances, self._distances)
        np.less_equal(self._distances, self._widths, self._inside)
        return 0 not in self._inside.tobytes()  # four times as fast as `all`
