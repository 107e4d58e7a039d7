"""A biped is pushed over in the graph: it gets up where it may, and every stop holds."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from sensor_msgs.msg import Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool

from helpers.client import ACTIVATE
from helpers.client import CONFIGURE
from helpers.client import DEACTIVATE
from helpers.client import Client
from helpers.policies.getup import getup_set
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.recorded import record_run
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.control.modes import Mode
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.run.writer import read_steps
from kinfer_ros.simulate import Simulation

START, SOON = 60.0, 20.0
HELD, RELEASED = [1], [0]
PUSH = [4.0, 0.0, 0.0]
STALLED = 'the machine stalled'
"""A fall a moment after that is no fall of the policy: the case begins anew."""

# What a busy machine does to a run in real time is not the point here.
PATIENT = {
    'stale_timeout': 2.0, 'max_missed_ticks': 1000, 'joint_speed_factor': 0.0,
    'position_margin': 10.0, 'joy_timeout': 5.0,
}  # fmt: skip


class Graph:
    """
    The robot, its policy node and an operator with a joystick.

    :ivar buttons: of the joystick, said 20 times a second.
    """

    def __init__(self, client: Client, policy: Process, policies: Path) -> None:
        self.client = client
        self.policy = policy
        self.policies = policies
        self.buttons = HELD
        self._modes: list[String] = client.follow(String, 'policy_node/mode')
        self._runs: list[String] = client.follow(String, 'policy_node/run')
        self.commands: list[JointState] = client.follow(
            JointState, 'joint_commands', QoSProfile(depth=100)
        )
        self._diagnostics: list[DiagnosticArray] = client.follow(
            DiagnosticArray, '/diagnostics', QoSProfile(depth=10)
        )
        joy = client.node.create_publisher(Joy, 'joy', QoSProfile(depth=20))
        client.node.create_timer(0.05, lambda: joy.publish(Joy(buttons=self.buttons)))

    @property
    def modes(self) -> list[str]:
        """What was heard on ~/mode since the activation."""
        return [each.data for each in self._modes]

    @property
    def mode(self) -> str:
        """What was heard last."""
        return self.modes[-1] if self._modes else ''

    @property
    def run(self) -> Path:
        """The run directory."""
        return Path(self._runs[-1].data)

    def until(self, *texts: str, timeout: float = SOON) -> str:
        """Wait for a mode that begins with a text; :return: mode and reason."""
        found = self.client.spin_until(lambda: self.mode.startswith(texts), timeout)
        assert found, f'expected {texts}, found {self.modes}:\n{self.policy.output[-3000:]}'
        return self.mode

    def wait(self, seconds: float) -> None:
        """Let the graph run."""
        self.client.spin_until(lambda: False, seconds)

    def walk(self) -> None:
        """Put the robot on its feet, activate, and walk."""
        self.buttons = HELD
        if self.mode and not self.mode.startswith('inactive'):
            assert self.client.transition('policy_node', DEACTIVATE)
            self.until('inactive')
        assert self.client.trigger('mujoco_bridge/reset').success
        self.wait(0.5)
        self.client.trigger('policy_node/reset')
        self._modes.clear()
        assert self.client.transition('policy_node', ACTIVATE), self.policy.output[-3000:]
        self.until('run: policy walk')

    def push(self) -> None:
        """Push the robot over."""
        self.wait(0.6)
        parameter = Parameter('push', value=PUSH).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        self.client.call(SetParameters, 'mujoco_bridge/set_parameters', request)

    def fall(self) -> str:
        """Walk and fall; :return: the mode then."""
        for _ in range(5):
            self.walk()
            self.push()
            mode = self.until('damp', 'fault')
            if STALLED not in mode:
                return mode
        pytest.skip('the machine stalls again and again')

    def bring(self, stage: str) -> None:
        """Fall, and go on to a stage of the recovery."""
        assert self.fall().startswith('damp: recovery 1 of 2: fell')
        beginning = {
            'lying': 'damp: recovery 1 of 2: fell',
            'announced': 'damp: recovery 1 of 2: policy getup begins in 2 s',
            'rising': 'run: policy getup',
        }[stage]
        self.until(beginning)
        self.wait(0.3)

    def parameter(self, name: str) -> str:
        """The value of a parameter of the policy node."""
        request = GetParameters.Request(names=[name])
        found = self.client.call(GetParameters, 'policy_node/get_parameters', request)
        return str(found.values[0].string_value)

    def diagnosed(self, key: str, expected: str) -> bool:
        """Wait until /diagnostics has a value of the policy node."""

        def there() -> bool:
            found = [
                pair.value
                for array in self._diagnostics
                for status in array.status
                for pair in status.values
                if pair.key == key
            ]
            return expected in found

        return self.client.spin_until(there, SOON)

    def latched(self, *words: str, seconds: float = 6.0) -> None:
        """Whatever comes, the robot is damped: longer than the way up takes."""
        found = self.client.spin_until(lambda: all(word in self.mode for word in words), SOON)
        assert found, f'expected {words}, found {self.modes}'
        self.wait(0.2)
        self.commands.clear()
        self.wait(seconds)
        assert self.mode.startswith(('damp: ', 'fault: ')), self.modes
        assert 'begins in' not in self.mode
        assert len(self.commands) > 10 * seconds
        assert not any(len(command.position) for command in self.commands)


@contextmanager
def graph(folder: Path, **parameters: object) -> Iterator[Graph]:
    """Start one, configured and inactive."""
    environment = domain_environment()
    policies = getup_set(folder)
    given: dict[str, Any] = {
        'robot': 'biped', 'policies': policies, 'runs_dir': folder / 'runs', 'auto_run': True,
        'sensor_timeout': 30.0, 'fade_time': 0.1, 'joy_deadman_button': 0,
        'allow_recovery': True, **PATIENT,
    }  # fmt: skip
    bridge = {'robot': 'biped', 'command_timeout': 2.0, 'sensor_rate': 100.0}
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('policy_node', folder, environment, given | parameters) as policy_side,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        made = Graph(client, policy_side, policies)
        assert client.transition('policy_node', CONFIGURE), policy_side.output
        assert client.spin_until(lambda: bool(made._runs), START)
        yield made
        assert 'Traceback' not in policy_side.output
        assert 'Traceback' not in robot_side.output


def test_without_leave_a_fall_is_a_fault(tmp_path: Path) -> None:
    """The same set and the same push, with the parameter as it is by default."""
    with graph(tmp_path, allow_recovery=False) as made:
        assert 'after a fall: a fault, latched (allow_recovery is false)' in made.policy.output
        assert made.fall().startswith('fault: fell: the base is tilted')
        made.latched('fell')
        assert not any('recovery' in mode for mode in made.modes)


def test_a_way_via_a_pose_equals_the_loop_without_ros(tmp_path: Path) -> None:
    """In lockstep, to the bit: damping, the line with new gains, the policy that follows."""
    policies = getup_set(tmp_path, '{duration_s: 0.2, damp_s: 0.1}')
    environment = domain_environment()
    policy = {
        'robot': 'biped', 'policies': policies, 'runs_dir': tmp_path / 'runs', 'lockstep': True,
        'use_sim_time': True, 'autostart': True, 'auto_run': True,
        'sensor_timeout': 60.0, 'default_command': [0.3, 0.0, 0.0], 'max_tilt': 3.1,
        'position_margin': 10.0, 'joint_speed_factor': 0.0, 'tracking_error': 0.0,
    }  # fmt: skip
    with (
        node('policy_node', tmp_path, environment, policy) as side,
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
    ):
        set_policy = client.node.create_client(SetParameters, 'policy_node/set_parameters')
        assert client.spin_until(set_policy.service_is_ready, START), side.output
        modes = client.follow(String, 'policy_node/mode')
        with node('mujoco_bridge', tmp_path, environment, {'robot': 'biped', 'lockstep': True}):
            assert client.spin_until(lambda: any('run' in m.data for m in modes), START)
            parameter = Parameter('policy', value='again').to_parameter_msg()
            future = set_policy.call_async(SetParameters.Request(parameters=[parameter]))
            assert client.spin_until(future.done, SOON), side.output
            assert future.result().results[0].successful, future.result().results[0].reason
            latest = tmp_path / 'runs' / 'latest'
            taken = 'policy again has taken over'
            assert client.spin_until(
                lambda: any(taken in step['events'] for step in read_steps(latest)), START
            ), side.output
            side.send(signal.SIGINT)
            assert side.wait(60) == 0, side.output
    found = [s for s in read_steps(latest) if s['mode'] == 'run']
    asked = next(i for i, s in enumerate(found) if 'policy again is asked for' in s['events'])
    assert taken in found[asked + 15]['events']
    assert [s['target'] is None for s in found[asked : asked + 16]] == [True] * 5 + [False] * 11

    def ask(step: int, simulation: Simulation) -> None:
        controller = simulation.controller
        if controller.mode is Mode.RUN and round(controller.run_ns / 20e6) == asked - 1:
            assert controller.policies.request('again', controller.mode) == ''

    seconds = 0.02 * len(found)
    parameters = {name: given for name, given in policy.items() if name != 'runs_dir'}
    alone = record_run(
        tmp_path / 'alone',
        seconds,
        ask,
        model='',
        **parameters | {'policies': str(policies)},
    )
    expected = [s for s in read_steps(alone) if s['mode'] == 'run']
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        for key in ('target', 'joint_angles', 'output'):
            if theirs[key] is None:
                assert mine[key] is None
            else:
                assert np.array_equal(mine[key], theirs[key]), (mine['step_id'], key)


@pytest.fixture(scope='module')
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with graph(tmp_path_factory.mktemp('allowed')) as made:
        yield made


@pytest.mark.long
def test_it_gets_up_twice_and_a_third_fall_is_a_fault(allowed: Graph) -> None:
    """Each step is said; the robot is set upright in the get-up, which lifts nobody itself."""
    allowed.fall()
    for number in (1, 2):
        if number > 1:
            allowed.push()
        first = allowed.until('damp: recovery', 'fault')
        if STALLED in first:
            pytest.skip('the machine stalled')
        assert first.startswith(f'damp: recovery {number} of 2: fell: the base is tilted')
        for seconds in (3, 2, 1):
            allowed.until(f'damp: recovery {number} of 2: policy getup begins in {seconds} s')
        if number == 1:
            assert allowed.diagnosed('recovery', 'announced, 1 of 2')
        allowed.until('run: policy getup')
        assert allowed.client.trigger('mujoco_bridge/reset').success
        allowed.until('run: policy walk')
        assert allowed.client.spin_until(lambda: allowed.parameter('policy') == 'walk', SOON)
    allowed.push()
    allowed.latched('it has recovered 2 times', seconds=6.0)
    replay_is_identical(allowed)


def replay_is_identical(made: Graph) -> None:
    """Every step that a policy made, in the log as it is so far."""
    run, loaded = RecordedRun.open(made.run), load_set(made.policies)
    replay = Replay(run, loaded.entry, lambda name: loaded.policies[name])
    for record in run.records():
        replay.feed(record)
    assert replay.outcome.identical, replay.outcome.first
    assert replay.outcome.replayed == replay.outcome.run_records
    assert replay.outcome.tensors['target'].compared == replay.outcome.run_records


@pytest.mark.long
def test_a_get_up_that_lifts_nobody_is_a_fault(allowed: Graph) -> None:
    """After its time-out, and for good."""
    allowed.bring('rising')
    allowed.latched('led on to no other one within 3 s (timeout_s)', seconds=1.0)
    assert allowed.diagnosed('recovery', 'none, 1 of 2')


@pytest.mark.parametrize(
    ('stage', 'cause'),
    [
        ('announced', 'stop'),
        *(
            pytest.param(stage, cause, marks=pytest.mark.long)
            for stage in ('lying', 'announced', 'rising')
            for cause in ('stop', 'dead-man', 'bridge')
            if (stage, cause) != ('announced', 'stop')
        ),
    ],
)
def test_a_stop_on_the_way_up_is_the_end_of_it(allowed: Graph, stage: str, cause: str) -> None:
    """~/stop, the dead-man button, a bridge that is disabled: damped, latched, until a reset."""
    allowed.bring(stage)
    seconds = 6.0 if stage == 'lying' else 1.5
    if cause == 'stop':
        assert allowed.client.trigger('policy_node/stop').success
        allowed.latched('stop requested', 'fell: ', seconds=seconds)
    elif cause == 'dead-man':
        allowed.buttons = RELEASED
        allowed.until('fault: dead-man')
        allowed.buttons = HELD
        allowed.latched('dead-man button 0 is not held', 'fell: ', seconds=seconds)
    else:
        enable(allowed, on=False)
        try:
            allowed.latched('disabled', 'fell: ', seconds=seconds)
        finally:
            enable(allowed, on=True)
    if cause != 'bridge':
        assert allowed.client.transition('policy_node', DEACTIVATE)
        assert not allowed.client.transition('policy_node', ACTIVATE)
        assert 'stopped (' in allowed.policy.output[-2000:]


def enable(made: Graph, *, on: bool) -> None:
    """Enable or disable the bridge."""
    assert made.client.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=on)).success
