"""How many 50 Hz robots this machine holds before their ticks come late.

Policy nodes of 512-256-128 with guards and logs, each with sensors at 200 Hz: a process each, or
all in one process on one executor; beside them plain rclpy nodes, a process each. A number is held
if 99 of 100 ticks of all of them are less than 2 ms late. All robots' sensors come from one
process, which takes its share of the machine.

    python benchmarks/scale.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _processes import HERE
from _processes import SETTLE
from _processes import Process
from _processes import cpu_shares
from _processes import domain_environment
from _processes import end
from _processes import last_json
from _processes import parameters
from _processes import plain_process
from _processes import policy_process
from _processes import standing_robots
from _processes import steps
from _processes import wait_until
from node import lateness

from helpers.processes import parameter_text

RATE = 50.0
SENSORS = 200.0
COUNTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32)
SECONDS = 4.0
LATE_US = 2000.0
LEAST = {'a process each': 1.5, 'composed in one': 2.0}
"""Robots over the plain nodes that the machine holds as punctually."""
PLAIN = 'plain rclpy nodes, a process each'
Kind = Callable[[Path, int], AbstractContextManager[list[Process]]]


@contextlib.contextmanager
def processes(folder: Path, count: int) -> Iterator[list[Process]]:
    """A process for each robot."""
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(
                policy_process(
                    folder,
                    RATE,
                    namespace=f'robot_{index}',
                    runs_dir=folder / f'runs_{index}',
                )
            )
            for index in range(count)
        ]
        wait(nodes, 'mode run')
        yield nodes


@contextlib.contextmanager
def composed(folder: Path, count: int) -> Iterator[list[Process]]:
    """All of them in one process: _composed.py."""
    values = parameters(folder, RATE)
    del values['runs_dir']
    words = [str(HERE / '_composed.py'), str(count), str(folder)]
    words += [f'{key}:={parameter_text(value)}' for key, value in values.items()]
    with Process(words, folder / 'composed.log', domain_environment()) as process:
        wait([process], 'all active')
        yield [process]


@contextlib.contextmanager
def plain(folder: Path, count: int) -> Iterator[list[Process]]:
    """A plain rclpy node for each robot, a process each: baselines/plain_node.py."""
    with contextlib.ExitStack() as stack:
        nodes = [
            stack.enter_context(plain_process(folder, RATE, f'robot_{index}'))
            for index in range(count)
        ]
        wait(nodes, 'stepping')
        yield nodes


def wait(nodes: list[Process], words: str) -> None:
    """Wait until all have said it, or show the end of what one said that has not."""
    if not wait_until(lambda: all(words in node.output for node in nodes), 120):
        silent = next(node for node in nodes if words not in node.output)
        raise SystemExit(f'{silent.log} never said {words!r}:\n{silent.output[-2000:]}')


def our_lateness(folder: Path, count: int, nodes: list[Process]) -> np.ndarray:
    """Us of each tick of all robots, from their logs."""
    return np.concatenate([steps(folder / f'runs_{index}')['late_us'] for index in range(count)])


def plain_lateness(folder: Path, count: int, nodes: list[Process]) -> np.ndarray:
    """Us of each tick of all plain nodes, from what they printed."""
    skipped = round(SETTLE * RATE)
    found = [np.array(last_json(node)['ticks_ns'][skipped:]) for node in nodes]
    return np.concatenate([lateness(each, 1e9 / RATE) / 1000 for each in found])


def late(kind: Kind, count: int) -> tuple[np.ndarray, float]:
    """Us of lateness of all robots' ticks, and the CPU that their nodes take, in cores."""
    judge = plain_lateness if kind is plain else our_lateness
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with standing_robots(folder, SENSORS, count) as robots, kind(folder, count) as nodes:
            time.sleep(SETTLE)
            cpu = sum(cpu_shares(nodes, SECONDS))
            for node in nodes:
                node.send(signal.SIGINT)
            for node in nodes:
                node.wait(30)
            end(robots)
            return judge(folder, count, nodes), cpu


def most_held(kind: Kind, title: str, counts: Sequence[int]) -> tuple[int, Figure | None]:
    """
    Halve the counts until it is known which the machine still holds.

    :return: the most robots held, and how late their ticks were; 0 and None if none.
    """
    low, high = 0, len(counts)
    held, figure = 0, None
    while low < high:
        middle = (low + high) // 2
        progress(f'{counts[middle]} robots, {title}')
        found, cpu = late(kind, counts[middle])
        if quantiles(found)[1] > LATE_US:
            high = middle
            continue
        low, held = middle + 1, counts[middle]
        name = f'{held} robots, {title} ({cpu:.2f} cores): lateness'
        figure = Figure(name, 'us', quantiles(found))
    return held, figure


def measure(*, quick: bool = False) -> list[Figure]:
    """Both kinds beside plain nodes; few counts where it is to be quick."""
    counts = COUNTS[:6:2] if quick else COUNTS
    theirs, figure = most_held(plain, 'plain nodes', counts)
    figures = [figure] if figure else []
    for title, kind in (('a process each', processes), ('composed in one', composed)):
        held, figure = most_held(kind, title, counts)
        figures += [figure] if figure else []
        robots = Figure(f'robots at {RATE:g} Hz, {title}', '', (held,), PLAIN, (theirs,))
        if held or theirs:
            # One robot of ours where the machine holds no plain node counts as one beside one.
            robots.bounded(held / max(theirs, 1), LEAST[title], 'ratio', least=True)
        figures.append(robots)
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('scale', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
