"""The KOS bridge over real DDS and real gRPC, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from std_srvs.srv import SetBool

from helpers.bridge_client import describe_parameters
from helpers.bridge_client import end
from helpers.bridge_client import interrupt_twice
from helpers.bridge_client import refusal
from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp
from helpers.optional import HAS_KOS
from helpers.optional import needs_kos
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.robot.robot import load_robot

if HAS_KOS:
    from helpers.peers.kos_server import KosServer

pytestmark = needs_kos

KBOT = load_robot('kbot')
KNEE = 'dof_left_knee_04'
HOME = np.degrees(KBOT.home)


@pytest.fixture(scope='module')
def server():
    with KosServer(JointUnits(KBOT).ids) as made:
        yield made


@pytest.fixture(scope='module')
def running(server):
    """
    Run one bridge for most tests: finding each other takes seconds.

    A robot that does not answer for half a second is lost: on a busy machine that is this process.
    """
    patience = ('kos_timeout:=1.0', 'lost_timeout:=2.0')
    parameters = (f'kos_port:={server.port}', 'ramp_time:=0.2', *patience)
    with running_bridge('kos', *parameters, node='kos_bridge') as (client, _):
        yield client


@pytest.fixture
def robot(running, server):
    """Bring the bridge back to disabled, and the server to good manners."""
    server.moods.__init__()
    running.spin_until(lambda: 'joint_states' in running.newest and running.state)
    running.call(SetBool, 'kos_bridge/enable', SetBool.Request(data=False))
    for actuator, degrees in zip(server.actuators.values(), HOME, strict=True):
        actuator.position, actuator.faults = degrees, []
    running.counters = {}
    running.spin_until(lambda: running.counters.get('session') == '')
    return running


def enable(client, on=True):
    return client.call(SetBool, 'kos_bridge/enable', SetBool.Request(data=on))


def test_samples_are_whole(robot):
    """The same face as the simulated robot: names, units, stamps, frames."""
    sensors = ('joint_states', 'imu/data', 'joint_temperatures', 'battery_state')
    for topic in sensors:
        robot.newest.pop(topic, None)
    robot.spin_until(lambda: set(sensors) <= robot.newest.keys())
    joints, imu = robot.newest['joint_states'], robot.newest['imu/data']
    assert tuple(joints.name) == KBOT.joint_names
    assert len(joints.velocity) == len(joints.effort) == 20
    np.testing.assert_allclose(joints.position, KBOT.home, atol=1e-6)
    assert imu.header.frame_id == 'imu_link'
    assert imu.orientation.w == 1.0
    assert imu.linear_acceleration.z == pytest.approx(9.81, abs=0.01)
    assert imu.angular_velocity.z == pytest.approx(0.1)
    robot.spin_until(lambda: -1e6 < time.time_ns() - stamp(robot.newest['joint_states']) < 1e9)
    assert set(robot.newest['joint_temperatures'].position) == {41.0}
    assert robot.newest['battery_state'].voltage == 48.0
    assert np.isnan(robot.newest['battery_state'].percentage)


def test_torque_goes_on_only_by_enable(robot, server):
    """Commands of a policy do not move a robot that nobody enabled."""
    robot.commanding(KBOT.home + 0.2, 0.2)
    assert not any(actuator.torque_on for actuator in server.actuators.values())
    answer = enable(robot)
    assert answer.success, answer.message
    robot.spin_until(lambda: robot.state == 'enabled')
    assert all(actuator.torque_on for actuator in server.actuators.values())
    there = pytest.approx(np.degrees(KBOT.home[13] + 0.2), abs=1.0)

    def arrived() -> bool:
        robot.send(KBOT.home + 0.2)
        return server.actuators[34].position == there

    robot.spin_until(arrived)
    answer = enable(robot, on=False)
    assert answer.message == 'disabled by request'
    assert not any(actuator.torque_on for actuator in server.actuators.values())


def test_gains_are_limited_and_echoed(robot, server):
    """Activation waits until the gains in force are those asked for."""
    enable(robot)
    names = list(KBOT.joint_names)
    robot.send_gains(names, KBOT.kp * 0.5, KBOT.kd, KBOT.torque_limit)
    robot.spin_until(lambda: robot.newest['joint_gains_in_force'].position[0] == 0.5 * KBOT.kp[0])
    assert server.actuators[11].kp == 0.5 * KBOT.kp[0]
    robot.send_gains(names, KBOT.kp * 100, KBOT.kd, KBOT.torque_limit)
    robot.spin_until(lambda: robot.newest['joint_gains_in_force'].position[0] == 200.0)


def test_silence_is_damping(robot, server):
    """A policy node that was killed leaves its last target, which KOS would hold for ever."""
    enable(robot)
    robot.commanding(KBOT.home, 0.2)
    robot.spin_until(lambda: robot.state == 'damping no command for 0.5 s')
    robot.spin_until(lambda: server.actuators[34].kp == 0.0)


def test_failures_are_on_diagnostics(robot, server):
    """The joint's name, in the message that monitoring tools show."""
    server.moods.dropped = {34}

    def said() -> str:
        message = robot.newest.get('/diagnostics')
        return message.status[0].message if message else ''

    robot.spin_until(lambda: f'no feedback from {KNEE} (id 34)' in said())
    answer = enable(robot)
    assert not answer.success
    assert KNEE in answer.message
    server.moods.dropped = set()
    server.actuators[34].faults = ['overcurrent']
    robot.spin_until(lambda: f'{KNEE} (id 34) reports overcurrent' in said())


