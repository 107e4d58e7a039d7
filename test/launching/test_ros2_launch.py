"""`ros2 launch` itself, where a ROS 2 installation has it and this package is sourced."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rcl_interfaces.srv import GetParameters

from helpers.client import Client
from helpers.processes import domain
from helpers.processes import domain_environment
from helpers.processes import wait_until

START = 60.0
"""s until a graph walks on a busy machine."""
END = 30.0
LARGER = """
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import SetParameter
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    path = PathJoinSubstitution([FindPackageShare('kinfer_ros'), 'launch', {name!r}])
    included = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path), launch_arguments={given!r}.items()
    )
    return LaunchDescription([SetParameter('use_sim_time', True), included])
"""
"""A launch file of others that includes one of ours."""


def has_ros2_launch() -> bool:
    """Whether `ros2 launch kinfer_ros` works here."""
    if shutil.which('ros2') is None:
        return False
    asked = ['ros2', 'pkg', 'prefix', 'kinfer_ros']
    return subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture(scope='module', autouse=True)
def ros2() -> None:
    """Skip where it is not there: the wheels have no launch."""
    if not has_ros2_launch():
        pytest.skip('no ros2 launch with kinfer_ros sourced: the wheels have none')


class Launch:
    """One `ros2 launch` in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.folder = folder
        self._log = folder / 'launch.log'
        with self._log.open('wb') as out:
            self.process = subprocess.Popen(
                ['ros2', 'launch', *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env=domain_environment(ROS_LOG_DIR=str(folder / 'log')),
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """Everything it has printed so far."""
        return self._log.read_text(errors='replace')

    @property
    def facts(self) -> dict[str, Any]:
        """The run.json of its run."""
        found: dict[str, Any] = json.loads(
            (self.folder / 'runs' / 'latest' / 'run.json').read_text()
        )
        return found

    def until(self, text: str) -> None:
        """Wait until it has printed a text."""
        assert wait_until(lambda: text in self.output, START), self.output

    def ctrl_c(self) -> None:
        """Send SIGINT to all of its processes, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; :return: its exit code."""
        return self.process.wait(END)

    def left(self) -> list[int]:
        """Processes of its group that still are there."""
        found = subprocess.run(
            ['pgrep', '-g', str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [int(each) for each in found.stdout.split()]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launch]]:
    made: list[Launch] = []

    def start(*words: str) -> Launch:
        made.append(Launch(tmp_path, list(words)))
        return made[-1]

    yield start
    for each in made:
        if each.left():
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait(40)


@pytest.fixture
def walk(launch: Callable[..., Launch], tmp_path: Path) -> Callable[..., Launch]:
    """Launch the walk, with its run below the test's own folder."""

    def start(*words: str) -> Launch:
        return launch('kinfer_ros', 'walk.launch.py', f'runs_dir:={tmp_path / "runs"}', *words)

    return start


def test_ctrl_c_is_a_good_run(walk: Callable[..., Launch]) -> None:
    """SIGINT reaches the bridge at the same moment: the fade is whole all the same."""
    it = walk('vx:=0.3')
    it.until('mode run')
    it.ctrl_c()
    assert it.end() == 0, it.output
    assert it.facts['reason'].startswith('stopped by')
    assert it.facts['counters']['faults'] == it.facts['falls'] == 0
    assert not list((it.folder / 'runs' / 'latest').glob('fault_*'))


def test_ctrl_c_twice_is_a_good_run(walk: Callable[..., Launch]) -> None:
    """As an impatient user presses it."""
    it = walk('vx:=0.3')
    it.until('mode run')
    it.ctrl_c()
    assert wait_until(lambda: 'fade' in it.output, END)
    it.ctrl_c()
    it.end()
    assert it.facts['counters']['faults'] == 0, it.output


def test_an_unknown_argument_is_named(walk: Callable[..., Launch]) -> None:
    """A misspelt speed was silently zero."""
    it = walk('vxx:=0.3')
    assert it.end() == 1
    assert 'vxx' in it.output
    assert 'Traceback' not in it.output


def test_a_policy_that_is_not_there_is_exit_code_1(walk: Callable[..., Launch]) -> None:
    """A script that calls it has to know."""
    it = walk('model:=/nowhere/walk.kinfer')
    assert it.end() == 1
    assert '/nowhere/walk.kinfer' in it.output
    assert 'Traceback' not in it.output


def test_a_fall_is_exit_code_1(walk: Callable[..., Launch], tmp_path: Path) -> None:
    """The same for a robot that fell."""
    params = tmp_path / 'tilt.yaml'
    params.write_text('policy_node:\n  ros__parameters:\n    max_tilt: 0.001\n')
    it = walk('vx:=0.3', 'duration:=20.0', f'params_file:={params}')
    assert it.end() == 1
    assert 'tilted by' in it.facts['reason']


@pytest.mark.parametrize(
    'text',
    [
        'policy_node: 5', 'a: [', '- x', '\x00', 'policy_node:\n  ros__parameters: [1]',
        'policy_node:\n  ros__parameters:\n    max_tilt: "x"',
    ],
)  # fmt: skip
def test_a_malformed_params_file_is_named(
    walk: Callable[..., Launch], tmp_path: Path, text: str
) -> None:
    """One line that says what is wrong, where launch shows a traceback."""
    params = tmp_path / 'bad.yaml'
    params.write_text(text + '\n')
    it = walk(f'params_file:={params}')
    assert it.end() == 1
    assert 'Traceback' not in it.output
    assert 'bad.yaml' in it.output or 'max_tilt' in it.output


def test_nodes_end_with_their_launch(walk: Callable[..., Launch]) -> None:
    """SIGTERM to the launch alone: it forgets its nodes, they do not walk on for ever."""
    it = walk('vx:=0.3')
    it.until('mode run')
    it.process.terminate()
    it.end()
    assert wait_until(lambda: not it.left(), END, every=0.2), it.output
    assert it.facts['counters']['faults'] == 0


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        (
            'walk.launch.py',
            # The simulation is the clock that the others follow.
            {'policy_node': 'use_sim_time', 'recorder': 'use_sim_time',
             'mujoco_bridge': 'publish_clock'},
        ),
        ('policy.launch.py', {'policy_node': 'use_sim_time'}),
    ],
)  # fmt: skip
def test_a_larger_graph_sets_simulated_time(
    launch: Callable[..., Launch], tmp_path: Path, name: str, expected: dict[str, str]
) -> None:
    """Arguments that were not given must not beat its SetParameter."""
    given = {'robot': 'biped'}
    if name == 'walk.launch.py':
        given['runs_dir'] = str(tmp_path / 'runs')
    larger = tmp_path / 'larger.launch.py'
    larger.write_text(LARGER.format(name=name, given=given))
    it = launch(str(larger))
    with Client(domain()) as client:
        for node, parameter in expected.items():
            asked = GetParameters.Request(names=[parameter])
            found = client.call(GetParameters, f'{node}/get_parameters', asked, START)
            assert found.values[0].bool_value, node
    if name == 'walk.launch.py':
        it.until('mode run')
    it.ctrl_c()
    assert it.end() == 0, it.output


