"""The runs in a directory: what each was, whether it went well, how large it is.

Without this module a hundred run directories are a hundred names.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.errors import RunError

GOOD, BAD, OPEN, KILLED = 'good', 'bad', 'open', 'killed'
VERDICTS = (GOOD, BAD, OPEN, KILLED)
"""Ended well; ended with a fall, a fault or a dropped record; not ended; ended by a kill."""


@dataclass(frozen=True)
class Listed:
    """
    One run.

    :ivar bytes: size of all files of its directory.
    :ivar latest: `latest` leads to it.
    """

    path: Path
    started: str
    model: str
    robot: str
    verdict: str
    reason: str
    run_s: float
    distance_m: float
    bytes: int
    latest: bool


def list_runs(runs_dir: Path) -> list[Listed]:
    """
    List the runs in a directory, oldest first; directories without a run.json are passed over.

    :raises RunError: there is no such directory.
    """
    try:
        folders = sorted(path for path in runs_dir.iterdir() if not path.is_symlink())
    except OSError as error:
        raise RunError(
            f'{runs_dir}: cannot be read ({error.strerror}); expected a directory of runs'
        ) from error
    latest = runs_dir / 'latest'
    newest = latest.readlink().name if latest.is_symlink() else ''
    found = []
    for path in folders:
        if (path / 'run.json').is_file():
            found.append(_listed(path, path.name == newest))
    return found


def _listed(path: Path, latest: bool) -> Listed:
    try:
        facts = RecordedRun.open(path).facts
    except RunError:
        facts = {'reason': 'run.json cannot be read'}
    return Listed(
        path=path,
        started=str(facts.get('started') or ''),
        model=Path(str(facts.get('model') or '')).name,
        robot=str(facts.get('robot') or ''),
        verdict=_verdict(facts),
        reason=str(facts.get('reason') or ''),
        run_s=_number(facts.get('run_s')),
        distance_m=_number(facts.get('distance_m')),
        bytes=sum(file.lstat().st_size for file in path.rglob('*') if file.is_file()),
        latest=latest,
    )


def _verdict(facts: Any) -> str:
    counters = facts.get('counters')
    if not isinstance(counters, dict):
        return KILLED if facts.get('ended') else OPEN
    log = counters.get('log') or {}
    bad = facts.get('falls') or counters.get('faults') or not counters.get('run_ticks')
    return BAD if bad or log.get('error') or log.get('dropped') else GOOD


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def remove_runs(runs: list[Listed]) -> None:
    """
    Delete the directories of runs, and the link `latest` where it leads to one of them.

    :raises RunError: one cannot be deleted; those before it are gone.
    """
    for run in runs:
        latest = run.path.parent / 'latest'
        try:
            shutil.rmtree(run.path)
            if run.latest and latest.is_symlink():
                latest.unlink()
        except OSError as error:
            raise RunError(f'{run.path}: cannot be removed ({error.strerror})') from error
