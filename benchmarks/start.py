"""From the start of the process to the first command; and what stays in memory.

python benchmarks/start.py [--quick] [--memory MINUTES]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import SETTLE
from _processes import end
from _processes import policy_node
from _processes import policy_process
from _processes import resident_mb
from _processes import standing_robots
from _processes import wait_until

RATE = 50.0
SENSORS = 500.0
STARTS = 3


def start(folder: Path) -> float:
    """S from the start of the process until the robot gets its first command."""
    with standing_robots(folder, SENSORS, report=True) as robot:
        begin = time.monotonic()
        with policy_process(folder, RATE) as process:
            if not wait_until(lambda: 'first command' in robot.output, 60, every=0.002):
                raise SystemExit(process.output)
            seconds = time.monotonic() - begin
            end(process)
        end(robot)
    return seconds


def memory(folder: Path, minutes: float) -> list[float]:
    """MB resident, every ten seconds."""
    with standing_robots(folder, SENSORS) as robot, policy_node(folder, RATE) as process:
        time.sleep(SETTLE)
        found = [resident_mb(process)]
        for _ in range(round(minutes * 6)):
            time.sleep(10.0)
            found.append(resident_mb(process))
        end(process)
        end(robot)
    return found


def measure(*, quick: bool = False, minutes: float = 0.0) -> list[Figure]:
    """Some starts; the memory where minutes are given."""
    starts = []
    for _ in range(1 if quick else STARTS):
        with tempfile.TemporaryDirectory() as name:
            starts.append(start(Path(name)))
    figures = [Figure('start of the process to first command', 's', quantiles(starts))]
    if minutes:
        with tempfile.TemporaryDirectory() as name:
            found = memory(Path(name), minutes)
        grown = float(np.median(found[-6:]) - np.median(found[:6]))
        figure = Figure(f'memory after {minutes:g} minutes', 'MB', (found[-1],))
        figures.append(figure.bounded(found[-1], 150.0, 'MB'))
        grow = Figure(f'memory, last minute over first of {minutes:g}', 'MB', (grown,))
        figures.append(grow.bounded(grown, 1.0, 'MB more'))
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--memory', type=float, default=0.0, metavar='MINUTES')
    arguments = parser.parse_args()
    print_figures('start', measure(quick=arguments.quick, minutes=arguments.memory))


if __name__ == '__main__':
    main()
