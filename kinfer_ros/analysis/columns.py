"""Reads a step log as arrays over time, for statistics, plots and tables."""

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

from kinfer_ros.analysis.other_logs import OtherKeys
from kinfer_ros.analysis.other_logs import is_by_joint
from kinfer_ros.analysis.other_logs import parse_line
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.set_layout import SetLayout
from kinfer_ros.arrays import Float64
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.tick import format_mode
from kinfer_ros.errors import RunError
from kinfer_ros.run.record import SCHEMA

ROW_KEYS = (
    'joint_angles', 'joint_vels', 'projected_g', 'accel', 'gyro', 'command', 'output', 'target',
    'measured_position', 'measured_velocity', 'odom', 'reference', 'anchor_error',
    'override', 'joint_torques', 'joint_temps',
)  # fmt: skip
SCALAR_KEYS = ('late_us', 'age_us')
CLOCKS = {'now_ns': 1e9, 't_us': 1e6}
"""Clock keys, and their units per second."""

BLOCK_RECORDS = 4096
"""Records parsed at a time: a million parsed records would take gigabytes."""

MAX_ROW = 65536
"""Numbers of a row; observations of a camera have more, and are no signals."""

_KINDS = {'events': list, 'inputs': dict, 'stage_us': dict, 'mode': str, 'policy': str}
"""Keys whose values must have this type; others are dropped from a damaged record."""

_REPEATED = ('joint_order', 'joint_velocities', 'carry', 'resume')
_OURS = frozenset(
    (
        *ROW_KEYS, *SCALAR_KEYS, *CLOCKS, *_KINDS, *_REPEATED,
        'step_id', 'stamp_ns', 'activation', 'nonfinite', 'timestamp',
    )
)  # fmt: skip


