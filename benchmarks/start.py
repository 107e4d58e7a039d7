"""From the start of the process to the first command; and what stays in memory.

Beside the plain rclpy node, which has nothing to check before it commands.

    python benchmarks/start.py [--quick] [--memory MINUTES]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import SETTLE
from _processes import Process
from _processes import end
from _processes import plain_process
from _processes import policy_node
from _processes import policy_process
from _processes import resident_mb
from _processes import standing_robots
from _processes import wait_until

RATE = 50.0
SENSORS = 500.0
STARTS = 3
MOST_GROWN = 1.01


def start(folder: Path, side: Callable[[Path], Process]) -> float:
    """S from the start of the process until the robot gets its first command."""
    with standing_robots(folder, SENSORS, report=True) as robot:
        begin = time.monotonic()
        with side(folder) as process:
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
    sides = {
        'ours': lambda folder: policy_process(folder, RATE),
        'plain': lambda folder: plain_process(folder, RATE),
    }
    starts: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(1 if quick else STARTS):
        for side, process in sides.items():
            with tempfile.TemporaryDirectory() as name:
                starts[side].append(start(Path(name), process))
    figure = Figure('start of the process to first command', 's', quantiles(starts['ours']))
    figure.beside, figure.beside_values = 'plain node', quantiles(starts['plain'])
    figures = [figure]
    if minutes:
        with tempfile.TemporaryDirectory() as name:
            found = memory(Path(name), minutes)
        figure = Figure(f'memory after {minutes:g} minutes', 'MB', (float(np.median(found[-6:])),))
        figure.beside, figure.beside_values = 'its first minute', (float(np.median(found[:6])),)
        figures.append(figure.bounded(figure.ratios[0], MOST_GROWN, 'ratio'))
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
