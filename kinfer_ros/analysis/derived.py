"""Computes quantities from a step log: tracking error, tilt, velocity of the base."""

import numpy as np
import numpy.typing as npt

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.arrays import Float64

GRAVITY = ('projected_g', 'inputs.projected_gravity_imu', 'inputs.projected_gravity')
# What the policy saw may be other than what was measured, beside it.
POSITION = ('measured_position', 'joint_angles')
VELOCITY = ('measured_velocity', 'joint_vels')
LINEAR = tuple(
    f'inputs.{of}_linear_velocity{frame}' for of in ('base', 'imu') for frame in ('', '_imu')
)

WINDOW = 1.0
"""s over which the base velocity is averaged: longer than a step, shorter than a turn."""


def tracking_error(columns: Columns) -> Float64 | None:
    """
    Measured position minus the target of the previous tick, [n, joints] rad, or None.

    Of a wheel, whose target is a velocity: measured velocity minus target, rad/s.
    """
    position, target = columns.row(*POSITION), columns.row('target')
    if position is None or target is None or position.shape != target.shape:
        return None
    error = np.full(position.shape, np.nan)
    error[1:] = position[1:] - target[:-1]
    wheels = [at for at in columns.wheels if at < position.shape[1]]
    if wheels:
        velocity = columns.row(*VELOCITY)
        error[:, wheels] = np.nan
        if velocity is not None and velocity.shape == target.shape:
            error[1:, wheels] = velocity[1:, wheels] - target[:-1, wheels]
    return error


def motion_error(columns: Columns) -> Float64 | None:
    """Measured position minus the motion's of the same tick, [n, joints] rad, or None."""
    position, reference = columns.row(*POSITION), columns.row('reference')
    if position is None or reference is None or position.shape != reference.shape:
        return None
    return position - reference


def tilt(columns: Columns) -> Float64 | None:
    """Angle [n] between gravity and down in the policy frame, rad, or None."""
    gravity = columns.row(*GRAVITY)
    if gravity is None or gravity.shape[1] != 3:
        return None
    length = np.sqrt(np.square(gravity).sum(axis=1))
    with np.errstate(invalid='ignore', divide='ignore'):
        angle: Float64 = np.arccos(np.clip(-gravity[:, 2] / length, -1.0, 1.0))
    return angle


def base_velocity(columns: Columns) -> Float64 | None:
    """
    Velocity of the base in its own frame: x, y (m/s) and yaw (rad/s), [n, 3].

    From the recorded poses, averaged over the WINDOW around each tick, so that the sway of single
    steps cancels out; NaN where no pose is near.

    :return: None where no pose was recorded.
    """
    poses = columns.row('odom')
    if poses is None or poses.shape[1] != 3:
        return None
    known = np.isfinite(poses).all(axis=1)
    at = columns.time[known]
    if at.size < 2 or (np.diff(at) <= 0.0).any():
        return None
    x, y, yaw = poses[known].T
    yaw = np.unwrap(yaw)
    first = np.clip(columns.time - WINDOW / 2, at[0], at[-1])
    last = np.clip(columns.time + WINDOW / 2, at[0], at[-1])
    span = np.where(last > first, last - first, np.nan)
    vx, vy, wz = (
        (np.interp(last, at, each) - np.interp(first, at, each)) / span for each in (x, y, yaw)
    )
    heading = np.interp(columns.time, at, yaw)
    cos, sin = np.cos(heading), np.sin(heading)
    velocity: Float64 = np.stack([cos * vx + sin * vy, cos * vy - sin * vx, wz], axis=1)
    velocity[_is_unknown(columns.time, at)] = np.nan
    return velocity


def _is_unknown(time: Float64, at: Float64) -> npt.NDArray[np.bool_]:
    """Return which times are outside the poses, or in a gap longer than WINDOW."""
    after = np.searchsorted(at, time)
    before = np.maximum(after - 1, 0)
    inside = (time >= at[0]) & (time <= at[-1])
    wide = at[np.minimum(after, at.size - 1)] - at[before] > WINDOW
    far: npt.NDArray[np.bool_] = np.logical_or(~inside, wide)
    return far
