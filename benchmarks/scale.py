"""How many 50 Hz robots this machine holds before their ticks come late.

Policy nodes of 512-256-128 with guards and logs, each with sensors at 200 Hz: a process each, or
all in one process on one executor. A number is held if 99 of 100 ticks of all of them are less
than 2 ms late. All robots' sensors come from one process, which takes its share of the machine.

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
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import HERE
from _processes import SETTLE
from _processes import Process
from _processes import cpu_shares
from _processes import domain_environment
from _processes import end
from _processes import parameters
from _processes import policy_process
from _processes import standing_robots
from _processes import steps
from _processes import wait_until

from helpers.processes import parameter_text

RATE = 50.0
SENSORS = 200.0
COUNTS = (8, 16, 20)
SECONDS = 5.0
LATE_US = 2000.0
LEAST = 16
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


def wait(nodes: list[Process], words: str) -> None:
    """Wait until all have said it, or show the end of what one said that has not."""
    if not wait_until(lambda: all(words in node.output for node in nodes), 120):
        silent = next(node for node in nodes if words not in node.output)
        raise SystemExit(f'{silent.log} never said {words!r}:\n{silent.output[-2000:]}')


def late(kind: Kind, count: int) -> tuple[np.ndarray, float]:
    """Us of lateness of all robots' ticks, and the CPU that their nodes take, in cores."""
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
        runs = [folder / f'runs_{index}' for index in range(count)]
        return np.concatenate([steps(each)['late_us'] for each in runs]), cpu


def measure(*, quick: bool = False) -> list[Figure]:
    """Both kinds, more and more robots until their ticks come late."""
    figures = []
    for title, kind in (('a process each', processes), ('composed in one', composed)):
        held = 0
        for count in (LEAST,) if quick else COUNTS:
            found, cpu = late(kind, count)
            figures.append(
                Figure(f'{count} robots, {title} ({cpu:.2f} cores)', 'us', quantiles(found))
            )
            if quantiles(found)[1] > LATE_US:
                break
            held = count
        figure = Figure(f'robots held, {title}', '', (held,))
        figures.append(figure.bounded(held, LEAST, 'robots', least=True))
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('scale', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
