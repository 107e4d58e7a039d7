"""Samples of a robot's joints and IMU, as the bridges of real robots publish them."""

from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.robot.robot import Robot

MAX_OUTSIDE = 0.2
"""rad by which a joint may be outside its limits when the motors are switched on."""


@dataclass(eq=False)
class JointSample:
    """One sample of the joints, [N] in the robot's order."""

    sent_ns: int
    """Steady clock at the request, or at the arrival where the robot sends unasked."""
    position: Float64
    """rad; NaN for a joint that does not answer."""
    velocity: Float64
    """rad/s."""
    effort: Float64 | None
    """Nm; None if the robot does not report it."""
    problem: str = ''
    """Why the sample is not complete, or ''."""


@dataclass(frozen=True)
class ImuSample:
    """One sample of the IMU, in its own frame."""

    quaternion: tuple[float, float, float, float]
    """x y z w, as ROS has it."""
    gyro: tuple[float, float, float]
    """rad/s."""
    accel: tuple[float, float, float]
    """Specific force, m/s^2."""


def find_outside(position: Float64, robot: Robot) -> str:
    """Return which joints are too far outside their limits to be held there, or ''."""
    outside = np.maximum(robot.lower - position, position - robot.upper)
    far = [
        f'{name} at {at:.2f} rad'
        for name, at, by in zip(robot.joint_names, position, outside, strict=True)
        if by > MAX_OUTSIDE
    ]
    if not far:
        return ''
    return (
        f'{", ".join(far)}: further outside the limits of the robot YAML than {MAX_OUTSIDE:g} '
        'rad, so that holding it would move it. Are offset, sign and the zero position right?'
    )
