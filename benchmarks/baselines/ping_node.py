"""Two processes that pass a robot's messages to and fro: the least that lockstep can take.

ROLE ROUNDS JOINTS: `robot` publishes a joint state, an IMU sample, odometry and the clock, and
waits for the command that answers them; `policy` waits for these four and publishes it. Both poll
their subscriptions without an executor, check nothing and compute nothing. `robot` prints how long
each round took, ns, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

POLL_S = 20e-6
TIMEOUT_S = 30.0
SAMPLES = {'joint_states': JointState, 'imu/data': Imu, 'odom': Odometry, 'ping_clock': Clock}


def wait_for(subscription: Any) -> Any:
    """Poll until a message comes."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, False)
        if taken is not None:
            return taken[0]
        if time.monotonic() > deadline:
            raise SystemExit(f'no message on {subscription.topic_name}')
        time.sleep(POLL_S)


def await_peer(publishers: list[Any]) -> None:
    """Wait until each publisher has its subscription."""
    deadline = time.monotonic() + TIMEOUT_S
    while not all(each.get_subscription_count() for each in publishers):
        if time.monotonic() > deadline:
            raise SystemExit('the other process did not come')
        time.sleep(0.01)
    time.sleep(0.5)


def robot(node: Node, rounds: int, joints: int) -> None:
    """Send samples and wait for commands."""
    publishers = [node.create_publisher(kind, topic, 10) for topic, kind in SAMPLES.items()]
    commands = node.create_subscription(JointState, 'joint_commands', print, 10)
    state = JointState(name=[f'joint_{index}' for index in range(joints)])
    state.position = state.velocity = state.effort = [0.1] * joints
    messages = [state, Imu(), Odometry(), Clock()]
    await_peer(publishers)
    spent = []
    for _ in range(rounds):
        begin = time.perf_counter_ns()
        for publisher, message in zip(publishers, messages, strict=True):
            publisher.publish(message)
        wait_for(commands)
        spent.append(time.perf_counter_ns() - begin)
    print(json.dumps({'round_ns': spent}))


def policy(node: Node, rounds: int, joints: int) -> None:
    """Wait for samples and send commands."""
    found = [node.create_subscription(kind, topic, print, 10) for topic, kind in SAMPLES.items()]
    publisher = node.create_publisher(JointState, 'joint_commands', 10)
    command = JointState(name=[f'joint_{index}' for index in range(joints)])
    command.position = [0.1] * joints
    for _ in range(rounds):
        for each in found:
            wait_for(each)
        publisher.publish(command)
    time.sleep(1.0)  # or the last command goes with its publisher


def main() -> None:
    """Play one role."""
    role, rounds, joints = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rclpy.init(args=[])
    {'robot': robot, 'policy': policy}[role](Node(f'ping_{role}'), rounds, joints)


if __name__ == '__main__':
    main()
