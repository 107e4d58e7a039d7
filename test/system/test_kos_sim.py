"""The whole graph on a real KOS server: kos-sim with a suspended K-Bot. `make test-kos` runs it.

`KOS_SIM=1` and the peer among the shared files are needed; its first start installs 1.1 GB.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.shared import shared_path

RUN_SH = shared_path('kos_sim/run.sh')
POLICIES = shared_path('policies/kinfer_unit_tests')
SECONDS = float(os.environ.get('KOS_SIM_SECONDS', '30'))
INSTALL_PATIENCE = 600.0

pytestmark = [
    pytest.mark.skipif(not os.environ.get('KOS_SIM'), reason='KOS_SIM=1 is not set'),
    pytest.mark.skipif(not (RUN_SH and POLICIES), reason='the shared kos-sim is not here'),
]


class KosSim:
    """The peer, in a process group of its own."""

    def __init__(self, log: Path, port: int = 0) -> None:
        self.log = log
        self.port = port or free_port()
        with log.open('ab') as out:
            self.process = subprocess.Popen(
                [str(RUN_SH), '--port', str(self.port)],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        started = wait_until(self._listens, INSTALL_PATIENCE)
        assert started, log.read_text(errors='replace')

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(errors='replace')
        with socket.socket() as probe:
            return probe.connect_ex(('127.0.0.1', self.port)) == 0

    def kill(self) -> None:
        """End it at once, run.sh having become the server itself."""
        self.process.kill()
        self.process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def sim(tmp_path):
    server = KosSim(tmp_path / 'kos_sim.log')
    yield server
    server.kill()


def bridge_parameters(sim: KosSim) -> dict[str, object]:
    return {
        'robot': 'kbot',
        'kos_port': sim.port,
        'backend': 'kos-sim',
        'auto_enable': True,
    }


def policy_parameters(name: str, tmp_path: Path, duration: float) -> dict[str, object]:
    return {
        'robot': 'kbot',
        'model': POLICIES / f'{name}.kinfer',
        'runs_dir': tmp_path / 'runs',
        'autostart': True,
        'auto_run': True,
        'duration': duration,
        'sensor_timeout': 60.0,
        'ramp_speed': 1.0,
        'frozen_timeout': 0.0,  # a suspended base does not move, and kos-sim has no noise
    }


def records(tmp_path: Path) -> list[dict]:
    lines = (tmp_path / 'runs' / 'latest' / 'steps.ndjson').read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize('name', ['kbot_sine_motion', 'kbot_step_motion', 'kbot_zero_position'])
def test_the_robot_follows_the_policy(name, sim, tmp_path):
    """A policy's targets reach a robot over gRPC, and its joints come back, at 50 Hz."""
    environment = domain_environment()
    with (
        node('kos_bridge', tmp_path, environment, bridge_parameters(sim)) as bridge,
        node(
            'policy_node', tmp_path, environment, policy_parameters(name, tmp_path, SECONDS)
        ) as policy,
    ):
        assert policy.wait(SECONDS + 60) == 0, policy.output
        bridge.send(signal.SIGINT)
        assert bridge.wait(10) == 0, bridge.output
    facts = json.loads((tmp_path / 'runs' / 'latest' / 'run.json').read_text())
    assert facts['reason'].startswith('duration'), facts['reason']
    assert facts['counters']['faults'] == 0
    assert facts['counters']['run_ticks'] >= 50 * SECONDS - 5
    run = [each for each in records(tmp_path) if each['mode'] == 'run']
    measured = np.array([each['joint_angles'] for each in run])
    target = np.array([each['target'] for each in run])
    error = np.abs(measured - target)[50:]
    print(f'{name}: missed {facts["counters"]["missed_ticks"]}, worst error {error.max():.3f} rad')
    print('late', facts['timing']['late_us'], 'age', facts['timing']['sample_age_us'])
    if name == 'kbot_sine_motion':
        assert error.max() < 0.1
        assert np.ptp(measured, axis=0).max() > 0.1, 'nothing moved'
    if os.getloadavg()[0] < 1.0:
        assert facts['counters']['missed_ticks'] == 0
