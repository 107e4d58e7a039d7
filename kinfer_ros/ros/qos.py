"""The QoS profiles of the graph, docs/graph.md.

A bridge and a policy node that disagreed on one would not hear each other, without an error.
"""

from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
LATCHED_HISTORY = QoSProfile(
    depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
"""For a reader to whom what came between matters: a bridge that was disabled for an instant."""
LATCHED_EVENTS = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
"""For a recorder that comes late."""
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
RELIABLE_SENSORS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LOCKSTEP = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""For a publisher in lockstep: nobody waits for the next message, and a recorder misses none."""
SENSORS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For joint states and IMU: a message that is not the robot's must not displace its own."""
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
