"""The whole graph on a Unitree G1 behind the vendor's own SDK. `make test-unitree` runs it.

`UNITREE_SIM=1` and the peer among the shared files are needed; its first start installs 200 MB.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.optional import needs_cyclonedds
from helpers.peers.unitree_peer import POLICY
from helpers.peers.unitree_peer import RUN_SH
from helpers.peers.unitree_peer import UnitreePeer
from helpers.peers.unitree_peer import robot_domain
from helpers.peers.unitree_robot import UnitreeRobot
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from kinfer_ros.bridges.unitree.repeater import GONE_NS

SPEC = Path(__file__).parents[1] / 'data' / 'specs' / 'g1.yaml'
SECONDS, SPEED = 10.0, 0.5
PATIENCE = 2.5
"""How much slower than real time the peer may be: it is Python, and so is the SDK's checksum."""

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
    time.sleep(GONE_NS / 1e9 + 1.0)  # what writes for a bridge that was killed ends as well


def start_bridge(tmp_path: Path, environment: dict[str, str], **more: object) -> Process:
    parameters = {
        'robot': 'g1',
        'network_interface': 'lo',
        'dds_domain': robot_domain(),
        'check_motion_switcher': False,  # the peer has none
        **more,
    }
    return node('unitree_bridge', tmp_path, environment, parameters)


