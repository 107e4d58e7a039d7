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
from kinfer_ros.analysis.report_plots import ReportedRun
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError

ONE_COLUMN = 6
"""Maximum panels in one column; more use COLUMNS columns."""
COLUMNS = 3
LEGEND = 4
"""Maximum curves for a legend inside the panel."""
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
        raise RunError(f'{path}: cannot be written ({error})') from error
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
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for column in range(width):
            last = max(row for row in range(rows) if row * width + column < len(panels))
            axes[last][column].set_xlabel('s')
            axes[last][column].tick_params(labelbottom=True)


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
        inside = {'loc': 'upper right', 'framealpha': 0.6}
        beside = {'loc': 'center left', 'bbox_to_anchor': (1.0, 0.5), 'frameon': False}
        few = (len(found) if many else count) <= LEGEND
        axis.legend(fontsize=7, **(inside if few else beside))


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


def draw_replay(path: Path, pictures: Mapping[str, Sequence[Any]], joints: Sequence[str]) -> None:
    """
    Write a PNG of recorded and replayed targets, with one small plot per joint.

    :param pictures: `step` (ids), `recorded` and `replayed` (targets [joints], rad).
    :raises RunError: nothing to draw, or the file cannot be written.
    """
    if not pictures['step']:
        raise RunError(f'{path}: nothing was replayed, so there is nothing to draw')
    every = max(len(pictures['step']) // MAX_POINTS, 1)
    steps = np.array(pictures['step'])[::every]
    recorded, replayed = (np.array(pictures[key])[::every] for key in ('recorded', 'replayed'))
    rows = -(-len(joints) // COLUMNS)
    with _png(path, rows, COLUMNS, figsize=(15, 2.2 * rows), sharex=True) as (_, axes):
        for place, name in enumerate(joints):
            axis = axes[place // COLUMNS][place % COLUMNS]
            axis.plot(steps, recorded[:, place], label='recorded', linewidth=1)
            axis.plot(steps, replayed[:, place], label='replayed', linewidth=1, linestyle='--')
            axis.set_title(name, fontsize=9)
            axis.set_ylabel('target, rad', fontsize=8)
        axes[0][0].legend(fontsize=8)
        for axis in axes[-1]:
            axis.set_xlabel('step_id')


def draw_report(path: Path, subjects: Sequence[ReportedRun]) -> None:
    """
    Write a PNG: lateness, tilt, command, velocity, output and tracking error; one column per run.

    :raises RunError: the file cannot be written.
    """
    size = (9 * len(subjects), 14)
    with _png(path, 6, len(subjects), figsize=size, sharex=True) as (_, axes):
        for column, subject in enumerate(subjects):
            axes[0][column].set_title(subject.name, fontsize=10)
            for axis, (title, values) in zip(axes[:, column], _rows(subject), strict=True):
                if values is not None:
                    axis.plot(subject.columns.time, values, linewidth=0.8)
                axis.set_ylabel(title, fontsize=9)
                axis.grid(alpha=0.3)
            axes[-1][column].set_xlabel('s')


def _rows(subject: ReportedRun) -> list[tuple[str, Any]]:
    columns = subject.columns
    error = tracking_error(columns)
    if error is not None and columns.wheels:
        error[:, columns.wheels] = np.nan  # theirs are of velocities
    return [
        ('lateness, us', columns.scalars.get('late_us')),
        ('tilt, rad', tilt(columns)),
        ('command', columns.row('command')),
        ('velocity: x, y, yaw', base_velocity(columns)),
        ('output, rad', columns.row('output')),
        ('largest tracking error, rad', None if error is None else _largest(error)),
    ]


def _largest(error: Any) -> Any:
    """Return the largest absolute value per row, NaN for a row without numbers."""
    size = np.where(np.isnan(error), -np.inf, np.abs(error)).max(axis=1)
    return np.where(np.isinf(size), np.nan, size)
