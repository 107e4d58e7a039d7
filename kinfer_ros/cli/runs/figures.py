"""The PNGs of `plot`, `replay` and `report`; they need matplotlib, an optional dependency."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.report_plots import ReportedRun
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError

ONE_COLUMN = 6
"""Maximum panels in one column; more use COLUMNS columns."""
COLUMNS = 3
LEGEND = 4
"""Maximum curves for a legend inside the panel."""
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


def draw_signals(
    path: Path, title: str, columns: Columns, series: Sequence[Series], kept: Any
) -> None:
    """
    Write a PNG: one plot per panel, modes other than run in grey.

    :param kept: [n] bool, the records to draw.
    :raises RunError: the file cannot be written.
    """
    panels: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        panels.setdefault((each.panel, each.unit), []).append(each)
    width = 1 if len(panels) <= ONE_COLUMN else COLUMNS
    rows = -(-len(panels) // width)
    size = (10 if width == 1 else 18, 0.6 + 2.2 * rows)
    with _png(path, rows, width, figsize=size, sharex=True) as (figure, axes):
        figure.suptitle(title, fontsize=10)
        for axis, ((panel, unit), curves) in zip(axes.flat, panels.items(), strict=False):
            axis.set_title(panel, fontsize=9)
            axis.set_ylabel(unit, fontsize=8)
            _panel(axis, columns, curves, kept)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)
        for column in range(width):
            last = max(row for row in range(rows) if row * width + column < len(panels))
            axes[last][column].set_xlabel('s')
            axes[last][column].tick_params(labelbottom=True)


def _panel(axis: Any, columns: Columns, curves: Sequence[Series], kept: Any) -> None:
    time = columns.time[kept]
    for begin, end in _other_modes(columns, kept):
        axis.axvspan(begin, end, color='0.5', alpha=0.15, linewidth=0)
    covering = any(each.label == 'output' for each in curves)
    for each in curves:
        values = each.values[kept]
        known = np.isfinite(values)
        # Connect the points of a signal that only some records have.
        sparse = known.sum() < len(values) / 2
        shown = known if sparse else slice(None)
        # Without limits, output and target are the same: draw the target dotted on top.
        style = ':' if covering and each.label == 'target' else '-'
        axis.plot(time[shown], values[shown], style, linewidth=0.9, label=each.label)
    axis.grid(alpha=0.3)
    axis.margins(x=0)
    if len(curves) > 1 or curves[0].label != curves[0].panel:
        inside = {'loc': 'upper right', 'framealpha': 0.6}
        beside = {'loc': 'center left', 'bbox_to_anchor': (1.0, 0.5), 'frameon': False}
        axis.legend(fontsize=7, **(inside if len(curves) <= LEGEND else beside))


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
    with _png(path, 6, len(subjects), figsize=(9 * len(subjects), 14)) as (_, axes):
        for column, subject in enumerate(subjects):
            axes[0][column].set_title(subject.run.path.resolve().name, fontsize=10)
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