TOOLS = (
    ('topic', 'list'),
    ('node', 'list'),
    ('param', 'get', '/policy_node', 'max_tilt'),
    ('topic', 'info', '-v', '/joint_states'),
    ('node', 'info', '/policy_node'),
    ('param', 'list', '/policy_node'),
    ('param', 'set', '/policy_node', 'kp_factor', '1'),
    ('topic', 'echo', '--once', '/joint_states'),
)
"""What people type beside a robot that walks."""
BUSY = 2


def test_tools_started_beside_a_busy_walk(walk: Callable[..., Launch]) -> None:
    """Each joins the graph with a node of its own: forty of them stop no robot."""
    environment = domain_environment()
    loops = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(BUSY)]
    try:
        it = walk('vx:=0.3')
        it.until('mode run')
        ended = [
            subprocess.run(
                ['ros2', *TOOLS[number % len(TOOLS)]],
                capture_output=True,
                timeout=START,
                env=environment,
                check=False,
            ).returncode
            for number in range(40)
        ]
        assert ended.count(0) > 30, f'the tools do not work here: {ended}'
        assert 'mode fault' not in it.output, it.output
        it.ctrl_c()
        it.end()
    finally:
        for loop in loops:
            loop.kill()
            loop.wait(40)
        subprocess.run(['ros2', 'daemon', 'stop'], timeout=START, env=environment, check=False)
    assert it.facts['counters']['faults'] == it.facts['falls'] == 0, it.facts['reason']
