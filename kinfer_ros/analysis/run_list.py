"""Lists the runs in a directory, with model, verdict and size, and removes runs."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.errors import RunError

GOOD, BAD, OPEN, KILLED = 'good', 'bad', 'open', 'killed'
VERDICTS = (GOOD, BAD, OPEN, KILLED)
"""Ended well; ended with a fall, a fault or dropped records; not ended; killed."""


@dataclass(frozen=True)
class RunSummary:
    """
    One run in a list.

    :ivar bytes: size of all files in its directory.
    :ivar latest: the link `latest` points to it.
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


def list_runs(runs_dir: Path) -> list[RunSummary]:
    """
    List the runs in a directory, oldest first; directories without run.json are skipped.

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
    return [
        _summarize(path, path.name == newest) for path in folders if (path / 'run.json').is_file()
    ]


def _summarize(path: Path, latest: bool) -> RunSummary:
    try:
        facts = RecordedRun.open(path).facts
    except RunError:
        facts = {'reason': 'run.json cannot be read'}
    return RunSummary(
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


def remove_runs(runs: list[RunSummary]) -> None:
    """
    Delete the directories of runs, and the link `latest` where it points to one of them.

    :raises RunError: one cannot be deleted; those before it are deleted.
    """
    for run in runs:
        latest = run.path.parent / 'latest'
        try:
            shutil.rmtree(run.path)
            if run.latest and latest.is_symlink():
                latest.unlink()
        except OSError as error:
            raise RunError(f'{run.path}: cannot be removed ({error.strerror})') from error
