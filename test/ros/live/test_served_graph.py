"""`watch --foxglove` beside a robot that walks, over real DDS, read by a client."""

from __future__ import annotations

import json
import re
import signal
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import Twist
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.foxglove_client import FoxgloveClient
from helpers.foxglove_client import attempts
from helpers.foxglove_layout import paths_of
from helpers.foxglove_layout import topics_of
from helpers.optional import needs_foxglove
from helpers.processes import Process
from helpers.processes import domain
from helpers.processes import domain_environment
from kinfer_ros.recording.bag_types import MessageTypes
from kinfer_ros.robot.robot import load_robot

START = 40.0
# A busy machine lets the robot fall; it is the view that is tested.
PATIENT = {'stale_timeout': 5.0, 'max_missed_ticks': 1000, 'max_tilt': 3.1}

pytestmark = needs_foxglove


def found_at(message: Any, path: str) -> list[Any]:
    """What a message has at the rest of a path, such as `.status[:]{name=="x"}.message`."""
    values = [message]
    for name, index, key, wanted in re.findall(r'\.(\w+)|\[(\d+|:)\]|\{(\w+)=="(.*?)"\}', path):
        if name:
            values = [getattr(value, name) for value in values]
        elif index == ':':
            values = [each for value in values for each in value]
        elif index:
            values = [value[int(index)] for value in values]
        else:
            values = [value for value in values if getattr(value, key) == wanted]
    return values


def decoded(client: FoxgloveClient, topic: str) -> list[Any]:
    """The newest messages of a topic."""
    package, _, name = client.channels[topic]['schemaName'].split('/')
    kind = getattr(import_module(f'{package}.msg'), name)
    return [deserialize_message(data, kind) for _, data in client.messages[topic][-5:]]


def nothing_at(client: FoxgloveClient, paths: list[str]) -> list[str]:
    """The paths at which no message has anything."""
    missing = []
    for path in paths:
        topic = re.split(r'[.\[{]', path)[0]
        rest = path.removeprefix(topic)
        if topic not in client.channels or not any(
            found_at(message, rest) for message in decoded(client, topic)
        ):
            missing.append(path)
    return missing


def served_on(process: Process) -> int:
    """The port that it listens on."""
    process.wait_for('layout ', START)
    return int(re.search(r'ws://127\.0\.0\.1:(\d+)', process.output)[1])


@pytest.mark.parametrize('namespace', ['', '/left'])
def test_every_panel_of_the_layout_has_its_topic(namespace: str, tmp_path: Path) -> None:
    """
    Of a robot in a namespace as well, beside another one that is left out.

    Then Ctrl-C ends it, and the robot walks on: it was only looked at.
    """
    environment = domain_environment()
    params = tmp_path / 'params.yaml'
    params.write_text(json.dumps({'/**/policy_node': {'ros__parameters': PATIENT}}))
    words = [f'runs_dir:={tmp_path}/runs', 'record:=false', f'params_file:={params}']
    words += ['robot_state:=true', *([f'namespace:={namespace[1:]}'] if namespace else [])]
    walk = Process(['-m', 'kinfer_ros', 'walk', *words], tmp_path / 'walk.log', environment)
    out = tmp_path / 'layout.json'
    look = ['-m', 'kinfer_ros', 'watch', '--foxglove', '--port', '0', '--out', str(out)]
    look += ['--namespace', namespace[1:]] if namespace else []
    viewer = Process(look, tmp_path / 'watch.log', environment)
    with walk, viewer as watch, Client(domain()) as ros:
        walk.wait_for('mode run', START)
        drive = ros.node.create_publisher(Twist, f'{namespace}/cmd_vel', 1)
        other = ros.node.create_publisher(JointState, '/right/joint_states', 1)
        with FoxgloveClient(served_on(watch)) as client:
            layout = json.loads(out.read_text())
            wanted = topics_of(layout)

            def all_arrived() -> bool:
                drive.publish(Twist())
                other.publish(JointState())
                return all(client.messages[topic] for topic in wanted) and not nothing_at(
                    client, paths_of(layout)
                )

            assert client.read_until(all_arrived, START), [
                wanted - set(client.channels),
                nothing_at(client, paths_of(layout)),
            ]
            assert ('/right/joint_states' in client.channels) == (not namespace)
            for attempt in attempts():
                client.ask(attempt)
            assert client.read_until(lambda: len(client.replies) >= 3, START)
            assert ros.node.count_publishers(f'{namespace}/cmd_vel') == 1  # our own
            decode(client, namespace)
        watch.send(signal.SIGINT)
        assert watch.wait(10) == 0, watch.output
        assert walk.running
        assert 'Traceback' not in watch.output


def decode(client: FoxgloveClient, namespace: str) -> None:
    """The bytes are the robot's messages, and the definitions those of their types."""
    _, data = client.messages[f'{namespace}/joint_states'][-1]
    joints = deserialize_message(data, JointState)
    assert list(joints.name) == list(load_robot('biped').joint_names)
    stamp, data = client.messages[f'{namespace}/policy_node/mode'][0]
    assert b'run' in data
    assert abs(stamp / 1e9 - time.time()) < 120
    for channel in client.channels.values():
        definition, _ = MessageTypes(None).definition(channel['schemaName'])
        assert channel['encoding'] == 'cdr'
        assert channel['schema'].split() == definition.split(), channel['topic']
    assert not any(topic.endswith('/run') for topic in client.channels)


def test_no_robot_is_exit_code_1(tmp_path: Path) -> None:
    """And only topics of the namespace are served: this graph has none."""
    words = ['-m', 'kinfer_ros', 'watch', '--foxglove', '--port', '0', '--seconds', '1']
    words += ['--namespace', 'nobody', '--json']
    with Process(words, tmp_path / 'watch.log', domain_environment()) as watch:
        assert watch.wait(START) == 1, watch.output
    assert 'nobody publishes /nobody/policy_node/mode' in watch.output


@pytest.mark.parametrize(
    ('topic', 'served'),
    [
        ('/robot1/joint_states', True),
        ('/robot1/policy_node/mode', True),
        ('/diagnostics', True),
        ('/tf', True),
        ('/robot2/joint_states', False),
        ('/robot11/joint_states', False),
        ('/joint_states', False),
        ('/robot1/policy_node/run', False),
    ],
)
def test_a_namespace_is_one_robot(topic, served):
    """Two robots in one graph: the other one's topics would be mixed in."""
    from kinfer_ros.ros.live.served_graph import excluded

    assert any(re.fullmatch(each, topic) for each in excluded('/robot1')) != served
    assert any(re.fullmatch(each, topic) for each in excluded('/')) == topic.endswith('/run')
