"""K-Scale's commands over real UDP move a robot that walks, and nothing else of theirs does."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import pytest
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from helpers.client import LATCHED
from helpers.client import Client
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL

START = 40.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(('127.0.0.1', 0))
        return int(found.getsockname()[1])


def test_a_sender_steers_a_robot_that_walks(tmp_path: Path) -> None:
    """By name and in the policy's ranges; silent, refused and ended it is neutral."""
    environment = domain_environment()
    port = free_port()
    policy = {
        'model': MODEL, 'robot': 'biped', 'runs_dir': tmp_path / 'runs', 'record': False,
        'autostart': True, 'auto_run': True, 'stale_timeout': 2.0,
    }  # fmt: skip
    bridge = {'robot': 'biped', 'command_timeout': 2.0}
    with (
        node('mujoco_bridge', tmp_path, environment, bridge),
        node('policy_node', tmp_path, environment, policy),
        node('udp_commands', tmp_path, environment, {'port': port}) as receiver,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.connect(('127.0.0.1', port))
        sent = client.follow(JointState, 'policy_command', QoSProfile(depth=10))
        modes = client.follow(String, 'policy_node/mode', LATCHED)

        def send(content: object) -> None:
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            sender.send(data)

        def arrives(content: object, **values: float) -> bool:
            def is_last() -> bool:
                send(content)
                time.sleep(0.02)
                return bool(sent) and dict(zip(sent[-1].name, sent[-1].position, strict=True)) == (
                    pytest.approx(values)
                )

            return client.spin_until(is_last, START)

        walking = lambda: bool(modes) and modes[-1].data.startswith('run')  # noqa: E731
        assert client.spin_until(walking, START)
        vr = {'commands': {'xvel': 0.2, 'yawrate': 9.0, 'lelbowpitch': 1.0}}
        assert arrives(vr, xvel=0.2, yawrate=0.5), receiver.output
        assert 'not of this policy, ignored: lelbowpitch' in receiver.output
        for content in (b'\xff' * 4000, {'start': True}, {'xvel': 'fast'}, {'type': 'enable'}):
            send(content)
        assert client.spin_until(lambda: sent[-1].position.tolist() == [0.0, 0.0], START)
        assert ': refused: ' in receiver.output
        time.sleep(1.1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.connect(('127.0.0.1', port))
            assert arrives({'xvel': 0.1}, xvel=0.1), 'the first sender, once more'
            other.send(b'{"xvel": -0.1}')
            receiver.wait_for(' is ignored: ', START)
        assert arrives({'xvel': 0.1}, xvel=0.1)
        receiver.send(signal.SIGINT)
        assert receiver.wait(START) == 0
        assert client.spin_until(lambda: sent[-1].position.tolist() == [0.0], START)
        assert walking()


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'host': '0.0.0.0'}, 'name who may in allow_from'),
        ({'host': 'robot'}, "parameter host: found 'robot', expected an address"),
        ({'allow_from': '[all]'}, "parameter allow_from: found 'all', expected an address"),
        ({'port': 0}, 'port'),
    ],
)
def test_it_does_not_start_wrongly(tmp_path: Path, parameters: dict, words: str) -> None:
    """One error, and no socket."""
    with node('udp_commands', tmp_path, domain_environment(), parameters) as receiver:
        assert receiver.wait(START) == 2
        assert words in receiver.output
        assert 'Traceback' not in receiver.output
