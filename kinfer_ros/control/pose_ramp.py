"""Moves the target between two poses in a given time: ramp and fade."""

import numpy as np

from kinfer_ros.arrays import Float64


class PoseRamp:
    """
    A straight line in joint space.

    :ivar duration_ns: 0 where there is nothing to move.
    """

    def __init__(self, joints: int) -> None:
        self._start = np.zeros(joints)
        self.duration_ns = 0

    def begin(self, start: Float64, duration_ns: int) -> None:
        """Start from a pose [N] rad."""
        self._start[:] = start
        self.duration_ns = duration_ns

    def cut(self) -> None:
        """End it now."""
        self.duration_ns = 0

    def write(self, target: Float64, goal: Float64, elapsed_ns: int) -> None:
        """Write the pose [N] rad between start and `goal`; call it before the ramp's end only."""
        np.subtract(goal, self._start, out=target)
        target *= elapsed_ns / self.duration_ns
        target += self._start

    def write_release(self, target: Float64, position: Float64, elapsed_ns: int) -> None:
        """
        Write the target that reduces the stiffness: from the start to the measured position.

        With torque = kp (target - q) - kd qd this equals a ramp of kp to zero at constant kd, but
        needs no change of gains, which are sent apart from the commands.
        """
        np.subtract(self._start, position, out=target)
        target *= 1.0 - elapsed_ns / self.duration_ns
        target += position
