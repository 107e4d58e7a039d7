"""The policy node and a node of your own in one process, on one executor.

Start a bridge first (`ros2 run kinfer_ros mujoco_bridge`, or your robot's driver), then:

    python examples/composed.py --ros-args -p robot:=biped -p model:=robots/biped/walk.kinfer \
        -p autostart:=true

Arguments after --ros-args reach both nodes; each uses the parameters that it declares.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

import rclpy
from geometry_msgs.msg import Twist
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

from kinfer_ros.nodes.policy.node import PolicyNode
from kinfer_ros.ros.context import init
from kinfer_ros.ros.executor import ControlExecutor

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Patrol(Node):
    """Starts the policy in mode hold, then walks the robot in a circle."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('patrol', **kwargs)
        self._walking = False
        self._command = self.create_publisher(Twist, 'cmd_vel', 1)
        self._start = self.create_client(Trigger, 'policy_node/start')
        self.create_subscription(String, 'policy_node/mode', self._on_mode, LATCHED)
        self.create_timer(0.1, self._on_timer)

    def _on_mode(self, message: String) -> None:
        self._walking = message.data.startswith('run')
        if message.data.startswith('hold'):
            self._start.call_async(Trigger.Request())

    def _on_timer(self) -> None:
        if self._walking:
            command = Twist()
            command.linear.x, command.angular.z = 0.3, 0.2
            self._command.publish(command)


def main() -> None:
    """Spin both nodes until a signal arrives or the run ends."""
    init()  # rclpy.init without signal handlers: a damping frame has to go out after a signal
    stopped = threading.Event()
    policy, patrol = PolicyNode(), Patrol()

    def on_signal(*_: object) -> None:
        stopped.set()
        policy.interrupt()  # ends any wait inside a transition

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    executor = ControlExecutor()  # any works; this one sleeps until a tick is due
    for node in (policy, patrol):
        executor.add_node(node)
    try:
        while not stopped.is_set() and not policy.finished:
            executor.spin_once(timeout_sec=0.1)
    finally:
        policy.stop()  # fade, damp, close files; needs the context
        for node in (policy, patrol):
            node.destroy_node()
        rclpy.shutdown()
    if policy.failure is not None:
        raise SystemExit(f'error: {policy.failure}')


if __name__ == '__main__':
    main()