@dataclass
class Columns:
    """
    The records of one run.

    :ivar step_id: [n].
    :ivar time: [n] s, from the first record in mode run, else from the first one.
    :ivar began_us: wall clock of the first record, us since the Unix epoch; 0 if unknown.
    :ivar modes: [n].
    :ivar rows: arrays [n, size] by key, or 'inputs.<name>'; NaN where a record has none. Keys that
        no record has are left out.
    :ivar scalars: arrays [n] by key, or 'stage.<name>', us.
    :ivar events: (index, text).
    :ivar missing: first and last step_id of each gap.
    :ivar warnings: problems of the log.
    :ivar wheels: places of the joints whose targets are velocities.
    :ivar policies: [n] of the policy set; empty where there is no set.
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
    wheels: list[int] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        """Mode of each record; in mode run with the policy of the set, as on ~/mode."""
        if not self.policies:
            return self.modes
        return [
            format_mode(Mode.RUN, f'policy {policy}') if mode == Mode.RUN and policy else mode
            for mode, policy in zip(self.modes, self.policies, strict=True)
        ]

    def row(self, *keys: str) -> Float64 | None:
        """Return the first of these arrays that exists."""
        return next((self.rows[key] for key in keys if key in self.rows), None)


def read_columns(run: RecordedRun, progress: Callable[[int], None] | None = None) -> Columns:
    """
    Read the step log of a run.

    :param progress: called with the number of records read so far.
    :raises RunError: it cannot be read, or has no records.
    """
    warnings: list[str] = []
    blocks: list[_Block] = []
    facts = run.facts
    others = OtherKeys(_OURS, facts.get('joint_order') or (), facts.get('command_names') or ())
    layout = SetLayout(facts)
    for block in _blocks(_read_records(run, others, layout)):
        blocks.append(_Block(block, others, warnings))
        if progress is not None:
            progress(len(blocks) * BLOCK_RECORDS)
    if not blocks:
        raise RunError(f'{run.log}: has no record of this run')
    # A step log alone has no run.json.
    run.facts = {**facts, **others.names, **layout.names}
    step_id = np.concatenate([block.step_id for block in blocks])
    modes = [mode for block in blocks for mode in block.modes]
    policies = [policy for block in blocks for policy in block.policies]
    starts = np.cumsum([0, *(len(block.modes) for block in blocks)]).tolist()
    columns = Columns(
        step_id=step_id,
        time=_time(blocks, modes, float(run.facts.get('control_rate_hz') or 50.0), warnings),
        began_us=float(np.nan_to_num(blocks[0].clocks['t_us'][0])),
        modes=modes,
        rows=_concatenate([block.rows for block in blocks], starts, len(others.joints.all)),
        scalars=_concatenate([block.scalars for block in blocks], starts),
        events=[
            (start + index, text)
            for start, block in zip(starts, blocks, strict=False)
            for index, text in block.events
        ],
        missing=[
            (int(step_id[i]) + 1, int(step_id[i + 1]) - 1)
            for i in np.flatnonzero(np.diff(step_id) > 1)
        ],
        warnings=list(dict.fromkeys(warnings)),
        wheels=run.wheels,
        policies=policies if any(policies) else [],
    )
    columns.warnings += [*_check_order(columns, len(run.damaged)), *others.warnings()]
    columns.warnings += _check_schema(facts.get('step_schema'))
    return columns


def _check_order(columns: Columns, damaged: int) -> list[str]:
    """Report damaged, unordered and missing records."""
    warnings = []
    if damaged:
        warnings.append(f'{damaged} lines of the step log are no records')
    if (np.diff(columns.step_id) < 0).any():
        warnings.append('step_id goes back: two writers, or two runs in one file')
    if columns.missing:
        lost = sum(last - first + 1 for first, last in columns.missing)
        warnings.append(f'{lost} records are missing, in {len(columns.missing)} gaps')
    return warnings


def _check_schema(found: Any) -> list[str]:
    """Say that a later version wrote the log: its new keys are read as any number."""
    if not isinstance(found, int) or found <= SCHEMA:
        return []
    return [
        f'run.json: step_schema is {found}, of a later version of kinfer_ros; this one knows '
        f'{SCHEMA}'
    ]


class _Block:
    """A block of records as arrays."""

    def __init__(
        self, records: list[dict[str, Any]], others: OtherKeys, warnings: list[str]
    ) -> None:
        self.step_id = np.array([record['step_id'] for record in records], np.int64)
        self.modes = [sys.intern(record.get('mode') or '') for record in records]
        self.policies = [sys.intern(record.get('policy') or '') for record in records]
        self.clocks = {key: _numbers([record.get(key) for record in records]) for key in CLOCKS}
        self.rows = _rows(records, warnings)
        self.scalars = _scalars(records)
        _add_others(self.rows, self.scalars, records, others, warnings)
        self.events = _events(records)


def _blocks(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(records)
    while block := list(islice(rest, BLOCK_RECORDS)):
        yield block


def _concatenate(
    blocks: list[dict[str, Float64]], starts: list[int], joints: int = 0
) -> dict[str, Float64]:
    """
    Concatenate the blocks of each array; NaN where a block has none of its size.

    :param joints: number of the log's joint names.
    """
    arrays: dict[str, Float64] = {}
    for key in dict.fromkeys(key for block in blocks for key in block):
        found = [block[key].shape[1:] for block in blocks if key in block]
        size = max(found) if _grows(key) else found[0]
        if is_by_joint(key):
            size = max(size, (joints,))
        whole = arrays[key] = np.full((starts[-1], *size), np.nan)
        for block, start, end in zip(blocks, starts, starts[1:], strict=False):
            if key in block and block[key].shape[1:] == size:
                whole[start:end] = block[key]
            elif key in block and _grows(key):
                whole[start:end, : block[key].shape[1]] = block[key]
    return arrays


def _read_records(
    run: RecordedRun, others: OtherKeys, layout: SetLayout
) -> Iterable[dict[str, Any]]:
    """Yield parsed records with plain lists: ten times faster than exact float32 arrays."""
    for number, line in enumerate(run.lines(), start=1):
        try:
            record = others.as_ours(parse_line(line))
            if abs(record['step_id']) >= 2**62:
                raise TypeError
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            run.damaged.append(number)
            continue
        for key, kind in _KINDS.items():
            value = record.get(key)
            if value is not None and not isinstance(value, kind):
                others.left_out.add(key)
            if not isinstance(value, kind):
                record.pop(key, None)
        for key in _REPEATED:
            record.pop(key, None)
        layout.arrange(record)
        yield record


def _time(blocks: list[_Block], modes: list[str], rate_hz: float, warnings: list[str]) -> Float64:
    """Return the time from the control clock, else the wall clock, else the step count."""
    start = modes.index('run') if 'run' in modes else 0
    for key, unit in CLOCKS.items():
        clock = np.concatenate([block.clocks[key] for block in blocks])
        if not np.isfinite(clock).all():
            continue
        if (np.diff(clock) < 0).any():
            warnings.append(f'{key} goes back; another clock is used')
            continue
        seconds: Float64 = (clock - clock[start]) / unit
        return seconds
    if not any(np.isfinite(block.clocks[key]).any() for block in blocks for key in CLOCKS):
        warnings.append(f'records have no time: counted at {rate_hz:g} Hz')
    count = np.arange(len(modes), dtype=np.float64)
    return (count - start) / rate_hz


def _rows(records: list[dict[str, Any]], warnings: list[str]) -> dict[str, Float64]:
    arrays: dict[str, Float64] = {}
    for key in ROW_KEYS:
        _add_rows(arrays, key, [record.get(key) for record in records], warnings)
    names = {name for record in records for name in record.get('inputs') or ()}
    for name in sorted(names):
        rows = [(record.get('inputs') or {}).get(name) for record in records]
        _add_rows(arrays, f'inputs.{name}', rows, warnings)
    return arrays


def _add_others(
    rows: dict[str, Float64],
    scalars: dict[str, Float64],
    records: list[dict[str, Any]],
    others: OtherKeys,
    warnings: list[str],
) -> None:
    """Add the numbers whose keys are not ours."""
    found: dict[str, list[Any]] = {}
    for index, record in enumerate(records):
        for key, value in others.numbers(record):
            found.setdefault(key, [None] * len(records))[index] = value
    for key, values in sorted(found.items()):
        if any(isinstance(value, list) for value in values):
            _add_rows(rows, key, values, warnings)
        else:
            scalars[key] = _numbers(values)


def _grows(key: str) -> bool:
    """Return whether rows of a log may become longer: joints and commands that come later."""
    return is_by_joint(key) or key == 'command'


def _add_rows(arrays: dict[str, Float64], key: str, rows: list[Any], warnings: list[str]) -> None:
    sizes = [len(row) for row in rows if isinstance(row, list) and row]
    if any(row is not None and not isinstance(row, list) for row in rows):
        warnings.append(f'{key}: found a value that is no list of numbers: left out')
    if not sizes:
        return
    size = max(sizes) if _grows(key) else sizes[0]
    if size > MAX_ROW:
        warnings.append(f'{key}: found {size} numbers, more than {MAX_ROW}: left out')
        return
    if not _grows(key) and min(sizes) != max(sizes):
        warnings.append(f'{key}: rows that do not have {size} numbers are left out')
    same = [_fit(row, size, grows=_grows(key)) for row in rows]
    array = _as_numbers(same)
    if array is None:
        warnings.append(f'{key}: rows with values that are not numbers are left out')
        empty = [None] * size
        good = [row if _as_numbers([row]) is not None else empty for row in same]
        array = np.array(good, dtype=np.float64)
    arrays[key] = array


def _fit(row: Any, size: int, *, grows: bool) -> list[Any]:
    """Return a row of `size` values; None for those that are missing."""
    if not isinstance(row, list) or (len(row) != size and not grows):
        return [None] * size
    return row + [None] * (size - len(row))


def _as_numbers(rows: list[list[Any]]) -> Float64 | None:
    try:
        array = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if array.ndim == 2 else None


def _scalars(records: list[dict[str, Any]]) -> dict[str, Float64]:
    arrays = {key: _numbers([record.get(key) for record in records]) for key in SCALAR_KEYS}
    stages = [record.get('stage_us') or {} for record in records]
    for name in sorted({name for stage in stages[:1000] for name in stage}):
        arrays[f'stage.{name}'] = _numbers([stage.get(name) for stage in stages])
    return arrays


def _numbers(values: list[Any]) -> Float64:
    return np.array([v if isinstance(v, int | float) else np.nan for v in values], np.float64)


def _events(records: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [
        (index, str(event))
        for index, record in enumerate(records)
        for event in record.get('events') or ()
    ]
