"""The gain ramp: action_scale, kp_factor and kd_factor move to a new value instead of jumping.

A stiffness that jumped when `ros2 param set` changes it would jerk the robot.
"""

from dataclasses import dataclass

from kinfer_ros.control.settings import LiveSettings

FACTOR_SPEED = 1.0
"""1/s, rate at which each factor moves to the value that was set."""


@dataclass
class GainRamp:
    """The three factors as they are in this tick."""

    action_scale: float
    kp_factor: float
    kd_factor: float

    def approach(self, live: LiveSettings, step: float) -> bool:
        """Move each factor by at most `step`; :return: whether a gain factor moved."""
        kp, kd = self.kp_factor, self.kd_factor
        if (self.action_scale, kp, kd) == (live.action_scale, live.kp_factor, live.kd_factor):
            return False
        self.action_scale = _towards(self.action_scale, live.action_scale, step)
        kp = _towards(self.kp_factor, live.kp_factor, step)
        kd = _towards(self.kd_factor, live.kd_factor, step)
        moved = (kp, kd) != (self.kp_factor, self.kd_factor)
        self.kp_factor, self.kd_factor = kp, kd
        return moved


def _towards(value: float, goal: float, step: float) -> float:
    """`goal`, or a value nearer to it by `step`."""
    if abs(goal - value) <= step:
        return goal
    return value + step if goal > value else value - step
