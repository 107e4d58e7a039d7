"""An hour at 1 kHz: from when a tick was due to when its command was published, beside a C loop.

    python benchmarks/hour.py [--minutes 60]        make bench ARGS="hour --minutes 2"

The policy node has its guards, its log and `spin_us` 200; the C loop only wakes up, so that its
figure is what the machine allows. Three conditions: idle; all cores busy; all cores busy with both
sides on SCHED_FIFO, where the machine grants it. In each both take turns of a sixth of the time.
With 60 minutes that is six hours: no part of the ten minutes of `make bench`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _beside import busy
from _beside import c_loop
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _processes import HERE
from _processes import SETTLE
from _processes import Process
from _processes import domain_environment
from _processes import end
from _processes import parameters
from _processes import run_facts
from _processes import standing_robots
from _processes import wait_until

from helpers.processes import parameter_text

RATE = 1000.0
MINUTES = 60.0
TURNS = 6
PRIORITY = 80
C_LOOP = 'C, clock_nanosleep'


@dataclass
class Condition:
    """What both sides run under."""

    name: str
    loops: int = 0
    priority: int = 0


def our_turn(seconds: float, priority: int) -> np.ndarray:
    """Us from due to published, of each tick of a policy node in mode run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = parameters(folder, RATE, spin_us=200, thread_priority=priority)
        # A turn of ten minutes would leave a gigabyte.
        values |= {'log_rotate_mb': 50.0, 'log_zstd': True}
        words = [str(HERE / '_timed_node.py'), str(folder / 'ticks.npy'), str(RATE * seconds)]
        words += ['--ros-args']
        for key, value in values.items():
            words += ['-p', f'{key}:={parameter_text(value)}']
        with (
            standing_robots(folder, RATE) as robot,
            Process(words, folder / 'node.log', domain_environment()) as process,
        ):
            if not wait_until(lambda: 'mode run' in process.output, 60):
                raise SystemExit(process.output)
            time.sleep(SETTLE + seconds)
            end(process)
            end(robot)
        run_facts(folder / 'runs')
        found = np.load(folder / 'ticks.npy')
    return found[round(SETTLE * RATE) :] / 1000


def conditions() -> list[Condition]:
    """Those that the machine grants."""
    cores = len(os.sched_getaffinity(0))
    found = [Condition('idle'), Condition('all cores busy', cores)]
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        print('hour: no SCHED_FIFO here (ulimit -r), so nothing with real-time priority')
        return found
    return [*found, Condition('all cores busy, SCHED_FIFO', cores, PRIORITY)]


def measure(*, quick: bool = False, minutes: float = MINUTES) -> list[Figure]:
    """
    All conditions, in turns.

    :param minutes: of each side in each condition.
    """
    turns = 1 if quick else TURNS
    seconds = 5.0 if quick else minutes * 60.0 / turns
    figures = []
    with tempfile.TemporaryDirectory() as name:
        for each in conditions():
            ours, theirs = [], []
            for turn in range(turns):
                progress(f'{each.name}: turn {turn + 1} of {turns}, {seconds:g} s of each')
                with busy(each.loops):
                    ours.append(our_turn(seconds, each.priority))
                    found = c_loop(Path(name), RATE, seconds, priority=each.priority)
                theirs.append(np.array(found['late_ns']) / 1000)
            figures.append(
                Figure(
                    f'1 kHz, {each.name}: from due to published',
                    'us',
                    quantiles(np.concatenate(ours)),
                    f'{C_LOOP}: from due to awake',
                    quantiles(np.concatenate(theirs)),
                )
            )
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=MINUTES, help='of each side')
    print_figures('hour', measure(minutes=parser.parse_args().minutes))


if __name__ == '__main__':
    main()
