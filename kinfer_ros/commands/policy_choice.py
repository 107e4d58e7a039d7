"""The policies of a running set, as /diagnostics lists them, and the key that asks for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kinfer_ros.untrusted import json_text

MAX_LENGTH = 1 << 16
KEYS = 'bcfhijklmnoptuvyzBCFHIJKLMNOPTUV'
"""Of the policies, in their order: one for each that a set may have, none with another use."""


@dataclass(frozen=True)
class PolicyChoice:
    """
    The policies of a set.

    :ivar names: in the order of the set.
    :ivar running: the one that runs, or that runs next.
    :ivar reachable: those that can be reached from it.
    """

    names: tuple[str, ...]
    running: str
    reachable: frozenset[str]

    def of_key(self, key: str) -> str:
        """Return the policy that a key asks for, or ''."""
        return dict(zip(KEYS, self.names, strict=False)).get(key, '')

    def rows(self) -> list[tuple[str, str, str]]:
        """Return key, name and remark of each policy."""
        return [
            (key, name, self._remark(name)) for key, name in zip(KEYS, self.names, strict=False)
        ]

    def _remark(self, name: str) -> str:
        if name == self.running:
            return 'runs'
        return '' if name in self.reachable else f'no way from {self.running}'


NO_CHOICE = PolicyChoice((), '', frozenset())
"""A policy alone."""


def parse_policies(values: Mapping[str, str]) -> PolicyChoice:
    """
    Read the policies from the values of a policy node's diagnostics.

    :raises ValueError: invalid text.
    """
    if 'policies' not in values:
        return NO_CHOICE
    names, reachable = (_names(values.get(key, '[]')) for key in ('policies', 'next_policies'))
    return PolicyChoice(names, values.get('policy', ''), frozenset(reachable))


def _names(text: str) -> tuple[str, ...]:
    if len(text) > MAX_LENGTH:
        raise ValueError('too long')
    found: Any = json.loads(json_text(text))
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError('no names of policies')
    return tuple(found[: len(KEYS)])
