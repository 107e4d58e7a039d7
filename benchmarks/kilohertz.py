"""A policy at 1 kHz on sensors at 1 kHz, beside a C loop that does nothing but wake up.

In turns, so that what the machine does to one it does to the other. A tick that the machine does
not let begin in time is missed by any loop; the bounds are what we may add to that.

    python benchmarks/kilohertz.py [--quick | --seconds 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _beside import c_loop
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _processes import SETTLE
from _processes import end
from _processes import policy_node
from _processes import run_facts
from _processes import standing_robots
from _processes import steps
from jitter import C_LOOP

RATE = 1000.0
SECONDS = 20.0
MINUTE = 60.0
TURNS = 3
FEW = 10
"""Ticks a minute that count for nothing: a ratio of a few to none would be chance."""
MOST = 2.0


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


def measure(*, quick: bool = False, seconds: float = SECONDS) -> list[Figure]:
    """
    Three turns of each; one of two seconds where it is to be quick.

    :param seconds: of a turn. Counts are scaled to a minute.
    """
    turns, seconds = (1, 2.0) if quick else (TURNS, seconds)
    late, c_late, counts = [], [], []
    with tempfile.TemporaryDirectory() as name:
        for turn in range(turns):
            progress(f'turn {turn + 1} of {turns}, {seconds:g} s of each')
            ours, missed = our_turn(seconds)
            late.append(ours)
            c_late.append(np.array(c_loop(Path(name), RATE, seconds)['late_ns']) / 1000)
            woke_late = int(np.sum(c_late[-1] > 1e6 / RATE))
            counts.append((missed * MINUTE / seconds, woke_late * MINUTE / seconds))
    lateness = Figure('1 kHz: lateness of ticks', 'us', quantiles(np.concatenate(late)))
    lateness.beside, lateness.beside_values = C_LOOP, quantiles(np.concatenate(c_late))
    missed, woke_late = (float(each) for each in np.median(counts, axis=0))
    lost = Figure('1 kHz: missed ticks in a minute', '', (missed,))
    lost.beside, lost.beside_values = f'{C_LOOP}: wake-ups late by a period', (woke_late,)
    ratio = float(np.median([(ours + FEW) / (theirs + FEW) for ours, theirs in counts]))
    return [
        lateness.bounded(lateness.ratios[1], MOST, 'p99 ratio'),
        lost.bounded(ratio, MOST, f'(ours + {FEW}) / (C + {FEW}), median of {turns}:'),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--seconds', type=float, default=SECONDS, help='of each turn')
    arguments = parser.parse_args()
    print_figures('kilohertz', measure(quick=arguments.quick, seconds=arguments.seconds))


if __name__ == '__main__':
    main()
