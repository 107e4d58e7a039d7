"""The file that a step log is written to: appended to, rotated by size, closed parts compressed.

Everything here happens on the writer's thread. Compression goes a piece at a time between two
drains of the ring, so that the ring is never left alone for long. Without this module a robot that
runs for days would fill its disk with one file.
"""

from __future__ import annotations

import errno
import io
import os
import time
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.log_parts import ZST
from kinfer_ros.analysis.log_parts import part_path
from kinfer_ros.analysis.log_parts import require_zstd
from kinfer_ros.errors import RunError

PIECE = 2**20
"""Bytes that are compressed in one go: a few milliseconds."""

CLOSING = 0.5
"""s that closing may spend on a part that is not compressed yet; then it stays as it is."""


class LogFile:
    """
    One step log on disk.

    :ivar path: the file that is written to; always the same name.
    :ivar offset: size of it before the first record (KINFER_LOG_UUID can name an old file).
    :ivar problem: why rotation or compression has stopped, or None; writing goes on.
    """

    def __init__(self, path: Path, rotate_bytes: int = 0, *, compress: bool = False) -> None:
        """
        Open the file to append to.

        :param rotate_bytes: size from which a part is closed; 0: never.
        :param compress: compress closed parts with Zstandard.
        :raises RunError: the file cannot be opened, or compression is not installed.
        """
        self.path = path
        self.problem: str | None = None
        self._rotate_bytes = rotate_bytes
        self._zstd: Any = require_zstd('log_zstd') if compress else None
        self._part = 0
        self._packing: list[_Packing] = []
        try:
            self._file = _append_to(path)
            self.offset = self._size = _end_last_line(path)
        except OSError as error:
            raise RunError(
                f'{path}: cannot be opened for the step log ({error.strerror}); '
                'choose a runs_dir (or KINFER_LOG_PATH) that can be written'
            ) from error

    def write(self, data: bytes) -> None:
        """
        Append whole lines; rotate where the file has its size.

        :raises OSError: they cannot be written.
        """
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            self._size += written
            view = view[written:]
        if 0 < self._rotate_bytes <= self._size:
            try:
                self._rotate()
            except OSError as error:
                self._rotate_bytes = 0
                self.problem = f'cannot be rotated ({error.strerror}) and grows on'

    def pack_a_piece(self) -> bool:
        """Compress a piece of a closed part; False where there is nothing to compress."""
        if not self._packing:
            return False
        try:
            if self._packing[0].step():
                self._packing.pop(0)
        except OSError as error:
            self._packing.pop(0).abandon()
            self.problem = f'a part stays uncompressed ({error.strerror})'
        return True

    def close(self) -> None:
        """
        Sync to the disk and close.

        :raises OSError: it cannot be synced.
        """
        deadline = time.monotonic() + CLOSING
        while time.monotonic() < deadline and self.pack_a_piece():
            pass
        for packing in self._packing:
            packing.abandon()
        self._packing.clear()
        try:
            _sync(self._file.fileno())
        finally:
            self._file.close()

    def _rotate(self) -> None:
        """Give the file the name of a part, and begin a new one under its own."""
        real = self.path.resolve()  # of a link into KINFER_LOG_PATH
        number, part = self._free_part(real)
        real.rename(part)
        link = part_path(self.path, number)
        if part != link.absolute():
            link.symlink_to(part)
        fresh = _append_to(real)
        self._file.close()
        self._file, self._size, self._part = fresh, 0, number
        if self._zstd is not None:
            self._packing.append(_Packing(part, link, self._zstd))

    def _free_part(self, real: Path) -> tuple[int, Path]:
        """Another run may have left parts under the same name in KINFER_LOG_PATH."""
        number = self._part + 1
        while True:
            part = part_path(real, number)
            taken = (part, part.with_name(part.name + ZST), part_path(self.path, number))
            if not any(path.exists() for path in taken):
                return number, part
            number += 1


class _Packing:
    """A closed part on its way to its compressed form, a piece at a time."""

    def __init__(self, part: Path, link: Path, zstd: Any) -> None:
        """:param link: where the run directory has the part; the part itself, or a link to it."""
        self._part = part
        self._link = link
        self._packed = part.with_name(part.name + ZST)
        self._unfinished = part.with_name(part.name + ZST + '.part')
        checked = {zstd.CompressionParameter.checksum_flag: 1}
        self._compressor = zstd.ZstdCompressor(options=checked)
        self._from = part.open('rb')
        self._to = self._unfinished.open('wb')

    def step(self) -> bool:
        """
        Compress the next piece; True when the part has been replaced.

        :raises OSError: the disk is full or gone; the part itself is untouched then.
        """
        data = self._from.read(PIECE)
        self._to.write(self._compressor.compress(data) if data else self._compressor.flush())
        if not data:
            self._finish()
        return not data

    def _finish(self) -> None:
        self._to.flush()
        os.fsync(self._to.fileno())
        self._close()
        self._unfinished.rename(self._packed)
        self._part.unlink()
        if self._link.is_symlink():
            self._link.unlink()
            self._link.with_name(self._link.name + ZST).symlink_to(self._packed)

    def abandon(self) -> None:
        """Leave the part as it is."""
        self._close()
        self._unfinished.unlink(missing_ok=True)

    def _close(self) -> None:
        self._from.close()
        self._to.close()


def _append_to(path: Path) -> io.FileIO:
    # Unbuffered: each drain is one write to the operating system, which keeps what it got when
    # this process is killed.
    return path.open('ab', buffering=0)


def _end_last_line(path: Path) -> int:
    """End a line that an earlier, killed writer left cut short; return the size of the file."""
    with path.open('r+b', buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if not path.is_file() or size == 0:
            return size
        file.seek(size - 1)
        if file.read(1) != b'\n':
            file.write(b'\n')
            size += 1
        return size


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        # A pipe or a device has nothing to sync.
        if error.errno != errno.EINVAL:
            raise
