"""Every number of a step log over time, by name: `target/left_knee`, `gyro/z`, `late_us`, `tilt`.

The names that plots, tables and viewers show. Without this module each export would make its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import TWIST_ENTRIES

Float64 = Float64

TIMING, BASE, JOINTS, POLICY = 'timing', 'base', 'joints', 'policy'
GROUPS = (TIMING, BASE, JOINTS, POLICY)

VECTORS = (
    'gyroscope_imu', 'accelerometer_imu', 'projected_gravity_imu', 'base_linear_velocity_imu',
    'base_linear_velocity',
)  # fmt: skip
"""Inputs of a policy whose parts are x, y and z."""

PARTS = {
    'projected_g': 'xyz',
    'accel': 'xyz',
    'gyro': 'xyz',
    'odom': ('x', 'y', 'yaw'),
    'velocity': ('x', 'y', 'yaw'),
    **{f'inputs.{name}': 'xyz' for name in VECTORS},
}
BY_JOINT = {
    'joint_angles': 'rad',
    'joint_vels': 'rad/s',
    'output': 'rad',
    'target': 'rad',
    'measured_position': 'rad',
    'measured_velocity': 'rad/s',
    'error': 'rad',
}
UNITS = {'projected_g': 'm/s^2', 'accel': 'm/s^2', 'gyro': 'rad/s', 'odom': 'm, rad'}
TITLES = {'late_us': 'tick lateness', 'age_us': 'sample age'}
AXES = {'x': ('forward', 'm/s'), 'y': ('to the left', 'm/s'), 'yaw': ('turning', 'rad/s')}
"""Of the base's velocity, with what is commanded in the same panel."""


@dataclass(frozen=True)
class Series:
    """
    One number over time.

    :ivar panel: what it is drawn with: all of a panel have one unit.
    :ivar label: what it is called there.
    :ivar values: [n]; NaN where a record has none.
    :ivar derived: it does not stand in the log, but follows from it.
    """

    name: str
    unit: str
    group: str
    panel: str
    label: str
    values: Float64
    derived: bool = False


def all_series(run: RecordedRun, columns: Columns) -> list[Series]:
    """Return everything that a log holds, and what follows from it."""
    found = [_scalar(key, values) for key, values in columns.scalars.items()]
    for key, rows in columns.rows.items():
        found += _series(run, key, rows)
    angle = tilt(columns)
    if angle is not None:
        found.append(Series('tilt', 'rad', BASE, 'tilt', 'tilt', angle, derived=True))
    for key, more in (
        ('velocity', base_velocity(columns)),
        ('error', tracking_error(columns)),
    ):
        found += [] if more is None else _series(run, key, more, derived=True)
    return [series for series in found if np.isfinite(series.values).any()]


def part_names(run: RecordedRun, key: str, size: int) -> list[str]:
    """Names of the numbers of a row, such as the joints; numbers where nobody names them."""
    names: list[Any] = []
    if key in BY_JOINT:
        names = list(run.facts.get('joint_order') or [])
    elif key == 'command':
        names = list(run.facts.get('command_names') or [])
    elif key in PARTS:
        names = list(PARTS[key])
    if len(names) != size:
        names = list(range(size))
    return [str(name) for name in names]


def _scalar(key: str, values: Float64) -> Series:
    if key.startswith('stage.'):
        stage = key.removeprefix('stage.')
        return Series(f'stage_us/{stage}', 'us', TIMING, 'stages of a tick', stage, values)
    title = TITLES.get(key, key)
    return Series(key, 'us', TIMING, title, title, values)


def _series(run: RecordedRun, key: str, rows: Float64, *, derived: bool = False) -> list[Series]:
    title = key.replace('inputs.', 'inputs/')
    found = []
    for index, part in enumerate(part_names(run, key, rows.shape[1])):
        unit, group, panel, label = _place(key, part)
        name = f'{title}/{part}'
        found.append(Series(name, unit, group, panel, label, rows[:, index], derived))
    return found


def _place(key: str, part: str) -> tuple[str, str, str, str]:
    """Unit, group, panel and label of a part of a row."""
    if key in BY_JOINT:
        unit = BY_JOINT[key]
        if key == 'error' or unit != 'rad':
            return unit, JOINTS, 'tracking error' if key == 'error' else 'joint velocities', part
        return unit, JOINTS, part, key
    if key in ('command', 'velocity'):
        axis = dict(zip(TWIST_ENTRIES, AXES, strict=True)).get(part, part)
        if axis not in AXES:
            return '', BASE, 'other commands', part
        title, unit = AXES[axis]
        return unit, BASE, f'velocity {title}', key
    if key in UNITS:
        return UNITS[key], BASE, key, part
    return '', POLICY, key.replace('inputs.', 'input '), part
