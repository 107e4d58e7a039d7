"""A step log on a disk that fills up: whole lines, or none."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from kinfer_ros.run.log_file import LogFile


class FullDisk:
    """A file that takes a number of bytes, and then no more."""

    def __init__(self, file, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, data) -> int:
        """As the operating system does: what fits first, then an error."""
        if not self._room:
            raise OSError(errno.ENOSPC, 'No space left on device')
        written = self._file.write(bytes(data[: self._room]))
        self._room -= written
        return written

    def __getattr__(self, name: str):
        return getattr(self._file, name)


@pytest.mark.parametrize(
    ('room', 'left'), [(0, b'{"a":1}\n'), (3, b'{"a":1}\n'), (12, b'{"a":1}\n{"b":2}\n')]
)
def test_a_full_disk_leaves_no_half_line(tmp_path: Path, room: int, left: bytes) -> None:
    """A reader would take half a record for damage."""
    log = LogFile(tmp_path / 'steps.ndjson')
    log.write(b'{"a":1}\n')
    log._file = FullDisk(log._file, room)
    with pytest.raises(OSError, match='No space left'):
        log.write(b'{"b":2}\n{"c":3}\n')
    log.close()
    assert (tmp_path / 'steps.ndjson').read_bytes() == left
