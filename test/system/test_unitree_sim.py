"""The whole graph on a Unitree G1 behind the vendor's own SDK. `make test-unitree` runs it.

`UNITREE_SIM=1` and the peer among the shared files are needed; its first start installs 200 MB.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from helpers.optional import needs_cyclonedds
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.unitree_peer import POLICY
from helpers.unitree_peer import RUN_SH
from helpers.unitree_peer import UnitreePeer
from helpers.unitree_peer import robot_domain

SPEC = Path(__file__).parents[1] / 'data' / 'specs' / 'g1.yaml'
SECONDS, SPEED = 10.0, 0.5

pytestmark = [
    needs_cyclonedds,
    pytest.mark.skipif(not os.environ.get('UNITREE_SIM'), reason='UNITREE_SIM=1 is not set'),
    pytest.mark.skipif(not (RUN_SH and POLICY), reason='the shared unitree_sim is not here'),
]


@pytest.fixture
def make_peer(tmp_path):
    made: list[UnitreePeer] = []

    def make(*options: str) -> UnitreePeer:
        made.append(UnitreePeer(tmp_path / f'peer{len(made)}.log', *options))
        return made[-1]

    yield make
    for peer in made:
        peer.kill()


def start_bridge(tmp_path: Path, environment: dict[str, str], **more: object) -> Process:
    parameters = {
        'robot': 'g1',
        'network_interface': 'lo',
        'dds_domain': robot_domain(),
        'check_motion_switcher': False,  # the peer has none
        **more,
    }
    return node('unitree_bridge', tmp_path, environment, parameters)


def start_policy(tmp_path: Path, environment: dict[str, str], duration: float = 0.0) -> Process:
    parameters = {
        'robot': 'g1',
        'model': POLICY / 'policy.onnx',
        'spec': SPEC,
        'runs_dir': tmp_path / 'runs',
        'autostart': True,
        'auto_run': True,
        'duration': duration,
        'default_command': f'[{SPEED}, 0.0, 0.0]',
        'sensor_timeout': 60.0,
        'frozen_timeout': 0.0,  # a hanging base does not move, and the peer has no noise
        'max_missed_ticks': 100,  # a busy machine is not the point
        'stale_timeout': 0.5,
    }
    return node('policy_node', tmp_path, environment, parameters)


def enable(tmp_path: Path, environment: dict[str, str], word: str = 'enable') -> tuple[int, str]:
    """Call ~/enable as a user does; :return: exit code and output."""
    log = tmp_path / f'{word}.log'
    with Process(['-m', 'kinfer_ros', 'node', word], log, environment) as call:
        return call.wait(40), call.output


def test_it_walks(make_peer, tmp_path):
    """10 s at 0.5 m/s in real time: no command refused, no fall, at least 4 m."""
    environment = domain_environment()
    peer = make_peer()
    with start_bridge(tmp_path, environment) as bridge:
        bridge.wait_for('state disabled not enabled yet', 20)
        code, text = enable(tmp_path, environment)
        assert code == 0, text
        with start_policy(tmp_path, environment, SECONDS + 0.5) as policy:
            policy.wait_for('mode run', 60)
            peer.let_go()
            assert policy.wait(SECONDS + 60) == 0, policy.output + bridge.output
        bridge.send(signal.SIGINT)
        assert bridge.wait(20) == 0, bridge.output
    seen = peer.summary()
    print(seen)
    facts = json.loads((tmp_path / 'runs' / 'latest' / 'run.json').read_text())
    print(facts['counters'], facts['timing'])
    assert facts['reason'].startswith('duration'), facts['reason']
    assert seen['bad_crc'] == seen['bad_mode_machine'] == seen['not_finite'] == 0
