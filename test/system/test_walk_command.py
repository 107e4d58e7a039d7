"""`python -m kinfer_ros walk`: the composed graph, its verdict, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from sensor_msgs.msg import JointState

from helpers.client import Client
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from kinfer_ros.__main__ import main

START = 40.0
"""s for the imports and the start on a busy machine."""


def walk(folder: Path, *arguments: str) -> Process:
    words = ['-m', 'kinfer_ros', 'walk', f'runs_dir:={folder / "runs"}', *arguments]
    return Process(words, folder / 'walk.log', domain_environment())


def test_a_short_walk_in_real_time_ends_well(tmp_path: Path, patient: str) -> None:
    """What `make walk` runs: exit code 0, a summary, and every file closed."""
    with walk(tmp_path, 'duration:=4.0', 'vx:=0.3', patient) as process:
        assert process.wait(START + 20) == 0, process.output
    run = tmp_path / 'runs' / 'latest'
    facts = json.loads((run / 'run.json').read_text())
    assert facts['falls'] == 0
    assert facts['distance_m'] > 0.5
    assert facts['counters']['log']['dropped'] == 0
    assert facts['reason'] == 'duration reached'
    assert (run / 'bag' / 'metadata.yaml').is_file()
    assert len((run / 'steps.ndjson').read_text().splitlines()) == facts['counters']['ticks']
    assert main(['replay', str(run)]) == 0
    for word in ('distance', 'falls        0', 'lateness', 'sample age', str(run.resolve().name)):
        assert word in process.output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_walk_softly(
    tmp_path: Path, patient: str, number: signal.Signals
) -> None:
    """Ctrl-C, twice even: fade, damping, logs closed, all within 4 s."""
    with walk(tmp_path, 'vx:=0.2', patient) as process:
        process.wait_for('mode run', START)
        process.send(number)
        process.send(number)
        assert process.wait(6) == 0, process.output
    facts = json.loads((tmp_path / 'runs' / 'latest' / 'run.json').read_text())
    assert facts['reason'] == 'stopped by a signal'
    assert 'mode inactive' in process.output
    assert 'Traceback' not in process.output


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['model:=/nowhere/policy.kinfer'], ['/nowhere/policy.kinfer']),
        (['robot:=bipedd'], ['bipedd', 'biped']),
        (['vxx:=0.3'], ['vxx', 'did you mean vx']),
        (['vx:=fast'], ['vx', 'fast', 'number']),
        (['vx:=nan'], ['vx', 'nan', 'number']),
        (['namespace:=bad-name!'], ['namespace', 'bad-name!']),
        (['vx=0.3'], ['name:=value']),
        (['record:=maybe'], ['record', 'true or false']),
        (['params_file:=/nowhere.yaml'], ['/nowhere.yaml']),
        (['lockstep:=true', 'bridge:=none'], ['lockstep']),
    ],
)
def test_a_mistake_is_one_error_and_exit_code_2(
    tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    """The user gets the argument, what was found and what was expected; no traceback, no run."""
    with walk(tmp_path, *arguments) as process:
        assert process.wait(START) == 2, process.output
    assert 'Traceback' not in process.output
    errors = [line for line in process.output.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1, process.output
    for word in words:
        assert word in process.output
    assert not (tmp_path / 'runs').exists()


def test_a_directory_that_cannot_be_used_is_one_error(tmp_path: Path) -> None:
    """A file stands where the runs should go."""
    blocker = tmp_path / 'blocker'
    blocker.write_text('')
    with walk(tmp_path, f'runs_dir:={blocker}/runs') as process:
        assert process.wait(START) == 2, process.output
    assert 'Traceback' not in process.output
    assert str(blocker) in process.output


def test_it_refuses_to_join_a_graph_that_has_this_robot(tmp_path: Path) -> None:
    """Two robots on one topic would get each other's commands."""
    environment = domain_environment()
    with node('mujoco_bridge', tmp_path, environment, {'robot': 'biped'}) as bridge:
        bridge.wait_for('is up in MuJoCo', START)
        with walk(tmp_path, 'duration:=1.0') as process:
            assert process.wait(START) == 2, process.output
        assert bridge.running
    assert 'already published by /mujoco_bridge' in process.output
    assert not (tmp_path / 'runs').exists()


@pytest.mark.long
def test_a_gripper_is_no_second_robot(tmp_path: Path, patient: str) -> None:
    """It was there first, on the same topic, with joints of its own."""
    message = JointState(name=['finger'], position=[0.1], velocity=[0.0])
    with Client(int(domain_environment()['ROS_DOMAIN_ID'])) as client:
        out = client.node.create_publisher(JointState, 'joint_states', 10)
        client.node.create_timer(0.03, lambda: out.publish(message))
        with walk(tmp_path, 'duration:=1.0', patient) as process:
            assert client.spin_until(lambda: not process.running, START + 20), process.output
            assert process.wait(1) == 0, process.output


def test_the_arguments_are_described(tmp_path: Path) -> None:
    """`--show-args` is how `ros2 launch` users look for help."""
    with walk(tmp_path, '--show-args') as process:
        assert process.wait(START) == 0
    for word in ('model:=', 'lockstep:=', 'm/s forward'):
        assert word in process.output
