"""Every number of a step log over time, by name: `target/left_knee`, `gyro/z`, `late_us`, `tilt`.

Plots, tables and viewers all use these names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import motion_error
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.other_logs import is_by_joint
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.recorded_run import override_joints
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import TWIST_ENTRIES

TIMING, BASE, JOINTS, POLICY, OTHER = 'timing', 'base', 'joints', 'policy', 'other'
GROUPS = (TIMING, BASE, JOINTS, POLICY, OTHER)

VECTOR_INPUTS = (
    'gyroscope_imu', 'accelerometer_imu', 'projected_gravity_imu', 'base_linear_velocity_imu',
    'base_linear_velocity', 'imu_linear_velocity', 'imu_linear_velocity_imu',
)  # fmt: skip
"""Policy inputs with the components x, y and z."""

COMPONENTS = {
    'projected_g': 'xyz',
    'accel': 'xyz',
    'gyro': 'xyz',
    'odom': ('x', 'y', 'yaw'),
    'anchor_error': ('angle',),
    'velocity': ('x', 'y', 'yaw'),
    **{f'inputs.{name}': 'xyz' for name in VECTOR_INPUTS},
}
BY_JOINT = {
    'joint_angles': 'rad',
    'joint_vels': 'rad/s',
    'output': 'rad',
    'target': 'rad',
    'measured_position': 'rad',
    'measured_velocity': 'rad/s',
    'error': 'rad',
    'reference': 'rad',
    'motion_error': 'rad',
    'override': 'rad',
    'joint_torques': 'Nm',
    'joint_temps': 'degC',
}
TARGETS = ('output', 'target', 'error')
"""Those that are rad/s of a wheel."""
JOINT_PANELS = {
    'error': 'tracking error',
    'motion_error': 'distance from the motion',
    'joint_torques': 'joint torques',
    'joint_temps': 'joint temperatures',
    **dict.fromkeys(('joint_vels', 'measured_velocity'), 'joint velocities'),
}
"""Panels of all joints; positions have one for each joint."""
UNITS = {
    'anchor_error': 'rad',
    'projected_g': 'm/s^2',
    'accel': 'm/s^2',
    'gyro': 'rad/s',
    'odom': 'm, rad',
}
TITLES = {'late_us': 'tick lateness', 'age_us': 'sample age', 'battery': 'battery charge'}
AXES = {'x': ('forward', 'm/s'), 'y': ('to the left', 'm/s'), 'yaw': ('turning', 'rad/s')}
"""Axes of the base velocity: title and unit of the panel, which also shows the command."""


@dataclass(frozen=True)
class Series:
    """
    One number over time.

    :ivar panel: the plot that it belongs to; all series of a panel have the same unit.
    :ivar label: its name in the panel.
    :ivar values: [n]; NaN where a record has none.
    :ivar derived: computed from the log, not logged.
    """

    name: str
    unit: str
    group: str
    panel: str
    label: str
    values: Float64
    derived: bool = False


@dataclass(frozen=True)
class Panel:
    """One plot of several series, in a tab of its group."""

    group: str
    name: str
    unit: str
    labels: tuple[str, ...]


def panels_of(series: Sequence[Series]) -> list[Panel]:
    """Return the panels of these series, each once."""
    labels: dict[tuple[str, str, str], list[str]] = {}
    for each in series:
        labels.setdefault((each.group, each.panel, each.unit), []).append(each.label)
    return [Panel(*key, tuple(found)) for key, found in labels.items()]


def all_series(run: RecordedRun, columns: Columns) -> list[Series]:
    """Return all logged and derived series that have a finite value."""
    series = [_scalar(key, values) for key, values in columns.scalars.items()]
    for key, rows in columns.rows.items():
        series += _series(run, key, rows)
    angle = tilt(columns)
    if angle is not None:
        series.append(Series('tilt', 'rad', BASE, 'tilt', 'tilt', angle, derived=True))
    derived = {
        'velocity': base_velocity(columns),
        'error': tracking_error(columns),
        'motion_error': motion_error(columns),
    }
    for key, values in derived.items():
        series += [] if values is None else _series(run, key, values, derived=True)
    return [each for each in series if np.isfinite(each.values).any()]


def component_names(run: RecordedRun, key: str, size: int) -> list[str]:
    """Return the names of a row's components, such as the joints; indices where unknown."""
    names: list[Any] = []
    if key == 'override':
        names = override_joints(run.facts)
    elif key in BY_JOINT or is_by_joint(key):
        names = list(run.facts.get('joint_order') or [])
    elif key == 'command':
        names = list(run.facts.get('command_names') or [])
    elif key in COMPONENTS:
        names = list(COMPONENTS[key])
    if len(names) != size:
        names = list(range(size))
    return [str(name) for name in names]


def _scalar(key: str, values: Float64) -> Series:
    if key.startswith('stage.'):
        stage = key.removeprefix('stage.')
        return Series(f'stage_us/{stage}', 'us', TIMING, 'stages of a tick', stage, values)
    title = TITLES.get(key, key)
    unit = next((unit for unit in ('ms', 'us') if key.endswith(f'_{unit}')), '')
    return Series(key, unit, TIMING if unit else OTHER, title, title, values)


def _series(run: RecordedRun, key: str, rows: Float64, *, derived: bool = False) -> list[Series]:
    title = key.replace('inputs.', 'inputs/')
    series = []
    for index, component in enumerate(component_names(run, key, rows.shape[1])):
        wheel = key in TARGETS and index in run.wheels
        unit, group, panel, label = _of_wheel(key, component) if wheel else _locate(key, component)
        name = f'{title}/{component}'
        series.append(Series(name, unit, group, panel, label, rows[:, index], derived))
    return series


def _of_wheel(key: str, component: str) -> tuple[str, str, str, str]:
    """The targets of a wheel are velocities; its angle has a panel of its own."""
    return 'rad/s', JOINTS, f'{component} velocity', key


def _locate(key: str, component: str) -> tuple[str, str, str, str]:
    """Return unit, group, panel and label of a component of a row."""
    if key in BY_JOINT:
        unit = BY_JOINT[key]
        if key in JOINT_PANELS:
            return unit, JOINTS, JOINT_PANELS[key], component
        return unit, JOINTS, component, key
    if is_by_joint(key):
        return '', JOINTS, key.replace('_', ' '), component
    if key in ('command', 'velocity'):
        axis = dict(zip(TWIST_ENTRIES, AXES, strict=True)).get(component, component)
        if axis not in AXES:
            return '', BASE, 'other commands', component
        title, unit = AXES[axis]
        return unit, BASE, f'velocity {title}', key
    if key in UNITS:
        return UNITS[key], BASE, key, component
    if key.startswith('inputs.'):
        return '', POLICY, key.replace('inputs.', 'input '), component
    return '', OTHER, key, component
