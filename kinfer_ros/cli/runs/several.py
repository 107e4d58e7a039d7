"""Several runs of one command: found among its words, read, laid over each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.overlay import check_count
from kinfer_ros.analysis.overlay import parse_offsets
from kinfer_ros.analysis.overlay import run_names
from kinfer_ros.analysis.overlay import share_joint_names
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.cli.common import Progress

OFFSET_HELP = (
    'seconds to add to the times of each run, such as 0,1.25; --offset=-1,0 where the first is '
    'below zero (default: every run begins at 0 with its first step in mode run)'
)


def is_run(word: str) -> bool:
    """Return whether a word is the path of a run directory or of a step log."""
    path = Path(word)
    return (path / 'run.json').is_file() or (path.is_file() and '.ndjson' in path.name)


def split_runs(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Split words into the runs at their start and what follows."""
    count = next((at for at, word in enumerate(words) if not is_run(word)), len(words))
    return [Path(word) for word in words[:count]], list(words[count:])


@dataclass(frozen=True)
class ReadRun:
    """A run, read; :ivar name: tells it from the others, with its offset."""

    name: str
    run: RecordedRun
    columns: Columns


def read_runs(paths: Sequence[Path], offset: str | None, *, progress: bool) -> list[ReadRun]:
    """
    Read runs, their times moved by `--offset`.

    :raises KinferRosError: one cannot be read, there are too many, or the offsets are wrong.
    """
    check_count(len(paths))
    offsets = parse_offsets(offset, len(paths))
    runs = []
    with Progress(shown=progress) as shown:
        for path, name, seconds in zip(paths, run_names(paths), offsets, strict=True):
            run = RecordedRun.open(path)
            columns = read_columns(run, shown.counter(f'records of {path} read'))
            columns.time += seconds
            moved = f'{name} {seconds:+g} s' if seconds else name
            runs.append(ReadRun(moved, run, columns))
    share_joint_names([(each.run, each.columns) for each in runs])
    return runs
