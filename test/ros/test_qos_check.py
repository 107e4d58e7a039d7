"""Which publishers and subscribers do not match: said with the name of the other node."""

from __future__ import annotations

from types import SimpleNamespace

from rclpy.qos import QoSProfile

from kinfer_ros.ros.qos import BEST_EFFORT
from kinfer_ros.ros.qos import RELIABLE
from kinfer_ros.ros.qos_check import QosCheck

TOPIC = '/joint_commands'


def endpoint(name: str, namespace: str, qos: QoSProfile) -> SimpleNamespace:
    return SimpleNamespace(node_name=name, node_namespace=namespace, qos_profile=qos)


UNKNOWN = endpoint('_NODE_NAME_UNKNOWN_', '_NODE_NAMESPACE_UNKNOWN_', BEST_EFFORT)
"""As rmw_fastrtps tells an endpoint before it knows its node."""
DRIVER = endpoint('driver', '/', BEST_EFFORT)


def test_a_name_that_comes_later_than_its_endpoint_is_said():
    """Else the warning names nobody for as long as no other node comes or leaves."""
    looks = iter([[UNKNOWN], [UNKNOWN], [DRIVER], []])
    node = SimpleNamespace(
        count_publishers=lambda topic: 1,
        get_publishers_info_by_topic=lambda topic: next(looks),
        count_subscribers=None,
        get_subscriptions_info_by_topic=None,
    )
    mine = SimpleNamespace(topic_name=TOPIC, qos_profile=RELIABLE)
    check = QosCheck(node)
    (said,) = check.update([mine], [])
    assert said.startswith(f'{TOPIC}: a node of unknown name publishes best effort')
    assert check.update([mine], []) == [], 'it is said once'
    (said,) = check.update([mine], [])
    assert said.startswith(f'{TOPIC}: /driver publishes best effort')
    assert check.update([mine], []) == [], 'the graph has not changed: it is not asked'
    assert next(looks) == []
