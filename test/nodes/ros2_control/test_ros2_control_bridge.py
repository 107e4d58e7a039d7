"""The ros2_control bridge over real DDS, on a peer that plays broadcasters and controller."""

from __future__ import annotations

import time

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import describe_parameters
from helpers.bridge_client import end
from helpers.bridge_client import environment
from helpers.bridge_client import refusal
from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp
from helpers.peers.ros2_control_peer import ORDER
from helpers.peers.ros2_control_peer import REST
from helpers.peers.ros2_control_peer import Ros2ControlPeer
from kinfer_ros.robot.robot import load_robot

BIPED = load_robot('biped')
NODE = 'ros2_control_bridge'
PARAMETERS = ('gains_set_outside:=true', 'ramp_time:=0.2', 'lost_timeout:=2.0')
"""Patient: a busy machine may not run the robot of the tests for a while."""
TARGET = BIPED.home + 0.03


@pytest.fixture(scope='module')
def peer():
    with Ros2ControlPeer(environment(), 'controlled') as made:
        yield made


@pytest.fixture(scope='module')
def running(peer):
    """Run one bridge for most tests: finding each other takes seconds."""
    with running_bridge('controlled', *PARAMETERS, node=NODE) as (client, _):
        client.spin_until(lambda: {'joint_states', 'imu/data'} <= client.newest.keys())
        yield client


@pytest.fixture
def robot(running, peer):
    """Bring the bridge back to disabled, and the robot to good manners."""
    enable(running, on=False)
    running.spin_until(lambda: running.state.startswith('disabled'))
    peer.ask(**REST)
    running.counters = {}
    running.spin_until(lambda: running.counters.get('session') == '')
    return running


def enable(client, on=True):
    return client.call(SetBool, f'{NODE}/enable', SetBool.Request(data=on))


def enabled(client):
    client.spin_until(lambda: enable(client).success)


def test_the_sensors_are_the_broadcasters(robot):
    """Of joint states in the same namespace there is one publisher; stamps are kept."""
    joints, imu = robot.newest['joint_states'], robot.newest['imu/data']
    assert joints.name == ['gripper', *ORDER]
    assert robot.node.count_publishers('joint_states') == 1
    assert imu.orientation.w == 1.0
    assert imu.header.frame_id == BIPED.imu_frame

    def fresh() -> bool:
        return stamp(robot.newest['imu/data']) == stamp(robot.newest['joint_states'])

    robot.spin_until(fresh)
    assert abs(time.time_ns() - stamp(robot.newest['imu/data'])) < 2e9


def test_it_is_enabled_commanded_and_damped(robot, peer):
    """Nothing is sent before; then the policy's targets, in the controller's order."""
    before = peer.ask()['commands']
    robot.commanding(TARGET, 0.2, names=BIPED.joint_names)
    assert peer.ask()['commands'] == before
    enabled(robot)
    robot.commanding(TARGET, 0.5, names=BIPED.joint_names)
    told = peer.ask()
    np.testing.assert_allclose(told['command'], TARGET)
    np.testing.assert_allclose(told['position'], TARGET, atol=1e-3)
    assert told['dropped'] == told['failed'] == 0
    robot.spin_until(lambda: robot.state == 'damping no command for 0.5 s')
    answer = enable(robot, on=False)
    assert answer.success
    robot.spin_until(lambda: robot.state.startswith('disabled by request; forward_position'))
    robot.spin_for(0.3)  # what is under way
    after = peer.ask()['commands']
    robot.spin_for(0.3)
    told = peer.ask()
    assert told['commands'] == after
    np.testing.assert_allclose(told['command'], told['position'], atol=1e-3)


def test_gains_are_the_robot_files(robot):
    """Acknowledged where they are asked for, else refused; the echo stays true."""
    rows = BIPED.kp, BIPED.kd, BIPED.torque_limit
    robot.send_gains(BIPED.joint_names, *rows, frame_id='cccccccc')
    echoed = 'joint_gains_in_force'
    robot.spin_until(lambda: robot.newest[echoed].header.frame_id == 'cccccccc')
    refused = robot.count('refused')
    robot.send_gains(BIPED.joint_names, 0.5 * BIPED.kp, *rows[1:], frame_id='cccccccc')
    robot.spin_until(lambda: robot.count('refused') == refused + 1)
    np.testing.assert_array_equal(robot.newest[echoed].position, BIPED.kp)


