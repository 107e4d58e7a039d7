"""What an IMU's messages say of themselves: orientation, gravity's sign, frame and mounting.

At rest an accelerometer points up; an orientation that does not agree with it is in another order,
another frame or upside down. Without this module a robot would be told that it stands on its head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import ImuSample
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.robot.robot import Robot
from kinfer_ros.rotations import rotation_matrix

ALIGNED = math.radians(20.0)
"""Angle between measured and expected specific force that is still the same direction."""
STILL_GYRO = 0.3
"""rad/s below which the base is at rest."""
MAX_TURN_RATE = 35.0
"""rad/s: 2000 deg/s, the full scale of common gyroscopes."""
LEANING = math.radians(40.0)
"""From upright; a robot that stands leans less."""


def imu_rows(samples: Sequence[ImuSample], robot: Robot) -> list[Row]:
    """Judge the orientation, the gyroscope and the accelerometer of a robot at rest."""
    last = samples[-1]
    rows = []
    if last.frame_id != robot.imu_frame:
        rows.append(
            Row(
                'IMU frame',
                WARN,
                f'frame_id {last.frame_id!r}',
                f'{robot.imu_frame!r}, as imu.frame of {robot.path}',
                'is imu.mounting that of this frame?',
            )
        )
    else:
        rows.append(Row('IMU frame', OK, last.frame_id))
    if not last.has_orientation:
        rows.append(
            Row(
                'orientation', FAIL, 'absent (covariance[0] is -1, REP-145)', 'an orientation',
                'publish the output of an orientation filter',
            )
        )  # fmt: skip
        return rows
    rows.append(_norm_row(samples))
    gyro = _mean([sample.gyro for sample in samples])
    if np.abs(gyro).max() > MAX_TURN_RATE:
        rows.append(
            Row('gyroscope', FAIL, f'{gyro.round(1).tolist()}', 'rad/s', 'is it in degrees?')
        )
        return rows
    if rows[-1].verdict != FAIL:
        rows += _gravity_rows(samples, gyro, robot)
    return rows


def _mean(rows: Sequence[Float64]) -> Float64:
    return np.asarray(np.mean(np.array(rows), axis=0), np.float64)


def _norm_row(samples: Sequence[ImuSample]) -> Row:
    norms = [float(np.linalg.norm(sample.xyzw)) for sample in samples]
    worst = max(norms, key=lambda norm: abs(norm - 1.0) if math.isfinite(norm) else math.inf)
    if not abs(worst - 1.0) < 0.01:
        return Row(
            'quaternion norm', FAIL, f'{worst:.4g}', '1',
            'publish a unit quaternion; all zeros mean that no orientation was filled in',
        )  # fmt: skip
    return Row('quaternion norm', OK, f'{worst:.4f}')


def _gravity_rows(samples: Sequence[ImuSample], gyro: Float64, robot: Robot) -> list[Row]:
    """At rest the accelerometer points up, and the orientation has to agree with it."""
    accel = _mean([sample.accel for sample in samples])
    size = float(np.linalg.norm(accel))
    if not math.isfinite(size):
        return [Row('accelerometer', FAIL, f'{accel.tolist()}', 'numbers')]
    if size < 0.05:
        return [
            Row(
                'gravity sign', WARN, 'the accelerometer reads zero: nothing to compare with',
                f'about {GRAVITY} m/s^2 at rest', 'publish linear_acceleration with gravity in it',
            )
        ]  # fmt: skip
    if abs(size - 1.0) < 0.1:
        return [
            Row(
                'accelerometer', FAIL, f'{size:.2f} m/s^2 at rest: in g, by the look of it',
                f'about {GRAVITY} m/s^2', 'publish m/s^2',
            )
        ]  # fmt: skip
    if float(np.linalg.norm(gyro)) > STILL_GYRO or abs(size - GRAVITY) > 1.5:
        return [
            Row(
                'gravity sign', WARN,
                f'the robot is not at rest ({size:.1f} m/s^2, {np.linalg.norm(gyro):.2f} rad/s)',
                'a robot that stands still', 'hold it still and check again',
            )
        ]  # fmt: skip
    quaternion = _mean_quaternion(samples)
    return [_direction_row(quaternion, accel / size, robot), _lean_row(quaternion, robot)]


def _mean_quaternion(samples: Sequence[ImuSample]) -> Float64:
    """X y z w; a robot that stands still has one."""
    first = samples[0].xyzw
    rows = [s.xyzw if float(s.xyzw @ first) >= 0.0 else -s.xyzw for s in samples]
    mean = _mean(rows)
    return mean / float(np.linalg.norm(mean))


def _up(wxyz: Float64) -> Float64:
    """The world's z axis in a frame of this orientation."""
    return np.asarray(rotation_matrix(wxyz)[2], np.float64)


def _direction_row(xyzw: Float64, accel: Float64, robot: Robot) -> Row:
    x, y, z, w = (float(value) for value in xyzw)

    def off(up: Float64) -> float:
        return float(np.arccos(np.clip(up @ accel, -1.0, 1.0)))

    angle = off(_up(np.array([w, x, y, z])))
    found = f'orientation and accelerometer are {math.degrees(angle):.0f} deg apart'
    if angle <= ALIGNED:
        return Row('gravity sign', OK, found)
    guesses: list[tuple[str, str, float]] = [
        (
            'quaternion order: w x y z lie in the fields x y z w',
            'write x, y, z, w into the fields of these names',
            off(_up(np.array([x, y, z, w]))),
        ),
        (
            'gravity sign: the accelerometer gives gravity, not specific force',
            'at rest linear_acceleration points up: negate it',
            off(-_up(np.array([w, x, y, z]))),
        ),
        (
            'orientation is that of the world in the IMU',
            'publish its inverse: the IMU in the world (REP-145)',
            off(_up(np.array([w, -x, -y, -z]))),
        ),
    ]
    named, remedy, best = min(guesses, key=lambda guess: guess[2])
    if best > ALIGNED:
        named, remedy = 'IMU frame', f'do both speak of {robot.imu_frame}? One may be remapped'
    most = f'at most {math.degrees(ALIGNED):.0f} deg'
    return Row('gravity sign', FAIL, f'{found}; {named}', most, remedy)


def _lean_row(xyzw: Float64, robot: Robot) -> Row:
    """With the mounting applied, a standing robot is upright."""
    x, y, z, w = (float(value) for value in xyzw)
    up = rotation_matrix(robot.imu_mounting) @ _up(np.array([w, x, y, z]))
    angle = float(np.arccos(np.clip(up[2], -1.0, 1.0)))
    found = f'the base leans by {math.degrees(angle):.0f} deg'
    if angle > LEANING:
        return Row(
            'IMU mounting', WARN, found, 'a robot that stands',
            f'does it lie, or is imu.mounting of {robot.path} wrong?',
        )  # fmt: skip
    return Row('IMU mounting', OK, found)
