"""Checks live IMU messages: frame, quaternion norm and order, units, gravity sign, mounting.

At rest the accelerometer measures the upward specific force, so an orientation that disagrees with
it has another quaternion order, another frame or another sign.
"""

import math
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import CapturedImu
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import MAX_REST_GYRO
from kinfer_ros.robot.robot import Robot
from kinfer_ros.rotations import rotation_matrix
from kinfer_ros.text import told_apart

MAX_GRAVITY_ANGLE = math.radians(20.0)
"""rad between the measured and the expected direction of the specific force."""
MAX_TURN_RATE = 35.0
"""rad/s: 2000 deg/s, the full scale of common gyroscopes."""
MAX_LEAN = math.radians(40.0)
"""rad from upright for a standing robot."""


def check_imu(samples: Sequence[CapturedImu], robot: Robot) -> list[Row]:
    """Check the orientation, the gyroscope and the accelerometer of a robot at rest."""
    last = samples[-1]
    frame = Row('IMU frame', OK, last.frame_id)
    if last.frame_id != robot.imu_frame:
        expected = f'{robot.imu_frame!r}, as imu.frame of {robot.path}'
        remedy = 'does imu.mounting describe this frame?'
        frame = Row('IMU frame', WARN, f'frame_id {last.frame_id!r}', expected, remedy)
    if not last.has_orientation:
        found = 'absent (covariance[0] is -1, REP-145)'
        remedy = 'publish the output of an orientation filter'
        return [frame, Row('orientation', FAIL, found, 'an orientation', remedy)]
    norm = _check_norm(samples)
    gyro = _mean([sample.gyro for sample in samples])
    if np.abs(gyro).max() > MAX_TURN_RATE:
        found = f'{gyro.round(1).tolist()}'
        return [frame, norm, Row('gyroscope', FAIL, found, 'rad/s', 'is it in degrees?')]
    if norm.verdict == FAIL:
        return [frame, norm]
    return [frame, norm, *_check_gravity(samples, gyro, robot)]


def _mean(rows: Sequence[Float64]) -> Float64:
    return np.asarray(np.mean(np.array(rows), axis=0), np.float64)


def _check_norm(samples: Sequence[CapturedImu]) -> Row:
    norms = [float(np.linalg.norm(sample.xyzw)) for sample in samples]
    worst = max(norms, key=lambda norm: abs(norm - 1.0) if math.isfinite(norm) else math.inf)
    if not abs(worst - 1.0) < 0.01:
        remedy = 'publish a unit quaternion; all zeros mean that the orientation was not set'
        return Row('quaternion norm', FAIL, f'{worst:.4g}', '1', remedy)
    return Row('quaternion norm', OK, f'{worst:.4f}')


def _check_gravity(samples: Sequence[CapturedImu], gyro: Float64, robot: Robot) -> list[Row]:
    """Compare the accelerometer with the orientation, at rest."""
    accel = _mean([sample.accel for sample in samples])
    size = float(np.linalg.norm(accel))
    if not math.isfinite(size):
        return [Row('accelerometer', FAIL, f'{accel.tolist()}', 'numbers')]
    if size < 0.05:
        found = 'the accelerometer reads zero: nothing to compare with'
        remedy = 'publish linear_acceleration including gravity'
        return [Row('gravity sign', WARN, found, f'about {GRAVITY} m/s^2 at rest', remedy)]
    if abs(size - 1.0) < 0.1:
        found = f'{size:.2f} m/s^2 at rest: probably in g'
        return [Row('accelerometer', FAIL, found, f'about {GRAVITY} m/s^2', 'publish m/s^2')]
    speed = float(np.linalg.norm(gyro))
    if speed > MAX_REST_GYRO or abs(size - GRAVITY) > 1.5:
        found = f'the robot is not at rest ({size:.1f} m/s^2, {speed:.2f} rad/s)'
        remedy = 'hold it still and check again'
        return [Row('gravity sign', WARN, found, 'a robot that stands still', remedy)]
    quaternion = _mean_quaternion(samples)
    direction = _check_direction(quaternion, accel / size, robot)
    # A wrong orientation would make a lean that is none.
    return (
        [direction] if direction.verdict == FAIL else [direction, _check_lean(quaternion, robot)]
    )