def test_a_deactivated_controller_is_noticed(robot, peer):
    """Activated again it knows no command: it must not leap to the policy's next target."""
    enabled(robot)
    robot.commanding(TARGET, 0.3, names=BIPED.joint_names)
    peer.ask(active='inactive')
    robot.spin_until(lambda: 'it is inactive' in robot.state)
    assert robot.state.startswith('damping')
    answer = enable(robot)
    assert not answer.success
    assert 'controller forward_position_controller: it is inactive' in answer.message
    pose = peer.ask(active='active')['position']
    robot.commanding(BIPED.home - 0.03, 0.5, names=BIPED.joint_names)
    np.testing.assert_allclose(peer.ask()['position'], pose, atol=2e-3)


def test_another_publisher_is_seen(robot, peer):
    """Before, enabling is refused; while enabled it is damping."""
    enabled(robot)
    peer.ask(rival=True)

    def damped() -> bool:
        robot.send(TARGET, names=BIPED.joint_names)
        return 'controller_manager publishes on' in robot.state

    robot.spin_until(damped)
    assert 'publishes on forward_position_controller/commands' in enable(robot).message
    peer.ask(rival=False)
    enabled(robot)


def test_silent_and_broken_sensors_are_told(robot, peer):
    """And damp the robot; the pose measured last stays in force."""
    enabled(robot)
    peer.ask(nan_velocity=True)
    robot.spin_until(lambda: 'does the hardware have these state interfaces?' in robot.state)
    assert robot.state.startswith('damping no usable joint_states for 2 s')
    peer.ask(nan_velocity=False)
    enabled(robot)
    peer.ask(publishes=False)
    robot.spin_until(lambda: robot.state == 'damping no joint_states for 2 s')
    told = peer.ask()
    np.testing.assert_allclose(told['command'], told['position'], atol=1e-3)


def test_parameters_are_described(robot):
    """`ros2 param describe` has to explain each."""
    describe_parameters(robot, NODE, ['controller', 'gains_set_outside', 'damping', 'imu_topic'])


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'interface': 'effort'}, "forwards 'effort', expected interface_name position"),
        ({'joints': list(ORDER[1:])}, f'it lacks {ORDER[0]}'),
        ({'without': ['interface_name']}, 'it lacks one of the parameters'),
    ],
)
def test_another_controller_is_refused(options, said):
    """Its parameters say what it is, before anything is sent."""
    with (
        Ros2ControlPeer(environment(), 'odd', **options) as peer,
        running_bridge('odd', *PARAMETERS, node=NODE) as (client, _),
    ):
        client.spin_until(lambda: said in client.state)
        assert said in enable(client).message
        assert peer.ask()['commands'] == 0


def test_a_missing_controller_is_told():
    """By its name; and joint states of another namespace are published again, stamps kept."""
    words = (*PARAMETERS, 'controller:=legs', 'joint_states_topic:=/elsewhere/joint_states')
    with (
        Ros2ControlPeer(environment(), 'elsewhere'),
        running_bridge('here', *words, node=NODE) as (client, process),
    ):
        client.spin_until(lambda: 'legs: it does not answer legs/get_parameters' in client.state)
        client.spin_until(lambda: 'joint_states' in client.newest)
        assert client.newest['joint_states'].name == ['gripper', *ORDER]
        assert abs(time.time_ns() - stamp(client.newest['joint_states'])) < 2e9
        code, text = end(process)
        assert code == 0, text


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        ((), 'say gains_set_outside:=true'),
        (('gains_set_outside:=true', 'damping:=soft'), "found damping 'soft', expected follow or"),
        (('gains_set_outsid:=true',), "did you mean 'gains_set_outside'?"),
    ],
)
def test_mistakes_are_one_line(words, expected):
    """A user's mistake is told in one line, with exit code 2 and no traceback."""
    assert expected in refusal('mistaken', *words, node=NODE)
