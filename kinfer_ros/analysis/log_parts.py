"""The files that a step log is made of, and their lines: parts, compressed or not, as one log.

The file that is written to is always `steps.ndjson`; when it has grown to its size it becomes
`steps.0001.ndjson`, or in the end `steps.0001.ndjson.zst`, and a new one begins. Without this
module every reader would have to know that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RunError

STEPS = 'steps.ndjson'
ZST = '.zst'

MAX_LINE = 16 * 2**20
"""Bytes; a longer line is no record of ours, and comes in pieces that are none either."""

zstd: Any
try:
    from backports import zstd
except ImportError:  # an extra
    zstd = None


def part_path(log: Path, number: int) -> Path:
    """Name of a closed part of a log: `steps.0001.ndjson` is part 1 of `steps.ndjson`."""
    return log.with_name(f'{log.stem}.{number:04d}{log.suffix}')


def log_parts(log: Path) -> list[Path]:
    """
    List the files of a log, in the order in which they were written.

    :param log: the log, such as `runs/latest/steps.ndjson`; a part that is named itself comes
        alone.
    :return: `log` is the last of them, also where it is not there.
    """
    pattern = re.compile(re.escape(log.stem) + r'\.(\d{4,9})' + re.escape(log.suffix))
    found: dict[int, Path] = {}
    for path in sorted(log.parent.iterdir()) if log.parent.is_dir() else ():
        match = pattern.fullmatch(path.name.removesuffix(ZST))
        # Where both are there the process was killed in between: the plain one, which comes first.
        if match:
            found.setdefault(int(match[1]), path)
    return [*(found[number] for number in sorted(found)), log]


def need_zstd(what: str) -> Any:
    """
    Return the module that knows Zstandard.

    :raises RunError: it is not installed.
    """
    if zstd is None:
        raise RunError(
            f'{what} needs the Python module backports.zstd, which is not installed: '
            '`pip install backports.zstd`'
        )
    return zstd


def read_lines(log: Path, offset: int = 0) -> Iterator[bytes]:
    """
    Yield the lines of a log, of all its parts one after the other.

    A compressed part that cannot be read to its end gives an empty line there, which no reader
    takes for a record.

    :param offset: byte of the first part to start at, a line's beginning.
    :raises RunError: a part cannot be read, or is compressed and nothing here can read that.
    """
    parts = log_parts(log)
    if len(parts) > 1 and not log.exists():
        parts.pop()  # killed between closing one part and beginning the next
    for path in parts:
        try:
            yield from _lines_of(path, offset)
        except OSError as error:
            raise RunError(f'{path}: cannot be read ({error.strerror})') from error
        offset = 0


def _lines_of(path: Path, offset: int) -> Iterator[bytes]:
    packed = path.suffix == ZST
    damage: tuple[type[Exception], ...] = ()
    if packed:
        module = need_zstd(f'{path}: reading it')
        damage = (module.ZstdError, EOFError)
        file = module.open(path, 'rb')
    else:
        file = path.open('rb')
    with file:
        try:
            file.seek(offset)
            while line := file.readline(MAX_LINE):
                yield line
        except damage:
            yield b'\n'
