"""Plots recorded and replayed targets; needs matplotlib, an optional dependency (`plot`)."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.errors import RunError

COLUMNS = 3
MAX_POINTS = 4000
"""Maximum points of a curve, more than a screen has pixels."""


def draw(path: Path, pictures: Mapping[str, Sequence[Any]], joints: Sequence[str]) -> None:
    """
    Write a PNG with one small plot per joint.

    :param pictures: `step` (ids), `recorded` and `replayed` (targets [joints], rad).
    :raises RunError: nothing to draw, or the file cannot be written.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot as plt

    if not pictures['step']:
        raise RunError(f'{path}: nothing was replayed, so there is nothing to draw')
    every = max(len(pictures['step']) // MAX_POINTS, 1)
    steps = np.array(pictures['step'])[::every]
    recorded, replayed = (np.array(pictures[key])[::every] for key in ('recorded', 'replayed'))
    rows = -(-len(joints) // COLUMNS)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(15, 2.2 * rows), sharex=True, squeeze=False, layout='constrained'
    )
    for place, name in enumerate(joints):
        axis = axes[place // COLUMNS][place % COLUMNS]
        axis.plot(steps, recorded[:, place], label='recorded', linewidth=1)
        axis.plot(steps, replayed[:, place], label='replayed', linewidth=1, linestyle='--')
        axis.set_title(name, fontsize=9)
        axis.set_ylabel('target, rad', fontsize=8)
    axes[0][0].legend(fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel('step_id')
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error
    finally:
        plt.close(figure)