def test_an_imu_without_orientation_is_withheld(robot, server):
    """All zeros is no orientation, and a policy must not get to see it."""
    server.moods.zero_quaternion = True

    def silent() -> bool:
        robot.newest.pop('imu/data', None)
        robot.spin_for(0.3)
        return 'imu/data' not in robot.newest

    robot.spin_until(silent)
    server.moods.zero_quaternion = False
    robot.spin_until(lambda: 'imu/data' in robot.newest)


def test_a_restarted_server_is_found_and_stays_off(robot, server):
    """Reconnects by itself; the torque stays off until somebody asks for it."""
    enable(robot)
    robot.commanding(KBOT.home, 0.1)
    server.stop()
    robot.spin_until(lambda: 'it holds its last target' in robot.state)
    assert 'nothing listens at' in robot.state
    server.start()
    robot.spin_until(lambda: robot.state == 'disabled after the link to the robot was lost')
    assert not any(actuator.torque_on for actuator in server.actuators.values())
    robot.spin_until(lambda: enable(robot).success)


def test_parameters_are_described(robot):
    """`ros2 param describe` has to explain each."""
    names = ['kos_host', 'kos_timeout', 'backend', 'phase_lead', 'command_timeout']
    describe_parameters(robot, 'kos_bridge', names)


@pytest.mark.alone
@pytest.mark.parametrize('hang', [False, True])
def test_interrupted_it_switches_off(server, hang):
    """Ctrl-C, twice: down within 4 s, also with a server that hangs; exit code 0."""
    server.moods.__init__()
    parameters = (f'kos_port:={server.port}', 'auto_enable:=true')
    try:
        with running_bridge('kosend', *parameters, node='kos_bridge') as (client, process):
            client.spin_until(lambda: client.state == 'enabled')
            server.moods.hang = hang
            begin = time.monotonic()
            text = interrupt_twice(client, process, 'disabled the bridge has ended')
            assert time.monotonic() - begin < 4.5
    finally:
        server.moods.hang = False
    if not hang:
        assert not any(actuator.torque_on for actuator in server.actuators.values())
    else:
        assert 'torque may be on' in text


@pytest.mark.parametrize(
    ('parameter', 'expected'),
    [
        ('robot:=biped', 'no id for left_hip_yaw'),
        ('backend:=kos-bot', "found backend 'kos-bot', expected auto, kos-kbot"),
        ('gyro_unit:=turns', 'expected auto, rad or deg'),
        ('kos_host:=unix:/tmp/kos', 'expected a host name or an IP address'),
        ('kos_prt:=50051', "did you mean 'kos_port'?"),
        ('kos_tls_ca:=ca.pem', 'kos_tls is false'),
    ],
)
def test_mistakes_are_one_line(parameter, expected):
    """A user's mistake is told in one line, with exit code 2 and no traceback."""
    assert expected in refusal('mistaken', parameter, node='kos_bridge')


def test_without_pykos_it_says_what_to_install(server):
    """The package works without gRPC; only this bridge does not."""
    code = (
        "import sys; sys.modules['kos_protos'] = None;"
        'from kinfer_ros.nodes.kos.node import main; sys.exit(main())'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert 'pip install -r requirements/kos.txt' in done.stderr


def test_a_wrong_port_is_told(server):
    """The most frequent failure: an address where nothing is."""
    with running_bridge('nobody', 'kos_port:=1', node='kos_bridge') as (client, process):
        client.spin_until(lambda: 'nothing listens at 127.0.0.1:1' in client.state)
        code, text = end(process)
        assert code == 0, text
