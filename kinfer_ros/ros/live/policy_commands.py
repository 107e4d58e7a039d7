"""What a policy node tells of its command entries and policies once a second."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile

from kinfer_ros.commands.policy_choice import NO_CHOICE
from kinfer_ros.commands.policy_choice import parse_policies
from kinfer_ros.commands.ranges import MAX_ENTRIES
from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.ranges import parse_ranges
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all


class PolicyCommands:
    """
    Follows the diagnostics of one policy node.

    :ivar ranges: of the policy's command entries; None before the policy node published them.
    :ivar seen: the command that the policy saw last, by name.
    :ivar policies: of its policy set.
    :ivar heard_s: steady clock at its last status; None before it.
    :ivar problem: why its commands cannot be read, or ''.
    """

    def __init__(self, node: Node, policy_node: str, group: PollOnlyGroup) -> None:
        """:param policy_node: its name, in the namespace of `node`."""
        self.ranges: Ranges | None = None
        self.seen: dict[str, float] = {}
        self.policies = NO_CHOICE
        self.heard_s: float | None = None
        self.problem = ''
        self._status = f'{node.get_namespace().rstrip("/")}/{policy_node}: policy'
        qos = QoSProfile(depth=10)
        self._diagnostics = subscribe(node, DiagnosticArray, '/diagnostics', qos, group)

    def poll(self) -> None:
        """Take new messages, without waiting."""
        for array in take_all(self._diagnostics):
            for status in array.status:
                if status.name == self._status:
                    self.heard_s = time.monotonic()
                    self._read({each.key: each.value for each in status.values})

    def _read(self, values: Mapping[str, Any]) -> None:
        if 'commands' not in values:
            return
        try:
            self.policies = parse_policies(values)
            self.ranges = parse_ranges(values['commands'])
            numbers = [float(value) for value in json.loads(values['command'])[:MAX_ENTRIES]]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            self.problem = f'cannot read what the policy node tells of itself: {error}'
            return
        self.problem = ''
        self.seen = {
            name: number
            for name, number in zip(self.ranges, numbers, strict=False)
            if math.isfinite(number)
        }
