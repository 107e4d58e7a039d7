"""What the Unitree bridge costs beside a bare relay: CPU, and lowstate's arrival to joint_states.

A robot of this project says lowstate at 500 Hz and is commanded at 500 Hz. The bare relay is one
process without sessions, checks, time-outs, diagnostics, or a writer that outlives it
(baselines/unitree_relay.py); both run in turns, so that whatever the machine does happens to both.
Without this, "a thin bridge" is a phrase.

    python benchmarks/unitree_bridge.py
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import quantiles
from _processes import HERE
from _processes import Process
from _processes import cpu_seconds
from _processes import domain_environment
from _processes import end
from _processes import last_json
from _processes import node
from _processes import resident_mb

from helpers.peers.unitree_peer import robot_domain

BOUND = 1.5
TURNS = 5
SECONDS = 4.0


@dataclass
class Run:
    """What one side did: share of a core, MB, ages in us, messages of the robot and to it."""

    cpu: float
    mb: float
    ages: np.ndarray
    states: int
    commands: int


class Child:
    """A process that another one has started: its CPU and memory count as well."""

    def __init__(self, pid: int) -> None:
        self.pid = pid


def children(process: Process) -> list[Child]:
    """The processes that it has started."""
    text = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text()
    return [Child(int(word)) for word in text.split()]


@contextlib.contextmanager
def bridge(folder: Path) -> Iterator[Process]:
    """Run the bridge."""
    parameters = {
        'robot': 'g1',
        'network_interface': 'lo',
        'dds_domain': robot_domain(),
        'check_motion_switcher': False,
        'lost_timeout': 5.0,
    }
    with node('unitree_bridge', folder, domain_environment(), parameters) as process:
        yield process


@contextlib.contextmanager
def relay(folder: Path) -> Iterator[Process]:
    """Run the bare relay."""
    words = [str(HERE / 'baselines' / 'unitree_relay.py'), str(robot_domain())]
    with Process(words, folder / 'relay.log', domain_environment()) as process:
        yield process


def measure_one(side: object, seconds: float) -> Run:
    """Run one side between the robot and the listener."""
    script, environment = str(HERE / '_unitree.py'), domain_environment()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        words = [script, 'robot', str(robot_domain())]
        robot = stack.enter_context(Process(words, folder / 'robot.log', environment))
        process = stack.enter_context(side(folder))
        words = [script, 'listener']
        listener = stack.enter_context(Process(words, folder / 'listener.log', environment))
        listener.wait_for('connected', 40)
        time.sleep(1.0)
        measured = [process, *children(process)]
        begin, before = time.monotonic(), sum(cpu_seconds(each) for each in measured)
        time.sleep(seconds)
        cpu = (sum(cpu_seconds(each) for each in measured) - before) / (time.monotonic() - begin)
        mb = sum(resident_mb(each) for each in measured)
        end(listener)
        end(robot)
        end(process)
        ages = np.array(last_json(listener)['ages_us'])[500:]
        told = last_json(robot)
    return Run(cpu, mb, ages, told['states'], told['commands'])


def measure(*, quick: bool = False) -> list[Figure]:
    """Both sides in turns; of each figure the median of the turns."""
    turns, seconds = (1, 2.0) if quick else (TURNS, SECONDS)
    theirs, ours = [], []
    for _ in range(turns):
        theirs.append(measure_one(relay, seconds))
        ours.append(measure_one(bridge, seconds))
    cpu = [float(np.median([run.cpu for run in side])) for side in (ours, theirs)]
    mb = [float(np.median([run.mb for run in side])) for side in (ours, theirs)]
    ages = [_typical(side) for side in (ours, theirs)]
    label = 'Unitree bridge, 500 Hz both ways'
    figures = [
        Figure(f'{label}: CPU', 'core', (cpu[0],), 'bare relay', (cpu[1],)),
        Figure('lowstate arrival to joint_states', 'us', ages[0], 'bare relay', ages[1]),
        Figure(f'{label}: memory', 'MB', (mb[0],), 'bare relay', (mb[1],)),
    ]
    figures[0].bounded(figures[0].ratios[0], BOUND, 'ratio')
    figures[1].bounded(figures[1].ratios[1], BOUND, 'p99 ratio')
    return figures


def _typical(runs: list[Run]) -> tuple[float, ...]:
    """Quantiles of the ages: the median over the runs, one of which may have been held up."""
    found = np.median([quantiles(run.ages) for run in runs], axis=0)
    return tuple(float(each) for each in found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true')
    print_figures('unitree_bridge', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
