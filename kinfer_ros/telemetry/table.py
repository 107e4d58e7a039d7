"""Writes a step log as a table: a row a tick, a column a number, named as PlotJuggler shows them.

Without this module pandas, a spreadsheet or PlotJuggler would each need a reader of NDJSON.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.errors import RunError
from kinfer_ros.telemetry.columns import Columns
from kinfer_ros.telemetry.recorded_run import RecordedRun

AXES = {'projected_g': 'xyz', 'accel': 'xyz', 'gyro': 'xyz'}
BY_JOINT = (
    'joint_angles', 'joint_vels', 'output', 'target', 'measured_position', 'measured_velocity',
)  # fmt: skip


def column_names(key: str, size: int, run: RecordedRun) -> list[str]:
    """Names of the columns of a row, such as `target/left_knee`."""
    names: list[Any] = []
    if key in BY_JOINT:
        names = list(run.facts.get('joint_order') or [])
    elif key == 'command':
        names = list(run.facts.get('command_names') or [])
    elif key in AXES:
        names = list(AXES[key])
    if len(names) != size:
        names = list(range(size))
    return [f'{key.replace("inputs.", "inputs/")}/{name}' for name in names]


def write_csv(run: RecordedRun, columns: Columns, path: Path) -> int:
    """
    Write the table; a float32 stands with the digits that give its bits back, NaN as nothing.

    :return: number of rows.
    :raises RunError: the file cannot be written.
    """
    head = ['step_id', 'time', 'mode', 'events']
    parts: list[Any] = []
    for key, values in columns.scalars.items():
        head.append(key.replace('stage.', 'stage_us/'))
        parts.append(values[:, None])
    for key, rows in columns.rows.items():
        head += column_names(key, rows.shape[1], run)
        parts.append(rows)
    numbers = np.concatenate(parts, axis=1) if parts else np.zeros((len(columns.step_id), 0))
    events: dict[int, list[str]] = {}
    for index, text in columns.events:
        events.setdefault(index, []).append(text)
    try:
        with path.open('w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(head)
            for index, row in enumerate(numbers.tolist()):
                writer.writerow(
                    [
                        int(columns.step_id[index]),
                        f'{columns.time[index]:.9f}',
                        columns.modes[index],
                        '; '.join(events.get(index, ())),
                        *('' if v != v else v for v in row),
                    ]
                )
    except OSError as error:
        raise RunError(f'{path}: cannot be written ({error.strerror})') from error
    return len(numbers)
