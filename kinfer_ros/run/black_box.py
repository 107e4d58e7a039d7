"""Writes the last seconds before a fault to fault_<n>.ndjson in the run directory.

It works with `record:=false` as well. The writer's thread keeps the formatted records; the tick
only requests a file.
"""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from kinfer_ros.atomic_file import replace_file

SECONDS = 10.0
"""Time before a fault whose records are kept."""

MAX_FILES = 50
"""Files of one run: a loop of faults and resets must not fill the disk."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class BlackBox:
    """
    Keeps the newest records, and writes them on request.

    The first line of a file is a header: `fault` (its number in the run), `reason`, `step_id` and
    `t_us` (us since the Unix epoch) of the fault, and `guards` (their counts and present texts).
    Then come records as in steps.ndjson, up to the fault's and the few after it.

    :ivar written: number of files written.
    :ivar error: why a file could not be written, or None.
    """

    def __init__(self, folder: Path, records: int) -> None:
        """:param records: number of records kept."""
        self.written = 0
        self.error: str | None = None
        self._folder = folder
        self._lines: deque[bytes] = deque(maxlen=records)
        self._requested: deque[dict[str, Any]] = deque()
        self._count = 0

    def request(self, header: Mapping[str, Any]) -> None:
        """Producer: request a file, after the record of the fault was published."""
        self._count += 1
        if self._count <= MAX_FILES:
            self._requested.append({'fault': self._count, **header})

    def requested(self) -> int:
        """Consumer: return the number of files due; their records are in the ring or written."""
        return len(self._requested)

    def add(self, line: bytes) -> None:
        """Consumer: keep a record."""
        self._lines.append(line)

    def write(self, count: int) -> None:
        """Consumer: write `count` of the files due, each atomically."""
        for _ in range(count):
            header = self._requested.popleft()
            path = self._folder / f'fault_{header["fault"]}.ndjson'
            try:
                replace_file(path, orjson.dumps(header, option=_OPTIONS), *self._lines)
            except OSError as error:
                self.error = f'{path}: cannot be written ({error.strerror})'
            else:
                self.written += 1
