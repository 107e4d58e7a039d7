"""The tables of a report: statistics of all records, tracking errors, differences of targets."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import motion_error
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.overlay import LETTERS
from kinfer_ros.analysis.overlay import rate_hz
from kinfer_ros.analysis.report.plots import time_unit
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64

SAME_RATE = 0.02
"""Relative difference of two rates that count as one."""

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """A head, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def statistics(values: Float64) -> dict[str, float | int | None]:
    """Return count, mean, p50, p99, p99_9 and max of the finite numbers in an array."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {'count': 0} | dict.fromkeys(('mean', 'p50', 'p99', 'p99_9', 'max'))
    p50, p99, p999 = np.percentile(finite, (50, 99, 99.9))
    numbers = {'mean': finite.mean(), 'p50': p50, 'p99': p99, 'p99_9': p999, 'max': finite.max()}
    return {'count': int(finite.size)} | {k: float(f'{v:.5g}') for k, v in numbers.items()}


def facts_of(facts: Mapping[str, Any], columns: Columns) -> list[list[str]]:
    """Return what ran, as label and text; nothing of what is not known."""
    found = {
        label: facts.get(key)
        for label, key in (('model', 'model'), ('sha256', 'model_sha256'), ('robot', 'robot'))
    }
    rate, ended = facts.get('control_rate_hz'), facts.get('ended')
    found['control rate'] = None if rate is None else f'{rate} Hz'
    found['started'] = facts.get('started')
    found['ended'] = None if ended is None else f'{ended}: {facts.get("reason")}'
    found['records'] = f'{len(columns.step_id)}, from step {columns.step_id[0]}'
    for label, key in (('versions', 'versions'), ('machine', 'host')):
        found[label] = ', '.join(f'{k} {v}' for k, v in (facts.get(key) or {}).items() if v)
    return [[label, str(value)] for label, value in found.items() if value]


def timing_table(subjects: Sequence[ReportedRun]) -> Table:
    """Return the statistics of all times in a log, us; with the run where there are several."""
    keys = dict.fromkeys(key for subject in subjects for key in subject.columns.scalars)
    several = len(subjects) > 1
    rows: list[list[Cell]] = []
    for key in keys:
        unit = 'us' if key.startswith('stage.') else time_unit(key)
        for run, subject in enumerate(subjects):
            values = subject.columns.scalars.get(key)
            if values is not None and unit and np.isfinite(values).any():
                name = key.removesuffix(f'_{unit}').removeprefix('stage.')
                micros = values * (1e3 if unit == 'ms' else 1.0)
                letter = [LETTERS[run]] if several else []
                rows.append([name, *letter, *statistics(micros).values()])
    run_head = ['run'] if several else []
    return Table(['us', *run_head, 'records', 'mean', 'p50', 'p99', 'p99.9', 'max'], rows)


def joint_table(subjects: Sequence[ReportedRun]) -> Table:
    """Tracking error in mode run, by joint; of further runs also the difference of targets."""
    head = ['joint']
    columns: list[dict[str, float | None]] = []
    running = [np.array([mode == 'run' for mode in s.columns.modes]) for s in subjects]
    for letter, subject, chosen in zip(LETTERS, subjects, running, strict=False):
        error = tracking_error(subject.columns)
        if error is None or not chosen.any():
            continue
        of = f' {letter}' if len(subjects) > 1 else ''
        head += [f'rms error{of}, rad', f'largest{of}, rad']
        part = error[chosen]
        columns.append(_by_joint(subject, _rms(part)))
        columns.append(_by_joint(subject, np.fmax.reduce(np.abs(part), axis=0)))
        away = motion_error(subject.columns)
        if away is not None and np.isfinite(away[chosen]).any():
            head.append(f'rms from the motion{of}, rad')
            columns.append(_by_joint(subject, _rms(away[chosen])))
    for number in range(1, len(subjects)):
        found = target_difference(subjects[0], subjects[number], running[0], running[number])
        if found is not None:
            head.append(f'rms of target {LETTERS[number]} - A over {found[0]} steps, rad')
            columns.append(found[1])
    names = dict.fromkeys(name for subject in subjects for name in subject.joints)
    wheels = set().union(*(subject.wheels for subject in subjects))
    rows = [
        [f'{name} (rad/s)' if name in wheels else name, *(each.get(name) for each in columns)]
        for name in names
    ]
    return Table(head, rows if columns else [])


def target_difference(
    first: ReportedRun, other: ReportedRun, in_run: Bools, others_in_run: Bools
) -> tuple[int, dict[str, float | None]] | None:
    """
    Compare the targets of two runs in mode run, by joint.

    Step by step where they have the same rate and begin together; else at the times of the first,
    with what the other one last sent.

    :return: number of steps, and the root mean square by joint; None where none can be compared.
    """
    mine, theirs = (each.by_joint(each.columns.rows.get('target')) for each in (first, other))
    shared = [name for name in mine if name in theirs]
    if not shared or not in_run.any() or not others_in_run.any():
        return None
    at, others_at = np.flatnonzero(in_run), np.flatnonzero(others_in_run)
    times, others_times = first.columns.time[at], other.columns.time[others_at]
    period = 0.5 / rate_hz(first.columns)
    same = abs(rate_hz(first.columns) / rate_hz(other.columns) - 1.0) < SAME_RATE
    if same and abs(times[0] - others_times[0]) < period:
        count = min(len(at), len(others_at))
        at, others_at = at[:count], others_at[:count]
    else:
        place = np.searchsorted(others_times, times + 1e-9, side='right') - 1
        inside = (place >= 0) & (times <= others_times[-1] + 1e-9)
        at, others_at = at[inside], others_at[place[inside]]
    if not len(at):
        return None
    away = np.stack([mine[name][at] - theirs[name][others_at] for name in shared], axis=1)
    return len(at), dict(zip(shared, _rounded(_rms(away)), strict=True))


def _by_joint(subject: ReportedRun, values: Float64) -> dict[str, float | None]:
    return dict(zip(subject.joints, _rounded(values), strict=False))


def _rms(values: Float64) -> Float64:
    """Return the root mean square of each column; NaN of one without a number."""
    known = np.isfinite(values)
    count = np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    total: Float64 = np.sqrt(np.square(np.where(known, values, 0.0)).sum(axis=0) / count)
    return total


def _rounded(values: Float64) -> list[float | None]:
    return [float(f'{v:.4g}') if np.isfinite(v) else None for v in values.tolist()]
