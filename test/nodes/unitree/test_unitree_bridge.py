"""The Unitree bridge over real DDS of both kinds, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import describe_parameters
from helpers.bridge_client import end
from helpers.bridge_client import refusal
from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp
from helpers.optional import needs_cyclonedds
from helpers.peers.unitree_peer import robot_domain
from helpers.peers.unitree_robot import REST
from helpers.peers.unitree_robot import UnitreeRobot
from kinfer_ros.robot.robot import load_robot

pytestmark = needs_cyclonedds

G1 = load_robot('g1')
PARAMETERS = ('network_interface:=lo', 'ramp_time:=0.2', 'lost_timeout:=2.0')
"""Patient: a busy machine may not run the robot of the tests for a while."""


def parameters(*more: str) -> tuple[str, ...]:
    return (*PARAMETERS, f'dds_domain:={robot_domain()}', *more)


@pytest.fixture(scope='module')
def peer():
    with UnitreeRobot(robot_domain()) as made:
        made.ask(**REST)
        yield made


@pytest.fixture(scope='module')
def running(peer):
    """Run one bridge for most tests: finding each other takes seconds."""
    with running_bridge('unitree', *parameters(), node='unitree_bridge') as (client, _):
        yield client


@pytest.fixture
def robot(running, peer):
    """Bring the bridge back to disabled, and the robot to good manners."""
    peer.ask(**REST)
    running.spin_until(lambda: 'joint_states' in running.newest and running.state)
    enable(running, on=False)
    running.counters = {}
    running.spin_until(lambda: running.counters.get('session') == '')
    running.spin_until(lambda: running.state.startswith('disabled'))
    return running


def enable(client, on=True):
    return client.call(SetBool, 'unitree_bridge/enable', SetBool.Request(data=on))


def test_samples_are_whole(robot, peer):
    """The same face as the simulated robot: names, units, stamps, frames."""
    sensors = ('joint_states', 'imu/data', 'joint_temperatures')
    for topic in sensors:
        robot.newest.pop(topic, None)
    robot.spin_until(lambda: set(sensors) <= robot.newest.keys())
    joints, imu = robot.newest['joint_states'], robot.newest['imu/data']
    assert tuple(joints.name) == G1.joint_names
    assert len(joints.velocity) == len(joints.effort) == 29
    np.testing.assert_allclose(joints.position, G1.home, atol=1e-6)
    assert imu.header.frame_id == 'imu_in_pelvis'
    assert imu.orientation.w == 1.0
    assert imu.linear_acceleration.z == pytest.approx(9.81)
    robot.spin_until(lambda: -1e6 < time.time_ns() - stamp(robot.newest['joint_states']) < 1e9)
    assert set(robot.newest['joint_temperatures'].position) == {40.0}
    assert 'battery_state' not in robot.newest, 'lowstate of a G1 has none'


def test_it_is_enabled_commanded_and_switched_off(robot, peer):
    """Nothing is written before and after; between, what the policy says."""
    before = peer.ask()['commands']
    robot.commanding(G1.home + 0.1, 0.2)
    assert peer.ask()['commands'] == before
    answer = enable(robot)
    assert answer.success, answer.message
    assert peer.ask()['requests'][-1] == 1001
    wanted = G1.home + 0.05

    def arrived() -> bool:
        robot.send(wanted)
        return np.allclose(peer.ask()['q'][:29], wanted, atol=1e-5)

    robot.spin_until(arrived)
    told = peer.ask()
    assert told['refused'] == 0
    np.testing.assert_allclose(told['kp'][:29], G1.kp)
    assert told['mode'] == [1] * 29 + [0] * 6
    answer = enable(robot, on=False)
    assert answer.message == 'disabled by request'
    assert peer.ask()['mode'] == [0] * 35
    after = peer.ask()['commands']
    robot.spin_for(0.2)
    assert peer.ask()['commands'] == after


def test_the_target_is_repeated_at_500_hz(robot, peer):
    """A policy sends 50 a second; nothing of it depends on the policy's rate."""
    enable(robot)
    robot.send(G1.home, 'hold')
    first, begin = peer.ask()['commands'], time.monotonic()
    robot.commanding(G1.home, 1.0)
    rate = (peer.ask()['commands'] - first) / (time.monotonic() - begin)
    # A busy machine is late, and makes up for some of it.
    assert 200 < rate < 560


