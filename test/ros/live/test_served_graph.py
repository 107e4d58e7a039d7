"""`watch --foxglove` beside a robot that walks, over real DDS, read by a client."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.foxglove_client import FoxgloveClient
from helpers.foxglove_client import attempts
from helpers.optional import needs_foxglove
from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain
from helpers.processes import domain_environment
from kinfer_ros.recording.bag_types import MessageTypes
from kinfer_ros.robot.robot import load_robot

START = 40.0
LAYOUT = REPOSITORY / 'config' / 'layouts' / 'foxglove.json'
# A busy machine lets the robot fall; it is the view that is tested.
PATIENT = {'stale_timeout': 5.0, 'max_missed_ticks': 1000, 'max_tilt': 3.1}

pytestmark = needs_foxglove


def topics_of_the_layout() -> set[str]:
    """Every topic that a panel shows."""
    found = set()
    for panel in json.loads(LAYOUT.read_text())['configById'].values():
        if 'topicToRender' in panel:
            found.add(panel['topicToRender'])
        found |= {re.split(r'[.\[{]', path['value'])[0] for path in panel.get('paths', ())}
    return found


def served_on(process: Process) -> int:
    """The port that it listens on."""
    process.wait_for('layout ', START)
    return int(re.search(r'ws://127\.0\.0\.1:(\d+)', process.output)[1])


def test_every_panel_of_the_layout_has_its_topic(tmp_path: Path) -> None:
    """Then Ctrl-C ends it, and the robot walks on: it was only looked at."""
    environment = domain_environment()
    params = tmp_path / 'params.yaml'
    params.write_text(json.dumps({'/**/policy_node': {'ros__parameters': PATIENT}}))
    words = [f'runs_dir:={tmp_path}/runs', 'record:=false', f'params_file:={params}']
    walk = Process(['-m', 'kinfer_ros', 'walk', *words], tmp_path / 'walk.log', environment)
    look = ['-m', 'kinfer_ros', 'watch', '--foxglove', '--port', '0']
    viewer = Process(look, tmp_path / 'watch.log', environment)
    with walk, viewer as watch, Client(domain()) as ros:
        walk.wait_for('mode run', START)
        drive = ros.node.create_publisher(Twist, 'cmd_vel', 1)
        with FoxgloveClient(served_on(watch)) as client:
            wanted = topics_of_the_layout()

            def all_arrived() -> bool:
                drive.publish(Twist())
                return all(client.messages[topic] for topic in wanted)

            assert client.read_until(all_arrived, START), wanted - set(client.messages)
            for attempt in attempts():
                client.ask(attempt)
            assert client.read_until(lambda: len(client.replies) >= 3, START)
            assert ros.node.count_publishers('cmd_vel') == 1  # our own
            decode(client)
        watch.send(signal.SIGINT)
        assert watch.wait(10) == 0, watch.output
        assert walk.running
        assert 'Traceback' not in watch.output


def decode(client: FoxgloveClient) -> None:
    """The bytes are the robot's messages, and the definitions those of their types."""
    _, data = client.messages['/joint_states'][-1]
    joints = deserialize_message(data, JointState)
    assert list(joints.name) == list(load_robot('biped').joint_names)
    stamp, data = client.messages['/policy_node/mode'][0]
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
