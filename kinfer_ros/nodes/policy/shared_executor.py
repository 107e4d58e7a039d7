"""Refuses a policy node and its robot side on one executor: each would wait for the other."""

from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node

from kinfer_ros.errors import ConfigError
from kinfer_ros.ros.polling import publisher_nodes


def refuse_shared_executor(node: Node) -> None:
    """
    Check that no other node of this executor publishes the sensors.

    A transition waits for samples; on one thread the bridge cannot publish any meanwhile.

    :raises ConfigError: one does.
    """
    executor = node.executor
    if executor is None or isinstance(executor, MultiThreadedExecutor):
        return
    sharing = {other.get_fully_qualified_name() for other in executor.get_nodes()}
    for topic in ('joint_states', 'imu/data'):
        for name in publisher_nodes(node, topic):
            if name in sharing:
                raise ConfigError(
                    f'{node.get_fully_qualified_name()} and {name} share one executor, so each '
                    'would wait for the other: give each an executor and a thread of its own '
                    '(docs/composing.md)'
                )
