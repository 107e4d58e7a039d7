"""Makes the plots and histograms of a report, as data for its page.

Curves are reduced to the smallest and largest value of each time interval: no peak is lost.
"""

import math
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import ROW_KEYS
from kinfer_ros.analysis.columns import SCALAR_KEYS
from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import GRAVITY
from kinfer_ros.analysis.derived import LINEAR
from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.derived import VELOCITY
from kinfer_ros.analysis.derived import WINDOW
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import motion_error
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.overlay import LETTERS
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import AXES
from kinfer_ros.analysis.series import TITLES
from kinfer_ros.analysis.series import component_names
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.robot.robot import ENDLESS

MAX_INTERVALS = 1500
"""Time intervals of a reduced curve; two points of each are drawn."""

BINS = 60


@dataclass(frozen=True)
class ReportedRun:
    """
    A run in a report: its facts, its records, and the output of `verdict`.

    :ivar name: tells it from the others.
    """

    run: RecordedRun
    columns: Columns
    problems: Sequence[str]
    summary: Sequence[str]
    name: str = ''

    @property
    def joints(self) -> list[str]:
        """The policy's joints; indices for a log without run.json."""
        rows = self.columns.row('output', *POSITION)
        count = 0 if rows is None else rows.shape[1]
        names = self.run.facts.get('joint_order') or ()
        if count and len(names) != count:
            names = range(count)
        return [str(name) for name in names]

    @property
    def wheels(self) -> set[str]:
        """Names of the joints whose targets are velocities."""
        return {self.joints[at] for at in self.columns.wheels}

    def by_joint(self, rows: Float64 | None) -> 'Named':
        """Return the columns of rows [n, joints] by joint."""
        if rows is None:
            return {}
        return dict(zip(self.joints, rows.T, strict=False))

    def by_name(self, *keys: str) -> 'Named':
        """Return the columns of the first of these rows that the log has, by component."""
        for key in keys:
            rows = self.columns.rows.get(key)
            if rows is not None:
                names = component_names(self.run, key, rows.shape[1])
                return dict(zip(names, rows.T, strict=True))
        return {}


Named = dict[str, Float64]
"""Curves [n] by name."""