def test_silence_is_damping(robot, peer):
    """A policy node that was killed leaves its last target."""
    enable(robot)
    robot.commanding(G1.home, 0.2)
    robot.spin_until(lambda: robot.state == 'damping no command for 0.5 s')
    robot.spin_until(lambda: max(peer.ask()['kp']) == 0.0)
    assert min(peer.ask()['kd'][:29]) > 0


def test_an_active_controller_prevents_enabling(robot, peer):
    """The robot's own would fight; the error says how to end it."""
    peer.ask(mode='ai')
    answer = enable(robot)
    assert not answer.success
    assert "own controller 'ai' is active" in answer.message
    assert 'unitree release' in answer.message
    peer.ask(mode='', error=7)
    assert 'CheckMode with the error 7' in enable(robot).message
    peer.ask(error=0, answers=False)
    assert 'the motion switcher does not answer' in enable(robot).message


def test_another_publisher_is_seen(robot, peer):
    """Before, enabling is refused; while enabled it is damping."""
    peer.ask(rival=True)
    robot.spin_until(lambda: not enable(robot).success)
    assert '1 other publisher of rt/lowcmd' in enable(robot).message
    peer.ask(rival=False)
    robot.spin_until(lambda: enable(robot).success)
    peer.ask(rival=True)

    def damped() -> bool:
        robot.send(G1.home)
        return robot.state.startswith('damping 1 other publisher')

    robot.spin_until(damped)


def test_the_remote_stops(robot, peer):
    """L2 and B; the policy's next targets change nothing."""
    enable(robot)
    remote = [0] * 40
    remote[2], remote[3] = 1 << 5, 1 << 1
    peer.ask(**{'state.wireless_remote': remote})
    robot.spin_until(lambda: robot.state.startswith('damping stopped by the remote'))
    robot.commanding(G1.home, 0.3, session='bbbbbbbb')
    assert robot.state.startswith('damping stopped by the remote')
    robot.spin_until(lambda: max(peer.ask()['kp']) == 0.0)


def test_a_silent_robot_is_told(robot, peer):
    """And a motor's error, with the joint's name, on diagnostics."""
    peer.ask(**{'motor.motorstate': [0, 0, 0, 5]})

    def said() -> str:
        message = robot.newest.get('/diagnostics')
        return message.status[0].message if message else ''

    robot.spin_until(lambda: 'left_knee_joint reports motor error 0x5' in said())
    assert 'left_knee_joint: motor error 0x5' in enable(robot).message
    peer.ask(publishes=False)
    robot.spin_until(lambda: robot.state == 'disabled no rt/lowstate for 2 s')


def test_parameters_are_described(robot):
    """`ros2 param describe` has to explain each."""
    describe_parameters(robot, 'unitree_bridge', ['network_interface', 'family', 'ramp_time'])


@pytest.mark.parametrize(
    ('parameter', 'expected'),
    [
        ('robot:=biped', 'left_hip_yaw (none)'),
        ('network_interface:=eth77', "found network_interface 'eth77', expected the one"),
        ('robot:=g1', "found network_interface '', expected the one"),
        ('family:=h1', 'expected hg or go'),
        ('network_interfce:=lo', "did you mean 'network_interface'?"),
    ],
)
def test_mistakes_are_one_line(parameter, expected):
    """A user's mistake is told in one line, with exit code 2 and no traceback."""
    given = ('network_interface:=lo', 'family:=hg') if 'biped' in parameter else ()
    if parameter.startswith('family'):
        given = ('network_interface:=lo',)
    assert expected in refusal('mistaken', *given, parameter, node='unitree_bridge')


def test_without_cyclonedds_it_says_what_to_install():
    """The package works without it; only this bridge does not."""
    code = (
        "import sys; sys.modules['cyclonedds'] = None;"
        'from kinfer_ros.nodes.unitree.node import main;'
        "sys.exit(main(['--ros-args', '-p', 'network_interface:=lo']))"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert 'pip install -r requirements/unitree.txt' in done.stderr


def test_a_robot_that_is_not_there_is_told():
    """The most frequent failure: the wrong interface, or a robot that is off."""
    more = (*PARAMETERS, f'dds_domain:={robot_domain() - 50}')
    with running_bridge('nobody', *more, node='unitree_bridge') as (client, process):
        client.spin_until(lambda: 'no rt/lowstate yet: is the robot on' in client.state)
        code, text = end(process)
        assert code == 0, text
