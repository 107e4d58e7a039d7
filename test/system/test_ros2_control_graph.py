"""`walk bridge:=ros2_control`: the biped in MuJoCo behind a forward_command_controller of ours."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path

import pytest
from std_msgs.msg import String
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from helpers.client import Client
from helpers.peers.ros2_control_peer import Ros2ControlPeer
from helpers.processes import Process
from helpers.processes import domain
from helpers.processes import domain_environment
from kinfer_ros.bridges.states import ENABLED

pytestmark = pytest.mark.alone

PARAMETERS = """\
/**:
  policy_node:
    ros__parameters: {stale_timeout: 1.0, sensor_timeout: 30.0}
  ros2_control_bridge:
    ros__parameters: {command_timeout: 1.0, lost_timeout: 2.0, ramp_time: 0.2}
"""


@pytest.fixture
def peer():
    with Ros2ControlPeer(domain_environment(), '', speed=0.4) as made:
        yield made


def start(folder: Path, *words: str) -> Process:
    parameters = folder / 'patient.yaml'
    parameters.write_text(PARAMETERS)
    given = [
        'use_sim_time:=true',
        'bridge:=ros2_control',
        'gains_set_outside:=true',
        'autostart:=true',
        'auto_run:=true',
        f'runs_dir:={folder / "runs"}',
        f'params_file:={parameters}',
        *words,
    ]
    return Process(['-m', 'kinfer_ros', 'walk', *given], folder / 'walk.log', domain_environment())


def enable(client: Client, walk: Process) -> None:
    """Call ~/enable until it succeeds."""
    name, request = 'ros2_control_bridge/enable', SetBool.Request(data=True)
    for _ in range(40):
        answer = client.call(SetBool, name, request, 40.0)
        if answer.success:
            assert answer.message == ENABLED
            return
        client.spin_until(lambda: False, 0.25)
    pytest.fail(f'{answer.message}\n{walk.output}')


@pytest.mark.long
def test_a_biped_walks_behind_ros2_control(peer, tmp_path: Path) -> None:
    """Broadcasters to policy node, positions to the drives, which have gains; slow, by /clock."""
    with (
        Client(domain()) as client,
        start(tmp_path, 'vx:=0.3', 'duration:=6.0') as walk,
    ):
        enable(client, walk)
        assert walk.wait(90) == 0, walk.output
        told = peer.ask()
    facts = json.loads((tmp_path / 'runs' / 'latest' / 'run.json').read_text())
    assert facts['reason'] == 'duration reached', walk.output
    assert told['dropped'] == told['failed'] == 0
    assert told['commands'] > 250
    assert told['lowest'] > 0.3, 'it fell'
    assert math.hypot(*told['way']) > 0.9, told


def test_a_stop_is_obeyed(peer, tmp_path: Path) -> None:
    """~/stop: the policy fades out, damps, and the controller keeps what was measured."""
    with Client(domain()) as client, start(tmp_path) as walk:
        enable(client, walk)
        modes = client.follow(String, 'policy_node/mode')
        assert client.spin_until(lambda: bool(modes) and modes[-1].data.startswith('run'), 60.0)
        assert client.call(Trigger, 'policy_node/stop', Trigger.Request()).success
        assert client.spin_until(lambda: modes[-1].data.startswith('damp'), 20.0), modes[-1]
        walk.send(signal.SIGINT)
        assert walk.wait(40) == 0, walk.output
    assert peer.ask()['failed'] == 0
