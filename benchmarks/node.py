"""The policy node beside the plain rclpy node that one would write: CPU, sample age, lateness.

Both run a policy of 512-256-128 on 20 joints, in turns, with the sensors in a process of their own
(_robot.py). Ours has its guards, its log and its diagnostics; the plain one has none. The walking
graph with physics, bridge and recorder is in walk.py. Without this, "as fast" is a phrase.

    python benchmarks/node.py [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _figures import quantiles
from _figures import typical
from _processes import HERE
from _processes import JOINTS
from _processes import SETTLE
from _processes import Process
from _processes import cpu_share
from _processes import domain_environment
from _processes import end
from _processes import last_json
from _processes import plain_process
from _processes import policy_node
from _processes import resident_mb
from _processes import run_facts
from _processes import standing_robots
from _processes import steps

SENSORS = (200.0, 500.0, 1000.0)
POLICIES = (50.0, 200.0, 500.0, 1000.0)
BOUNDED = (500.0, 100.0)
"""Hz of sensors and policy at which CPU and memory have a bound; sample age has one everywhere."""
SECONDS = 2.0
TICK_HZ = 50.0
TICK_TURNS = 3
MOST = {'cpu': 0.5, 'age': 1.0, 'memory': 1.5, 'tick': 1.5}
"""Ratios to the plain node; of a tick to the bare one."""


@dataclass
class Run:
    """What a node did: us, but for `cpu` (of a core) and `mb`; `tick` is without inference."""

    cpu: float
    mb: float
    late: np.ndarray
    age: np.ndarray
    arrival: np.ndarray
    tick: np.ndarray


def ours(rate_in: float, rate_out: float, seconds: float, **more: object) -> Run:
    """Run the policy node."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            standing_robots(folder, rate_in) as robot,
            policy_node(folder, rate_out, **more) as process,
        ):
            time.sleep(SETTLE)
            cpu, mb = cpu_share(process, seconds), resident_mb(process)
            end(process)
            end(robot)
            arrivals = last_json(robot)['arrivals_ns']
        run_facts(folder / 'runs')
        found = steps(folder / 'runs')
    return Run(
        cpu,
        mb,
        found['late_us'],
        found['age_us'],
        np.array(arrivals) / 1000,
        found['tick_us'] - found['policy_us'],
    )


def plain(rate_in: float, rate_out: float, seconds: float) -> Run:
    """Run baselines/plain_node.py."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            standing_robots(folder, rate_in) as robot,
            plain_process(folder, rate_out) as process,
        ):
            process.wait_for('stepping', 20)
            time.sleep(SETTLE)
            cpu, mb = cpu_share(process, seconds), resident_mb(process)
            end(process)
            end(robot)
            found, arrivals = last_json(process), last_json(robot)['arrivals_ns']
    skipped = round(SETTLE * rate_out)
    ticks = np.array(found['ticks_ns'][skipped:])
    return Run(
        cpu,
        mb,
        lateness(ticks, 1e9 / rate_out) / 1000,
        np.array(found['age_ns'][skipped:]) / 1000,
        np.array(arrivals) / 1000,
        np.empty(0),
    )


def lateness(ticks_ns: np.ndarray, period_ns: float) -> np.ndarray:
    """
    How late each tick was, ns, of a loop that does not say when it meant to.

    Its most punctual hundredth counts as in time. A tick late by more than a period looks like
    one late by less: that is to the advantage of what we are compared with.
    """
    turn = 2j * np.pi / period_ns
    centre = np.angle(np.mean(np.exp(turn * (ticks_ns - ticks_ns[0])))) / turn.imag
    around = (ticks_ns - ticks_ns[0] - centre + period_ns / 2) % period_ns - period_ns / 2
    late = around - np.quantile(around, 0.01)
    return np.where(late < -period_ns / 4, late + period_ns, np.maximum(late, 0.0))


def echo(rate_in: float, seconds: float) -> np.ndarray:
    """Us from a sample to the command of a node that answers each sample at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [str(HERE / 'baselines' / 'echo_node.py')]
        with (
            standing_robots(folder, rate_in) as robot,
            Process(words, folder / 'echo.log', domain_environment()) as process,
        ):
            process.wait_for('running', 20)
            time.sleep(SETTLE + seconds)
            end(process)
            end(robot)
            return np.array(last_json(robot)['arrivals_ns'])[round(SETTLE * rate_in) :] / 1000


