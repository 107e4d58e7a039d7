"""The MuJoCo bridge over real DDS, in a process of its own."""

import time

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from helpers.bridge_client import Client
from helpers.bridge_client import describe_parameters
from helpers.bridge_client import end
from helpers.bridge_client import interrupt_twice
from helpers.bridge_client import refusal
from helpers.bridge_client import running_bridge
from helpers.bridge_client import stamp

PERIOD = 20_000_000


@pytest.fixture(scope='module')
def running():
    """Run one bridge in real time for most tests: finding each other takes seconds."""
    with running_bridge('shared', 'robot:=biped') as (client, _):
        client.spin_until(lambda: {'joint_states', 'imu/data', 'odom'} <= client.newest.keys())
        client.spin_until(lambda: client.state and 'joint_gains_in_force' in client.newest)
        client.spin_until(lambda: client.counters)
        yield client


@pytest.fixture
def robot(running):
    """Bring the running bridge back to its start, free for any session."""
    running.counters = {}  # what was said before the last test ended does not count
    running.spin_until(lambda: running.counters.get('session') == '')
    running.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=True))
    resets = running.count('resets')
    running.call(Trigger, 'mujoco_bridge/reset', Trigger.Request())
    running.spin_until(lambda: running.count('resets') > resets)
    running.spin_until(lambda: running.state == 'enabled')
    return running


def home(client):
    return np.array(client.newest['joint_states'].position)


def lockstep_run(steps: int) -> tuple[list[object], list[tuple[str, int]], float]:
    """Walk a script through lockstep; return every sample, their order and the base's height."""
    parameters = ('robot:=biped', 'lockstep:=true', 'imu_gyro_noise:=0.1')
    with running_bridge('locked', *parameters, lockstep=True) as (client, process):
        sensors = ('joint_states', 'imu/data', 'odom', '/clock')
        client.spin_until(lambda: set(sensors) <= client.newest.keys())
        client.spin_until(lambda: all(stamp(client.newest[t]) == PERIOD for t in sensors))
        client.spin_for(0.2)  # the first sample comes again and again, and is the same
        assert stamp(client.newest['/clock']) == PERIOD
        base = home(client)
        client.keep_samples = True
        for k in range(steps):
            answered = PERIOD * (k + 1)
            target = base + 0.1 * np.sin(0.2 * k + np.arange(12))
            client.send(target, 'run' if k >= 20 else 'ramp', stamp_ns=answered)
            wanted = answered + PERIOD
            client.spin_until(
                lambda wanted=wanted: all(stamp(client.newest[t]) == wanted for t in sensors)
            )
        client.keep_samples = False
        height = client.newest['odom'].pose.pose.position.z
        code, text = end(process)
        assert code == 0, text
        return unique(client), client.order, height


def unique(client: Client) -> list[object]:
    """Return each sample once: a slow machine sees some of them twice."""
    pairs = zip(client.order, client.samples, strict=True)
    return sorted({pair for pair in pairs if pair[0][1] > PERIOD})


def test_lockstep_is_equal_to_the_bit():
    """Two runs in fresh processes: equal commands must give equal sensors, noise included."""
    first, order, height = lockstep_run(100)
    second, _, _ = lockstep_run(100)
    assert len(first) == 4 * 100
    assert first == second
    assert height != pytest.approx(0.49, abs=1e-6), 'the base has to have been let go'
    seen: dict[int, list[str]] = {}
    for topic, when in order:
        seen.setdefault(when, []).append(topic)
    assert sorted(when for when in seen if when > PERIOD) == [PERIOD * (k + 2) for k in range(100)]


def test_lockstep_ends_with_inactive():
    """After a deactivation the robot and its clock continue in real time."""
    parameters = ('robot:=biped', 'lockstep:=true')
    with running_bridge('single', *parameters, lockstep=True) as (client, _):
        client.spin_until(lambda: {'joint_states', '/clock'} <= client.newest.keys())
        pose = home(client)
        client.send(pose, 'ramp', stamp_ns=PERIOD)
        client.spin_until(lambda: stamp(client.newest['/clock']) == 2 * PERIOD)
        client.send(pose, 'ramp', stamp_ns=PERIOD)  # stale: must not move time
        client.spin_for(0.15)
        assert stamp(client.newest['/clock']) == 2 * PERIOD
        client.send(None, 'inactive', stamp_ns=2 * PERIOD)
        client.spin_until(lambda: stamp(client.newest['/clock']) > 20 * PERIOD)
        assert client.state == 'enabled'


def test_samples_are_whole_and_held(robot):
    """What a policy node checks first: stamps, frames, the held base, gravity in the IMU."""
    robot.spin_for(0.5)
    joints, imu = robot.newest['joint_states'], robot.newest['imu/data']
    odometry = robot.newest['odom']
    assert len(joints.name) == len(joints.position) == len(joints.velocity) == 12
    assert len(joints.effort) == 12
    assert imu.header.frame_id == 'imu_link'
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_link')
    assert abs(imu.orientation.w) == pytest.approx(1.0, abs=1e-6)
    assert imu.orientation_covariance[0] > 0.0
    assert imu.linear_acceleration.z == pytest.approx(9.81, abs=0.01)
    assert odometry.pose.pose.position.z == pytest.approx(0.49, abs=1e-3)
    robot.spin_until(lambda: -1e6 < time.time_ns() - stamp(robot.newest['joint_states']) < 1e9)
    assert robot.state == 'enabled'


