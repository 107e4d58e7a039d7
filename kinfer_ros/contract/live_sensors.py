"""What live sensor messages say about the contract: names, units, frames, signs, rates, clock.

A driver that publishes degrees, a quaternion in another order or gravity in place of specific
force looks alive and well; the policy falls all the same. Each of these leaves a mark in what a
robot says while it stands still, and is found here. Pure: what was heard comes in as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.live_imu import imu_rows
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import ImuSample
from kinfer_ros.contract.sensor_capture import JointSample
from kinfer_ros.contract.sensor_capture import OdomSample
from kinfer_ros.contract.sensor_capture import SensorCapture
from kinfer_ros.robot.robot import Robot

SLACK = 0.5
"""rad outside its limits from which a joint is somewhere it cannot be."""
ENOUGH = 0.9
"""Of the control rate, that a topic has to come at."""


def live_rows(
    heard: SensorCapture,
    robot: Robot,
    rate_hz: float,
    *,
    needs_odometry: bool,
    stale_s: float = 0.25,
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
        rows += imu_rows(heard.imu, robot)
    else:
        rows.append(_silent('imu/data'))
    if needs_odometry:
        rows += _odom_rows(heard.odom, robot)
    if heard.running:
        odom = heard.odom if needs_odometry else []
        timed = _time_rows('joint_states', heard.joints, heard, rate_hz, stale_s)
        timed += _time_rows('imu/data', heard.imu, heard, rate_hz, stale_s)
        timed += _time_rows('odom', odom, heard, rate_hz, stale_s)
        rows += [replace(row, passing=True) for row in timed]
    return rows


def _silent(topic: str) -> Row:
    remedy = 'is the driver or the bridge running?'
    return Row(topic, FAIL, 'no message', 'messages', remedy, passing=True)


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


# Odometry --------------------------------------------------------------------------------


def _odom_rows(samples: Sequence[OdomSample], robot: Robot) -> list[Row]:
    if not samples:
        return [
            Row(
                'odometry', FAIL, 'no message on odom, and the policy takes the linear velocity',
                'nav_msgs/Odometry, twist in the base frame', 'run a state estimator',
                passing=True,
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
    listening: SensorCapture,
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
