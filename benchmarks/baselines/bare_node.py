"""The least that a tick can do in rclpy: take two samples, publish one message. HZ JOINTS.

No executor, no policy, no checks: it sleeps until a tick is due, takes the newest joint state and
IMU sample, and publishes a command. Prints how long each took, ns, as JSON when it is interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.qos import HistoryPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState


def main() -> None:
    """Tick until interrupted."""
    period, joints = 1.0 / float(sys.argv[1]), int(sys.argv[2])
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('bare_node')
    newest = QoSProfile(
        depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT
    )
    joint_states = node.create_subscription(JointState, 'joint_states', print, newest)
    imu = node.create_subscription(Imu, 'imu/data', print, newest)
    publisher = node.create_publisher(JointState, 'joint_commands', 1)
    command = JointState(name=[f'joint_{index}' for index in range(joints)])
    command.header.frame_id = 'bare'
    ended: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: ended.append(number))
    spent: list[int] = []
    due = time.monotonic()
    print('ticking', flush=True)
    while not ended:
        due += period
        time.sleep(max(0.0, due - time.monotonic()))
        begin = time.perf_counter_ns()
        with joint_states.handle, imu.handle:
            state = joint_states.handle.take_message(JointState, False)
            orientation = imu.handle.take_message(Imu, False)
        if state is None or orientation is None:
            continue
        command.header.stamp = state[0].header.stamp
        command.position = state[0].position
        publisher.publish(command)
        spent.append(time.perf_counter_ns() - begin)
    print(json.dumps({'tick_ns': spent}))


if __name__ == '__main__':
    main()
