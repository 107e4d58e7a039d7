"""Waves an arm of a G1 while its policy walks: targets for joints that the policy node gives away.

    python examples/wave.py

Start the policy node with override_joints: [right_shoulder_roll_joint, right_elbow_joint]. The arm
comes up when this node starts, and goes back to the policy when it ends.
"""

from __future__ import annotations

import math
from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

WAVE = {'right_shoulder_roll_joint': (-1.2, 0.2), 'right_elbow_joint': (0.6, 0.5)}
"""Centre and swing of each joint, rad; a swing takes a second."""
SHORTEST = 0.01
"""s between two messages, however fast the joint states come."""


class Wave(Node):
    """Answers joint states with targets that have the same stamp: in lockstep runs repeat."""

    def __init__(self) -> None:
        super().__init__('wave')
        self._last = -1.0
        self._targets = self.create_publisher(JointState, 'joint_overrides', 10)
        self.create_subscription(
            JointState, 'joint_states', self._on_joints, qos_profile_sensor_data
        )

    def _on_joints(self, sample: JointState) -> None:
        now = sample.header.stamp.sec + sample.header.stamp.nanosec / 1e9
        if 0.0 < now - self._last < SHORTEST:
            return
        self._last = now
        swing = math.sin(math.tau * now)
        message = JointState(name=list(WAVE))
        message.header.stamp = sample.header.stamp
        message.position = [centre + swing * by for centre, by in WAVE.values()]
        self._targets.publish(message)


def main() -> None:
    """Wave until a signal comes."""
    rclpy.init()
    wave = Wave()
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(wave)
    wave.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