def _mean_quaternion(samples: Sequence[CapturedImu]) -> Float64:
    """Mean orientation of a robot at rest, x y z w."""
    first = samples[0].xyzw
    mean = _mean([s.xyzw if float(s.xyzw @ first) >= 0.0 else -s.xyzw for s in samples])
    return mean / float(np.linalg.norm(mean))


def _up_vector(wxyz: Float64) -> Float64:
    """The world's z axis, seen from a frame with this orientation."""
    return np.asarray(rotation_matrix(wxyz)[2], np.float64)


def _check_direction(xyzw: Float64, accel: Float64, robot: Robot) -> Row:
    angle = _angle(_up_vector(_wxyz(xyzw)), accel)
    degrees, most = told_apart(math.degrees(angle), math.degrees(MAX_GRAVITY_ANGLE))
    found = f'orientation and accelerometer are {degrees} deg apart'
    if angle <= MAX_GRAVITY_ANGLE:
        return Row('gravity sign', OK, found)
    cause, remedy = _cause(xyzw, accel, robot)
    return Row('gravity sign', FAIL, f'{found}; {cause}', f'at most {most} deg', remedy)


def _cause(xyzw: Float64, accel: Float64, robot: Robot) -> tuple[str, str]:
    """
    Return the mistake that explains both readings, and what to do.

    Several can, such as a negated accelerometer and another quaternion order. One with which the
    robot stands comes first, then the one that explains the readings best.
    """
    wxyz = _wxyz(xyzw)
    causes = [
        (
            'quaternion order: the fields x y z w hold w x y z',
            'write x, y, z, w into the fields of these names',
            xyzw,
            accel,
        ),
        (
            'gravity sign: the accelerometer gives gravity, not specific force',
            'at rest linear_acceleration points up: negate it',
            wxyz,
            -accel,
        ),
        (
            'the orientation is that of the world in the IMU frame',
            'publish its inverse: the IMU in the world (REP-145)',
            wxyz * (1.0, -1.0, -1.0, -1.0),
            accel,
        ),
    ]
    fitting = [
        (_lean(orientation, robot) > MAX_LEAN, angle, cause, remedy)
        for cause, remedy, orientation, force in causes
        if (angle := _angle(_up_vector(orientation), force)) <= MAX_GRAVITY_ANGLE
    ]
    if not fitting:
        return 'IMU frame', f'are both in the frame {robot.imu_frame}?'
    _, _, cause, remedy = min(fitting)
    return cause, remedy


def _wxyz(xyzw: Float64) -> Float64:
    return np.roll(xyzw, 1)


def _angle(first: Float64, second: Float64) -> float:
    """Return the angle between two unit vectors, rad."""
    return float(np.arccos(np.clip(first @ second, -1.0, 1.0)))


def _lean(wxyz: Float64, robot: Robot) -> float:
    """Return the angle of the base from upright for an orientation of the IMU, rad."""
    up = rotation_matrix(robot.imu_mounting) @ _up_vector(wxyz)
    return float(np.arccos(np.clip(up[2], -1.0, 1.0)))


def _check_lean(xyzw: Float64, robot: Robot) -> Row:
    """With the mounting applied, a standing robot is upright."""
    angle = _lean(_wxyz(xyzw), robot)
    found = f'the base leans by {math.degrees(angle):.0f} deg'
    if angle > MAX_LEAN:
        remedy = f'is the robot lying down, or is imu.mounting of {robot.path} wrong?'
        return Row('IMU mounting', WARN, found, 'a standing robot', remedy)
    return Row('IMU mounting', OK, found)
