"""The main plots of a report as a PNG; needs matplotlib, an optional dependency (`plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.analysis.derived import base_velocity
from kinfer_ros.analysis.derived import tilt
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.report_plots import ReportedRun
from kinfer_ros.errors import RunError


def draw(path: Path, subjects: Sequence[ReportedRun]) -> None:
    """
    Write a PNG: lateness, tilt, command, velocity, output and tracking error; one column per run.

    :raises RunError: the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        6, len(subjects), figsize=(9 * len(subjects), 14), squeeze=False, layout='constrained'
    )
    for column, subject in enumerate(subjects):
        axes[0][column].set_title(subject.run.path.resolve().name, fontsize=10)
        for axis, (title, values) in zip(axes[:, column], _rows(subject), strict=True):
            if values is not None:
                axis.plot(subject.columns.time, values, linewidth=0.8)
            axis.set_ylabel(title, fontsize=9)
            axis.grid(alpha=0.3)
        axes[-1][column].set_xlabel('s')
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error
    finally:
        plt.close(figure)


def _rows(subject: ReportedRun) -> list[tuple[str, Any]]:
    columns = subject.columns
    error = tracking_error(columns)
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
