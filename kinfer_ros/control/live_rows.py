"""What live sensor messages say about the contract: names, units, frames, signs, rates, clock.

A driver that publishes degrees, a quaternion in another order or gravity in place of specific
force looks alive and well; the policy falls all the same. Each of these leaves a mark in what a
robot says while it stands still, and is found here. Pure: what was heard comes in as data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.control.contract_check import FAIL
from kinfer_ros.control.contract_check import OK
from kinfer_ros.control.contract_check import WARN
from kinfer_ros.control.contract_check import Row
from kinfer_ros.control.robot import Robot
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import rotation_matrix

Float64 = NDArray[np.float64]

MOST = 20000
"""Samples of one topic that are kept."""
SLACK = 0.5
"""rad outside its limits from which a joint is somewhere it cannot be."""
ALIGNED = math.radians(20.0)
"""Angle between measured and expected specific force that is still the same direction."""
STILL_GYRO = 0.3
"""rad/s below which the base is at rest."""
FASTEST_TURN = 35.0
"""rad/s: 2000 deg/s, the full scale of common gyroscopes."""
LEANING = math.radians(40.0)
ENOUGH = 0.9
"""Of the control rate, that a topic has to come at."""


@dataclass(frozen=True)
class JointSample:
    """One joint_states message."""

    stamp_ns: int
    age_ns: int
    names: tuple[str, ...]
    position: Float64
    velocity: Float64


@dataclass(frozen=True)
class ImuSample:
    """One imu/data message, in the order of its fields."""

    stamp_ns: int
    age_ns: int
    frame_id: str
    xyzw: Float64
    gyro: Float64
    accel: Float64
    has_orientation: bool = True


@dataclass(frozen=True)
class OdomSample:
    """One odom message."""

    stamp_ns: int
    age_ns: int
    child_frame_id: str
    linear: Float64


@dataclass
class Heard:
    """What came in while we listened."""

    seconds: float = 0.0
    clocked: bool = True
    """False: ages say nothing (the listener has no clock of the stamps)."""
    running: bool = True
    """False: time stands still (a simulation in lockstep, before it starts)."""
    joints: list[JointSample] = field(default_factory=list)
    imu: list[ImuSample] = field(default_factory=list)
    odom: list[OdomSample] = field(default_factory=list)


def live_rows(
    heard: Heard, robot: Robot, rate_hz: float, *, needs_odometry: bool, stale_s: float = 0.25
) -> list[Row]:
    """
    Judge what was heard.

    :param rate_hz: the control rate.
    :param stale_s: age from which a sample would be a fault.
    """
    rows: list[Row] = []
    if heard.joints:
        rows += _joint_rows(heard.joints[-1], robot)
    else:
        rows.append(_silent('joint_states'))
    if heard.imu:
        rows += _imu_rows(heard.imu, robot)
    else:
        rows.append(_silent('imu/data'))
    if needs_odometry:
        rows += _odom_rows(heard.odom, robot)
    if heard.running:
        odom = heard.odom if needs_odometry else []
        rows += _time_rows('joint_states', heard.joints, heard, rate_hz, stale_s)
        rows += _time_rows('imu/data', heard.imu, heard, rate_hz, stale_s)
        rows += _time_rows('odom', odom, heard, rate_hz, stale_s)
    return rows


def _silent(topic: str) -> Row:
    return Row(topic, FAIL, 'no message', 'messages', 'is the driver or the bridge running?')


# Joints ----------------------------------------------------------------------------------


def _joint_rows(sample: JointSample, robot: Robot) -> list[Row]:
    names = sample.names
    missing = [name for name in robot.joint_names if name not in names]
    extra = [name for name in names if name not in robot.joint_names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if missing or twice:
        what = f'lacks {", ".join(missing)}' if missing else f'has {", ".join(twice)} twice'
        return [
            Row(
                'joint names',
                FAIL,
                f'joint_states {what}; it has {", ".join(names) or "none"}',
                f'each of {", ".join(robot.joint_names)}',
                f'make the driver and {robot.path} name the joints alike',
            )
        ]
    ignored = f'; ignored: {", ".join(extra)}' if extra else ''
    rows = [Row('joint names', OK, f'{len(robot.joint_names)}, matched by name{ignored}')]
    if len(sample.position) != len(names) or len(sample.velocity) != len(names):
        rows.append(
            Row(
                'joint states',
                FAIL,
                f'{len(names)} names, {len(sample.position)} positions, '
                f'{len(sample.velocity)} velocities',
                'as many of each',
                'the driver has to publish position and velocity of every joint',
            )
        )
        return rows
    index = [names.index(name) for name in robot.joint_names]
    rows.append(_joint_units(sample.position[index], sample.velocity[index], robot))
    return rows


def _joint_units(position: Float64, velocity: Float64, robot: Robot) -> Row:
    if not (np.isfinite(position).all() and np.isfinite(velocity).all()):
        return Row('joint units', FAIL, 'a position or velocity is not finite', 'numbers')
    out = np.maximum(robot.lower - position, position - robot.upper)
    worst = int(out.argmax())
    name = robot.joint_names[worst]
    found = f'{name} at {position[worst]:.3f}'
    limits = f'{robot.lower[worst]:.3f} to {robot.upper[worst]:.3f} rad'
    if out[worst] > SLACK:
        turned = np.radians(position)
        fits = ((turned >= robot.lower - SLACK) & (turned <= robot.upper + SLACK)).all()
        if fits:
            return Row(
                'joint units', FAIL, f'{found}: degrees, by the look of it', limits,
                'publish radians (and rad/s)',
            )  # fmt: skip
        return Row(
            'joint units', FAIL, found, limits, 'wrong unit, zero position, sign or limits?'
        )
    fast = np.abs(velocity) - 2.0 * robot.velocity_limit
    if fast.max() > 0.0:
        at = int(fast.argmax())
        return Row(
            'joint units',
            WARN,
            f'{robot.joint_names[at]} at {velocity[at]:.1f} rad/s',
            f'at most {robot.velocity_limit[at]:g} rad/s',
            'are the velocities in degrees?',
        )
    if not velocity.any() and not position.any():
        return Row(
            'joint units', WARN, 'every position and velocity is exactly zero',
            'measurements', 'is the driver connected to the robot?',
        )  # fmt: skip
    return Row('joint units', OK, f'radians; {found} is nearest to its limits')


# IMU -------------------------------------------------------------------------------------


def _imu_rows(samples: Sequence[ImuSample], robot: Robot) -> list[Row]:
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
    if np.abs(gyro).max() > FASTEST_TURN:
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


# Odometry --------------------------------------------------------------------------------


def _odom_rows(samples: Sequence[OdomSample], robot: Robot) -> list[Row]:
    if not samples:
        return [
            Row(
                'odometry', FAIL, 'no message on odom, and the policy takes the linear velocity',
                'nav_msgs/Odometry, twist in the base frame', 'run a state estimator',
            )
        ]  # fmt: skip
    last = samples[-1]
    if not np.isfinite(last.linear).all():
        return [Row('odometry', FAIL, f'{last.linear.tolist()} m/s', 'finite numbers')]
    if last.child_frame_id != robot.base_frame:
        return [
            Row(
                'odometry', WARN, f'child_frame_id {last.child_frame_id!r}',
                f'{robot.base_frame!r}: the twist has to be in the base frame',
                'transform it, or correct base_frame',
            )
        ]  # fmt: skip
    return [Row('odometry', OK, f'{last.linear.round(2).tolist()} m/s in {last.child_frame_id}')]


# Rates and clock -------------------------------------------------------------------------


def _time_rows(
    topic: str,
    samples: Sequence[JointSample] | Sequence[ImuSample] | Sequence[OdomSample],
    listening: Heard,
    rate_hz: float,
    stale_s: float,
) -> list[Row]:
    if not samples:
        return []
    seconds = listening.seconds
    stamps = sorted({sample.stamp_ns for sample in samples})
    rows = []
    if listening.clocked:
        rows.append(_clock_row(topic, [s.age_ns / 1e9 for s in samples], stamps, stale_s))
    if len(stamps) < 2:
        rows.append(
            Row(
                f'{topic} rate', FAIL, f'{len(samples)} messages in {seconds:.1f} s, all with one '
                'stamp', f'at least {rate_hz:g} Hz', 'is the driver frozen?',
            )
        )  # fmt: skip
        return rows
    # By their own stamps: what a slow listener missed does not count against the driver.
    gaps = np.diff(stamps) / 1e9
    rate = 1.0 / float(np.median(gaps))
    heard = max(rate, len(stamps) / max(seconds, 1e-3))
    if heard < ENOUGH * rate_hz:
        rows.append(
            Row(
                f'{topic} rate', FAIL, f'{heard:.0f} Hz', f'at least {rate_hz:g} Hz',
                'publish faster: the policy would see samples twice',
            )
        )  # fmt: skip
    else:
        rows.append(Row(f'{topic} rate', OK, f'{heard:.0f} Hz'))
    return rows


def _clock_row(topic: str, ages: list[float], stamps: list[int], stale_s: float) -> Row:
    age = float(np.median(ages))
    name = f'{topic} clock'
    if stamps[0] == 0:
        return Row(name, FAIL, 'a stamp of 0', 'the time of measurement', 'fill in header.stamp')
    if age > stale_s:
        return Row(
            name, FAIL, f'samples are {age:.3f} s old', f'at most {stale_s:g} s',
            'synchronise the clocks of the hosts (or use_sim_time is set on one side only)',
        )  # fmt: skip
    if age < -0.05:
        return Row(
            name, FAIL, f'stamps are {-age:.3f} s in the future', 'at most 0.05 s',
            'synchronise the clocks of the hosts (or use_sim_time is set on one side only)',
        )  # fmt: skip
    return Row(name, OK, f'samples are {age * 1e3:.1f} ms old')
