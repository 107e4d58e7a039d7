"""Makes one self-contained, offline HTML report of a run, or of two runs side by side.

The page's files are in analysis/page/, its plots come from report_plots; statistics use all
records.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import motion_error
from kinfer_ros.analysis.derived import tracking_error
from kinfer_ros.analysis.report_plots import CurveReducer
from kinfer_ros.analysis.report_plots import ReportedRun
from kinfer_ros.analysis.report_plots import plot_groups
from kinfer_ros.arrays import Float64

PAGE = Path(__file__).parent / 'page'
MAX_EVENTS = 2000


def make_report(subjects: Sequence[ReportedRun]) -> bytes:
    """Return the HTML file of one or two runs."""
    thin = [CurveReducer(subject.columns.time) for subject in subjects]
    content = {
        'runs': [_describe(each, grid) for each, grid in zip(subjects, thin, strict=True)],
        'groups': plot_groups(subjects, thin),
        'tables': _tables(subjects),
    }
    # No text of a log may end the script element that contains it.
    data = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY).replace(b'<', b'\\u003c')
    page = (PAGE / 'report.html').read_bytes()
    for name in ('report.css', 'report.js'):
        page = page.replace(f'/*{name}*/'.encode(), (PAGE / name).read_bytes())
    title = ' against '.join(subject.run.path.resolve().name for subject in subjects)
    page = page.replace(b'{title}', title.replace('<', '').encode())
    return page.replace(b'{data}', data)


def statistics(values: Float64) -> dict[str, float | int | None]:
    """Return count, mean, p50, p99, p99_9 and max of the finite numbers in an array."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {'count': 0} | dict.fromkeys(('mean', 'p50', 'p99', 'p99_9', 'max'))
    p50, p99, p999 = np.percentile(finite, (50, 99, 99.9))
    numbers = {'mean': finite.mean(), 'p50': p50, 'p99': p99, 'p99_9': p999, 'max': finite.max()}
    return {'count': int(finite.size)} | {k: float(f'{v:.5g}') for k, v in numbers.items()}


def _describe(subject: ReportedRun, grid: CurveReducer) -> dict[str, Any]:
    facts, columns = subject.run.facts, subject.columns
    kept = columns.events[:MAX_EVENTS]
    return {
        'name': subject.run.path.resolve().name,
        'x': [round(float(t), 4) for t in grid.time],
        'problems': list(subject.problems),
        'summary': list(subject.summary),
        'warnings': [*columns.warnings, *_left_out(columns)],
        'facts': _facts(facts, columns),
        'parameters': _pairs(facts.get('parameters')),
        'guards': facts.get('guards') or {},
        'modes': _spans(columns),
        'events': [[round(float(columns.time[i]), 4), text] for i, text in kept],
    }


def _left_out(columns: Columns) -> list[str]:
    more = len(columns.events) - MAX_EVENTS
    return [f'{more} more events are not listed'] if more > 0 else []


def _pairs(values: Any) -> list[list[str]]:
    return [[str(k), str(v)] for k, v in values.items()] if isinstance(values, Mapping) else []


def _facts(facts: Mapping[str, Any], columns: Columns) -> list[list[str]]:
    versions = facts.get('versions') or {}
    host = facts.get('host') or {}
    return [
        ['model', str(facts.get('model'))],
        ['sha256', str(facts.get('model_sha256'))],
        ['robot', str(facts.get('robot'))],
        ['control rate', f'{facts.get("control_rate_hz")} Hz'],
        ['started', str(facts.get('started'))],
        ['ended', f'{facts.get("ended")}: {facts.get("reason")}'],
        ['records', f'{len(columns.step_id)}, from step {columns.step_id[0]}'],
        ['versions', ', '.join(f'{k} {v}' for k, v in versions.items() if v)],
        ['machine', ', '.join(f'{k} {v}' for k, v in host.items())],
    ]


def _spans(columns: Columns) -> list[list[Any]]:
    """Return start, end (s) and name of each mode, and of each policy of a set."""
    spans: list[list[Any]] = []
    for time, mode in zip(columns.time.tolist(), columns.states, strict=True):
        if spans and spans[-1][2] == mode:
            spans[-1][1] = round(time, 4)
            continue
        if spans:
            spans[-1][1] = round(time, 4)
        spans.append([round(time, 4), round(time, 4), mode])
    return spans


# Tables ----------------------------------------------------------------------------------


def _tables(subjects: Sequence[ReportedRun]) -> dict[str, Any]:
    keys = list(subjects[0].columns.scalars)
    timing = []
    for key in keys:
        for run, subject in enumerate(subjects):
            values = subject.columns.scalars.get(key)
            if values is not None:
                name = key.removesuffix('_us').removeprefix('stage.')
                timing.append([name, 'AB'[run], *statistics(values).values()])
    return {
        'timing': {
            'head': ['us', 'run', 'records', 'mean', 'p50', 'p99', 'p99.9', 'max'],
            'rows': timing,
        },
        'joints': _joint_table(subjects),
    }


def _joint_table(subjects: Sequence[ReportedRun]) -> dict[str, Any]:
    """Tracking error in mode run, by joint; for two runs also the difference of their targets."""
    head = ['joint']
    columns: list[list[float | None]] = []
    running = [np.array([mode == 'run' for mode in s.columns.modes]) for s in subjects]
    for run, (subject, chosen) in enumerate(zip(subjects, running, strict=True)):
        error = tracking_error(subject.columns)
        if error is None or not chosen.any():
            continue
        head += [f'rms error {"AB"[run]}, rad', f'largest {"AB"[run]}, rad']
        part = error[chosen]
        columns.append(_rounded(np.sqrt(np.nanmean(np.square(part), axis=0))))
        columns.append(_rounded(np.nanmax(np.abs(part), axis=0)))
        away = motion_error(subject.columns)
        if away is not None and np.isfinite(away[chosen]).any():
            head.append(f'rms from the motion {"AB"[run]}, rad')
            columns.append(_rounded(np.sqrt(np.nanmean(np.square(away[chosen]), axis=0))))
    if len(subjects) == 2:
        targets = [
            s.columns.rows['target'][chosen]
            for s, chosen in zip(subjects, running, strict=True)
            if 'target' in s.columns.rows
        ]
        if len(targets) == 2 and targets[0].shape[1] == targets[1].shape[1]:
            count = min(map(len, targets))
            if count:
                difference = targets[0][:count] - targets[1][:count]
                head.append(f'rms of target B - A over {count} steps, rad')
                columns.append(_rounded(np.sqrt(np.nanmean(np.square(difference), axis=0))))
    names = subjects[0].joints
    wheels = subjects[0].columns.wheels
    titles = [f'{name} (rad/s)' if i in wheels else name for i, name in enumerate(names)]
    rows = [[title, *(c[i] for c in columns if i < len(c))] for i, title in enumerate(titles)]
    return {'head': head, 'rows': rows if columns else []}


def _rounded(values: Float64) -> list[float | None]:
    return [float(f'{v:.4g}') if np.isfinite(v) else None for v in values.tolist()]
