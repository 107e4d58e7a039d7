"""Lists the runs in a directory, with model, verdict and size, and removes runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.errors import RunError

GOOD, BAD, OPEN, KILLED = 'good', 'bad', 'open', 'killed'
VERDICTS = (GOOD, BAD, OPEN, KILLED)
"""Ended well; ended with a fall, a fault or dropped records; not ended; killed."""


_FILES = re.compile(
    r'run\.json|steps(\.\d{4,9})?\.ndjson(\.zst)?|fault_\d+\.ndjson|[\w-]+\.(html|png)'
    r'|steps\.(csv|parquet|mcap|rrd)|\.(run\.json|steps|mcap)\..*'
)
"""Files of a run directory: those of a run, and what the commands write beside them."""
_BAG = re.compile(r'bag(-\d+)?(-damaged(-\d+)?)?')
_BAG_FILES = re.compile(r'metadata\.yaml|[\w-]+\.mcap')


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
    ours: bool = True
    """Its run.json is one of this package."""


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
        ours=all(isinstance(facts.get(key), str) for key in ('started', 'model')),
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


def remove_runs(runs: list[RunSummary]) -> list[str]:
    """
    Delete what this package has written into the directories of runs, and those then empty.

    The link `latest` goes where it points to one of them.

    :return: one line for each directory that stays, because it holds other files.
    :raises RunError: a file cannot be deleted; those before it are deleted.
    """
    kept = []
    for run in runs:
        latest = run.path.parent / 'latest'
        try:
            others = _remove_files(run.path)
            if others:
                kept.append(f'{run.path}: kept, since it holds {", ".join(others[:5])}')
                continue
            run.path.rmdir()
            if run.latest and latest.is_symlink():
                latest.unlink()
        except OSError as error:
            raise RunError(f'{run.path}: cannot be removed ({error.strerror})') from error
    return kept


def _remove_files(folder: Path) -> list[str]:
    """Delete our files in a run directory and in its bags; :return: names of all others."""
    others = []
    for entry in sorted(folder.iterdir()):
        is_folder = entry.is_dir() and not entry.is_symlink()
        if is_folder and _BAG.fullmatch(entry.name):
            inside = _remove_our(entry, _BAG_FILES)
            if inside:
                others += [f'{entry.name}/{name}' for name in inside]
            else:
                entry.rmdir()
        elif is_folder or not _FILES.fullmatch(entry.name):
            others.append(entry.name)
    if not others:  # run.json last: until then the directory is a run
        _remove_our(folder, _FILES)
    return others


def _remove_our(folder: Path, names: re.Pattern[str]) -> list[str]:
    """Delete the files of a directory, if all have such names; :return: the other names."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name == 'run.json')
    others = [e.name for e in entries if not names.fullmatch(e.name) or _is_folder(e)]
    for entry in [] if others else entries:
        entry.unlink()
    return others


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
