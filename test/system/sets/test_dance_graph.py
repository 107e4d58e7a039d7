"""A motion-tracking policy in the graph: to the bit as without ROS, and led by the services."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.policies.motions import dance
from helpers.policies.motions import dance_robot
from helpers.processes import REPOSITORY
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import left_with_a_crash
from helpers.processes import node
from helpers.processes import wait_until
from helpers.recorded import record_run
from kinfer_ros.run.writer import read_steps

SECONDS = 4.0
START = 60.0


def policy_node(folder: Path, environment: dict[str, str], name: str, **more: object) -> Process:
    """Start the policy node of a dance in lockstep."""
    found = dance(folder, name)
    if found is None:
        pytest.skip('the shared policies are not here')
    model, spec, _ = found
    given: dict[str, object] = {
        'robot': dance_robot(folder), 'model': model, 'spec': spec, 'runs_dir': folder / 'runs',
        'use_sim_time': True, 'lockstep': True, 'autostart': True, 'auto_run': True,
        'sensor_timeout': 30.0,
    }  # fmt: skip
    return node('policy_node', folder, environment, given | more)


def bridge(folder: Path, environment: dict[str, str]) -> Process:
    """Start its robot."""
    parameters: dict[str, object] = {'robot': dance_robot(folder), 'lockstep': True}
    return node('mujoco_bridge', folder, environment, parameters)


def test_a_dance_equals_the_loop_without_ros(tmp_path: Path) -> None:
    """The graph adds nothing, to the bit."""
    environment = domain_environment()
    with (
        policy_node(tmp_path, environment, 'g1_dance_102', duration=SECONDS) as policy,
        bridge(tmp_path, environment),
    ):
        assert policy.wait(120) == 0, policy.output
    steps = [s for s in read_steps(tmp_path / 'runs' / 'latest') if s['mode'] == 'run']
    found = dance(tmp_path, 'g1_dance_102')
    assert found is not None
    alone = record_run(
        tmp_path / 'alone', SECONDS, robot=str(dance_robot(tmp_path)), model=str(found[0]),
        spec=str(found[1]), default_command=[0.0, 0.0, 0.0],
    )  # fmt: skip
    expected = [s['target'] for s in read_steps(alone) if s['mode'] == 'run']
    assert len(steps) == SECONDS * 50
    assert np.array([s['target'] for s in steps]).tobytes() == np.array(expected).tobytes()


@pytest.mark.long
def test_services_lead_the_motion(tmp_path: Path) -> None:
    """It waits, starts, is refused what makes no sense, and each is an event of the log."""
    environment = domain_environment()

    def ask(word: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, '-m', 'kinfer_ros', 'node', 'motion', word],
            cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if left_with_a_crash(done):
            return int('error:' in done.stderr), said
        return done.returncode, said

    with policy_node(tmp_path, environment, 'g1_wbt_dancing', autostart=False) as policy:
        code, said = ask('start')
        assert code == 1
        assert 'refused while the node is unconfigured' in said
        policy.send(signal.SIGINT)
        assert policy.wait(40) == 0, policy.output
    (tmp_path / 'second').mkdir()
    with (
        policy_node(tmp_path / 'second', environment, 'g1_wbt_dancing') as policy,
        bridge(tmp_path / 'second', environment),
    ):
        # Refused until the robot is in mode run.
        assert wait_until(lambda: ask('start')[0] == 0, START), policy.output
        for word in ('pause', 'restart', 'stop'):
            code, said = ask(word)
            assert code == 0, said
        policy.send(signal.SIGINT)
        assert policy.wait(40) in (0, 1), policy.output
    steps = list(read_steps(tmp_path / 'second' / 'runs' / 'latest'))
    events = [event for step in steps for event in step['events'] if event.startswith('motion ')]
    assert events == ['motion start', 'motion pause', 'motion restart', 'motion stop']
    control = [step['inputs']['motion_control'] for step in steps if step['mode'] == 'run']
    assert list(control[0]) == [0.0, 0.0]
    assert [1.0, 1.0] in [list(each) for each in control]
    assert [0.0, -1.0] in [list(each) for each in control]
