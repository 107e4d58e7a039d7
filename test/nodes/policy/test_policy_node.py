"""The policy node over real DDS: its lifecycle, services, errors, and how it ends."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from rcl_interfaces.srv import DescribeParameters
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from helpers.client import ACTIVATE
from helpers.client import CLEANUP
from helpers.client import CONFIGURE
from helpers.client import DEACTIVATE
from helpers.client import LATCHED
from helpers.client import Client
from helpers.policies.models import COMMANDS_3
from helpers.policies.models import init_fn
from helpers.policies.models import leaky_step
from helpers.policies.models import metadata
from helpers.policies.models import write_kinfer
from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL

START = 30.0


@pytest.fixture
def environment() -> dict[str, str]:
    return domain_environment()


@pytest.fixture
def client(environment: dict[str, str]) -> Iterator[Client]:
    with Client(int(environment['ROS_DOMAIN_ID'])) as made:
        yield made


def policy_node(folder: Path, environment: dict[str, str], **parameters: object) -> Process:
    # A busy machine delivers late: that is a fault, but not the one these tests are about.
    given = {
        'robot': 'biped',
        'model': MODEL,
        'runs_dir': folder / 'runs',
        'stale_timeout': 1.0,
        'max_missed_ticks': 1000,
        'sensor_timeout': 20.0,
    }
    given |= parameters
    given = {key: entry for key, entry in given.items() if entry is not None}
    return node('policy_node', folder, environment, given)


def run_json(folder: Path) -> dict:
    return json.loads((folder / 'runs' / 'latest' / 'run.json').read_text())


def test_the_lifecycle_by_hand(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """What a lifecycle manager does: configure, activate, start, stop, reset, and down again."""
    modes = client.follow(String, 'policy_node/mode')
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}) as bridge,
        policy_node(tmp_path, environment) as policy,
    ):
        bridge.wait_for('is up', START)
        assert not client.trigger('policy_node/start').success
        assert client.transition('policy_node', CONFIGURE), policy.output
        assert client.transition('policy_node', ACTIVATE), policy.output
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'hold', START)
        assert client.trigger('policy_node/start').success
        assert client.spin_until(lambda: modes[-1].data == 'run', START)
        assert client.trigger('policy_node/stop').success
        assert client.spin_until(lambda: modes[-1].data == 'damp: stop requested', START)
        again = client.trigger('policy_node/start')
        assert not again.success
        assert 'damp' in again.message
        assert client.transition('policy_node', DEACTIVATE)
        assert client.spin_until(lambda: modes[-1].data.startswith('inactive'), START)
        assert client.transition('policy_node', CLEANUP)
        assert client.transition('policy_node', CONFIGURE), policy.output
        policy.send(signal.SIGINT)
        assert policy.wait(START) == 0, policy.output
    assert len(list((tmp_path / 'runs').glob('2*'))) == 2, 'a run directory for each configure'


def test_the_parameters_describe_themselves(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """`ros2 param describe` is the manual that people have on the robot."""
    with policy_node(tmp_path, environment):
        request = DescribeParameters.Request(names=['stale_timeout', 'model', 'lockstep'])
        found = client.call(DescribeParameters, 'policy_node/describe_parameters', request)
    stale, model, lockstep = found.descriptors
    assert 's. A sensor sample older' in stale.description
    assert stale.floating_point_range[0].to_value == 10.0
    assert '.kinfer' in model.description
    assert lockstep.read_only


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'model': '/nowhere.kinfer'}, ['/nowhere.kinfer']),
        ({'model': None}, ['model', 'empty']),
        ({'robot': 'bipet'}, ['bipet', 'biped']),
        ({'stale_timout': 0.2}, ['stale_timout', 'stale_timeout']),
        ({'control_rate': -5.0}, ['control_rate', '-5']),
        ({'default_command': [1.0]}, ['default_command', 'three']),
        ({'cmd_vel_type': 'twisted'}, ['cmd_vel_type', 'twisted', 'twist_stamped']),
    ],
)
def test_a_mistake_ends_an_automatic_start_with_one_error(
    tmp_path: Path, environment: dict[str, str], parameters: dict[str, object], words: list[str]
) -> None:
    """Exit code 2 and a message that is enough to mend it, before anything is made."""
    with policy_node(tmp_path, environment, autostart=True, **parameters) as policy:
        assert policy.wait(START) == 2, policy.output
    assert 'Traceback' not in policy.output
    for word in words:
        assert word in policy.output
    assert not (tmp_path / 'runs').exists()


def test_a_policy_for_another_robot_is_refused(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Both lists of joints stand in the message."""
    meta = metadata(2, COMMANDS_3, carry_size=[2])
    other = write_kinfer(tmp_path / 'other.kinfer', init_fn([0, 0]), leaky_step(), meta)
    with policy_node(tmp_path, environment, model=other, autostart=True) as policy:
        assert policy.wait(START) == 2
    for word in ("lacks the joints ['joint_0', 'joint_1']", 'left_hip_yaw', str(other)):
        assert word in policy.output


