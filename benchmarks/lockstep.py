"""Lockstep over DDS in two processes, beside a ping of the same messages plus the simulation.

    python benchmarks/lockstep.py [--quick]

The biped walks with bridge and policy node as two processes, each waiting for the other. Beside it
stands the sum of what that cannot do without: two processes that pass the same five messages to
and fro (baselines/ping_node.py), and a tick of the same walk without ROS. Without this, nobody
could tell what lockstep costs from what DDS costs.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from _figures import Figure
from _figures import print_figures
from _figures import progress
from _processes import HERE
from _processes import Process
from _processes import biped_walk
from _processes import domain_environment
from _processes import last_json
from _processes import node
from _processes import wait_until
from simulation import loops

from helpers.walking import MODEL
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot

RATE_HZ = 50.0
SECONDS = 40.0
"""Of simulated time."""
ROUNDS = 2000
TIMEOUT = 120.0
MOST = 1.5
"""Ratio to ping plus simulation."""


def walk_us(seconds: float) -> float:
    """Us of wall time that a tick of a walk in lockstep takes, on average."""
    with tempfile.TemporaryDirectory() as name:
        folder, environment = Path(name), domain_environment()
        policy = biped_walk(folder, duration=seconds, lockstep=True, use_sim_time=True)
        with (
            node('mujoco_bridge', folder, environment, {'lockstep': True}) as bridge,
            node('policy_node', folder, environment, policy) as process,
        ):
            _await(process, 'mode run')
            begin = time.perf_counter()
            _await(process, 'duration reached')
            spent = time.perf_counter() - begin
            for each in (process, bridge):
                each.send(signal.SIGINT)
                each.wait(15)
    return spent / (seconds * RATE_HZ) * 1e6


def _await(process: Process, text: str) -> None:
    if not wait_until(lambda: text in process.output, TIMEOUT):
        raise SystemExit(process.output)


def ping_us(rounds: int) -> float:
    """Us of a round of the ping, on average."""
    joints = str(len(load_robot('biped').joints))
    with tempfile.TemporaryDirectory() as name:
        folder, environment = Path(name), domain_environment()
        script = str(HERE / 'baselines' / 'ping_node.py')
        words = [script, 'robot', str(rounds), joints]
        other = [script, 'policy', str(rounds), joints]
        with (
            Process(other, folder / 'policy.log', environment) as policy,
            Process(words, folder / 'robot.log', environment) as robot,
        ):
            robot.wait(TIMEOUT)
            policy.wait(TIMEOUT)
            found = last_json(robot)['round_ns']
    return float(np.mean(found)) / 1e3


def simulation_us(seconds: float) -> float:
    """Us of a tick of the same walk without ROS, on average."""
    return float(np.mean(loops(load_robot('biped'), load_model(MODEL), 0.3, seconds).ours))


def measure(*, quick: bool = False) -> list[Figure]:
    """Walk between two pings, and compare."""
    seconds, rounds = (10.0, ROUNDS // 4) if quick else (SECONDS, ROUNDS)
    progress('the walk without ROS, and two pings')
    before, alone = ping_us(rounds), simulation_us(seconds)
    progress('the walk in lockstep')
    whole = walk_us(seconds)
    ping = (before + ping_us(rounds)) / 2
    name = 'lockstep over DDS, two processes: a tick with its physics'
    figure = Figure(name, 'us', (whole,), 'ping plus a tick without ROS', (ping + alone,))
    return [
        figure.bounded(figure.ratios[0], MOST, 'ratio'),
        Figure('the ping alone', 'us', (ping,)),
        Figure('times real time', '', (1e6 / RATE_HZ / whole,)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true')
    print_figures('lockstep', measure(quick=parser.parse_args().quick))


if __name__ == '__main__':
    main()
