"""The policy node's topics over real DDS: what is read, what is sent, and what is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from helpers.processes import domain
from helpers.processes import wait_until
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.errors import ConfigError
from kinfer_ros.nodes.policy.robot_link import RobotLink
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import take_all

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STATES = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def made(tmp_path):
    context = Context()
    context.init(domain_id=domain())
    ours, theirs = Node('policy_node', context=context), Node('robot', context=context)
    link = RobotLink(ours, lockstep=False, cmd_vel_type='auto')
    robot, policy = small_robot(tmp_path), level_policy(tmp_path, 0.1)
    rig = Rig(policy, robot)
    asked = gains(policy.contract, robot)
    link.gains.set_target(robot.joint_names, rig.controller.gains)

    def subscribe(kind, topic, qos=10):
        return theirs.create_subscription(
            kind, topic, lambda message: None, qos, callback_group=PollOnlyGroup(theirs)
        )

    found = SimpleNamespace(
        link=link, node=ours, robot=theirs, rig=rig, asked=asked,
        commands=subscribe(JointState, 'joint_commands'),
        gains=subscribe(JointState, 'joint_gains', LATCHED),
        modes=subscribe(String, 'policy_node/mode', LATCHED),
    )  # fmt: skip
    try:
        yield found
    finally:
        ours.destroy_node()
        theirs.destroy_node()
        context.try_shutdown()


def received(subscription, count: int) -> list:
    """Wait for `count` messages, bounded."""
    messages: list = []

    def enough() -> bool:
        messages.extend(take_all(subscription))
        return len(messages) >= count

    assert wait_until(enough, 10.0), f'{len(messages)} of {count} came'
    return messages


def connected(publisher) -> None:
    assert wait_until(lambda: publisher.get_subscription_count() > 0, 10.0)


def test_samples_are_read_by_name(made):
    """The newest of each, in the robot's order."""
    joints = made.robot.create_publisher(JointState, 'joint_states', 10)
    imu = made.robot.create_publisher(Imu, 'imu/data', 10)
    connected(joints)
    connected(imu)
    frame = made.rig.controller.inputs.frame
    frame.restart()
    sample = JointState(name=['joint_1', 'joint_0'], position=[0.2, 0.1], velocity=[2.0, 1.0])
    sample.effort = [4.0, 3.0]
    sample.header.stamp.sec = 7
    upright = Imu()
    upright.orientation.w = 1.0
    upright.header.stamp.sec = 7
    joints.publish(sample)
    imu.publish(upright)

    def read() -> bool:
        made.link.read_sensors(frame)
        return frame.oldest_ns == 7_000_000_000

    assert wait_until(read, 10.0)
    np.testing.assert_array_equal(frame.position, [0.1, 0.2])
    np.testing.assert_array_equal(frame.velocity, [1.0, 2.0])
    np.testing.assert_array_equal(frame.effort, [3.0, 4.0])


def test_the_bridge_and_its_gains_are_read(made):
    """A lapse between two calls is seen, even where the bridge is enabled again."""
    states = made.robot.create_publisher(String, 'bridge_state', STATES)
    echoes = made.robot.create_publisher(JointState, 'joint_gains_in_force', LATCHED)
    connected(states)
    connected(echoes)
    asked = made.asked
    echo = JointState(
        name=['joint_0', 'joint_1'], position=asked.kp.tolist(), velocity=asked.kd.tolist(),
        effort=asked.torque_limit.tolist(),
    )  # fmt: skip
    echoes.publish(echo)
    states.publish(String(data='enabled'))

    def enabled() -> bool:
        made.link.read_bridge()
        return made.link.bridge_problem() == '' and made.link.gains.mismatch() == ''

    assert wait_until(enabled, 10.0)
    states.publish(String(data='damping: stale'))
    states.publish(String(data='enabled'))
    lapses: list[str] = []

    def lapsed() -> bool:
        lapses.append(made.link.read_bridge())
        return any(lapses) and made.link.bridge_problem() == ''

    assert wait_until(lapsed, 10.0)
    assert 'the bridge is damping: stale' in lapses


