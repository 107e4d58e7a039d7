"""kinfer's own log of steps, where KINFER_LOG_PATH asks for it."""

import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from kinfer_ros.arrays import Float32
from kinfer_ros.run.log_file import LogFile
from kinfer_ros.run.record import KINFER_KEYS

CAPACITY = 1024
"""Records that wait for the disk, as in kinfer; a record more is dropped, and counted."""
PERIOD = 0.25
"""s between two writes."""


class StepLog:
    """
    Appends a record a step to `KINFER_LOG_PATH/KINFER_LOG_UUID.ndjson`, from a thread of its own.

    :ivar dropped: records that found the queue full, or the disk.
    """

    def __init__(self, folder: str) -> None:
        """:raises RunError: the file cannot be opened."""
        name = os.environ.get('KINFER_LOG_UUID') or time.strftime(
            '%Y-%m-%d_%H-%M-%S', time.gmtime()
        )
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self.dropped = 0
        self._file = LogFile(path / f'{Path(name).name}.ndjson')
        self._queue: queue.Queue[dict[str, object]] = queue.Queue(CAPACITY)
        self._step = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name='kinfer_log', daemon=True)
        self._thread.start()

    def add(self, inputs: Mapping[str, Float32], action: Float32) -> None:
        """Note a step; the disk is not touched here."""
        record: dict[str, object] = {'step_id': self._step, 't_us': time.time_ns() // 1000}
        for name, key in KINFER_KEYS.items():
            record[key] = inputs[name].copy() if name in inputs else None
        record['output'] = action.copy()
        self._step += 1
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, and close the file."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._file.close()

    def _write(self) -> None:
        while not self._ended.wait(PERIOD):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        records = []
        while not self._queue.empty():
            records.append(self._queue.get_nowait())
        lines = [orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY) for each in records]
        if not lines:
            return
        try:
            self._file.write(b'\n'.join(lines) + b'\n')
        except OSError as error:
            if not self.dropped:
                logging.getLogger(__name__).warning('%s: %s', self._file.path, error.strerror)
            self.dropped += len(lines)
