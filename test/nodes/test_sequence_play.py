"""`sequence play` on a robot that walks: its entries arrive, and a Ctrl-C blends them out."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from rcl_interfaces.msg import Parameter
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL
from kinfer_ros.cli.live import sequence as command
from kinfer_ros.commands.sequence import shipped_folder

START = 40.0
PLAY = ['-m', 'kinfer_ros', 'sequence', 'play']
FILE = """\
name: go
blend: 0.4
keyframes: [{time: 0.0, xvel: 0.2}, {time: 1.0, xvel: 9.0}, {time: SECONDS, xvel: 9.0}]
"""


def test_it_is_played_to_its_end_and_to_neutral(tmp_path: Path) -> None:
    """Only its own entry is sent, in the range of the policy; then nothing more."""
    environment = domain_environment()
    policy = {
        'model': MODEL, 'robot': 'biped', 'runs_dir': tmp_path / 'runs', 'record': False,
        'autostart': True, 'auto_run': True, 'stale_timeout': 2.0,
    }  # fmt: skip
    bridge = {'robot': 'biped', 'command_timeout': 2.0}
    for name, seconds in (('short', '1.5'), ('long', '300.0')):
        (tmp_path / f'{name}.yaml').write_text(FILE.replace('SECONDS', seconds))
    with (
        node('mujoco_bridge', tmp_path, environment, bridge),
        node('policy_node', tmp_path, environment, policy),
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        sent = client.follow(JointState, 'policy_command', QoSProfile(depth=10))

        def play(name: str) -> Process:
            words = [*PLAY, str(tmp_path / f'{name}.yaml')]
            return Process(words, tmp_path / f'{name}.log', environment)

        with play('short') as player:
            assert client.spin_until(lambda: not player.running, START)
            assert player.wait(1.0) == 0, player.output
        client.spin_until(lambda: False, 0.5)
        speeds = [message.position[0] for message in sent]
        assert {tuple(message.name) for message in sent} == {('xvel',)}
        assert max(speeds) == pytest.approx(0.45)
        assert speeds[-1] == 0.0
        with play('long') as player:
            assert client.spin_until(lambda: sent[-1].position[0] == pytest.approx(0.45), START)
            player.send(signal.SIGINT)
            assert client.spin_until(lambda: sent[-1].position[0] == 0.0, START)
            assert player.wait(START) == 0, player.output
        words = [*PLAY, 'bow']
        with Process(words, tmp_path / 'bow.log', environment) as player:
            assert player.wait(START) == 1
            assert 'sequence bow needs basepitch; the command of the' in player.output


@pytest.mark.long
def test_without_a_policy_node_it_says_so(tmp_path: Path) -> None:
    """And ends."""
    words = [*PLAY, 'bow']
    with Process(words, tmp_path / 'bow.log', domain_environment()) as player:
        assert player.wait(command.FIND_TIMEOUT + START) == 1
        assert 'no policy node is heard' in player.output


def test_the_node_plays_by_name(tmp_path: Path) -> None:
    """Its parameter begins, refuses and blends out, and is empty when it is over."""
    environment = domain_environment()
    policy = {
        'model': MODEL, 'robot': 'biped', 'runs_dir': tmp_path / 'runs', 'record': False,
        'autostart': True, 'auto_run': True, 'stale_timeout': 2.0,
    }  # fmt: skip
    bridge = {'robot': 'biped', 'command_timeout': 2.0}
    folder = tmp_path / 'sequences'
    folder.mkdir()
    (folder / 'go.yaml').write_text(FILE.replace('SECONDS', '300.0'))
    (folder / 'bow.yaml').write_text((shipped_folder() / 'bow.yaml').read_text())
    with (
        node('mujoco_bridge', tmp_path, environment, bridge),
        node('policy_node', tmp_path, environment, policy),
        node('command_sequences', tmp_path, environment, {'folder': folder}) as player,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        sent = client.follow(JointState, 'policy_command', QoSProfile(depth=10))

        def ask(name: str) -> tuple[bool, str]:
            value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=name)
            request = SetParameters.Request(parameters=[Parameter(name='play', value=value)])
            result = client.call(SetParameters, 'command_sequences/set_parameters', request)
            return result.results[0].successful, result.results[0].reason

        assert client.spin_until(lambda: ask('go')[0], START), player.output
        assert client.spin_until(lambda: bool(sent) and sent[-1].position[0] > 0.44, START)
        assert {tuple(message.name) for message in sent} == {('xvel',)}
        taken, reason = ask('bow')
        assert not taken
        assert 'bow needs basepitch' in reason
        assert 'there is no sequence' in ask('fly')[1]
        assert ask('') == (True, '')
        assert client.spin_until(lambda: sent[-1].position[0] == 0.0, START)
        assert ask('go')[0]
        assert client.spin_until(lambda: sent[-1].position[0] > 0.2, START)
        player.send(signal.SIGINT)
        assert player.wait(START) == 0, player.output
        assert client.spin_until(lambda: sent[-1].position[0] == 0.0, START)
