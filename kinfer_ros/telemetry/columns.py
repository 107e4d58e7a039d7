"""A step log as arrays over time, for statistics, plots and tables.

Without this module a report would handle a run record by record, at a hundred times the cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from kinfer_ros.errors import RunError
from kinfer_ros.telemetry.recorded_run import RecordedRun

Float64 = npt.NDArray[np.float64]

ROWS = (
    'joint_angles', 'joint_vels', 'projected_g', 'accel', 'gyro', 'command', 'output', 'target',
    'measured_position', 'measured_velocity',
)  # fmt: skip
SCALARS = ('late_us', 'age_us')

_KINDS = {'events': list, 'inputs': dict, 'stage_us': dict, 'mode': str}
"""What other kinds of value are left out of a damaged record."""

_REPEATED = ('joint_order', 'joint_velocities', 'carry', 'resume')


@dataclass
class Columns:
    """
    The records of one run.

    :ivar step_id: [n] their numbers.
    :ivar time: [n] s, from the first record of mode run, else from the first one.
    :ivar modes: [n] their modes.
    :ivar rows: arrays [n, size] by key, or 'inputs.<name>'; NaN where a record has none. Keys that
        no record has are left out.
    :ivar scalars: arrays [n] by key, or 'stage.<name>', us.
    :ivar events: (index, text).
    :ivar missing: first and last step_id of each gap.
    :ivar warnings: what about the log is not as it should be.
    """

    step_id: npt.NDArray[np.int64]
    time: Float64
    modes: list[str]
    rows: dict[str, Float64]
    scalars: dict[str, Float64]
    events: list[tuple[int, str]]
    missing: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def row(self, *keys: str) -> Float64 | None:
        """Return the first of these arrays that the log has."""
        return next((self.rows[key] for key in keys if key in self.rows), None)


def read_columns(run: RecordedRun) -> Columns:
    """
    Read the step log of a run.

    :raises RunError: it cannot be read, or holds no record.
    """
    records = list(_parsed(run))
    if not records:
        raise RunError(f'{run.path}/steps.ndjson: holds no record of this run')
    step_id = np.array([record['step_id'] for record in records], np.int64)
    modes = [str(record.get('mode')) for record in records]
    warnings: list[str] = []
    columns = Columns(
        step_id=step_id,
        time=_time(records, modes, float(run.facts.get('control_rate_hz') or 50.0), warnings),
        modes=modes,
        rows=_rows(records, warnings),
        scalars=_scalars(records),
        events=_events(records),
        missing=[
            (int(step_id[i]) + 1, int(step_id[i + 1]) - 1)
            for i in np.flatnonzero(np.diff(step_id) > 1)
        ],
        warnings=warnings,
    )
    if run.damaged:
        warnings.append(f'{len(run.damaged)} lines of the step log are no records')
    if (np.diff(step_id) < 0).any():
        warnings.append('step_id goes back: two writers, or two runs in one file')
    if columns.missing:
        lost = sum(last - first + 1 for first, last in columns.missing)
        warnings.append(f'{lost} records are missing, in {len(columns.missing)} gaps')
    return columns


def _parsed(run: RecordedRun) -> Iterable[dict[str, Any]]:
    """Records as parsed, with lists for arrays: what needs no bits is read ten times faster."""
    path = run.path / 'steps.ndjson'
    try:
        with path.open('rb') as file:
            file.seek(int(run.facts.get('steps_offset') or 0))
            for number, line in enumerate(file, start=1):
                try:
                    record = orjson.loads(line)
                    if not isinstance(record['step_id'], int) or record['step_id'] >= 2**62:
                        raise TypeError
                    for key, kind in _KINDS.items():
                        if not isinstance(record.get(key), kind):
                            record.pop(key, None)
                except (ValueError, TypeError, KeyError):
                    run.damaged.append(number)
                    continue
                for key in _REPEATED:
                    record.pop(key, None)
                yield record
    except OSError as error:
        raise RunError(f'{path}: cannot be read ({error.strerror})') from error


def _time(
    records: list[dict[str, Any]], modes: list[str], rate_hz: float, warnings: list[str]
) -> Float64:
    """Take the control clock, else the wall clock, else the count of steps."""
    start = modes.index('run') if 'run' in modes else 0
    for key, unit in (('now_ns', 1e9), ('t_us', 1e6)):
        values = [record.get(key) for record in records]
        if not all(isinstance(value, int) for value in values):
            continue
        clock = np.array(values, np.float64)
        if (np.diff(clock) < 0).any():
            warnings.append(f'{key} goes back; time is counted otherwise')
            continue
        seconds: Float64 = (clock - clock[start]) / unit
        return seconds
    count = np.arange(len(records), dtype=np.float64)
    return (count - start) / rate_hz


def _rows(records: list[dict[str, Any]], warnings: list[str]) -> dict[str, Float64]:
    found: dict[str, Float64] = {}
    for key in ROWS:
        _add_rows(found, key, [record.get(key) for record in records], warnings)
    names = {name for record in records for name in record.get('inputs') or ()}
    for name in sorted(names):
        rows = [(record.get('inputs') or {}).get(name) for record in records]
        _add_rows(found, f'inputs.{name}', rows, warnings)
    return found


def _add_rows(
    found: dict[str, Float64], key: str, rows: list[Any], warnings: list[str]
) -> None:
    sizes = [len(row) for row in rows if isinstance(row, list)]
    if not sizes:
        return
    empty = [None] * sizes[0]
    same = [row if isinstance(row, list) and len(row) == sizes[0] else empty for row in rows]
    try:
        found[key] = np.array(same, dtype=np.float64)
    except (ValueError, TypeError):
        warnings.append(f'{key} holds what is no number, and is left out')


def _scalars(records: list[dict[str, Any]]) -> dict[str, Float64]:
    found = {key: _numbers([record.get(key) for record in records]) for key in SCALARS}
    stages = [record.get('stage_us') or {} for record in records]
    for name in sorted({name for stage in stages[:1000] for name in stage}):
        found[f'stage.{name}'] = _numbers([stage.get(name) for stage in stages])
    return found


def _numbers(values: list[Any]) -> Float64:
    return np.array([v if isinstance(v, int | float) else np.nan for v in values], np.float64)


def _events(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [
        (index, str(event))
        for index, record in enumerate(records)
        for event in record.get('events') or ()
    ]
