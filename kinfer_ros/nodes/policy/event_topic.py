"""Publishes what the operator asked of policies and motions, and what came of it.

| topic | type | |
|---|---|---|
| ~/events | rcl_interfaces/Log | out: one event, with the stamp of the command of its tick |

A bag has no service calls: a replay from it finds here which tick obeyed which request.
"""

from collections.abc import Sequence

from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

from kinfer_ros.ros.qos import LATCHED_EVENTS

PUBLISHED = ('policy ', 'motion ')
"""How the events begin that are published; the step log has all."""
INFO = 20


class EventTopic:
    """The topic ~/events."""

    def __init__(self, node: Node) -> None:
        self._name = node.get_name()
        self._publisher = node.create_publisher(
            Log,
            '~/events',
            LATCHED_EVENTS,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def publish(self, events: Sequence[str], stamp_ns: int) -> None:
        """Publish those of a tick that are for others."""
        for text in events:
            if text.startswith(PUBLISHED):
                message = Log(level=INFO, name=self._name, msg=text)
                message.stamp.sec, message.stamp.nanosec = divmod(stamp_ns, 10**9)
                self._publisher.publish(message)
