"""Two robots on one clock over real DDS: the processes that two_robots.launch.py starts."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from helpers.client import Client
from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain_environment
from kinfer_ros.launching.graph import NodeSpec
from kinfer_ros.launching.graph import ros_arguments
from kinfer_ros.launching.two_robots import SIDES
from kinfer_ros.launching.two_robots import both
from kinfer_ros.nodes import NODES

SECONDS = 2.0


def parameters(folder: Path) -> Path:
    """Write examples/fleet.yaml, with guards on time that a loaded machine does not trip."""
    content = yaml.safe_load((REPOSITORY / 'examples' / 'fleet.yaml').read_text())
    content['/**/policy_node']['ros__parameters'] |= {
        'stale_timeout': 2.0,
        'sensor_timeout': 40.0,
        'max_missed_ticks': 500,
    }
    content['/*/mujoco_bridge']['ros__parameters'] |= {'command_timeout': 2.0}
    path = folder / 'fleet.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def start(side: str, spec: NodeSpec, folder: Path, environment: dict[str, str]) -> Process:
    """Start a node as the launch file does."""
    words = ros_arguments(spec, str(folder / 'fleet.yaml'))
    words += ['-r', f'__ns:=/{side}']
    module = NODES[spec.executable][0]
    return Process(['-m', module, *words], folder / f'{side}_{spec.executable}.log', environment)


def positions(bag: Path, topic: str) -> np.ndarray:
    """Positions [N, 2] of a robot's odometry in a bag, m."""
    found = []
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        for connection, _, data in reader.messages(connections):
            at: Any = reader.deserialize(data, connection.msgtype)
            found.append((at.pose.pose.position.x, at.pose.pose.position.y))
    return np.array(found)


def topics(bag: Path) -> set[str]:
    """Names of the topics in a bag."""
    with AnyReader([bag]) as reader:
        return {connection.topic for connection in reader.connections}


@pytest.mark.long
def test_two_robots_walk_on_one_clock(tmp_path: Path) -> None:
    """Each obeys its own commands and leaves its own run; /clock has one publisher."""
    parameters(tmp_path)
    arguments = {'duration': str(SECONDS), 'runs_dir': str(tmp_path / 'runs')}
    environment = domain_environment()
    with contextlib.ExitStack() as stack:
        processes = {
            (side, spec.executable): stack.enter_context(start(side, spec, tmp_path, environment))
            for side, specs in both(arguments).items()
            for spec in specs
        }
        client = stack.enter_context(Client(int(environment['ROS_DOMAIN_ID'])))
        policies = [processes[side, 'policy_node'] for side in SIDES]
        for policy in policies:
            policy.wait_for('mode run', 50)
        count = client.node.count_publishers
        known = ['/clock', *(f'/{side}/joint_states' for side in SIDES)]
        assert client.spin_until(lambda: all(count(topic) for topic in known), 10)
        assert count('/clock') == 1
        for policy in policies:
            assert policy.wait(SECONDS + 30) == 0, policy.output
        rest = [process for (_, name), process in processes.items() if name != 'policy_node']
        for process in rest:
            process.send(signal.SIGINT)
        for process in rest:
            assert process.wait(40) == 0, process.output
    for side, forward in (('left', 1.0), ('right', -1.0)):
        run = tmp_path / 'runs' / side / 'latest'
        facts = json.loads((run / 'run.json').read_text())
        assert facts['reason'] == 'duration reached', facts['reason']
        assert facts['falls'] == 0
        assert facts['parameters']['max_tilt'] == 0.8, 'the wildcard reaches every policy node'
        way = positions(run / 'bag', f'/{side}/odom')
        # On a busy machine ticks are missed, and where a robot gets to is chance.
        assert np.abs(way - way[0]).max() > 0.05
        steps = [json.loads(line) for line in (run / 'steps.ndjson').read_bytes().splitlines()]
        commands = [step['command'][0] for step in steps if step['mode'] == 'run']
        assert min(forward * command for command in commands) > 0.0
        other = SIDES[side == 'left']
        assert not [topic for topic in topics(run / 'bag') if topic.startswith(f'/{other}/')]
