"""Reads the parts of a step log, compressed or not, as one log.

The open file is always `steps.ndjson`. At its maximum size it is renamed to `steps.0001.ndjson`,
may be compressed to `steps.0001.ndjson.zst`, and a new file begins.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RunError
from kinfer_ros.untrusted import MAX_RATIO
from kinfer_ros.untrusted import MEGABYTE

STEPS = 'steps.ndjson'
ZST = '.zst'

MAX_LINE = 16 * 2**20
"""Bytes; a longer line is not a record, and is returned in pieces that are none either."""

zstd: Any
try:
    from backports import zstd
except ImportError:  # an extra
    zstd = None


def part_path(log: Path, number: int) -> Path:
    """Return the path of a closed part: `steps.0001.ndjson` is part 1 of `steps.ndjson`."""
    return log.with_name(f'{log.stem}.{number:04d}{log.suffix}')


def log_parts(log: Path) -> list[Path]:
    """
    List the files of a log, in the order of writing.

    :param log: the log, such as `runs/latest/steps.ndjson`; the path of a part gives that part
        alone.
    :return: the parts, then `log`, whether it exists or not.
    """
    pattern = re.compile(re.escape(log.stem) + r'\.(\d{4,9})' + re.escape(log.suffix))
    parts: dict[int, Path] = {}
    for path in sorted(log.parent.iterdir()) if log.parent.is_dir() else ():
        match = pattern.fullmatch(path.name.removesuffix(ZST))
        # With both, the process was killed in between: the plain one, sorted first, is complete.
        if match:
            parts.setdefault(int(match[1]), path)
    return [*(parts[number] for number in sorted(parts)), log]


def require_zstd(what: str) -> Any:
    """
    Return the module for Zstandard.

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
    Yield the lines of all parts of a log.

    A compressed part that is damaged ends with an empty line, which is not a record.

    :param offset: byte of the first part to start at, the beginning of a line.
    :raises RunError: a part cannot be read, or is compressed and Zstandard is not installed.
    """
    parts = log_parts(log)
    if len(parts) > 1 and not log.exists():
        parts.pop()  # the process was killed between two parts
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
        module = require_zstd(f'{path}: reading it')
        damage = (module.ZstdError, EOFError)
        file = module.open(path, 'rb')
    else:
        file = path.open('rb')
    with file:
        try:
            file.seek(offset)
            left = max(MEGABYTE, MAX_RATIO * path.stat().st_size) if packed else math.inf
            while (line := file.readline(MAX_LINE)) and left > 0:
                left -= len(line)
                yield line
            if line:
                yield b'\n'  # decompressed far larger than a log can be
        except damage:
            yield b'\n'