def start_policy(tmp_path: Path, environment: dict[str, str]) -> Process:
    parameters = {
        'robot': 'g1',
        'model': POLICY / 'policy.onnx',
        'spec': SPEC,
        'runs_dir': tmp_path / 'runs',
        'autostart': True,
        'auto_run': True,
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


def enable_for(policy: Process, tmp_path: Path, environment: dict[str, str]) -> None:
    """Enable the robot once the policy is loaded, which keeps a small machine busy."""
    policy.wait_for('waiting: the bridge is disabled', 60)
    code, text = enable(tmp_path, environment)
    assert code == 0, text
    policy.wait_for('mode run', 60)


def test_our_messages_are_the_sdks():
    """Bytes, checksums and DDS types, for random messages of all four types."""
    venv = os.environ.get('UNITREE_SIM_VENV')
    cache = Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache'))
    python = Path(venv or cache / 'kinfer_ros' / 'unitree_sim') / 'bin' / 'python'
    subprocess.run([str(RUN_SH), '--help'], check=True, capture_output=True, timeout=600)
    check = Path(__file__).parent / 'unitree_sdk_check.py'
    done = subprocess.run(
        [str(python), str(check), '100'], check=False, capture_output=True, text=True, timeout=120
    )
    assert '400 messages are the same' in done.stdout, done.stderr


def test_it_walks(make_peer, tmp_path):
    """At 0.5 m/s for at least 10 s: no command refused, no fall, 4 m of way in each ten."""
    environment = domain_environment()
    peer = make_peer()
    with (
        start_bridge(tmp_path, environment) as bridge,
        start_policy(tmp_path, environment) as policy,
    ):
        enable_for(policy, tmp_path, environment)
        peer.let_go()
        time.sleep(PATIENCE * SECONDS)
        assert 'mode fault' not in policy.output, policy.output
        assert 'state damping' not in bridge.output, bridge.output
        seen = peer.summary()  # before the policy ends, which lets the robot down
    print(seen)
    assert seen['bad_crc'] == seen['bad_mode_machine'] == seen['not_finite'] == 0
    assert seen['commands'] > 400 * SECONDS
    assert seen['falls'] == 0
    assert seen['walked_s'] > SECONDS - 1.0
    assert seen['distance_m'][0] >= max(4.0, 4.0 * seen['walked_s'] / SECONDS)


@dataclass
class Graph:
    """What runs."""

    peer: UnitreePeer
    motors: UnitreeRobot
    bridge: Process
    policy: Process

    def is_damped(self) -> bool:
        """Whether the last message has no stiffness, but damping, and motors that are on."""
        told = self.motors.ask()
        return (
            max(told['kp']) == 0.0 and min(told['kd'][:29]) > 0 and told['mode'][:29] == [1] * 29
        )

    def assert_damped(self) -> None:
        """Soon, and it stays so."""
        assert wait_until(self.is_damped, 10.0), self.bridge.output
        time.sleep(0.5)
        assert self.is_damped(), self.bridge.output


@contextmanager
def running(make_peer, tmp_path: Path, *options: str) -> Iterator[Graph]:
    """Run a policy on a hanging robot, and watch what its motors are told."""
    environment = domain_environment()
    peer = make_peer(*options)
    with (
        UnitreeRobot(robot_domain()) as motors,
        start_bridge(tmp_path, environment, lost_timeout=2.0) as bridge,
        start_policy(tmp_path, environment) as policy,
    ):
        motors.ask(publishes=False)  # it only listens
        enable_for(policy, tmp_path, environment)
        yield Graph(peer, motors, bridge, policy)


def test_a_killed_policy_is_damping(make_peer, tmp_path):
    """Nothing else tells the bridge: the command time-out ends it."""
    with running(make_peer, tmp_path) as graph:
        graph.policy.send(signal.SIGKILL)
        graph.bridge.wait_for('state damping no command for 0.5 s', 10)
        graph.assert_damped()


def test_a_killed_bridge_leaves_a_damped_robot(make_peer, tmp_path):
    """The process that writes outlives it, damps, and ends; the policy faults."""
    with running(make_peer, tmp_path) as graph:
        graph.bridge.send(signal.SIGKILL)
        assert wait_until(graph.is_damped, 10.0)
        graph.policy.wait_for('mode fault', 10)
        assert graph.is_damped()


def test_a_killed_robot_is_a_fault(make_peer, tmp_path):
    """The bridge damps what it does not hear, and the policy stops."""
    with running(make_peer, tmp_path) as graph:
        graph.peer.kill()
        graph.policy.wait_for('mode fault', 10)
        graph.assert_damped()


def test_a_robot_that_was_stopped_stays_damped(make_peer, tmp_path):
    """It comes back with an old command in force; only ~/enable moves it again."""
    with running(make_peer, tmp_path) as graph:
        graph.peer.send(signal.SIGSTOP)
        graph.policy.wait_for('mode fault', 10)
        graph.assert_damped()
        graph.peer.send(signal.SIGCONT)
        graph.assert_damped()


def test_a_frozen_robot_is_a_fault(make_peer, tmp_path):
    """Lowstate comes on, and never changes: its samples are not published."""
    with running(make_peer, tmp_path, '--freeze-after', '40') as graph:
        graph.bridge.wait_for('it repeats itself', PATIENCE * 60)
        graph.policy.wait_for('mode fault', 10)
        graph.assert_damped()


def test_the_remote_stops_the_robot(make_peer, tmp_path):
    """L2 and B, whatever the policy says."""
    with running(make_peer, tmp_path, '--remote-stop-after', '30') as graph:
        graph.bridge.wait_for('state damping stopped by the remote', PATIENCE * 60)
        graph.policy.wait_for('mode fault', 10)
        graph.assert_damped()


def test_a_rival_is_seen(make_peer, tmp_path):
    """Another publisher of rt/lowcmd, once DDS has found it."""
    environment = domain_environment()
    make_peer('--rival')
    with start_bridge(tmp_path, environment, lost_timeout=5.0) as bridge:
        bridge.wait_for('yet (call', 40)
        said = '1 other publisher of rt/lowcmd'
        assert wait_until(lambda: said in enable(tmp_path, environment)[1], 40), bridge.output


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (('--motor-fault', '3'), 'left_knee_joint: motor error 0x1'),
        (('--mode-machine', '4'), 'mode_machine 4, which has no waist_roll_joint'),
    ],
)
def test_what_prevents_enabling(options, said, make_peer, tmp_path):
    """Nothing is written on rt/lowcmd then."""
    environment = domain_environment()
    peer = make_peer(*options)
    with start_bridge(tmp_path, environment, lost_timeout=5.0) as bridge:
        wait_until(lambda: 'yet (call' in bridge.output or 'mode_machine' in bridge.output, 40)
        code, text = enable(tmp_path, environment)
        assert code == 1
        assert said in text
    assert peer.summary()['commands'] == 0
