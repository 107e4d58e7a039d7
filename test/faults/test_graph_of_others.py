"""A graph that others use as well: none of it may stop the robot, or name the wrong cause."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from fault_graph import PATIENT
from fault_graph import SOON
from fault_graph import START
from fault_graph import Graph
from fault_graph import graph
from fault_log import Step
from fault_log import steps_of
from geometry_msgs.msg import Twist
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from helpers.client import CLEANUP
from helpers.client import LATCHED
from helpers.client import Client
from helpers.processes import domain_environment
from helpers.processes import node
from helpers.processes import wait_until
from helpers.walking import MODEL

Publish = Callable[..., Any]

TICKS = 40
"""Ticks for which a robot has to go on: most of a second."""
BROKEN = (b'\x00\x00\x00\x03', b'\x00\x01\x00\x00', b'\x00\x01\x00\x00\xff\xff\xff\x7f' * 9)
"""The first ends rclpy of Kilted with a segmentation fault."""
TOPICS = {
    'joint_states': JointState,
    'imu/data': Imu,
    'odom': Odometry,
    'policy_command': JointState,
    'joint_temperatures': JointState,
    'battery_state': BatteryState,
    'joint_gains_in_force': JointState,
    'bridge_state': String,
    'joint_commands': JointState,
    'joint_gains': JointState,
}


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    # A bridge that is more patient than any machine is slow: no case here is about it.
    with graph(tmp_path_factory.mktemp('others'), {'command_timeout': 20.0}) as made:
        yield made


@pytest.fixture
def walking(running: Graph) -> Graph:
    running.start()
    return running


@pytest.fixture
def publish(running: Graph) -> Iterator[Publish]:
    """Make publishers that are gone after the test."""
    node, made = running.client.node, []

    def make(kind: type, topic: str, qos: QoSProfile | int = 1) -> Any:
        made.append(node.create_publisher(kind, topic, qos))
        return made[-1]

    yield make
    for publisher in made:
        node.destroy_publisher(publisher)


def go_on(walking: Graph, say: Callable[[], None], ticks: int = TICKS) -> None:
    """Say something between the ticks; the robot has to walk on."""
    first = len(walking.steps())

    def walked() -> bool:
        say()
        return walking.mode != 'run' or len(walking.steps()) - first >= ticks

    assert walking.client.spin_until(walked, SOON)
    assert walking.mode == 'run', walking.policy.output[-2000:]
    assert walking.states[-1].data == 'enabled'


def test_bytes_that_are_no_message(tmp_path: Path) -> None:
    """
    Four of them on any topic ended a node; they are passed over, with a warning.

    The test itself subscribes to nothing, since rclpy would end it, too.
    """
    environment = domain_environment()
    given = {
        'robot': 'biped', 'model': MODEL, 'runs_dir': tmp_path, 'autostart': True,
        'auto_run': True, **PATIENT,
    }  # fmt: skip
    latest = tmp_path / 'latest'
    with (
        Client(int(environment['ROS_DOMAIN_ID'])) as client,
        node('mujoco_bridge', tmp_path, environment, {'robot': 'biped'}) as robot,
        node('policy_node', tmp_path, environment, given) as policy,
    ):

        def running() -> list[Step]:
            log = latest / 'steps.ndjson'
            return [s for s in steps_of(latest) if s['mode'] == 'run'] if log.exists() else []

        assert client.spin_until(lambda: len(running()) > 10, START), policy.output
        publishers = [
            client.node.create_publisher(kind, topic, LATCHED) for topic, kind in TOPICS.items()
        ]
        assert client.spin_until(lambda: all(p.get_subscription_count() for p in publishers), SOON)
        first, deadline = len(running()), time.monotonic() + SOON
        said = False
        while (len(running()) < first + TICKS or not said) and time.monotonic() < deadline:
            said = 'that are no JointState' in robot.output and all(
                f'that are no {name}' in policy.output for name in ('BatteryState', 'JointState')
            )
            for publisher in publishers:
                for data in BROKEN:
                    publisher.publish(data)
            client.spin_until(lambda: False, 0.05)
        assert policy.running, policy.output[-2000:]
        assert robot.running, robot.output[-2000:]
        assert len(running()) >= first + TICKS, policy.output[-2000:]
        assert said, policy.output[-2000:] + robot.output[-2000:]


def test_a_gripper_with_joints_of_its_own(walking: Graph, publish: Publish) -> None:
    """Its messages are passed over, and it is named once."""
    publisher = publish(JointState, 'joint_states')
    message = JointState(name=['finger'], position=[0.1], velocity=[0.0])
    go_on(walking, lambda: publisher.publish(message))
    assert wait_until(lambda: '(finger) are passed over' in walking.policy.output, SOON)
    walking.rest()
    walking.activate()  # it does not keep the robot from being activated, either
    walking.until('run')
    (line,) = [each for each in walking.policy.output.splitlines() if '(finger)' in each]
    assert '/test_client' in line


def split_joints(walking: Graph) -> None:
    """Send half of the joints in a message, half in the next."""
    out = walking.relay.publisher(JointState, 'joint_states')

    def split(message: JointState) -> JointState:
        half = deepcopy(message)
        half.name, message.name = message.name[:6], message.name[6:]
        half.position, message.position = message.position[:6], message.position[6:]
        half.velocity, message.velocity = message.velocity[:6], message.velocity[6:]
        half.effort, message.effort = message.effort[:6], message.effort[6:]
        out.publish(half)
        return message

    walking.relay.joints.tamper(split)


def test_one_driver_a_limb(walking: Graph) -> None:
    """They are put together."""
    split_joints(walking)
    go_on(walking, lambda: None)
    steps = walking.steps()[-TICKS // 2 :]
    assert len({tuple(step['joint_angles']) for step in steps}) > 3


def test_they_are_there_before_the_node_is(walking: Graph, publish: Publish) -> None:
    """Drivers start first: the contract is checked on joints that are put together, too."""
    walking.rest()
    assert walking.client.transition('policy_node', CLEANUP)
    split_joints(walking)
    gripper = publish(JointState, 'joint_states')
    message = JointState(name=['finger'], position=[0.1], velocity=[0.0])
    timer = walking.client.node.create_timer(0.01, lambda: gripper.publish(message))
    try:
        walking.configure()
        walking.begin_case()
        walking.activate()
        walking.until('run')
        go_on(walking, lambda: None)
    finally:
        walking.client.node.destroy_timer(timer)


def test_a_joint_that_no_message_has_any_more(walking: Graph) -> None:
    """It is stale, by name."""
    assert walking.set(stale_timeout=0.5) == ''

    def lose(message: JointState) -> JointState:
        message.name = message.name[1:]
        message.position = message.position[1:]
        message.velocity = message.velocity[1:]
        return message

    lost: list[str] = []
    walking.relay.joints.tamper(lambda message: lost.append(message.name[0]) or lose(message))
    fault = walking.fault('joint_states is stale: the newest sample of ')
    assert f'sample of {lost[0]} is 5' in fault.reason
    assert fault.header['guards']['stale']['faults'] == 1


def test_a_second_publisher_of_the_same_joints(walking: Graph, publish: Publish) -> None:
    """A joint_state_publisher: refused at activation, and the cause of what goes wrong then."""
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    seen = walking.client.follow(JointState, 'joint_states', qos)
    assert walking.client.spin_until(lambda: bool(seen), SOON)
    publisher = publish(JointState, 'joint_states', 5)
    message = JointState(name=seen[0].name, position=seen[0].position, velocity=seen[0].velocity)

    def say() -> None:
        message.header.stamp = walking.client.node.get_clock().now().to_msg()
        publisher.publish(message)

    words = 'joint_states has two publishers of the same joints'
    before = len(walking.policy.output)
    assert walking.client.spin_until(
        lambda: say() or words in walking.policy.output[before:], SOON
    ), walking.policy.output[before:]
    if walking.mode == 'run':
        assert walking.set(max_tilt=0.0001) == ''
    walking.client.spin_until(lambda: say() or walking.mode.startswith('fault'), SOON)
    assert words in walking.mode
    assert '; then: ' in walking.mode
    assert '/test_client' in walking.mode
    walking.rest()
    timer = walking.client.node.create_timer(0.02, say)
    assert words in walking.refused_activation()
    walking.client.node.destroy_timer(timer)


def test_whole_numbers_for_floats(walking: Graph) -> None:
    """`ros2 param set /policy_node kp_factor 1` sends an integer."""
    assert walking.set(kd_factor=1, command_scale=[1, 1, 1], stale_timeout=2) == ''
    assert walking.get('kd_factor') == 1.0
    assert isinstance(walking.get('kd_factor'), float)
    assert 'expected 0' in walking.set(command_scale=[-1, 1, 1])
    assert walking.set(stale_timeout=100) != ''
    assert walking.mode == 'run'


def last_command(walking: Graph) -> list[float]:
    """The command of the newest step."""
    steps = walking.steps()
    return [round(value, 3) for value in steps[-1]['command']] if steps else [0.0]


def test_a_best_effort_cmd_vel(walking: Graph, publish: Publish) -> None:
    """As micro-ROS publishes it."""
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = publish(Twist, 'cmd_vel', qos)
    message = Twist()
    for speed in (0.123, 0.0):  # the next case begins with a neutral command
        message.linear.x = speed
        assert walking.client.spin_until(
            lambda: publisher.publish(message) or last_command(walking)[0] == message.linear.x,
            SOON,
        ), walking.policy.output[-1000:]


def test_an_idle_twist_beside_a_live_twist_stamped(walking: Graph, publish: Publish) -> None:
    """A teleop that nobody uses must not mute navigation."""
    publish(Twist, 'cmd_vel')
    message = TwistStamped()
    message.twist.linear.x = 0.077
    # One process cannot have two types on one topic.
    with Client(walking.client.node.context.get_domain_id()) as other:
        live = other.node.create_publisher(TwistStamped, 'cmd_vel', 1)
        heard = other.spin_until(
            lambda: live.publish(message) or last_command(walking)[0] == 0.077, 2 * SOON
        )
    assert heard, walking.policy.output[-1000:]
    assert walking.client.spin_until(lambda: last_command(walking)[0] == 0.0, SOON)


def test_qos_that_does_not_match_is_said(walking: Graph, publish: Publish) -> None:
    """With both sides: a volatile bridge_state is not heard by a node that wants the last one."""
    publish(String, 'bridge_state')
    words = 'publishes reliable, volatile, this node asks for reliable, transient local'
    assert walking.client.spin_until(lambda: words in walking.policy.output, SOON)
    assert walking.mode == 'run'


def test_a_process_that_stands_still_is_a_stall(walking: Graph) -> None:
    """Stopped for 0.3 s and continued: the machine is named, not the sensor; so by the bridge."""
    assert walking.set(stale_timeout=10.0, max_missed_ticks=10_000) == ''
    walking.policy.send(signal.SIGSTOP)
    time.sleep(0.3)
    walking.policy.send(signal.SIGCONT)
    step = walking.step_with('warning stall: this process was not run for')
    assert 'doctor' in str(step['events'])
    walking.robot.send(signal.SIGSTOP)
    time.sleep(0.3)
    walking.robot.send(signal.SIGCONT)
    words = 'this process was not run for'
    assert walking.client.spin_until(lambda: words in walking.robot.output, SOON)
    assert walking.mode == 'run'
