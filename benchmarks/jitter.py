"""How punctual a tick is: our node beside kinfer's own loop, a bare C loop and an rclpy timer.

All run in turns beside the same standing robot, so that each has the same machine to itself; then
again with both cores busy. The figure is how far two ticks are from a period apart, since kinfer's
loop moves its schedule when it is late, so that it has no time at which it is due. Ours is the
whole node (it needs its sensors); the others do less than that.

    python benchmarks/jitter.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import HERE
from _processes import SETTLE
from _processes import Process
from _processes import domain_environment
from _processes import end
from _processes import last_json
from _processes import policy_node
from _processes import run_facts
from _processes import standing_robots
from _processes import steps
from _processes import write_policy

RATE = 200.0
SECONDS = 3.0
TURNS = 5
SENSORS = 500.0
SPINNING = 'policy node, spin_us 300'
THEIRS = "kinfer's run, which spins 300 us"
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
    return jitter(np.array(_figures_of(words, folder)['ticks_ns'])[10:], rate)


def c_loop(folder: Path, seconds: float, rate: float) -> np.ndarray:
    """us, of baselines/sleeper.c."""
    return jitter(np.array(c_figures(folder, seconds, rate)['ticks_ns']), rate)


def c_figures(folder: Path, seconds: float, rate: float) -> dict[str, list[int]]:
    """Compile baselines/sleeper.c, once, and run it; :return: what it printed."""
    binary = folder / 'sleeper'
    if not binary.exists():
        compiler = shutil.which('cc') or shutil.which('gcc')
        if compiler is None:
            raise SystemExit('there is no C compiler (cc or gcc), for the bare C loop')
        source = HERE / 'baselines' / 'sleeper.c'
        subprocess.run([compiler, '-O2', '-o', binary, source], check=True)
    return _figures_of([str(binary), str(rate), str(seconds)], folder)


def rclpy_timer(folder: Path, seconds: float, rate: float) -> np.ndarray:
    """us, of baselines/timer_node.py."""
    words = [sys.executable, str(HERE / 'baselines' / 'timer_node.py'), str(rate)]
    words.append(str(seconds))
    return jitter(np.array(_figures_of(words, folder)['ticks_ns'])[10:], rate)


def jitter(ticks_ns: np.ndarray, rate: float) -> np.ndarray:
    """How far each two ticks are from a period apart, us."""
    return np.asarray(np.abs(np.diff(ticks_ns) - 1e9 / rate)) / 1000


def _figures_of(words: list[str], folder: Path) -> dict[str, list[int]]:
    """Run a program to its end; :return: the JSON it printed."""
    program, *rest = words
    log, environment = folder / 'baseline.log', domain_environment()
    with Process(rest, log, environment, program=program) as process:
        process.wait(120)
        found: dict[str, list[int]] = last_json(process)
        return found


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep some cores busy."""
    loops = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(cores)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def contestants() -> dict[str, Callable[[Path, float, float], np.ndarray]]:
    """Ours first; kinfer only where its environment is."""
    found: dict[str, Callable[[Path, float, float], np.ndarray]] = {
        'policy node': our_node,
        SPINNING: lambda *args: our_node(*args, spin_us=300),
        THEIRS: kinfer_loop,
        'C, clock_nanosleep': c_loop,
        'rclpy timer': rclpy_timer,
    }
    if not KINFER:
        print("jitter: no KINFER_PEER_PYTHON, so nothing beside kinfer's run")
        del found[THEIRS]
    return found


def in_turns(folder: Path, turns: int, seconds: float, rate: float) -> dict[str, np.ndarray]:
    """
    Median over the turns of each contestant's quantiles: shape (4,), by name.

    Those that no bound is about have one turn.
    """
    rows: dict[str, list[tuple[float, ...]]] = {}
    for turn in range(turns):
        for name, contestant in contestants().items():
            if turn == 0 or name in (SPINNING, THEIRS):
                rows.setdefault(name, []).append(quantiles(contestant(folder, seconds, rate)))
    return {name: np.median(found, axis=0) for name, found in rows.items()}


def measure(*, quick: bool = False) -> list[Figure]:
    """Idle, and with both cores busy."""
    turns = 1 if quick else TURNS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_policy(folder)
        with standing_robots(folder, SENSORS) as robot:
            for label, cores, bound in (('idle', 0, 1.2), ('loaded', 2, 1.0)):
                if quick and cores:
                    continue
                with busy(cores):
                    found = in_turns(folder, turns, SECONDS, RATE)
                figures += _figures(label, found, bound)
            end(robot)
    return figures


def _figures(label: str, found: dict[str, np.ndarray], bound: float) -> list[Figure]:
    rows = {name: tuple(float(value) for value in row) for name, row in found.items()}
    figures = {
        name: Figure(f'{label}, {RATE:g} Hz: {name}', 'us', row) for name, row in rows.items()
    }
    if figures.pop(THEIRS, None):
        ours = figures[SPINNING]
        ours.beside, ours.beside_values = THEIRS, rows[THEIRS]
        ours.bounded(ours.ratios[1], bound, 'p99 ratio')
    return list(figures.values())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('jitter', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
