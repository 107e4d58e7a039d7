"""Says which publishers and subscribers of a node's topics do not match by their QoS.

DDS connects none of them, without an error: a topic that has a publisher just stays silent.
"""

from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription

from kinfer_ros.ros.polling import NAMELESS
from kinfer_ros.ros.polling import full_name

RELIABLE = ReliabilityPolicy.RELIABLE
LATCHED = DurabilityPolicy.TRANSIENT_LOCAL


class QosCheck:
    """
    Looks at the graph whenever a topic has gained or lost a publisher or subscriber.

    :ivar problems: by full topic name, what does not match now.
    """

    def __init__(self, node: Node) -> None:
        self.problems: dict[str, str] = {}
        self._node = node
        self._counts: dict[str, int] = {}

    def update(
        self, subscriptions: Iterable[Subscription], publishers: Iterable[Publisher]
    ) -> list[str]:
        """Look; :return: the problems that are new."""
        node, new = self._node, []
        for mine, count, others, wanted in (
            *((s, node.count_publishers, node.get_publishers_info_by_topic, True)
              for s in subscriptions),
            *((p, node.count_subscribers, node.get_subscriptions_info_by_topic, False)
              for p in publishers),
        ):  # fmt: skip
            topic = mine.topic_name
            number = count(topic)
            if self._counts.get(topic) == number:
                continue
            found = others(topic)
            # A name may come later than its endpoint: then look again.
            named = all(full_name(info) != NAMELESS for info in found)
            self._counts[topic] = number if named else -1
            problem = '; '.join(
                _describe(topic, mine.qos_profile, info, wanted=wanted) for info in found
            ).strip('; ')
            if problem and problem != self.problems.get(topic):
                new.append(problem)
            self.problems[topic] = problem
        return new

    def problem(self, topic: str) -> str:
        """Return what does not match on a topic now, or ''."""
        return self.problems.get(self._node.resolve_topic_name(topic), '')


def _describe(topic: str, mine: QoSProfile, info: Any, *, wanted: bool) -> str:
    """
    Say what does not match, with both sides, or return ''.

    :param wanted: this node subscribes, the other one publishes.
    """
    theirs = info.qos_profile
    offered, asked = (theirs, mine) if wanted else (mine, theirs)
    # Deadlines and liveliness of this package are the defaults, which match all.
    reliable = asked.reliability != RELIABLE or offered.reliability == RELIABLE
    latched = asked.durability != LATCHED or offered.durability == LATCHED
    if reliable and latched:
        return ''
    name = full_name(info)
    verbs = ('publishes', 'asks for') if wanted else ('asks for', 'publishes')
    return (
        f'{topic}: {name} {verbs[0]} {_text(theirs)}, this node {verbs[1]} {_text(mine)}: these '
        'QoS do not match, so no message comes through'
    )


def _text(profile: QoSProfile) -> str:
    words = (profile.reliability.name, profile.durability.name)
    return ', '.join(word.lower().replace('_', ' ') for word in words)
