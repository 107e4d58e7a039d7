"""A policy that sees the ground, in the graph: to the bit as without ROS, and replayed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from helpers.policies.scans import POINTS
from helpers.policies.scans import scan_policy
from helpers.policies.scans import scene_robot
from helpers.processes import REPOSITORY
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.recorded import record_run
from kinfer_ros.launching.arguments import complete
from kinfer_ros.launching.graph import NodeSpec
from kinfer_ros.launching.graph import nodes
from kinfer_ros.run.writer import read_steps

SECONDS = 2.0


def given(spec: NodeSpec) -> dict[str, object]:
    """All parameters of a node that a command line can say."""
    found = spec.defaults | spec.given
    return {name: value for name, value in found.items() if value != ''}


def graph(folder: Path) -> Path:
    """Run the nodes of `walk` in lockstep; :return: the run."""
    environment = domain_environment()
    model, spec = scan_policy(folder)
    robot = scene_robot(folder)
    arguments = complete(
        {'robot': str(robot), 'model': str(model), 'spec': str(spec), 'lockstep': 'true',
         'use_sim_time': 'true', 'runs_dir': str(folder / 'runs'), 'duration': str(SECONDS)}
    )  # fmt: skip
    bridge, policy, recorder = nodes(arguments)
    more = {'sensor_timeout': 30.0, 'max_tilt': 3.0}
    with (
        node('mujoco_bridge', folder, environment, given(bridge)) as robot_side,
        node('recorder', folder, environment, given(recorder)) as bag,
        node('policy_node', folder, environment, given(policy) | more) as policy_side,
    ):
        assert policy_side.wait(120) == 0, policy_side.output + robot_side.output
        for process in (robot_side, bag):
            process.send(signal.SIGINT)
            process.wait(40)
    return folder / 'runs' / 'latest'


def command(*words: str) -> str:
    """Run a command that has to succeed."""
    done = subprocess.run(
        [sys.executable, '-m', 'kinfer_ros', *words],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_equals_the_loop_without_ros_and_replays(tmp_path: Path) -> None:
    """The box in front reaches the network as it stands, over DDS, in the log and in the bag."""
    run = graph(tmp_path)
    facts = json.loads((run / 'run.json').read_text())
    steps = [step for step in read_steps(run) if step['mode'] == 'run']
    assert len(steps) == SECONDS * 50, facts['reason']
    (tmp_path / 'alone').mkdir()
    alone = record_run(
        tmp_path / 'alone', SECONDS, robot=str(scene_robot(tmp_path)),
        model=str(tmp_path / 'scan.onnx'), spec=str(tmp_path / 'scan.spec.yaml'),
        default_command=[0.0, 0.0, 0.0], max_tilt=3.0,
    )  # fmt: skip
    expected = [step for step in read_steps(alone) if step['mode'] == 'run']
    for key in ('target', 'scan'):
        found, wanted = (
            np.array([s['inputs']['height_scan'] if key == 'scan' else s[key] for s in each])
            for each in (steps, expected)
        )
        assert found.tobytes() == wanted.tobytes(), key
    scans = np.array([step['inputs']['height_scan'] for step in steps])
    assert scans.shape[1] == POINTS
    assert np.ptp(scans[0]) > 0.09, 'the box is in sight'
    command('replay', str(run))
    command('replay', '--bag', str(run))


def test_a_scan_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    """A bridge that was not told the grid: the node names the topic, and gives up."""
    environment = domain_environment()
    model, spec = scan_policy(tmp_path)
    robot = scene_robot(tmp_path)
    parameters: dict[str, object] = {
        'robot': robot, 'model': model, 'spec': spec, 'runs_dir': tmp_path / 'runs',
        'use_sim_time': True, 'lockstep': True, 'autostart': True, 'sensor_timeout': 4.0,
    }  # fmt: skip
    with (
        node('mujoco_bridge', tmp_path, environment, {'robot': robot, 'lockstep': True}),
        node('policy_node', tmp_path, environment, parameters) as policy,
    ):
        assert policy.wait(60) == 2, policy.output
        assert 'error: no message yet on /height_scan (0 publishers)' in policy.output
