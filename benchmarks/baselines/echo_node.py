"""The least a node can do: it answers each joint state at once with a command of its stamp."""

from __future__ import annotations

import signal

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState


def main() -> None:
    """Spin until interrupted."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node('echo_node')
    publisher = node.create_publisher(JointState, 'joint_commands', 1)

    def answer(sample: JointState) -> None:
        publisher.publish(
            JointState(header=sample.header, name=sample.name, position=sample.position)
        )

    node.create_subscription(JointState, 'joint_states', answer, qos_profile_sensor_data)
    print('running', flush=True)
    stop: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stop.append(number))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not stop:
        executor.spin_once()  # sensors wake it


if __name__ == '__main__':
    main()
