"""What the record costs: `python benchmarks/record.py`.

What a tick pays for its record (StepLog.add copies into a ring; the writer's thread runs beside it
here, at 1 kHz for 20 joints), in turns with the same to a ring that nobody empties: what both have
is the machine's. How long replay, report and exports take for ten minutes at 50 Hz of the robot
that ships, beside the least that any reader of the log does: parse its lines. Without this a key
more in the record would be a late tick.
"""

from __future__ import annotations

import contextlib
import gc
import io
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _processes import models

from helpers.recorded import record_run
from helpers.robots import Rig
from helpers.robots import small_robot
from kinfer_ros.__main__ import main as command
from kinfer_ros.control.command import NAMED_ENTRIES
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.step_log import StepLog

JOINTS = 20
COMMANDS = (*TWIST_ENTRIES, *NAMED_ENTRIES[:13])
RATE_HZ = 1000
MOST_HAND_OVER = 1.25
MOST = {'replay': 30.0, 'report': 17.0, 'csv': 35.0, 'parquet': 17.0, 'mcap': 50.0}
"""Times as long as parsing the log alone."""


def rig(folder: Path) -> Rig:
    """A controller of 20 joints in mode `run`, with the inputs of a K-Scale policy."""
    folder.mkdir()
    meta = models.metadata(JOINTS, COMMANDS)
    path = models.write_kinfer(folder / 'gru.kinfer', *models.gru_policy(), meta)
    made = Rig(load_model(path), small_robot(folder, tuple(models.joint_names(JOINTS))))
    made.run()
    return made


def timed_add(log: StepLog, made: Rig, tick: int) -> int:
    """Hand one record over; :return: ns."""
    begin = time.perf_counter_ns()
    log.add(made.outcome, activation=1, now_ns=tick, late_ns=0, age_ns=0, stage_ns=(1, 2, 3, 4))
    return time.perf_counter_ns() - begin


def hand_over(folder: Path, seconds: float) -> list[Figure]:
    """Log at 1 kHz in real time, as a tick does; the writer's thread writes meanwhile."""
    made = rig(folder / 'rig')
    policy = made.controller._parts.runner.bound.policy
    settings = {'rate_hz': RATE_HZ, 'carry_every': RATE_HZ}
    log = StepLog(folder, made.controller, {'': policy}, record=True, **settings)
    alone = StepLog(folder / 'rig', made.controller, {'': policy}, record=False, **settings)
    alone.close()
    alone._ring.closed = False
    logs = (log, alone)
    count = round(seconds * RATE_HZ)
    times = np.empty((2, count))
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    most = 0
    for tick in range(count):
        time.sleep(max(start + tick / RATE_HZ - time.perf_counter(), 0.0))
        # Whichever comes later finds the caches warm: they take turns.
        for turn in range(2):
            each = (tick + turn) % 2
            times[each, tick] = timed_add(logs[each], made, tick)
        alone._ring.release()
        most = max(most, len(log._ring))
    gc.enable()
    counters = log.close()
    first = np.arange(count) % 2
    ours, theirs = (times[each, first == each] / 1e3 for each in range(2))
    label = f'record of {JOINTS} joints at {RATE_HZ} Hz'
    figure = Figure(f'{label}: hand-over', 'us', quantiles(ours))
    figure.beside, figure.beside_values = 'without a writer', quantiles(theirs)
    dropped = counters['dropped']
    waiting = Figure(
        f'{label}: most records in memory', '', (most,), 'records of a second', (RATE_HZ,)
    )
    return [
        figure.bounded(figure.ratios[0], MOST_HAND_OVER, 'p50 ratio'),
        Figure(f'{label}: dropped', '', (dropped,)).bounded(dropped, 0, 'records'),
        waiting.bounded(waiting.ratios[0], 1.0, 'ratio'),
    ]


def ten_minutes(folder: Path) -> Path:
    """30000 records of a walk: a minute of it, ten times over; each part begins with a carry."""
    run = record_run(folder, 60.0)
    lines = (run / 'steps.ndjson').read_bytes().splitlines()
    with (run / 'steps.ndjson').open('wb') as file:
        for step in range(30_000):
            file.write(b'{"step_id":%d,' % step + lines[step % len(lines)].partition(b',')[2])
            file.write(b'\n')
    return run


def parsing(run: Path) -> float:
    """How long orjson takes for the lines of a log, s: median of three."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        with (run / 'steps.ndjson').open('rb') as file:
            for line in file:
                orjson.loads(line)
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def timed(words: list[str], least: float) -> Figure:
    """How long one of the package's commands takes, beside the least that a reader does."""
    name = ' '.join(words[:1] + words[3:])
    progress(name)
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = command(words)
    seconds = time.perf_counter() - begin
    if code:
        raise SystemExit(f'{words[0]} ended with exit code {code}:\n{said.getvalue()}')
    figure = Figure(f'{name} of ten minutes at 50 Hz', 's', (seconds,))
    figure.beside, figure.beside_values = 'orjson.loads of the lines', (least,)
    return figure.bounded(figure.ratios[0], MOST[words[-1] if words[3:] else words[0]], 'ratio')


def measure(*, quick: bool = False) -> list[Figure]:
    """The hand-over; replay and report unless it is to be quick."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = hand_over(folder, 3.0 if quick else 10.0)
        if not quick:
            run = ten_minutes(folder)
            least = parsing(run)
            figures += [timed([each, str(run)], least) for each in ('replay', 'report')]
            for to in ('csv', 'parquet', 'mcap'):
                figures.append(timed(['export', str(run), '--to', to], least))
    return figures


def main() -> None:
    """Print the table."""
    print_figures('record', measure())


if __name__ == '__main__':
    main()
