"""How punctual a tick is: our node beside kinfer's own loop, a bare C loop and an rclpy timer.

All run in turns beside the same standing robot, so that each has the same machine to itself; then
again with all cores busy. The figure is how far two ticks are from a period apart, since kinfer's
loop moves its schedule when it is late, so that it has no time at which it is due. Ours is the
whole node (it needs its sensors); the others do less than that.

    python benchmarks/jitter.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _beside import busy
from _beside import c_loop
from _beside import figures_of
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _figures import typical
from _processes import HERE
from _processes import SETTLE
from _processes import end
from _processes import policy_node
from _processes import run_facts
from _processes import standing_robots
from _processes import steps
from _processes import write_policy

RATE = 200.0
SECONDS = 3.0
TURNS = 3
SENSORS = 500.0
PLAIN = 'policy node'
SPINNING = 'policy node, spin_us 300'
THEIRS = "kinfer's run (Rust), which spins 300 us"
C_LOOP = 'C, clock_nanosleep'
RCLPY = 'rclpy timer'
KINFER = os.environ.get('KINFER_PEER_PYTHON', '')


def our_node(folder: Path, seconds: float, rate: float, **more: object) -> np.ndarray:
    """us, of the whole policy node."""
    with tempfile.TemporaryDirectory() as name:
        with policy_node(Path(name), rate, **more) as process:
            time.sleep(SETTLE + seconds)
            end(process)
        run_facts(Path(name, 'runs'))
        return jitter(steps(Path(name, 'runs'))['now_ns'], rate)


def kinfer_loop(folder: Path, seconds: float, rate: float) -> np.ndarray:
    """us, of kinfer's `run`."""
    script = str(HERE / 'baselines' / 'kinfer_run.py')
    words = [KINFER, script, 'loop', str(folder / 'mlp.kinfer'), str(rate), str(seconds)]
    return jitter(np.array(figures_of(words, folder, seconds)['ticks_ns'])[10:], rate)


def c_wakeups(folder: Path, seconds: float, rate: float) -> np.ndarray:
    """us, of baselines/sleeper.c."""
    return jitter(np.array(c_loop(folder, rate, seconds)['ticks_ns']), rate)


def rclpy_timer(folder: Path, seconds: float, rate: float) -> np.ndarray:
    """us, of baselines/timer_node.py."""
    words = [sys.executable, str(HERE / 'baselines' / 'timer_node.py'), str(rate)]
    words.append(str(seconds))
    return jitter(np.array(figures_of(words, folder, seconds)['ticks_ns'])[10:], rate)


def jitter(ticks_ns: np.ndarray, rate: float) -> np.ndarray:
    """How far each two ticks are from a period apart, us."""
    return np.asarray(np.abs(np.diff(ticks_ns) - 1e9 / rate)) / 1000


def contestants() -> dict[str, Callable[[Path, float, float], np.ndarray]]:
    """Ours first; kinfer only where its environment is."""
    found: dict[str, Callable[[Path, float, float], np.ndarray]] = {
        PLAIN: our_node,
        SPINNING: lambda *args: our_node(*args, spin_us=300),
        THEIRS: kinfer_loop,
        C_LOOP: c_wakeups,
        RCLPY: rclpy_timer,
    }
    if not KINFER:
        print("jitter: no KINFER_PEER_PYTHON, so nothing beside kinfer's run")
        del found[THEIRS]
    return found


def in_turns(
    folder: Path, turns: int, seconds: float, rate: float
) -> dict[str, tuple[float, ...]]:
    """Median over the turns of each contestant's quantiles, by name."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in contestants()}
    for turn in range(turns):
        progress(f'turn {turn + 1} of {turns}')
        for name, contestant in contestants().items():
            rows[name].append(quantiles(contestant(folder, seconds, rate)))
    return {name: typical(found) for name, found in rows.items()}


def measure(*, quick: bool = False) -> list[Figure]:
    """Idle, and with all cores busy."""
    turns = 1 if quick else TURNS
    cores = len(os.sched_getaffinity(0))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_policy(folder)
        with standing_robots(folder, SENSORS) as robot:
            for label, loops, bound in (('idle', 0, 1.2), ('all cores busy', cores, 1.0)):
                if quick and loops:
                    continue
                with busy(loops):
                    found = in_turns(folder, turns, SECONDS, RATE)
                figures += _figures(label, found, bound)
            end(robot)
    return figures


def _figures(label: str, rows: dict[str, tuple[float, ...]], bound: float) -> list[Figure]:
    pairs = ((PLAIN, RCLPY), (SPINNING, C_LOOP), (SPINNING, THEIRS))
    figures = [
        Figure(f'jitter, {label}, {RATE:g} Hz: {ours}', 'us', rows[ours], theirs, rows[theirs])
        for ours, theirs in pairs
        if theirs in rows
    ]
    for each in figures:
        if each.beside == THEIRS:
            each.bounded(each.ratios[1], bound, 'p99 ratio')
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('jitter', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