def test_commands_carry_session_mode_and_stamp(made):
    """A bridge tells sessions apart by the id, and orders by the stamp."""
    connected(made.link._commands)
    made.link.begin_session(('joint_0', 'joint_1'))
    made.rig.run()
    made.link.send(made.rig.controller.tick(made.rig.now, made.rig.now), 5_000_000_000)
    made.link.send_again()
    first, again = received(made.commands, 2)
    assert first.header.frame_id == again.header.frame_id == f'{made.link._session} run'
    assert first.header.stamp.sec == again.header.stamp.sec == 5 == made.link.last_stamp_ns // 1e9
    assert len(first.position) == 2
    made.link.send_damping(6_000_000_000)
    silence = received(made.commands, DAMPING_FRAMES)
    assert all(not len(each.position) and not any(each.velocity) for each in silence)


def test_gains_go_out_where_they_moved(made):
    """Their echo is what activation waits for."""
    connected(made.link._gains)
    made.link.begin_session(('joint_0', 'joint_1'))
    made.link.send_changed_gains()
    made.rig.controller.gains.every_step = False  # as in real time
    made.rig.controller.gain_ramp.kp_factor = 0.5
    made.rig.controller.gains.end_tick(10**9)
    made.link.send_changed_gains()
    (message,) = received(made.gains, 1)
    np.testing.assert_array_equal(message.position, made.asked.kp * 0.5)
    assert message.header.frame_id == made.link._session


def test_gains_of_another_policy_and_their_command_carry_the_version(made):
    """Two topics are not ordered: a bridge matches them by it."""
    connected(made.link._commands)
    connected(made.link._gains)
    made.link.begin_session(('joint_0', 'joint_1'))
    made.rig.run()
    asked = made.asked
    made.rig.runner.bound = replace(
        made.rig.runner.bound, gains=Gains(asked.kp * 0.5, asked.kd, asked.torque_limit)
    )
    made.rig.controller._parts.adopt(made.rig.runner.bound)
    tick = made.rig.controller.tick(made.rig.now, made.rig.now)
    made.link.send_changed_gains()
    made.link.send(tick, 5_000_000_000)
    made.link.send_damping(6_000_000_000)
    (message,) = received(made.gains, 1)
    first, *silence = received(made.commands, 1 + DAMPING_FRAMES)
    session = made.link._session
    assert message.header.frame_id == f'{session} 1'
    assert first.header.frame_id == f'{session} run 1'
    assert {each.header.frame_id for each in silence} == {f'{session} inactive 1'}
    np.testing.assert_array_equal(message.position, asked.kp * 0.5)


def test_a_dry_run_sends_nothing(made):
    """Everything but publishing: a first look at a policy on a live robot."""
    connected(made.link._commands)
    made.link.dry_run = True
    made.link.begin_session(('joint_0', 'joint_1'))
    made.rig.run()
    made.link.send(made.rig.controller.tick(made.rig.now, made.rig.now), 5_000_000_000)
    made.link.send_damping(5_000_000_000)
    made.link.send_gains()
    made.link.dry_run = False
    made.link.send(made.rig.controller.tick(made.rig.now, made.rig.now), 9_000_000_000)
    (only,) = received(made.commands, 1)
    assert only.header.stamp.sec == 9


def test_a_mode_is_published_once(made):
    """A client counts modes by its messages."""
    for text in ('hold', 'hold', 'run'):
        made.link.publish_mode(text)
    (newest,) = received(made.modes, 1)
    assert newest.data == 'run'


def test_a_wrong_type_of_cmd_vel_is_refused(made):
    """A misspelt type would be a command that nobody hears."""
    with pytest.raises(ConfigError, match='cmd_vel_type'):
        RobotLink(made.node, lockstep=False, cmd_vel_type='twists')
