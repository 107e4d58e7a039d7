"""The file of a step log: appended to, rotated by size, closed parts compressed.

All of it runs on the writer's thread. Between two drains of the ring one piece of a part is
compressed, so that the ring does not fill up.
"""

import contextlib
import errno
import io
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.log_parts import ZST
from kinfer_ros.analysis.log_parts import part_path
from kinfer_ros.analysis.log_parts import require_zstd
from kinfer_ros.errors import RunError

PIECE = 2**20
"""Bytes compressed in one step: a few milliseconds."""

CLOSE_TIMEOUT = 0.5
"""s that `close` spends on compression; the rest stays uncompressed."""


class LogFile:
    """
    One step log on disk.

    :ivar path: the file that is written; its name never changes.
    :ivar offset: its size before the first record (KINFER_LOG_UUID can name an old file).
    :ivar problem: why rotation or compression has stopped, or None; writing continues.
    """

    def __init__(self, path: Path, rotate_bytes: int = 0, *, compress: bool = False) -> None:
        """
        Open the file to append to.

        :param rotate_bytes: size at which a part is closed; 0: never.
        :param compress: compress closed parts with Zstandard.
        :raises RunError: the file cannot be opened, or compression is not installed.
        """
        self.path = path
        self.problem: str | None = None
        self._rotate_bytes = rotate_bytes
        self._zstd: Any = require_zstd('log_zstd') if compress else None
        self._part = 0
        self._compressing: list[Generator[None]] = []
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
        Append whole lines; rotate if the file has reached its size.

        :raises OSError: they cannot be written.
        """
        written = 0
        try:
            while written < len(data):
                written += self._file.write(memoryview(data)[written:])
        except OSError:
            written = self._drop_half_line(data, written)
            raise
        finally:
            self._size += written
        if 0 < self._rotate_bytes <= self._size:
            try:
                self._rotate()
            except OSError as error:
                self._rotate_bytes = 0
                self.problem = f'cannot be rotated ({error.strerror}) and grows further'

    def _drop_half_line(self, data: bytes, written: int) -> int:
        """Cut off what a full disk left of a line; :return: bytes of whole lines."""
        whole = data.rfind(b'\n', 0, written) + 1
        with contextlib.suppress(OSError):  # a pipe, or a disk that is gone
            self._file.truncate(self._size + whole)
        return whole

    def compress_piece(self) -> bool:
        """Compress a piece of a closed part; False if there is nothing to compress."""
        if not self._compressing:
            return False
        try:
            next(self._compressing[0])
        except StopIteration:
            self._compressing.pop(0)
        except OSError as error:
            self._compressing.pop(0)
            self.problem = f'a part stays uncompressed ({error.strerror})'
        return True

    def close(self) -> None:
        """
        Sync to the disk and close.

        :raises OSError: it cannot be synced.
        """
        deadline = time.monotonic() + CLOSE_TIMEOUT
        while time.monotonic() < deadline and self.compress_piece():
            pass
        for unfinished in self._compressing:
            unfinished.close()
        self._compressing.clear()
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            if error.errno != errno.EINVAL:  # a pipe or a device has nothing to sync
                raise
        finally:
            self._file.close()

    def _rotate(self) -> None:
        """Rename the file to a part, and open a new one."""
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
            self._compressing.append(_compress(part, link, self._zstd))

    def _free_part(self, real: Path) -> tuple[int, Path]:
        """Find a free number: another run may have parts of this name in KINFER_LOG_PATH."""
        number = self._part + 1
        while True:
            part = part_path(real, number)
            taken = (part, part.with_name(part.name + ZST), part_path(self.path, number))
            if not any(path.exists() for path in taken):
                return number, part
            number += 1


def _compress(part: Path, link: Path, zstd: Any) -> Generator[None]:
    """
    Compress a closed part, one piece per step, and remove it; closed early, it leaves the part.

    :param link: the part's name in the run directory: the part itself, or a link to it.
    :raises OSError: the disk is full or gone; the part is unchanged.
    """
    packed = part.with_name(part.name + ZST)
    unfinished = part.with_name(part.name + ZST + '.part')
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})
    try:
        with part.open('rb') as source, unfinished.open('wb') as target:
            while data := source.read(PIECE):
                target.write(compressor.compress(data))
                yield
            target.write(compressor.flush())
            target.flush()
            os.fsync(target.fileno())
        unfinished.rename(packed)
    finally:
        unfinished.unlink(missing_ok=True)
    part.unlink()
    if link.is_symlink():
        link.unlink()
        link.with_name(link.name + ZST).symlink_to(packed)


def _append_to(path: Path) -> io.FileIO:
    # Unbuffered: the operating system keeps what was written when this process is killed.
    return path.open('ab', buffering=0)


def _end_last_line(path: Path) -> int:
    """End a line that a killed writer left incomplete; :return: the size of the file."""
    with path.open('r+b', buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if not path.is_file() or size == 0:
            return size
        file.seek(size - 1)
        if file.read(1) != b'\n':
            file.write(b'\n')
            size += 1
        return size
