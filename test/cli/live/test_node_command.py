"""`python -m kinfer_ros node`: its values, and what it does to a robot that walks, over DDS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.processes import REPOSITORY
from helpers.processes import domain_environment
from helpers.processes import left_with_a_crash
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL
from kinfer_ros.__main__ import main
from kinfer_ros.cli.live.node import plain
from kinfer_ros.cli.live.node import read_pairs
from kinfer_ros.errors import ConfigError

START = 40.0
ANSWER = 90.0
PATIENT = {
    'stale_timeout': 1.0,
    'max_missed_ticks': 100,
    'max_tilt': 3.1,
    'tracking_error': 0.0,
    'joint_speed_factor': 0.0,
    'position_margin': 10.0,
    'fade_time': 0.1,
}
"""A busy machine delivers late, and the robot falls: that is not what is tested here."""
SLOW = {'robot': 'biped', 'command_timeout': 5.0, 'sensor_rate': 100.0}


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('1', 1),
        ('1.5', 1.5),
        ('1e-3', 0.001),
        ('true', True),
        ('walk.kinfer', 'walk.kinfer'),
        ("'1'", '1'),
        ('[1, 2.5]', [1.0, 2.5]),
        ('[a, b]', ['a', 'b']),
        ('-0.5', -0.5),
        ('', ''),
    ],
)
def test_a_value_is_yaml(text, value):
    """As `ros2 param set` reads it, and numbers as people write them."""
    found = read_pairs(['name', text])['name']
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    'text',
    ['null', '{a: 1}', '[]', '[1, a]', '[[1]]', '[1', '2026-01-01', '9' * 30, 'a' * 5000,
     '[true, 1]'],
)  # fmt: skip
def test_what_is_no_value_is_refused(text):
    """Before anything is asked of the graph."""
    with pytest.raises(ConfigError, match='set: name: found'):
        read_pairs(['name', text])


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['set', 'kp_factor'], 'expected pairs'),
        (['set', 'kp_factor', '1', 'kp_factor', '2'], 'found kp_factor twice'),
        (['push', 'nan', '0', '0'], 'expected finite numbers'),
    ],
)
def test_wrong_arguments(words, said, capsys):
    """Exit code 2, without ROS."""
    assert main(['node', *words]) == 2
    assert said in capsys.readouterr().err


def test_json_holds_every_value():
    """JSON has no infinity."""
    found = plain({'a': float('inf'), 'b': [1.0, float('nan')], 'c': None})
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        'a': 'inf',
        'b': [1.0, 'nan'],
        'c': None,
    }


def test_help_without_ros():
    """Help is read on any machine."""
    code = (
        "import sys; sys.modules['rclpy'] = None;"
        "from kinfer_ros.__main__ import main; sys.exit(main(['node', 'set', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'NAME VALUE' in done.stdout


class Asking:
    """Runs the command in the graph of a test."""

    def __init__(self, environment: dict[str, str], **options: str) -> None:
        self._environment = environment
        self._options = [word for key, value in options.items() for word in (f'--{key}', value)]

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run it; :return: all that it printed."""
        done = subprocess.run(
            [sys.executable, '-m', 'kinfer_ros', 'node', *words, *self._options],
            cwd=REPOSITORY, env=self._environment, capture_output=True, text=True,
            timeout=ANSWER, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if left_with_a_crash(done):
            return done.stdout or said
        assert done.returncode == code, said
        assert 'Traceback' not in said
        return said

    def json(self, *words: str) -> dict:
        """Run it with --json."""
        found: dict = json.loads(self(*words, '--json'))
        return found

    def until(self, mode: str) -> None:
        """Ask until the policy node is in a mode."""
        assert wait_until(lambda: self.json('mode')['mode'].startswith(mode), START, every=0.1)


@pytest.mark.long
@pytest.mark.ros
def test_a_robot_is_led_through_everything(tmp_path: Path) -> None:
    """From configure to a walk, to a stop and back, in a namespace, with only this command."""
    environment = domain_environment()
    ask = Asking(environment, namespace='robot1')
    given = {
        'robot': 'biped',
        'sensor_timeout': 20.0,
        'model': MODEL,
        'runs_dir': tmp_path / 'runs',
        **PATIENT,
        'stale_timeout': 5.0,
        'max_missed_ticks': 1000,
    }
    with (
        node('mujoco_bridge', tmp_path, environment, SLOW, namespace='robot1'),
        node('policy_node', tmp_path, environment, given, namespace='robot1'),
    ):
        ask('configure')
        look(ask, Asking(environment))
        assert ask.json('activate')['message'] == 'active'
        ask.until('hold')
        ask('start')
        ask.until('run')
        tune(ask)
        disturb(ask)
        lead(ask)


def look(ask: Asking, everywhere: Asking) -> None:
    """List and mode."""
    # On a busy machine a node that joins finds the others one after the other.
    found: dict = {}

    def both() -> bool:
        found.update(everywhere.json('list'))
        return bool(found['policy_nodes'] and found['bridges'])

    assert wait_until(both, START), found
    assert [each['node'] for each in found['policy_nodes']] == ['/robot1/policy_node']
    assert found['policy_nodes'][0]['mode'].startswith('inactive')
    assert [each['node'] for each in found['bridges']] == ['/robot1/mujoco_bridge']
    assert found['bridges'][0]['bridge_state'].startswith('enabled')
    assert wait_until(lambda: '/robot1/policy_node' in ask('list'), START)
    mode = ask('mode')
    assert 'mode          inactive' in mode
    assert 'bridge_state  enabled' in mode
    said = everywhere('stop', code=1)
    assert 'found no node /policy_node' in said
    assert '/robot1/policy_node' in said


def tune(ask: Asking) -> None:
    """Set and get, and what is refused."""
    assert 'kp_factor 1' in ask('set', 'kp_factor', '1', 'max_tilt', '3')
    assert ask.json('get', 'kp_factor', 'max_tilt') == {'kp_factor': 1.0, 'max_tilt': 3.0}
    assert 'max_tilt: 3.0' in ask('get')
    said = ask('set', 'max_tilt', '2.9', 'kp_factor', '-1', code=1)
    assert 'refused' in said
    assert ask.json('get', 'max_tilt') == {'max_tilt': 3.0}
    assert "did you mean 'kp_factor'" in ask('set', 'kp_facto', '1', code=1)
    assert "did you mean 'kp_factor'" in ask('get', 'kp_facto', code=1)


def disturb(ask: Asking) -> None:
    """Push the robot; a node that is no MuJoCo bridge has no pause."""
    ask('push', '0.1', '0', '-0.1')
    assert ask.json('get', 'push', '--node', 'mujoco_bridge') == {'push': [0.1, 0.0, -0.1]}
    assert 'found the node' in ask('pause', '--bridge', 'policy_node', code=1)


def lead(ask: Asking) -> None:
    """Services and the lifecycle."""
    ask('pause')
    ask('resume')
    ask('stop')
    ask.until('damp')
    assert 'activate goes from inactive to active' in ask('activate', code=1)
    ask('reset')
    assert 'nothing to reset' in ask('reset', code=1)
    assert ask.json('deactivate')['message'] == 'inactive'
    ask.until('inactive')
    assert 'inactive' in ask('start', code=1)
    ask('disable')
    assert ask.json('mode')['bridge_state'].startswith('disabled')
    ask('enable')
    assert ask.json('mode')['bridge_state'].startswith('enabled')
    ask('cleanup')
    ask('set', 'model', 'missing.kinfer')
    assert 'missing.kinfer' in ask('configure', code=1)


@pytest.mark.long
@pytest.mark.ros
def test_an_empty_graph_is_exit_code_1() -> None:
    """A script must not take silence for a robot."""
    environment = domain_environment()
    ask = Asking(environment, namespace='nobody')
    assert 'found no policy node and no bridge' in ask('list', code=1)
    assert 'found no bridge' in ask('enable', code=1)
    assert 'namespace' in Asking(environment, namespace='a b')('stop', code=2)
