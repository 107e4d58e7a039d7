"""Brings the records of a policy set into one order: each policy has its own joints, commands."""

from collections.abc import Mapping
from typing import Any

BY_JOINT = (
    'joint_angles', 'joint_vels', 'measured_position', 'measured_velocity', 'output', 'target',
    'reference',
)  # fmt: skip
"""Keys of a record with a number for each joint, in the order of its policy."""
BY_COMMAND = ('command',)
KEYS = {'joint_order': BY_JOINT, 'command_names': BY_COMMAND}

Places = dict[str, list[int | None]]
"""By key of a record: the place of each number in it, None where its policy has none."""


class SetLayout:
    """
    The joints and commands of all policies of a run, each once, those of the first policy first.

    :ivar names: `joint_order` and `command_names` of all; empty where one order holds for all.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """:param facts: of run.json."""
        listed = facts.get('policies')
        policies = listed if isinstance(listed, Mapping) else {}
        first = facts.get('policy')
        own = [policies[first]] if isinstance(first, str) and first in policies else []
        self.names: dict[str, list[str]] = {}
        self._places: dict[str, Places] = {}
        for fact, keys in KEYS.items():
            orders = [_order(each, fact) for each in (*own, *policies.values())]
            whole = list(dict.fromkeys(name for order in orders for name in order))
            if all(order == whole for order in orders):
                continue
            self.names[fact] = whole
            for name, each in policies.items():
                order = _order(each, fact)
                places = [order.index(part) if part in order else None for part in whole]
                self._places.setdefault(name, {}).update(dict.fromkeys(keys, places))

    def arrange(self, record: dict[str, Any]) -> None:
        """Bring the numbers of a record into the order of `names`."""
        for key, places in self._places.get(record.get('policy', ''), {}).items():
            row = record.get(key)
            if isinstance(row, list):
                size = len(row)
                record[key] = [row[at] if at is not None and at < size else None for at in places]


def _order(facts: Any, fact: str) -> list[str]:
    order = facts.get(fact) if isinstance(facts, Mapping) else None
    return [str(name) for name in order] if isinstance(order, list) else []
