"""The last seconds before a fault, in a file of their own: fault_<n>.ndjson in the run directory.

Without this module the seconds that matter would have to be searched for in a long log, and with
`record:=false` there would be none. Records are kept as the lines they are written as, by the
thread that formats them; the tick only says that there was a fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

SECONDS = 10.0
"""How long before a fault records are kept."""

MAX_FILES = 50
"""Faults written in one run: a loop of faults and resets must not fill the disk."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class BlackBox:
    """
    Keeps the newest records, and writes them when it is asked to.

    The first line of a file is a header: `fault` (its number in the run), `reason`, `step_id` (of
    the record of the fault), `t_us` (of the fault, us since the Unix epoch) and `guards` (what
    each has found and says now). The other lines are records as in steps.ndjson: those before the
    fault, its own, and the few after it that were there when the file was written.

    :ivar written: files written so far.
    :ivar error: why a file could not be written, or None.
    """

    def __init__(self, folder: Path, records: int) -> None:
        """:param records: how many of the newest are kept."""
        self.written = 0
        self.error: str | None = None
        self._folder = folder
        self._lines: deque[bytes] = deque(maxlen=records)
        self._asked: deque[dict[str, Any]] = deque()
        self._count = 0

    def ask(self, header: Mapping[str, Any]) -> None:
        """Producer: there was a fault in the tick whose record has just been published."""
        self._count += 1
        if self._count <= MAX_FILES:
            self._asked.append({'fault': self._count, **header})

    def asked(self) -> int:
        """Consumer: how many files are due; their records are in the ring by now, at the least."""
        return len(self._asked)

    def add(self, line: bytes) -> None:
        """Consumer: keep a record."""
        self._lines.append(line)

    def write(self, count: int) -> None:
        """Consumer: write `count` of the files that are due."""
        for _ in range(count):
            header = self._asked.popleft()
            path = self._folder / f'fault_{header["fault"]}.ndjson'
            try:
                with path.open('wb') as file:
                    file.write(orjson.dumps(header, option=_OPTIONS))
                    file.writelines(self._lines)
            except OSError as error:
                self.error = f'{path}: cannot be written ({error.strerror})'
            else:
                self.written += 1
