"""What the record costs: `python benchmarks/record.py`.

What a tick pays for its record (StepLog.add copies into a ring; the writer's thread runs beside it
here, at 1 kHz for 20 joints), in turns with the same to a ring that nobody empties: what both have
is the machine's. How long replay, report and exports take for ten minutes at 50 Hz of the robot
that ships. Bounds: 15 us, 20 s, 5 s. Without this a key more in the record would be a late tick.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / 'test')]

from helpers import models  # noqa: E402
from helpers.recorded import record_run  # noqa: E402
from helpers.robots import Rig  # noqa: E402
from helpers.robots import small_robot  # noqa: E402
from kinfer_ros.__main__ import main as command  # noqa: E402
from kinfer_ros.control.command import NAMED_ENTRIES  # noqa: E402
from kinfer_ros.control.command import TWIST_ENTRIES  # noqa: E402
from kinfer_ros.nodes.step_log import StepLog  # noqa: E402
from kinfer_ros.policy.policy import load_model  # noqa: E402

JOINTS = 20
COMMANDS = (*TWIST_ENTRIES, *NAMED_ENTRIES[:13])
RATE_HZ = 1000
BOUND_US = 15.0


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
    log.add(made.controller, activation=1, now_ns=tick, late_ns=0, age_ns=0, stage_ns=(1, 2, 3, 4))
    return time.perf_counter_ns() - begin


def hand_over(folder: Path, seconds: float) -> None:
    """Log at 1 kHz in real time, as a tick does; the writer's thread writes meanwhile."""
    made = rig(folder / 'rig')
    policy = made.controller.parts.stepping.fitted.policy
    settings = {'rate_hz': RATE_HZ, 'carry_every': RATE_HZ}
    log = StepLog(folder, policy, record=True, **settings)
    alone = StepLog(folder / 'rig', policy, record=False, **settings)
    alone.close()
    alone._ring.closed = False
    count = round(seconds * RATE_HZ)
    times = np.empty((2, count))
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    most = 0
    for tick in range(count):
        time.sleep(max(start + tick / RATE_HZ - time.perf_counter(), 0.0))
        # Whichever comes second finds the caches warm: they take turns.
        for each in (tick % 2, 1 - tick % 2):
            times[each, tick] = timed_add((log, alone)[each], made, tick)
        alone._ring.release()
        most = max(most, len(log._ring))
    gc.enable()
    counters = log.close()
    size = (folder / 'steps.ndjson').stat().st_size / counters['written']
    print(f'a record of {JOINTS} joints, {RATE_HZ} Hz for {seconds:g} s, beside its writer')
    first = np.arange(count) % 2
    for name, found in (
        (f'hand-over (bound {BOUND_US:g} us)', times[0, first == 0]),
        ('without a writer', times[1, first == 1]),
    ):
        p50, p99 = np.percentile(found / 1e3, (50, 99))
        print(f'  {name:24}  p50 {p50:6.1f} us   p99 {p99:6.1f} us')
    print(f'  written {counters["written"]}, dropped {counters["dropped"]}, {size:.0f} bytes each')
    print(f'  in memory at most {most} records, {most / RATE_HZ:.2f} s')


def ten_minutes(folder: Path) -> Path:
    """30000 records of a walk: a minute of it, ten times over; each part begins with a carry."""
    run = record_run(folder, 60.0)
    lines = (run / 'steps.ndjson').read_bytes().splitlines()
    with (run / 'steps.ndjson').open('wb') as file:
        for step in range(30_000):
            file.write(b'{"step_id":%d,' % step + lines[step % len(lines)].partition(b',')[2])
            file.write(b'\n')
    return run


def timed(words: list[str], bound: float) -> None:
    """Run one of the package's commands, and say how long it took."""
    begin = time.perf_counter()
    code = command(words)
    seconds = time.perf_counter() - begin
    print(f'  {words[0]:8} {seconds:6.2f} s   (bound {bound:g} s), exit code {code}\n')


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0, help='of logging at 1 kHz')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hand_over(folder, arguments.seconds)
        run = ten_minutes(folder)
        size = (run / 'steps.ndjson').stat().st_size / 1e6
        print(f'\nten minutes at 50 Hz of the biped: {size:.1f} MB')
        timed(['replay', str(run)], 20.0)
        timed(['report', str(run)], 5.0)
        for to in ('csv', 'parquet', 'mcap'):
            timed(['export', str(run), '--to', to], 20.0)


if __name__ == '__main__':
    main()
