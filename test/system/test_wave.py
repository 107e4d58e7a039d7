"""An arm waves while the robot walks: the example, in lockstep over real DDS."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.policies.flat_policies import FLAT
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from kinfer_ros.__main__ import main
from kinfer_ros.run.writer import read_steps

G1 = next(flat for flat in FLAT if flat.name == 'g1')
JOINTS = ['right_shoulder_roll_joint', 'right_elbow_joint']
SECONDS = 6.0
TRIES = 4


def waving_walk(folder: Path) -> Path:
    """Walk and wave; :return: the run directory."""
    folder.mkdir(parents=True)
    robot = G1.robot_yaml(folder)
    environment = domain_environment()
    policy = {
        'robot': robot, 'model': G1.path, 'spec': G1.spec, 'runs_dir': folder,
        'use_sim_time': True, 'lockstep': True, 'autostart': True, 'auto_run': True,
        'duration': SECONDS, 'sensor_timeout': 30.0, 'wait_for_recorder': True,
        'default_command': [G1.speed, 0.0, 0.0], 'override_joints': JOINTS,
    }  # fmt: skip
    with (
        Process(['examples/wave.py'], folder / 'wave.log', environment) as wave,
        node('mujoco_bridge', folder, environment, {'robot': robot, 'lockstep': True}) as bridge,
        node('recorder', folder, environment) as recorder,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        # The policy node must hear the arm from its first tick on, in both runs.
        seen = client.follow(JointState, 'joint_overrides', qos_profile_sensor_data)
        assert client.spin_until(lambda: len(seen) > 0, 60), wave.output
        with node('policy_node', folder, environment, policy) as policy_side:
            assert policy_side.wait(150) == 0, policy_side.output + wave.output
        # The example is killed: rclpy may be interrupted in the middle of a message.
        for process in (bridge, recorder):
            process.send(signal.SIGINT)
            assert process.wait(40) == 0, process.output
    return folder / 'latest'


def heard_walk(folder: Path) -> Path:
    """
    Walk with an arm that is heard from the first tick on; :return: the run directory.

    DDS may connect a third node after the first ticks of a run in lockstep, which is fast.
    """
    for attempt in range(TRIES):
        run = waving_walk(folder / str(attempt))
        first = next(step for step in read_steps(run) if step['mode'] == 'run')
        if first['override'] is not None:
            break
    return run


@pytest.mark.long
@pytest.mark.skipif(G1.path is None, reason='the shared flat policies are not here')
def test_it_walks_on_and_the_run_repeats(tmp_path: Path) -> None:
    """No fall; the same arm in every tick of two runs; and both replays know what it did."""
    runs = [heard_walk(tmp_path / name) for name in ('first', 'second')]
    facts = json.loads((runs[0] / 'run.json').read_text())
    assert facts['falls'] == facts['counters']['faults'] == 0, facts['reason']
    assert facts['distance_m'] >= 0.4 * G1.speed * SECONDS
    targets, arms = [], []
    for run in runs:
        steps = [step for step in read_steps(run) if step['mode'] == 'run']
        assert len(steps) == SECONDS * 50
        assert all(step['override'] is not None for step in steps)
        targets.append(np.array([step['target'] for step in steps]))
        arms.append(np.array([step['override'] for step in steps]))
    assert targets[0].tobytes() == targets[1].tobytes()
    assert arms[0].tobytes() == arms[1].tobytes()
    elbow = arms[0][100:, 1]
    assert elbow.min() == pytest.approx(0.1, abs=0.01)
    assert elbow.max() == pytest.approx(1.1, abs=0.01)
    assert main(['replay', str(runs[0])]) == 0
    assert main(['replay', str(runs[0]), '--bag']) == 0