def test_gains_are_limited_and_echoed(robot):
    """Activation waits until the gains in force are those asked for."""
    names = list(robot.newest['joint_states'].name)
    robot.send_gains(names, [50.0] * 12, [1.5] * 12, [20.0] * 12)
    robot.spin_until(lambda: robot.newest['joint_gains_in_force'].position[0] == 50.0)
    echo = robot.newest['joint_gains_in_force']
    assert list(echo.name) == names
    assert set(echo.velocity) == {1.5}
    assert set(echo.effort) == {20.0}
    robot.send_gains(names, [1e6] * 12, [1.5] * 12, [20.0] * 12)
    robot.spin_until(lambda: robot.newest['joint_gains_in_force'].position[0] == 160.0)


def test_one_session_and_its_silence(robot):
    """A second sender is rejected; the silence of the first is damping."""
    pose = home(robot)
    robot.commanding(pose, 0.1)
    for _ in range(5):
        robot.send(pose + 0.3, session='bbbbbbbb')
        robot.spin_for(0.02)
        robot.commanding(pose, 0.05)
    np.testing.assert_allclose(home(robot), pose, atol=0.02)
    robot.spin_until(lambda: robot.state.startswith('damping'))
    assert robot.state == 'damping no command for 0.5 s'
    robot.spin_until(lambda: robot.count('rejected') > 0)
    robot.send(pose, session='cccccccc')
    robot.spin_until(lambda: robot.state == 'enabled')


def test_bad_commands_are_refused_whole(robot):
    """NaN, unknown joints, wrong lengths, no session: counted, and nothing moves."""
    pose = home(robot)
    robot.send(np.where(np.arange(12) == 3, np.nan, pose + 0.5))
    robot.spin_until(lambda: robot.count('refused') == 1)
    robot.send(pose + 0.5, names=[f'{name}x' for name in robot.newest['joint_states'].name])
    robot.spin_until(lambda: robot.count('refused') == 2)
    robot.send(pose[:3] + 0.5)
    robot.spin_until(lambda: robot.count('refused') == 3)
    robot.send(pose + 0.5, mode='', session='')
    robot.spin_until(lambda: robot.count('refused') == 4)
    np.testing.assert_allclose(home(robot), pose, atol=0.01)
    assert robot.counters['session'] == ''


def test_run_lets_the_base_go_and_reset_takes_it_back(robot):
    """The base is held until the first `run`; damped and let go, the robot falls."""
    pose = home(robot)
    robot.commanding(pose, 0.2, 'ramp')
    assert robot.newest['odom'].pose.pose.position.z == pytest.approx(0.49, abs=1e-3)
    robot.commanding(pose, 0.1, 'run')
    robot.send(None, 'damp')
    robot.spin_until(lambda: robot.newest['odom'].pose.pose.position.z < 0.3)
    before = stamp(robot.newest['odom'])
    answer = robot.call(Trigger, 'mujoco_bridge/reset', Trigger.Request())
    assert answer.success
    robot.spin_until(lambda: abs(robot.newest['odom'].pose.pose.position.z - 0.49) < 1e-3)
    assert stamp(robot.newest['odom']) >= before


def test_enable_pause_and_push(robot):
    """The services and the parameter that an operator uses."""
    answer = robot.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=False))
    assert answer.message == 'disabled by request'
    robot.spin_until(lambda: robot.state == 'disabled by request')
    robot.call(SetBool, 'mujoco_bridge/enable', SetBool.Request(data=True))
    robot.spin_until(lambda: robot.state == 'enabled')
    assert robot.call(SetBool, 'mujoco_bridge/pause', SetBool.Request(data=True)).success
    robot.spin_until(lambda: robot.counters.get('paused') == 'True')
    assert robot.call(SetBool, 'mujoco_bridge/pause', SetBool.Request(data=False)).success
    robot.commanding(home(robot), 0.1, 'run')
    pushed = robot.call(
        SetParameters,
        'mujoco_bridge/set_parameters',
        SetParameters.Request(
            parameters=[Parameter('push', value=[0.5, 0.0, 0.0]).to_parameter_msg()]
        ),
    )
    assert pushed.results[0].successful
    robot.spin_until(lambda: robot.count('pushes') == 1)
    refused = robot.call(
        SetParameters,
        'mujoco_bridge/set_parameters',
        SetParameters.Request(parameters=[Parameter('push', value=[0.5]).to_parameter_msg()]),
    )
    assert 'expected 3 finite numbers' in refused.results[0].reason


def test_parameters_are_described(robot):
    """`ros2 param describe` has to explain each."""
    names = ['robot', 'lockstep', 'command_timeout', 'push', 'video']
    assert describe_parameters(robot, 'mujoco_bridge', names)[0].read_only


@pytest.mark.alone
def test_interrupted_it_damps_and_says_so():
    """Ctrl-C, twice: disabled is published, nothing hangs, and the exit code is 0."""
    with running_bridge('single', 'robot:=biped') as (client, process):
        client.spin_until(lambda: client.state == 'enabled')
        begin = time.monotonic()
        interrupt_twice(client, process, 'disabled the bridge has ended')
        assert client.state == 'disabled the bridge has ended'
        assert time.monotonic() - begin < 4.0


@pytest.mark.parametrize(
    ('parameter', 'expected'),
    [
        ('robot:=bipd', "no robot 'bipd'"),
        ('mjcf:=absent.xml', 'no such file'),
        ('sensor_rate:=fast', 'parameter sensor_rate'),
        ('sensor_rate:=5000.0', 'physics rate'),
        ('control_rate:=60.0', 'whole number of physics steps'),
        ('lockstp:=true', "did you mean 'lockstep'?"),
        ('video:=film.avi', '.mp4'),
    ],
)
def test_mistakes_are_one_line(parameter, expected):
    """A user's mistake is told in one line, with exit code 2 and no traceback."""
    assert expected in refusal('mistaken', 'robot:=biped', parameter)
