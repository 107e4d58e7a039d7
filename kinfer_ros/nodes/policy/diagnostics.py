"""Publishes the policy node's status on /diagnostics."""

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from kinfer_ros.ros.cdr import diagnostic_bytes
from kinfer_ros.run.status import Status


class DiagnosticsPublisher:
    """Publishes one DiagnosticStatus."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._logged: set[str] = set()
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def publish(self, status: Status) -> None:
        """Publish it as bytes: building the messages of all values could delay a 1 kHz tick."""
        for text in status.failures:
            if text not in self._logged:
                self._logged.add(text)
                self._node.get_logger().error(text)
        stamp = self._node.get_clock().now().nanoseconds
        name = f'{self._node.get_fully_qualified_name()}: policy'
        texts = (name, status.message, status.robot)
        level = bytes([status.level])
        self._publisher.publish(diagnostic_bytes(stamp, level, texts, status.values))
