"""Quaternions (w x y z, unit) and rotation matrices, each formula once."""

import math
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64

Quaternion = tuple[float, float, float, float]
"""w x y z."""


def yaw_of(w: float, x: float, y: float, z: float) -> float:
    """Yaw (rad, z-y-x) of a unit quaternion."""
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def euler_angles(w: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Roll, pitch and yaw (rad, z-y-x) of a unit quaternion."""
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2.0 * (w * y - z * x))))
    return roll, pitch, yaw_of(w, x, y, z)


def from_euler(roll: float, pitch: float, yaw: float) -> Quaternion:
    """Rz(yaw) Ry(pitch) Rx(roll) as w x y z, as URDF means rpy; rad."""
    cr, cp, cy = (math.cos(0.5 * angle) for angle in (roll, pitch, yaw))
    sr, sp, sy = (math.sin(0.5 * angle) for angle in (roll, pitch, yaw))
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def rotation_matrix(quaternion: Float64) -> Float64:
    """Rotation matrix [3, 3] of a unit quaternion w x y z: v_parent = R v_child."""
    w, x, y, z = (float(v) for v in quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def multiply(a: Sequence[float], b: Sequence[float]) -> Quaternion:
    """Hamilton product of two quaternions w x y z: first b, then a."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
