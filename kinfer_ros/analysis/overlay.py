"""Lays several runs over each other: their names, times and joints.

Each run has its time 0 at its first step in mode `run`, else at its first record: so runs are
aligned at their start, and an offset moves one of them.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.errors import ConfigError

LETTERS = 'ABCDEFGH'
"""Short names of the runs of one picture or page; more than these are refused."""
MAX_OFFSET = 1e6
"""s, either way."""


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell the runs apart; a number where none do."""
    parts = [_path(path).parts for path in paths]
    names = [''] * len(paths)
    for length in range(1, max(map(len, parts)) + 1):
        names = ['/'.join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f'{each[-1]} #{number}' for number, each in enumerate(parts, 1)]


def _path(path: Path) -> Path:
    """Return the absolute path; `runs/latest` is a link whose target says more."""
    return path.resolve() if path.name in ('latest', '', '..') else path.absolute()


def parse_offsets(text: str | None, runs: int) -> list[float]:
    """
    Read `--offset`: seconds to add to the times of each run, `0,1.25`.

    :raises ConfigError: not as many finite numbers as runs, or too large.
    """
    if text is None:
        return [0.0] * runs
    try:
        offsets = [float(each) for each in text.split(',')]
    except ValueError:
        offsets = []
    if len(offsets) != runs or not all(abs(each) <= MAX_OFFSET for each in offsets):
        raise ConfigError(
            f'--offset: found {text!r} for {runs} runs, expected {runs} numbers of seconds, such '
            f'as --offset={",".join(["0", "1.25", *["0"] * runs][:runs])}'
        )
    return offsets


def check_count(runs: int) -> None:
    """:raises ConfigError: more runs than one picture can show."""
    if runs > len(LETTERS):
        raise ConfigError(f'found {runs} runs, expected at most {len(LETTERS)} in one picture')


def share_joint_names(runs: Sequence[tuple[RecordedRun, Columns]]) -> None:
    """
    Give logs without joint names those of the first run that has as many, and say so.

    kinfer's own logs have none, and joints are matched by name.
    """
    for run, columns in runs:
        rows = columns.row('output', *POSITION)
        if run.facts.get('joint_order') or rows is None:
            continue
        for number, (other, _) in enumerate(runs):
            names = other.facts.get('joint_order') or ()
            if len(names) == rows.shape[1]:
                run.facts = {**run.facts, 'joint_order': list(names)}
                columns.warnings.append(
                    f'its joints have no names: taken to be those of {LETTERS[number]}, in order'
                )
                break


def rate_hz(columns: Columns) -> float:
    """Return records per second; NaN of fewer than two."""
    span = float(columns.time[-1] - columns.time[0])
    steps = int(columns.step_id[-1] - columns.step_id[0])
    return steps / span if span > 0.0 and steps > 0 else math.nan