def test_joints_that_the_graph_does_not_publish_are_named(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """The robot YAML has them, the driver does not: nothing may be activated."""
    publisher = client.node.create_publisher(JointState, 'joint_states', 1)
    state = JointState(name=['left_knee'], position=[0.0], velocity=[0.0])
    with policy_node(tmp_path, environment, autostart=True) as policy:

        def published() -> bool:
            state.header.stamp = client.node.get_clock().now().to_msg()
            publisher.publish(state)
            return not policy.running

        assert client.spin_until(published, START), policy.output
        assert policy.wait(START) == 2
    assert "joint_states lacks ['left_hip_yaw'" in policy.output
    assert 'Traceback' not in policy.output


def test_without_sensors_it_says_what_it_waits_for_and_gives_up(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """The bridge was forgotten: the topics are named, with the number of their publishers."""
    with policy_node(tmp_path, environment, autostart=True, sensor_timeout=1.0) as policy:
        assert policy.wait(START) == 2
    assert '/joint_states (0 publishers)' in policy.output
    assert 'is the bridge running?' in policy.output


def test_a_pushed_stick_is_refused_at_once_and_not_waited_for(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """It would start to move the moment somebody lets go of the stick."""
    stick = client.node.create_publisher(Twist, 'cmd_vel', 1)
    push = Twist()
    push.linear.x = 0.5
    client.node.create_timer(0.05, lambda: stick.publish(push))
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}) as bridge,
        policy_node(tmp_path, environment, sensor_timeout=60.0) as policy,
    ):
        bridge.wait_for('is up', START)
        assert client.transition('policy_node', CONFIGURE), policy.output
        assert client.spin_until(lambda: stick.get_subscription_count() == 1, START)
        assert not client.transition('policy_node', ACTIVATE)
        assert 'activate refused: cmd_vel is (0.5, 0.0, 0.0)' in policy.output


def test_gains_that_change_under_way_are_a_fault(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """A policy on other gains than it was trained with is another robot."""
    modes = client.follow(String, 'policy_node/mode')
    echoes = client.follow(JointState, 'joint_gains_in_force')
    echo = client.node.create_publisher(JointState, 'joint_gains_in_force', LATCHED)
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}),
        policy_node(tmp_path, environment, autostart=True, auto_run=True) as policy,
    ):
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'run', START), (
            policy.output
        )
        assert client.spin_until(lambda: bool(echoes), START)
        other = echoes[-1]
        other.position[3] *= 0.5

        def faulted() -> bool:
            echo.publish(other)
            return modes[-1].data.startswith('fault')

        assert client.spin_until(faulted, START), policy.output
    assert f"not those asked for: ['{other.name[3]}']" in modes[-1].data


