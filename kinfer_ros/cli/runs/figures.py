"""The PNGs of `plot`, `replay` and `report`; they need matplotlib, an optional dependency."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.overlay import LETTERS
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError

ONE_COLUMN = 6
"""Maximum panels in one column; more use COLUMNS columns."""
COLUMNS = 3
MANY = 8
"""Maximum curves of several runs that are named one by one in the legend."""
STYLE_DASHES: dict[str, Any] = {
    'solid': '-', 'dashed': '--', 'dotted': ':', 'dash and dot': '-.', 'long dashes': (0, (8, 2)),
    'sparse dots': (0, (1, 4)), 'dash, dot, dot': (0, (3, 1, 1, 1, 1, 1)),
    'sparse dashes': (0, (5, 6)),
}  # fmt: skip
STYLES = tuple(STYLE_DASHES)
"""Line styles of several runs."""
MAX_POINTS = 4000
"""Maximum points of a curve, more than a screen has pixels."""


@contextmanager
def _png(path: Path, rows: int, columns: int, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Give a figure and its axes [rows, columns], and write it at the end."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(rows, columns, squeeze=False, layout='constrained', **options)
    try:
        yield figure, axes
        figure.savefig(path, dpi=100)
    except (OSError, ValueError) as error:  # ValueError: not a suffix of an image format
        reason = getattr(error, 'strerror', None) or error
        raise RunError(f'{path}: cannot be written ({reason})') from error
    finally:
        plt.close(figure)


@dataclass(frozen=True)
class DrawnRun:
    """
    What is drawn of a run.

    :ivar kept: [n] bool, the records to draw.
    """

    name: str
    columns: Columns
    series: Sequence[Series]
    kept: Any


def draw_signals(path: Path, runs: Sequence[DrawnRun]) -> None:
    """
    Write a PNG: one plot per panel; of one run with modes other than run in grey.

    :raises RunError: the file cannot be written.
    """
    panels: dict[tuple[str, str], dict[str, list[Series | None]]] = {}
    for number, run in enumerate(runs):
        for each in run.series:
            curves = panels.setdefault((each.panel, each.unit), {})
            curves.setdefault(each.label, [None] * len(runs))[number] = each
    width = 1 if len(panels) <= ONE_COLUMN else COLUMNS
    rows = -(-len(panels) // width)
    size = (10 if width == 1 else 18, 0.6 + 2.2 * rows)
    with _png(path, rows, width, figsize=size, sharex=True) as (figure, axes):
        figure.suptitle(_title(runs), fontsize=10)
        for axis, ((panel, unit), found) in zip(axes.flat, panels.items(), strict=False):
            axis.set_title(panel, fontsize=9)
            axis.set_ylabel(unit, fontsize=8)
            _panel(axis, panel, runs, found)
        _finish_grid(axes, len(panels), 'time, s')


def _title(runs: Sequence[DrawnRun]) -> str:
    if len(runs) == 1:
        return runs[0].name
    return ',  '.join(
        f'{letter}: {run.name} ({style})'
        for letter, style, run in zip(LETTERS, STYLES, runs, strict=False)
    )


def _panel(
    axis: Any, panel: str, runs: Sequence[DrawnRun], found: Mapping[str, Sequence[Series | None]]
) -> None:
    """Draw curves by label: a colour for each of them, a line style for each run."""
    if len(runs) == 1:
        for begin, end in _other_modes(runs[0].columns, runs[0].kept):
            axis.axvspan(begin, end, color='0.5', alpha=0.15, linewidth=0)
    many = len(runs) > 1 and sum(len(curves) for curves in found.values()) > MANY
    count = 0
    for place, (label, curves) in enumerate(found.items()):
        drawn = [curve for curve in curves if curve is not None]
        for number, (run, curve) in enumerate(zip(runs, curves, strict=True)):
            if curve is None:
                continue
            count += 1
            # A panel of one curve tells runs apart by colour.
            colour = f'C{(number if len(found) == 1 else place) % 10}'
            style = STYLE_DASHES[STYLES[number]]
            if len(runs) == 1 and label == 'target' and 'output' in found:
                style = ':'  # without limits it is the output: draw it on top, dotted
            name = label if len(runs) == 1 else f'{label} ({LETTERS[number]}: {run.name})'
            if many:  # the title tells the runs apart
                name = label if curve is drawn[0] else ''
            _curve(axis, run, curve, color=colour, linestyle=style, label=name)
    axis.grid(alpha=0.3)
    axis.margins(x=0)
    if count > 1 or next(iter(found)) != panel:
        _legend_beside(axis)


def _legend_beside(axis: Any) -> None:
    """Put the legend outside the panel, where it covers nothing."""
    axis.legend(fontsize=7, loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False)


def _curve(axis: Any, run: DrawnRun, series: Series, **style: Any) -> None:
    values, time = series.values[run.kept], run.columns.time[run.kept]
    known = np.isfinite(values)
    # Connect the points of a signal that only some records have.
    shown = known if known.sum() < len(values) / 2 else slice(None)
    axis.plot(time[shown], values[shown], linewidth=0.9, **style)


def _other_modes(columns: Columns, kept: Any) -> list[tuple[float, float]]:
    """Return the time spans, s, outside mode run."""
    spans = []
    places = np.flatnonzero(kept).tolist()
    for running, group in groupby(places, lambda i: columns.modes[i] in ('run', '')):
        part = list(group)
        if not running:
            after = min(part[-1] + 1, places[-1])
            spans.append((float(columns.time[part[0]]), float(columns.time[after])))
    return spans


def draw_replay(
    path: Path, pictures: Mapping[str, Sequence[Any]], joints: Sequence[str], rate_hz: float
) -> None:
    """
    Write a PNG of recorded and replayed targets over time, with one small plot per joint.

    :param pictures: `step` (ids), `recorded` and `replayed` (targets [joints], rad).
    :param rate_hz: steps per second.
    :raises RunError: nothing to draw, or the file cannot be written.
    """
    if not pictures['step']:
        raise RunError(f'{path}: nothing was replayed, so there is nothing to draw')
    every = max(len(pictures['step']) // MAX_POINTS, 1)
    steps = np.array(pictures['step'])[::every]
    time = (steps - steps[0]) / rate_hz
    recorded, replayed = (np.array(pictures[key])[::every] for key in ('recorded', 'replayed'))
    width = min(COLUMNS, len(joints))
    rows = -(-len(joints) // width)
    size = (5 * width, 0.6 + 2.2 * rows)
    with _png(path, rows, width, figsize=size, sharex=True) as (figure, axes):
        for place, name in enumerate(joints):
            axis = axes[place // width][place % width]
            axis.plot(time, recorded[:, place], label='recorded', linewidth=1)
            axis.plot(time, replayed[:, place], label='replayed', linewidth=1, linestyle='--')
            axis.set_title(name, fontsize=9)
            axis.set_ylabel('target, rad', fontsize=8)
            axis.grid(alpha=0.3)
            axis.margins(x=0)
        _finish_grid(axes, len(joints), 'time, s from the first replayed step')
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc='outside upper right', ncols=2, frameon=False)


def _finish_grid(axes: Any, panels: int, label: str) -> None:
    """Hide the panels without a curve, and name the time below the last one of each column."""
    rows, width = axes.shape
    for axis in axes.flat[panels:]:
        axis.set_visible(False)
    for column in range(min(width, panels)):
        last = max(row for row in range(rows) if row * width + column < panels)
        axes[last][column].set_xlabel(label, fontsize=8)
        axes[last][column].tick_params(labelbottom=True)


def draw_report(path: Path, subjects: Sequence[ReportedRun]) -> None:
    """
    Write a PNG: lateness, tilt, command, velocity, output and tracking error; one column per run.

    :raises RunError: the file cannot be written.
    """
    found = [_rows(subject) for subject in subjects]
    titles = [
        title
        for place, (title, _, _) in enumerate(found[0])
        if any(each[place][1] is not None for each in found)
    ]
    size = (9 * len(subjects), 0.6 + 2.3 * len(titles))
    with _png(path, len(titles), len(subjects), figsize=size, sharex=True) as (_, axes):
        for column, subject in enumerate(subjects):
            axes[0][column].set_title(subject.name, fontsize=10)
            shown = [each for each in found[column] if each[0] in titles]
            for axis, (title, values, names) in zip(axes[:, column], shown, strict=True):
                axis.set_ylabel(title, fontsize=9)
                axis.grid(alpha=0.3)
                axis.margins(x=0)
                if values is not None:
                    axis.plot(subject.columns.time, values, linewidth=0.8, label=names or title)
                if values is not None and names:
                    _legend_beside(axis)
            axes[-1][column].set_xlabel('time, s')


def _rows(subject: ReportedRun) -> list[tuple[str, Any, list[str]]]:
    """Return title, values and the names of the curves of each panel; None without a number."""
    columns = subject.columns
    error = tracking_error(columns)
    if error is not None and columns.wheels:
        error[:, columns.wheels] = np.nan  # theirs are of velocities
    panels = [
        ('lateness, us', columns.scalars.get('late_us'), []),
        ('tilt, rad', tilt(columns), []),
        ('command', columns.row('command'), list(subject.by_name('command'))),
        ('velocity, m/s, rad/s', base_velocity(columns), ['x', 'y', 'yaw']),
        ('output, rad', columns.row('output'), list(subject.by_name('output'))),
        ('largest tracking error, rad', None if error is None else _largest(error), []),
    ]
    known = [None if v is None or not np.isfinite(v).any() else v for _, v, _ in panels]
    return [(t, v, n) for (t, _, n), v in zip(panels, known, strict=True)]


def _largest(error: Any) -> Any:
    """Return the largest absolute value per row, NaN for a row without numbers."""
    size = np.where(np.isnan(error), -np.inf, np.abs(error)).max(axis=1)
    return np.where(np.isinf(size), np.nan, size)
