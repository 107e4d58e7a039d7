"""Robots and flat policies of others walk in lockstep over real DDS, through the policy node."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.flat_policies import FLAT
from helpers.policies.flat_policies import Flat
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import way_by
from helpers.walking import way_of
from kinfer_ros.control.modes import Mode
from kinfer_ros.run.writer import read_steps

HERE = [flat for flat in FLAT if flat.path is not None]
SECONDS = 10.0


def lockstep_walk(flat: Flat, folder: Path) -> Path:
    """Walk with the bridge and the policy node in processes of their own; :return: the run."""
    robot = flat.robot_yaml(folder)
    environment = domain_environment()
    policy = {
        'robot': robot,
        'model': flat.path,
        'spec': flat.spec,
        'runs_dir': folder / 'runs',
        'use_sim_time': True,
        'lockstep': True,
        'autostart': True,
        'auto_run': True,
        'duration': SECONDS,
        'sensor_timeout': 30.0,
        'default_command': [flat.speed, 0.0, 0.0],
    }
    bridge = {'robot': robot, 'lockstep': True}
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('policy_node', folder, environment, policy) as policy_side,
    ):
        assert policy_side.wait(120) == 0, policy_side.output
        robot_side.send(signal.SIGINT)
        assert robot_side.wait(40) == 0, robot_side.output
    return folder / 'runs' / 'latest'


@pytest.mark.skipif(not HERE, reason='the shared flat policies are not here')
@pytest.mark.parametrize('flat', HERE, ids=lambda flat: flat.name)
def test_it_walks_and_equals_the_loop_without_ros(flat: Flat, tmp_path: Path) -> None:
    """0.9 of the distance at home, no fall; and the graph adds nothing, to the bit."""
    run = lockstep_walk(flat, tmp_path)
    facts = json.loads((run / 'run.json').read_text())
    assert facts['falls'] == facts['counters']['faults'] == 0, facts['reason']
    assert facts['distance_m'] >= 0.9 * flat.distance
    assert facts['provenance']['spec'] == str(flat.spec)
    steps = [step for step in read_steps(run) if step['mode'] == str(Mode.RUN)]
    assert len(steps) == SECONDS * 50
    walk = flat.walk(tmp_path, SECONDS)
    expected = walk.targets
    found = np.array([step['target'] for step in steps], dtype=np.float32)
    assert found.tobytes() == expected.tobytes()
    assert way_of(facts) == way_by(walk.simulation.odometer)