class CurveReducer:
    """Reduces curves over one time axis; short ones are unchanged."""

    def __init__(self, time: Float64) -> None:
        count = len(time)
        self._size = -(-count // MAX_INTERVALS) if count > 2 * MAX_INTERVALS else 0
        if self._size:
            pieces = -(-count // self._size)
            self._pad = pieces * self._size - count
            starts = time[:: self._size]
            ends = np.append(starts[1:], time[-1])
            self.time = np.stack([starts, (starts + ends) / 2], axis=1).ravel()
        else:
            self.time = time

    def values(self, values: Float64) -> list[float | None]:
        """Return the points of a curve [n] to draw; None for non-finite numbers."""
        if self._size:
            padded = np.append(values, np.full(self._pad, values[-1]))
            pieces = padded.reshape(-1, self._size)
            blank = np.isnan(pieces).all(axis=1)
            low_at = np.where(np.isnan(pieces), np.inf, pieces).argmin(axis=1)
            high_at = np.where(np.isnan(pieces), -np.inf, pieces).argmax(axis=1)
            at = np.arange(len(pieces))
            first, second = np.minimum(low_at, high_at), np.maximum(low_at, high_at)
            values = np.stack([pieces[at, first], pieces[at, second]], axis=1)
            values[blank] = np.nan
            values = values.ravel()
        return [float(f'{v:.5g}') if math.isfinite(v) else None for v in values.tolist()]


class _Plots:
    """Collects the plots of a page; each shows the same quantity of all runs."""

    def __init__(self, subjects: Sequence[ReportedRun], grids: Sequence[CurveReducer]) -> None:
        self._subjects = subjects
        self._grids = grids
        self.plots: list[dict[str, Any]] = []

    def add(
        self,
        title: str,
        unit: str,
        curves: Sequence[tuple[str, Sequence[Float64 | None]]],
        limits: Sequence[float] = (),
    ) -> None:
        """Add a plot; :param curves: name, and the values [n] of each run or None."""
        series = []
        for name, values in curves:
            for run, curve in enumerate(values):
                if curve is not None and np.isfinite(curve).any():
                    label = name if len(self._subjects) == 1 else f'{name} ({LETTERS[run]})'
                    points = self._grids[run].values(curve)
                    series.append({'name': label, 'run': run, 'y': points})
        if series:
            self.plots.append(
                {'title': title, 'unit': unit, 'series': series, 'limits': list(limits)}
            )

    def add_rows(self, title: str, unit: str, *keys: str) -> None:
        """Add a plot with a curve for each component of a row."""
        self.add_named(title, unit, [subject.by_name(*keys) for subject in self._subjects])

    def add_named(
        self, title: str, unit: str, found: Sequence[Named], left_out: Collection[str] = ()
    ) -> None:
        """Add a plot of curves that are matched by name; :param found: those of each run."""
        names = dict.fromkeys(name for each in found for name in each if name not in left_out)
        self.add(title, unit, [(name, [each.get(name) for each in found]) for name in names])


def plot_groups(
    subjects: Sequence[ReportedRun], grids: Sequence[CurveReducer]
) -> list[dict[str, Any]]:
    """Return the groups of a page, each with its title, plots and histograms."""
    groups = []
    for title, fill in (
        ('Timing', _timing),
        ('Base', _base),
        ('Joints', _joints),
        ('Policy', _policy),
        ('Other', _other),
    ):
        plots = _Plots(subjects, grids)
        fill(plots, subjects)
        groups.append({'title': title, 'plots': plots.plots, 'histograms': []})
    groups[0]['histograms'] = _histograms(subjects)
    return groups


def _timing(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    for title, key in (('tick lateness', 'late_us'), ('sample age', 'age_us')):
        plots.add(title, 'us', [(title, [s.columns.scalars.get(key) for s in subjects])])
    names = sorted({k for s in subjects for k in s.columns.scalars if k.startswith('stage.')})
    plots.add(
        'stages of a tick',
        'us',
        [(n.removeprefix('stage.'), [s.columns.scalars.get(n) for s in subjects]) for n in names],
    )
    for unit in ('ms', 'us'):
        names = _other_scalars(subjects, unit)
        curves = [(n, [s.columns.scalars.get(n) for s in subjects]) for n in names]
        plots.add('other times of the log', unit, curves)


def _other_scalars(subjects: Sequence[ReportedRun], unit: str) -> list[str]:
    """Return the keys of other projects' numbers in ms or us; in none of them: ''."""
    keys = dict.fromkeys(key for subject in subjects for key in subject.columns.scalars)
    found = [key for key in keys if key not in SCALAR_KEYS and not key.startswith('stage.')]
    return [key for key in found if time_unit(key) == unit]


def time_unit(key: str) -> str:
    """Return the unit of a time by its key: ms, us, or '' where it is none."""
    return next((unit for unit in ('ms', 'us') if key.endswith(f'_{unit}')), '')


def _base(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    limit = (subjects[0].run.facts.get('parameters') or {}).get('max_tilt')
    limits = [float(limit)] if isinstance(limit, int | float) else []
    plots.add('tilt', 'rad', [('tilt', [tilt(s.columns) for s in subjects])], limits)
    _add_velocity(plots, subjects)
    commands = {name for subject in subjects for name in subject.by_name('command')}
    if not commands <= set(TWIST_ENTRIES):
        plots.add_rows('command', 'm/s, rad/s', 'command')
    plots.add_rows('between the anchors of robot and motion', 'rad', 'anchor_error')
    plots.add_rows('angular velocity', 'rad/s', 'gyro', 'inputs.gyroscope_imu')
    plots.add_rows('linear velocity that the policy takes', 'm/s', *LINEAR)
    plots.add_rows('specific force', 'm/s^2', 'accel', 'inputs.accelerometer_imu')


def _add_velocity(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    """Plot the base velocity and its command, one plot for each axis."""
    measured = [base_velocity(subject.columns) for subject in subjects]
    for index, (entry, axis) in enumerate(zip(TWIST_ENTRIES, AXES, strict=True)):
        title, unit = AXES[axis]
        curves = [
            ('commanded', [subject.by_name('command').get(entry) for subject in subjects]),
            (
                f'measured, mean of {WINDOW:g} s',
                [None if rows is None else rows[:, index] for rows in measured],
            ),
        ]
        plots.add(f'velocity {title}', unit, curves)


def _joints(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    joints = list(dict.fromkeys(name for subject in subjects for name in subject.joints))
    wheels = set().union(*(subject.wheels for subject in subjects))
    plots.add_named(
        'tracking error: position less the target of the tick before',
        'rad',
        [subject.by_joint(tracking_error(subject.columns)) for subject in subjects],
        wheels,
    )
    plots.add_named(
        'distance from the motion: position less reference',
        'rad',
        [subject.by_joint(motion_error(subject.columns)) for subject in subjects],
    )
    found = {
        label: [subject.by_name(*keys) for subject in subjects]
        for label, keys in (
            ('position', POSITION),
            ('velocity', VELOCITY),
            ('target', ('target',)),
            ('motion', ('reference',)),
        )
    }
    for name in joints:
        labels = ('velocity', 'target') if name in wheels else ('position', 'target', 'motion')
        curves = [(label, [each.get(name) for each in found[label]]) for label in labels]
        if name in wheels:  # its angle says nothing
            plots.add(f'{name} velocity', 'rad/s', curves)
        else:
            plots.add(name, 'rad', curves, _limits(subjects, name))
    plots.add_rows('targets of another node', 'rad', 'override')
    plots.add_rows('joint velocities', 'rad/s', *VELOCITY)
    plots.add_rows('joint torques', 'Nm', 'joint_torques')
    plots.add_rows('joint temperatures', 'deg C', 'joint_temps')


def _limits(subjects: Sequence[ReportedRun], name: str) -> list[float]:
    for subject in subjects:
        limits = subject.run.facts.get('limits') or {}
        names = limits.get('joints') or []
        if name in names:
            at = names.index(name)
            found = [float(limits['lower'][at]), float(limits['upper'][at])]
            return [] if found[1] >= ENDLESS else found
    return []


def _policy(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    unit = 'rad, rad/s' if any(subject.wheels for subject in subjects) else 'rad'
    plots.add_rows('output', unit, 'output')
    plots.add_rows('projected gravity', 'm/s^2', GRAVITY[0])
    names = sorted({k for s in subjects for k in s.columns.rows if k.startswith('inputs.')})
    for name in names:
        plots.add_rows(f'input {name.removeprefix("inputs.")}', '', name)


def _other(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    """Plot the numbers of keys that are not ours."""
    for key in _other_scalars(subjects, ''):
        curves = [subject.columns.scalars.get(key) for subject in subjects]
        plots.add(TITLES.get(key, key), '', [(key, curves)])
    keys = dict.fromkeys(key for subject in subjects for key in subject.columns.rows)
    for key in keys:
        if key not in ROW_KEYS and not key.startswith('inputs.'):
            plots.add_rows(key, '', key)


def _histograms(subjects: Sequence[ReportedRun]) -> list[dict[str, Any]]:
    histograms = []
    for title, key in (('tick lateness', 'late_us'), ('sample age', 'age_us')):
        values = [s.columns.scalars[key] for s in subjects]
        values = [each[np.isfinite(each)] for each in values]
        if not any(each.size for each in values):
            continue
        # The last bin contains all larger values, so that an outlier does not flatten the rest.
        most = max(float(np.percentile(each, 99.9)) for each in values if each.size)
        most = most if most > 0.0 else 1.0
        edges = np.linspace(0.0, most, BINS + 1)
        counts = [np.histogram(np.clip(each, 0.0, most), edges)[0].tolist() for each in values]
        histograms.append({'title': title, 'unit': 'us', 'most': most, 'counts': counts})
    return histograms
