"""Finds a second publisher: of joint commands, or of the same joints on joint_states.

A robot takes commands from one node, and its joints come from one node. Of two drivers, or a
driver and a joint_state_publisher, each sample is plausible, but the policy sees the joints jump
between two robots. Publishers of other joints are no conflict: one driver a limb, or a gripper.
"""

from collections import deque
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_NS = 2_000_000_000
TURNS = 2
"""Turns within WINDOW_NS that show two publishers: a driver that restarts makes one."""
MAX_SENDERS = 32


@dataclass
class _Sender:
    joints: frozenset[str]
    number: int = 0
    order: int = 0
    seen_ns: int = 0


class JointSenders:
    """
    Who sends which joints, message by message.

    A sender is a publisher's id. Where rclpy does not tell it (Jazzy), it is the list of names,
    and two publishers of one list show by message numbers that go back.
    """

    def __init__(self, joints: Iterable[str]) -> None:
        """:param joints: of the robot."""
        self._joints = frozenset(joints)
        self._senders: dict[Hashable, _Sender] = {}
        self._turns: deque[tuple[int, frozenset[str]]] = deque(maxlen=TURNS)
        self._count = 0

    def on_message(
        self, publisher: bytes | None, names: Sequence[str], number: int | None, now_ns: int
    ) -> None:
        """
        Count a message.

        :param publisher: id of its publisher, if known.
        :param number: the publisher's own number of the message, if known.
        """
        joints = self._joints.intersection(names)
        if not joints:
            return
        key: Hashable = publisher if publisher is not None else tuple(names)
        if key not in self._senders and len(self._senders) >= MAX_SENDERS:
            self._senders.clear()
        sender = self._senders.setdefault(key, _Sender(joints))
        if now_ns - sender.seen_ns > WINDOW_NS:
            sender.order = 0  # after so long it takes no turns, it has changed its list
        shared = self._shared(sender, joints, number if publisher is None else None)
        if shared:
            self._turns.append((now_ns, shared))
        self._count += 1
        sender.joints, sender.order, sender.number = joints, self._count, number or 0
        sender.seen_ns = now_ns

    def _shared(
        self, sender: _Sender, joints: frozenset[str], number: int | None
    ) -> frozenset[str]:
        """:return: joints that another sent since this sender's last message: it takes turns."""
        if not sender.order:
            return frozenset()
        if number is not None and number <= sender.number:
            return joints
        others = (s.joints for s in self._senders.values() if s.order > sender.order)
        return joints.intersection(frozenset().union(*others))

    def conflict(self, now_ns: int) -> list[str]:
        """Return the joints that two publishers send now, sorted; [] if none."""
        recent = [joints for at, joints in self._turns if now_ns - at <= WINDOW_NS]
        return sorted(frozenset().union(*recent)) if len(recent) >= TURNS else []


def describe_commanders(topic: str, publishers: int) -> str:
    """
    Return that another node publishes joint commands, or ''.

    :param publishers: of joint_commands, this node included.
    """
    others = publishers - 1
    if others <= 0:
        return ''
    return f'{topic} has {others} other publishers: a robot takes commands from one node'


def describe_conflict(topic: str, joints: Sequence[str], nodes: Sequence[str]) -> str:
    """
    Say who publishes the same joints.

    :param nodes: names of the nodes that publish on the topic.
    """
    shown = ', '.join(joints[:3]) + (f' and {len(joints) - 3} more' if len(joints) > 3 else '')
    return (
        f'{topic} has two publishers of the same joints ({shown}): '
        f'{", ".join(nodes) or "nodes of unknown name"}; only one of them may publish them'
    )