def test_it_waits_for_a_recorder_that_comes_late(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """A short walk in lockstep was over before DDS had told the recorder of it: no bag."""
    in_lockstep = {'lockstep': True, 'use_sim_time': True, 'duration': 0.1}
    with (
        node('mujoco_bridge', tmp_path, environment, {'lockstep': True}),
        policy_node(
            tmp_path,
            environment,
            autostart=True,
            auto_run=True,
            wait_for_recorder=True,
            **in_lockstep,
        ) as policy,
    ):
        policy.wait_for('waiting: no recorder follows', START)
        with node('recorder', tmp_path, environment) as recorder:
            assert policy.wait(START) == 0, policy.output
            recorder.send(signal.SIGINT)
            assert recorder.wait(START) == 0, recorder.output
    assert (tmp_path / 'runs' / 'latest' / 'bag' / 'metadata.yaml').is_file()


def test_a_dead_bridge_is_a_fault_and_a_signal_still_ends_it(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """Kill -9 of the bridge: sensors go stale, the node damps, says why, and can be ended."""
    modes = client.follow(String, 'policy_node/mode')
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}) as bridge,
        policy_node(tmp_path, environment, autostart=True, auto_run=True) as policy,
    ):
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'run', START), (
            policy.output
        )
        bridge.send(signal.SIGKILL)
        assert client.spin_until(lambda: modes[-1].data.startswith('fault'), START)
        # Both fall silent at once: which is found first is chance.
        assert re.match('fault: (joint_states|imu/data) is stale', modes[-1].data)
        policy.send(signal.SIGTERM)
        assert policy.wait(START) == 1, policy.output
    facts = run_json(tmp_path)
    assert 'Traceback' not in policy.output
    assert facts['counters']['faults'] == 1
    assert re.match('fault: (joint_states|imu/data) is stale: ', facts['reason'])
    assert facts['reason'].endswith('has the bridge ended?; then: stopped by a signal')


def test_disabling_the_bridge_is_a_fault_that_enabling_does_not_undo(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """A policy must not come back to life because somebody enables the bridge again."""
    modes = client.follow(String, 'policy_node/mode')
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}),
        policy_node(tmp_path, environment, autostart=True, auto_run=True) as policy,
    ):
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'run', START), (
            policy.output
        )
        client.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=False))
        assert client.spin_until(lambda: modes[-1].data.startswith('fault'), START)
        assert 'the bridge is disabled' in modes[-1].data
        client.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=True))
        assert not client.spin_until(lambda: not modes[-1].data.startswith('fault'), 0.5)


@pytest.mark.long
def test_a_second_policy_node_is_refused(
    tmp_path: Path, environment: dict[str, str], client: Client
) -> None:
    """Two policies on one robot would tear at its joints in turn."""
    modes = client.follow(String, 'policy_node/mode')
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}),
        policy_node(tmp_path, environment, autostart=True, auto_run=True) as first,
    ):
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'run', START), (
            first.output
        )
        given = {'robot': 'biped', 'model': MODEL, 'runs_dir': tmp_path / 'other'}
        given |= {'sensor_timeout': 6.0, 'stale_timeout': 1.0}
        with node('policy_node', tmp_path, environment, given, node_name='second_node') as second:
            # It can refuse only what DDS has told it of, which may take an announcement (3 s).
            assert client.transition('second_node', CONFIGURE), second.output
            client.spin_until(lambda: False, 5.0)
            assert not client.transition('second_node', ACTIVATE)
            assert 'takes commands from one node' in second.output
        assert modes[-1].data == 'run'


@pytest.mark.alone
@pytest.mark.parametrize('first', ['mujoco_bridge', 'policy_node'])
def test_signals_in_any_order_end_everything_within_4_s(
    tmp_path: Path, environment: dict[str, str], client: Client, first: str
) -> None:
    """`ros2 launch` hands Ctrl-C to all nodes at once, and they get it in any order."""
    modes = client.follow(String, 'policy_node/mode')
    states = client.follow(String, 'bridge_state')
    with (
        node('mujoco_bridge', tmp_path, environment, {'command_timeout': 2.0}) as bridge,
        node('recorder', tmp_path, environment) as recorder,
        policy_node(tmp_path, environment, autostart=True, auto_run=True) as policy,
    ):
        assert client.spin_until(lambda: bool(modes) and modes[-1].data == 'run', START), (
            policy.output
        )
        assert client.spin_until(lambda: bool(states), START)
        recorder.wait_for('recording into', START)
        processes = [bridge, policy] if first == 'mujoco_bridge' else [policy, bridge]
        for process in (*processes, recorder):
            process.send(signal.SIGINT)
        for process in (*processes, recorder):
            assert process.wait(4) == 0, process.output
    assert client.spin_until(lambda: states[-1].data.startswith('disabled'), START)
    assert run_json(tmp_path)['reason'] == 'stopped by a signal'
    assert (tmp_path / 'runs' / 'latest' / 'bag' / 'metadata.yaml').is_file()
