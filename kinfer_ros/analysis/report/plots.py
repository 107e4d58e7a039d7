"""Says what the plots of a report show: curves of all runs by name, with their thresholds."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from kinfer_ros.analysis.columns import ROW_KEYS
from kinfer_ros.analysis.columns import SCALAR_KEYS
from kinfer_ros.analysis.derived import GRAVITY
from kinfer_ros.analysis.derived import LINEAR
from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.derived import VELOCITY
from kinfer_ros.analysis.derived import WINDOW
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import motion_error
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.report.limbs import grouped
from kinfer_ros.analysis.report.reported_run import Named
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.report.thresholds import Threshold
from kinfer_ros.analysis.report.thresholds import speed_limits
from kinfer_ros.analysis.report.thresholds import staircases
from kinfer_ros.analysis.series import AXES
from kinfer_ros.analysis.series import TITLES
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.robot.robot import ENDLESS

BINS = 60
MAX_NAMED = 32
"""Numbers of one row that are drawn one by one; of more, their range."""


@dataclass(frozen=True)
class Curve:
    """
    One number of one run over time.

    :ivar run: number of the run.
    :ivar colour: its place among the colours of the plot; that of the same number in other runs.
    :ivar values: [n], of every record.
    """

    name: str
    run: int
    colour: int
    values: Float64


@dataclass(frozen=True)
class Plot:
    """
    One quantity of all runs over time.

    :ivar scaled: its axis reaches to the thresholds; else they are seen where a curve comes near.
    """

    title: str
    unit: str
    curves: Sequence[Curve]
    thresholds: Sequence[Threshold] = ()
    scaled: bool = False


@dataclass(frozen=True)
class Histogram:
    """
    How often a number occurs.

    :ivar most: upper edge of the last bin, which has all larger numbers.
    :ivar counts: by run.
    """

    title: str
    unit: str
    most: float
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Group:
    """The plots of one subject."""

    title: str
    plots: list[Plot] = field(default_factory=list)
    histograms: list[Histogram] = field(default_factory=list)


Curves = Sequence[tuple[str, Sequence[Float64 | None]]]
"""Name, and the values [n] of each run or None."""


class _Plots:
    """Collects the plots of a page; each shows the same quantity of all runs."""

    def __init__(self, subjects: Sequence[ReportedRun]) -> None:
        self._subjects = subjects
        self.plots: list[Plot] = []

    def add(
        self,
        title: str,
        unit: str,
        curves: Curves,
        thresholds: Sequence[Threshold] = (),
        *,
        scaled: bool = False,
    ) -> None:
        """Add a plot, if it has a number."""
        found = [
            Curve(name, run, colour, values)
            for colour, (name, each) in enumerate(curves)
            for run, values in enumerate(each)
            if values is not None and np.isfinite(values).any()
        ]
        if found:
            self.plots.append(Plot(title, unit, found, thresholds, scaled))

    def add_rows(
        self, title: str, unit: str, *keys: str, thresholds: Sequence[Threshold] = ()
    ) -> None:
        """Add plots with a curve for each component of a row."""
        found = [subject.by_name(*keys) for subject in self._subjects]
        self.add_named(title, unit, found, thresholds=thresholds)

    def add_named(
        self,
        title: str,
        unit: str,
        found: Sequence[Named],
        left_out: Collection[str] = (),
        thresholds: Sequence[Threshold] = (),
        of_names: Callable[[Sequence[str]], list[Threshold]] | None = None,
    ) -> None:
        """
        Add plots of curves that are matched by name, one for each limb where they are many.

        :param found: those of each run.
        :param of_names: the thresholds of a plot, by the names that it shows.
        """
        names = [n for n in dict.fromkeys(n for each in found for n in each) if n not in left_out]
        if len(names) > MAX_NAMED and all(name.isdecimal() for name in names):
            self.add(f'{title} ({len(names)} numbers)', unit, _ranges(found), thresholds)
            return
        for limb, chosen in grouped(names).items():
            curves = [(name, [each.get(name) for each in found]) for name in chosen]
            lines = [*thresholds, *(of_names(chosen) if of_names else ())]
            self.add(f'{title}: {limb}' if limb else title, unit, curves, lines)


def _ranges(found: Sequence[Named]) -> Curves:
    """Return smallest, mean and largest of many numbers, such as the points of a height scan."""
    rows = [np.stack(list(each.values())) if each else None for each in found]
    curves: list[tuple[str, list[Float64 | None]]] = []
    for name, reduce in (('smallest', np.min), ('mean', np.mean), ('largest', np.max)):
        curves.append((name, [None if each is None else reduce(each, axis=0) for each in rows]))
    return curves


def plot_groups(subjects: Sequence[ReportedRun]) -> list[Group]:
    """Return the groups of a page, each with its title, plots and histograms."""
    groups = []
    for title, fill in (
        ('Base', _base),
        ('Joints', _joints),
        ('Timing', _timing),
        ('Policy', _policy),
        ('Other', _other),
    ):
        plots = _Plots(subjects)
        fill(plots, subjects)
        groups.append(
            Group(title, plots.plots, _histograms(subjects) if title == 'Timing' else [])
        )
    return groups


def _timing(plots: _Plots, subjects: Sequence[ReportedRun]) -> None:
    stale = staircases(subjects, 'stale_timeout', factor=1e6)
    for title, key, thresholds in (
        ('tick lateness', 'late_us', []),
        ('sample age', 'age_us', stale),
    ):
        curves = [(title, [s.columns.scalars.get(key) for s in subjects])]
        plots.add(title, 'us', curves, thresholds)
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
    angles = [tilt(subject.columns) for subject in subjects]
    curves = [('tilt', angles)]
    plots.add('tilt', 'rad', curves, staircases(subjects, 'max_tilt'), scaled=True)
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
        staircases(subjects, 'tracking_error', mirrored=True),
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
    plots.add_named(
        'joint velocities',
        'rad/s',
        found['velocity'],
        of_names=lambda names: speed_limits(subjects, names),
    )
    plots.add_rows('joint torques', 'Nm', 'joint_torques')
    hot = staircases(subjects, 'max_temperature')
    plots.add_rows('joint temperatures', 'deg C', 'joint_temps', thresholds=hot)


def _limits(subjects: Sequence[ReportedRun], name: str) -> list[Threshold]:
    """Return the joint limits of the first run that knows them."""
    for number, subject in enumerate(subjects):
        limits = subject.run.facts.get('limits') or {}
        names = limits.get('joints') or []
        if name in names:
            at = names.index(name)
            found = [float(limits['lower'][at]), float(limits['upper'][at])]
            ends = subject.columns.time[[0, -1]]
            endless = found[1] >= ENDLESS
            words = () if endless else zip(('lower limit', 'upper limit'), found, strict=True)
            return [Threshold(word, number, ends, np.full(2, value)) for word, value in words]
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
        low = staircases(subjects, 'min_battery') if key == 'battery' else []
        plots.add(TITLES.get(key, key), '', [(key, curves)], low)
    keys = dict.fromkeys(key for subject in subjects for key in subject.columns.rows)
    for key in keys:
        if key not in ROW_KEYS and not key.startswith('inputs.'):
            plots.add_rows(key, '', key)


def _histograms(subjects: Sequence[ReportedRun]) -> list[Histogram]:
    histograms = []
    for title, key in (('tick lateness', 'late_us'), ('sample age', 'age_us')):
        values = [s.columns.scalars[key] for s in subjects]
        values = [each[np.isfinite(each)] for each in values]
        if not any(each.any() for each in values):  # in simulated time every tick is on time
            continue
        # The last bin contains all larger values, so that an outlier does not flatten the rest.
        most = max(float(np.percentile(each, 99.9)) for each in values if each.size)
        most = most if most > 0.0 else 1.0
        edges = np.linspace(0.0, most, BINS + 1)
        counts = [np.histogram(np.clip(each, 0.0, most), edges)[0].tolist() for each in values]
        histograms.append(Histogram(title, 'us', most, counts))
    return histograms
