"""Writes steps.ndjson on a thread, and reads it back bit for bit.

Each record is one line of JSON. Lines are written every 50 ms, so that a killed process loses no
more than that. If the disk is too slow, the ring fills up and records are dropped and counted; if
it fails, recording ends with one error, and the black box continues.
"""

import os
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import TypedDict

import orjson

from kinfer_ros.analysis.log_parts import STEPS
from kinfer_ros.analysis.log_parts import read_lines
from kinfer_ros.errors import RunError
from kinfer_ros.run.black_box import BlackBox
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.record import RecordFormat
from kinfer_ros.run.record import restore
from kinfer_ros.run.ring import StepRing

MAX_GAPS = 1000
"""Gaps that are listed at most."""

PERIOD = 0.05
"""s between two drains of the ring."""

# Records formatted at a time. Formatting holds the interpreter's lock (about 40 us per record); a
# short sleep after each slice lets the tick run.
_SLICE = 4
_PAUSE = 0.001


class LogCounters(TypedDict):
    """
    Counts of the records of a run.

    `missing`: [first, last] step_id of each gap in the file, MAX_GAPS at most.
    """

    written: int
    dropped: int
    missing: list[list[int]]
    error: str | None


class NdjsonWriter:
    """
    The thread that writes a StepRing to a file and to a black box.

    :ivar error: the first error of the recording, or None.
    """

    def __init__(
        self,
        file: LogFile | None,
        ring: StepRing,
        layouts: Sequence[RecordFormat],
        black_box: BlackBox | None = None,
    ) -> None:
        """
        Start the thread.

        :param file: gets the records, and is closed at the end; None: the black box alone.
        :param layouts: of the records; `ring.i64['layout']` counts them.
        """
        self.path = file.path if file else None
        self.written = 0
        self.error: str | None = None
        self._lost = 0
        self._gaps: list[tuple[int, int]] = []
        self._next_id: int | None = None
        self._ring = ring
        self._layouts = layouts
        self._black_box = black_box
        self._stop = threading.Event()
        self._file = file
        self._thread = threading.Thread(target=self._run, name='ndjson', daemon=True)
        self._thread.start()

    def counters(self) -> LogCounters:
        """Return the counts so far."""
        dropped = self._ring.dropped + self._lost
        return {
            'written': self.written,
            'dropped': dropped,
            'missing': [list(gap) for gap in self._gaps],
            'error': self.error,
        }

    def close(self, timeout: float = 5.0) -> LogCounters:
        """
        Write the rest, sync to the disk, close the file; may be called again.

        :param timeout: s to wait for a slow disk before the rest is dropped.
        """
        self._stop.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._ring.close()
            left = len(self._ring)
            self._fail(f'the disk did not take all within {timeout:g} s; {left} records lost')
        return self.counters()

    def _run(self) -> None:
        try:
            stopping = False
            while not stopping:
                stopping = self._stop.wait(PERIOD)
                self._drain()
            # The producer has stopped; later records are counted as dropped.
            self._ring.close()
            self._drain()
        except Exception as error:
            # A bug in kinfer_ros, which must not stop a robot.
            self._fail(f'a record could not be written ({error!r}); the step log ends here')
        finally:
            self._ring.close()
            self._close_file()

    def _drain(self) -> None:
        """Write all records, a slice at a time, and then the files due of the black box."""
        due = self._black_box.requested() if self._black_box else 0
        while self._write_slice() == _SLICE:
            time.sleep(_PAUSE)
        if self._file is not None:
            self._file.compress_piece()
            self._note_problem(self._file)
        if self._black_box and due:
            self._black_box.write(due)

    def _write_slice(self) -> int:
        lines: list[bytes] = []
        ring = self._ring
        while len(lines) < _SLICE and (slot := ring.first()) >= 0:
            layout = self._layouts[int(ring.i64['layout'][slot])]
            lines.append(layout.to_json(ring, slot))
            self._note_gap(int(ring.i64['step_id'][slot]))
            ring.release()
        if lines:
            self._write(lines)
        return len(lines)

    def _note_gap(self, step_id: int) -> None:
        """Note the missing steps before this one."""
        if self._next_id is not None and step_id > self._next_id and len(self._gaps) < MAX_GAPS:
            self._gaps.append((self._next_id, step_id - 1))
        self._next_id = step_id + 1

    def _write(self, lines: list[bytes]) -> None:
        if self._black_box is not None:
            for line in lines:
                self._black_box.add(line)
        if self._file is None:
            self._lost += len(lines) if self.path else 0
            return
        try:
            self._file.write(b''.join(lines))
        except OSError as error:
            self._lost += len(lines)
            self._fail(f'writing failed ({error.strerror}); the step log ends here')
            self._close_file()
        else:
            self.written += len(lines)

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            self._fail(f'syncing failed ({error.strerror}); the last second may be lost')
        self._note_problem(file)

    def _note_problem(self, file: LogFile) -> None:
        if file.problem is not None:
            self._fail(file.problem)

    def _fail(self, what: str) -> None:
        if self.error is None:
            self.error = f'{self.path}: {what}'


def steps_path(
    run_dir: Path, now: datetime | None = None, environ: Mapping[str, str] = os.environ
) -> Path:
    """
    Return the path of a run's step log; KINFER_LOG_PATH and KINFER_LOG_UUID work as in kinfer.

    With KINFER_LOG_PATH the file is `<that directory>/<KINFER_LOG_UUID, else UTC time>.ndjson`,
    where tools for kinfer's logs look, and `<run_dir>/steps.ndjson` is a link to it.

    :param now: start time, with a time zone; default: now.
    :return: `<run_dir>/steps.ndjson`, the file or the link.
    :raises RunError: the directory or the link cannot be made, or the name is no file name.
    """
    inside = run_dir / STEPS
    folder = environ.get('KINFER_LOG_PATH')
    if not folder:
        return inside
    now = datetime.now(UTC) if now is None else now
    stamp = now.astimezone(UTC).strftime('%Y-%m-%d_%H-%M-%S')
    name = environ.get('KINFER_LOG_UUID') or stamp
    if Path(name).name != name:
        raise RunError(f'KINFER_LOG_UUID={name!r}: expected a plain file name, without folders')
    outside = Path(folder).absolute() / f'{name}.ndjson'
    try:
        outside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(outside)
    except OSError as error:
        raise RunError(
            f'KINFER_LOG_PATH={folder}: {error.filename2 or error.filename}: {error.strerror}; '
            'set it to a directory that can be written, or unset it'
        ) from error
    return inside


def read_steps(
    path: Path, offset: int = 0, damaged: list[int] | None = None
) -> Iterator[dict[str, Any]]:
    """
    Yield the records of a step log, also of kinfer's, with float32 arrays bit for bit as logged.

    Lines that are no record are skipped: a killed process leaves its last line incomplete.

    :param path: the file, or its run directory; the file's parts are read before it.
    :param offset: byte to start at, where a line begins (`steps_offset` in run.json).
    :param damaged: gets the number (from 1, counted from offset) of each skipped line.
    :raises RunError: the file cannot be read.
    """
    log = path / STEPS if path.is_dir() else path
    for number, line in enumerate(read_lines(log, offset), start=1):
        try:
            yield restore(orjson.loads(line))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            if damaged is not None:
                damaged.append(number)