def compare(rate_in: float, rate_out: float, seconds: float) -> list[Figure]:
    """Both nodes at one pair of rates."""
    label = f'{rate_in:g}/{rate_out:g} Hz'
    progress(label)
    theirs, mine = plain(rate_in, rate_out, seconds), ours(rate_in, rate_out, seconds)
    cpu = Figure(f'{label} CPU', 'core', (mine.cpu,), 'plain node', (theirs.cpu,))
    late = Figure(f'{label} lateness', 'us', quantiles(mine.late))
    late.beside, late.beside_values = 'plain node', quantiles(theirs.late)
    age = Figure(f'{label} sample age at publish', 'us', quantiles(mine.age))
    age.beside, age.beside_values = 'plain node', quantiles(theirs.age)
    age.bounded(age.ratios[1], MOST['age'], 'p99 ratio')
    if (rate_in, rate_out) != BOUNDED:
        return [cpu, late, age]
    cpu.bounded(cpu.ratios[0], MOST['cpu'], 'ratio')
    memory = Figure(f'{label} resident memory', 'MB', (mine.mb,), 'plain node', (theirs.mb,))
    return [cpu, late, age, memory.bounded(memory.ratios[0], MOST['memory'], 'ratio')]


def bare_tick(rate_in: float, seconds: float) -> np.ndarray:
    """Us of each tick of baselines/bare_node.py."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [str(HERE / 'baselines' / 'bare_node.py'), str(TICK_HZ), str(JOINTS)]
        with (
            standing_robots(folder, rate_in) as robot,
            Process(words, folder / 'bare.log', domain_environment()) as process,
        ):
            process.wait_for('ticking', 20)
            time.sleep(SETTLE + seconds)
            end(process)
            end(robot)
            return np.array(last_json(process)['tick_ns'])[round(SETTLE * TICK_HZ) :] / 1000


def whole_tick(turns: int, seconds: float) -> Figure:
    """Take, control and publish in the node, beside a node that only takes and publishes."""
    theirs, mine = [], []
    for turn in range(turns):
        progress(f'a whole tick, turn {turn + 1} of {turns}')
        theirs.append(quantiles(bare_tick(BOUNDED[0], seconds)))
        mine.append(quantiles(ours(BOUNDED[0], TICK_HZ, seconds).tick))
    figure = Figure(
        f'a whole tick at {TICK_HZ:g} Hz, without inference',
        'us',
        typical(mine),
        'rclpy alone: take two samples, publish one',
        typical(theirs),
    )
    return figure.bounded(figure.ratios[0], MOST['tick'], 'p50 ratio')


def end_to_end(seconds: float) -> Figure:
    """Sensor published to command arrived, beside a node that only echoes: the transport."""
    rate_in, rate_out = BOUNDED
    arrived = ours(rate_in, rate_out, seconds).arrival
    return Figure(
        f'{rate_in:g}/{rate_out:g} Hz sensor to command, at the robot',
        'us',
        quantiles(arrived[round(SETTLE * rate_out) :]),
        'echo node, which never waits for a tick',
        quantiles(echo(rate_in, seconds)),
    )


def measure(*, quick: bool = False) -> list[Figure]:
    """All pairs of rates, or the bounded one alone."""
    figures = [whole_tick(1 if quick else TICK_TURNS, 2 * SECONDS)]
    figures += compare(*BOUNDED, SECONDS if quick else 3 * SECONDS)
    if quick:
        return figures
    figures.append(end_to_end(2 * SECONDS))
    for rate_in in SENSORS:
        for rate_out in POLICIES:
            if rate_out <= rate_in:
                figures += compare(rate_in, rate_out, SECONDS)
    return figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true')
    print_figures('node', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
