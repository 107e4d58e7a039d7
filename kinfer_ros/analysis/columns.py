"""A step log as arrays over time, for statistics, plots and tables.

Without this module a report would handle a run record by record, at a hundred times the cost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RunError

Float64 = Float64

ROWS = (
    'joint_angles', 'joint_vels', 'projected_g', 'accel', 'gyro', 'command', 'output', 'target',
    'measured_position', 'measured_velocity', 'odom',
)  # fmt: skip
SCALARS = ('late_us', 'age_us')
CLOCKS = {'now_ns': 1e9, 't_us': 1e6}
"""And what a second is in their unit."""

SLAB = 4096
"""Records that are held as parsed at a time."""

_KINDS = {'events': list, 'inputs': dict, 'stage_us': dict, 'mode': str}
"""What other kinds of value are left out of a damaged record."""

_REPEATED = ('joint_order', 'joint_velocities', 'carry', 'resume')


@dataclass
class Columns:
    """
    The records of one run.

    :ivar step_id: [n] their numbers.
    :ivar time: [n] s, from the first record of mode run, else from the first one.
    :ivar began_us: wall clock of the first one, us since the Unix epoch; 0 where it has none.
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
    began_us: float
    modes: list[str]
    rows: dict[str, Float64]
    scalars: dict[str, Float64]
    events: list[tuple[int, str]]
    missing: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def row(self, *keys: str) -> Float64 | None:
        """Return the first of these arrays that the log has."""
        return next((self.rows[key] for key in keys if key in self.rows), None)


def read_columns(run: RecordedRun, progress: Callable[[int], None] | None = None) -> Columns:
    """
    Read the step log of a run.

    :param progress: called with the number of records that are read.
    :raises RunError: it cannot be read, or holds no record.
    """
    warnings: list[str] = []
    parts: list[_Part] = []
    for slab in _slabs(_parsed(run)):
        parts.append(_Part(slab, warnings))
        if progress is not None:
            progress(len(parts) * SLAB)
    if not parts:
        raise RunError(f'{run.log}: holds no record of this run')
    step_id = np.concatenate([part.step_id for part in parts])
    modes = [mode for part in parts for mode in part.modes]
    starts = np.cumsum([0, *(len(part.modes) for part in parts)]).tolist()
    columns = Columns(
        step_id=step_id,
        time=_time(parts, modes, float(run.facts.get('control_rate_hz') or 50.0), warnings),
        began_us=float(np.nan_to_num(parts[0].clocks['t_us'][0])),
        modes=modes,
        rows=_joined([part.rows for part in parts], starts),
        scalars=_joined([part.scalars for part in parts], starts),
        events=[
            (start + index, text)
            for start, part in zip(starts, parts, strict=False)
            for index, text in part.events
        ],
        missing=[
            (int(step_id[i]) + 1, int(step_id[i + 1]) - 1)
            for i in np.flatnonzero(np.diff(step_id) > 1)
        ],
        warnings=list(dict.fromkeys(warnings)),
    )
    columns.warnings += _irregular(columns, len(run.damaged))
    return columns


def _irregular(columns: Columns, damaged: int) -> list[str]:
    """Say what is not as it should be in the order of the records."""
    found = []
    if damaged:
        found.append(f'{damaged} lines of the step log are no records')
    if (np.diff(columns.step_id) < 0).any():
        found.append('step_id goes back: two writers, or two runs in one file')
    if columns.missing:
        lost = sum(last - first + 1 for first, last in columns.missing)
        found.append(f'{lost} records are missing, in {len(columns.missing)} gaps')
    return found


class _Part:
    """A slab of records as arrays: parsed, a million records would take gigabytes."""

    def __init__(self, records: list[dict[str, Any]], warnings: list[str]) -> None:
        self.step_id = np.array([record['step_id'] for record in records], np.int64)
        self.modes = [sys.intern(str(record.get('mode'))) for record in records]
        self.clocks = {key: _numbers([record.get(key) for record in records]) for key in CLOCKS}
        self.rows = _rows(records, warnings)
        self.scalars = _scalars(records)
        self.events = _events(records)


def _slabs(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(records)
    while slab := list(islice(rest, SLAB)):
        yield slab


def _joined(parts: list[dict[str, Float64]], starts: list[int]) -> dict[str, Float64]:
    """Put the slabs of each array behind one another; NaN where a slab has none of its size."""
    found: dict[str, Float64] = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        size = next(part[key].shape[1:] for part in parts if key in part)
        whole = found[key] = np.full((starts[-1], *size), np.nan)
        for part, start, end in zip(parts, starts, starts[1:], strict=False):
            if key in part and part[key].shape[1:] == size:
                whole[start:end] = part[key]
    return found


def _parsed(run: RecordedRun) -> Iterable[dict[str, Any]]:
    """Records as parsed, with lists for arrays: what needs no bits is read ten times faster."""
    for number, line in enumerate(run.lines(), start=1):
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


def _time(parts: list[_Part], modes: list[str], rate_hz: float, warnings: list[str]) -> Float64:
    """Take the control clock, else the wall clock, else the count of steps."""
    start = modes.index('run') if 'run' in modes else 0
    for key, unit in CLOCKS.items():
        clock = np.concatenate([part.clocks[key] for part in parts])
        if not np.isfinite(clock).all():
            continue
        if (np.diff(clock) < 0).any():
            warnings.append(f'{key} goes back; time is counted otherwise')
            continue
        seconds: Float64 = (clock - clock[start]) / unit
        return seconds
    count = np.arange(len(modes), dtype=np.float64)
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


def _add_rows(found: dict[str, Float64], key: str, rows: list[Any], warnings: list[str]) -> None:
    sizes = [len(row) for row in rows if isinstance(row, list)]
    if not sizes:
        return
    empty = [None] * sizes[0]
    same = [row if isinstance(row, list) and len(row) == sizes[0] else empty for row in rows]
    try:
        rows_found = np.array(same, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        rows_found = np.zeros(0)
    if rows_found.ndim == 2:
        found[key] = rows_found
    else:
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
