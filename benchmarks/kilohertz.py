"""A policy at 1 kHz on sensors at 1 kHz, beside a C loop that does nothing but wake up.

In turns, so that what the machine does to one it does to the other. A tick that the machine does
not let begin in time is missed by any loop; the bound is what we may add to that.

    python benchmarks/kilohertz.py [--quick]
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
from _processes import run_facts
from _processes import standing_robots
from _processes import steps
from jitter import c_figures

RATE = 1000.0
SECONDS = 20.0
TURNS = 3


def our_turn(seconds: float) -> tuple[np.ndarray, int]:
    """Us of lateness, and missed ticks, of the policy node with its guards and its log."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            standing_robots(folder, RATE) as robot,
            policy_node(folder, RATE, spin_us=200) as process,
        ):
            time.sleep(SETTLE + seconds)
            end(process)
            end(robot)
        run_facts(folder / 'runs')
        found = steps(folder / 'runs')
        due = np.round(np.diff(found['now_ns'] - 1000 * found['late_us']) / (1e9 / RATE))
        return found['late_us'], int(np.sum(due - 1))


def measure(*, quick: bool = False) -> list[Figure]:
    """A minute of each, in three turns; two seconds where it is to be quick."""
    turns, seconds = (1, 2.0) if quick else (TURNS, SECONDS)
    late, theirs, missed = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        for _ in range(turns):
            ours, skipped = our_turn(seconds)
            late.append(ours)
            missed += skipped
            found = c_figures(Path(name), seconds, RATE)['late_ns']
            theirs.append(np.array(found) / 1000)
    c_late = np.concatenate(theirs)
    woke_late = int(np.sum(c_late > 1e6 / RATE))
    lateness = Figure('1 kHz, lateness', 'us', quantiles(np.concatenate(late)))
    lateness.beside, lateness.beside_values = 'C, clock_nanosleep', quantiles(c_late)
    over = lateness.values[1] - lateness.beside_values[1]
    lost = Figure(f'1 kHz, missed ticks in {turns * seconds:g} s', '', (missed,))
    lost.beside, lost.beside_values = 'C, wake-ups late by a period', (woke_late,)
    return [
        lateness.bounded(over, 150.0, 'p99, us over C'),
        lost.bounded(missed, 1.5 * woke_late + 5, 'missed'),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('kilohertz', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
