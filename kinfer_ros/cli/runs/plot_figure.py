"""The figure of `plot`; needs matplotlib, an optional dependency (`plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.series import Series
from kinfer_ros.errors import RunError

ONE_COLUMN = 6
"""Maximum panels in one column; more use COLUMNS columns."""

COLUMNS = 3
LEGEND = 4
"""Maximum curves for a legend inside the panel."""


def draw(path: Path, title: str, columns: Columns, series: Sequence[Series], kept: Any) -> None:
    """
    Write a PNG: one plot per panel, modes other than run in grey.

    :param kept: [n] bool, the records to draw.
    :raises RunError: the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    panels: dict[tuple[str, str], list[Series]] = {}
    for each in series:
        panels.setdefault((each.panel, each.unit), []).append(each)
    width = 1 if len(panels) <= ONE_COLUMN else COLUMNS
    rows = -(-len(panels) // width)
    figure, axes = plt.subplots(
        rows, width, figsize=(10 if width == 1 else 18, 0.6 + 2.2 * rows), sharex=True,
        squeeze=False, layout='constrained',
    )  # fmt: skip
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
    try:
        figure.savefig(path, dpi=100)
    except (OSError, ValueError) as error:  # ValueError: not a suffix of an image format
        raise RunError(f'{path}: cannot be written ({error})') from error
    finally:
        plt.close(figure)


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
    for running, group in groupby(places, lambda i: columns.modes[i] in ('run', 'None')):
        part = list(group)
        if not running:
            after = min(part[-1] + 1, places[-1])
            spans.append((float(columns.time[part[0]]), float(columns.time[after])))
    return spans
