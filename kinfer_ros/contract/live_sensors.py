"""Checks captured sensor messages against the robot: names, units, frames, signs, rates, clock.

A driver that publishes degrees or another quaternion order looks healthy, and the policy still
falls. Each of these mistakes can be detected while the robot stands still.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kinfer_ros.contract.live_imu import check_imu
from kinfer_ros.contract.live_joints import check_joints
from kinfer_ros.contract.live_joints import whole_samples
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.sensor_capture import CapturedImu
from kinfer_ros.contract.sensor_capture import CapturedJointState
from kinfer_ros.contract.sensor_capture import CapturedOdometry
from kinfer_ros.contract.sensor_capture import CapturedScan
from kinfer_ros.contract.sensor_capture import SensorCapture
from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import told_apart

MIN_RATE_RATIO = 0.9
"""Lowest rate of a topic, as a fraction of the control rate."""


def check_live_sensors(
    capture: SensorCapture,
    robot: Robot,
    rate_hz: float,
    *,
    needs_odometry: bool,
    scan: HeightScan | None = None,
    stale_s: float = 0.25,
) -> list[Row]:
    """
    Check joint states, IMU, odometry, height scan and the timing of all.

    :param rate_hz: the control rate.
    :param scan: that the policy takes.
    :param stale_s: age from which a sample is a fault.
    """
    rows: list[Row] = []
    joints = whole_samples(capture.joints, robot)
    if capture.joints:
        rows += check_joints((joints or capture.joints)[-1], robot)
    else:
        rows.append(_no_message_row('joint_states'))
    if capture.imu:
        rows += check_imu(capture.imu, robot)
    else:
        rows.append(_no_message_row('imu/data'))
    if needs_odometry:
        rows.append(_check_odometry(capture.odom, robot))
    if scan is not None:
        rows.append(_check_scan(capture.scan, scan))
    if capture.time_runs:
        odom = capture.odom if needs_odometry else []
        timing = _check_timing('joint_states', joints, capture, rate_hz, stale_s)
        timing += _check_timing('imu/data', capture.imu, capture, rate_hz, stale_s)
        timing += _check_timing('odom', odom, capture, rate_hz, stale_s)
        if scan is not None:
            # A map is updated less often than a policy runs: the training has to know.
            slow = _check_timing('height_scan', capture.scan, capture, rate_hz, stale_s)
            timing += [replace(row, verdict=WARN) if _is_slow(row) else row for row in slow]
        rows += [replace(row, transient=True) for row in timing]
    return rows


def _no_message_row(topic: str) -> Row:
    remedy = 'is the driver or the bridge running?'
    return Row(topic, FAIL, 'no message', 'messages', remedy, transient=True)


# Odometry --------------------------------------------------------------------------------


def _check_odometry(samples: Sequence[CapturedOdometry], robot: Robot) -> Row:
    if not samples:
        found = 'no message on odom, and the policy needs the linear velocity'
        expected = 'nav_msgs/Odometry, twist in the base frame'
        return Row('odometry', FAIL, found, expected, 'run a state estimator', transient=True)
    last = samples[-1]
    if not np.isfinite(last.linear).all():
        return Row('odometry', FAIL, f'{last.linear.tolist()} m/s', 'finite numbers')
    if last.child_frame_id != robot.base_frame:
        found = f'child_frame_id {last.child_frame_id!r}'
        expected = f'{robot.base_frame!r}: the twist has to be in the base frame'
        return Row('odometry', WARN, found, expected, 'transform it, or correct base_frame')
    return Row('odometry', OK, f'{last.linear.round(2).tolist()} m/s in {last.child_frame_id}')


# Height scan -----------------------------------------------------------------------------


def _check_scan(samples: Sequence[CapturedScan], scan: HeightScan) -> Row:
    what, expected = 'height scan', f'{scan.rows} rows of {scan.columns} points, 32FC1'
    if not samples:
        found = 'no message on height_scan, and the policy needs the ground around the robot'
        remedy = 'run a node that samples an elevation map'
        return Row(what, FAIL, found, expected, remedy, transient=True)
    last = samples[-1]
    if last.problem:
        return Row(what, FAIL, last.problem)
    if last.shape not in ((scan.rows, scan.columns), (1, scan.size)):
        return Row(what, FAIL, f'{last.shape[0]} rows of {last.shape[1]} points', expected)
    if not np.isfinite(last.heights).all():
        bad = int(np.count_nonzero(~np.isfinite(last.heights)))
        remedy = 'fill the holes of the map in the node that publishes it'
        return Row(what, FAIL, f'{bad} points that are not finite', 'finite numbers', remedy)
    low, high = last.heights.min(), last.heights.max()
    return Row(what, OK, f'{scan.size} points, {low:.2f} to {high:.2f} m below the base')


def _is_slow(row: Row) -> bool:
    return row.what.endswith(' rate') and row.verdict == FAIL


# Rates and clock -------------------------------------------------------------------------


def _check_timing(
    topic: str,
    samples: Sequence[CapturedJointState | CapturedImu | CapturedOdometry | CapturedScan],
    capture: SensorCapture,
    rate_hz: float,
    stale_s: float,
) -> list[Row]:
    if not samples:
        return []
    stamps = sorted({sample.stamp_ns for sample in samples})
    rows = []
    if capture.has_clock:
        rows.append(_check_clock(topic, [s.age_ns / 1e9 for s in samples], stamps, stale_s))
    name, expected = f'{topic} rate', f'at least {rate_hz:g} Hz'
    if len(stamps) < 2:
        found = f'{len(samples)} messages in {capture.seconds:.1f} s, all with one stamp'
        return [*rows, Row(name, FAIL, found, expected, 'is the driver frozen?')]
    # From the stamps as well: samples that a slow listener missed do not count as missing.
    stamp_rate = 1e9 / float(np.median(np.diff(stamps)))
    rate = max(stamp_rate, len(stamps) / max(capture.seconds, 1e-3))
    if rate < MIN_RATE_RATIO * rate_hz:
        remedy = 'publish faster: the policy would see samples twice'
        return [*rows, Row(name, FAIL, f'{rate:.0f} Hz', expected, remedy)]
    return [*rows, Row(name, OK, f'{rate:.0f} Hz')]


def _check_clock(topic: str, ages: list[float], stamps: list[int], stale_s: float) -> Row:
    age = float(np.median(ages))
    name = f'{topic} clock'
    if stamps[0] == 0:
        return Row(name, FAIL, 'a stamp of 0', 'the time of measurement', 'fill in header.stamp')
    remedy = 'synchronise the clocks of the hosts (or use_sim_time is set on one side only)'
    if age > stale_s:
        found = f'samples are {told_apart(age, stale_s, 3)[0]} s old'
        return Row(name, FAIL, found, f'at most {stale_s:g} s', remedy)
    if age < -0.05:
        found = f'stamps are {-age:.3f} s in the future'
        return Row(name, FAIL, found, 'at most 0.05 s', remedy)
    return Row(name, OK, f'samples are {age * 1e3:.1f} ms old')
