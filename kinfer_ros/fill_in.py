"""Places of a draft that a person has to fill in: values and keys that begin with FILL IN.

`import` and `robot from-...` write one wherever the source file does not say what cannot be
assumed. A file that has one is refused by its reader, with all such places and their lines.
"""

from dataclasses import dataclass

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.untrusted import compose_yaml

FILL_IN = 'FILL IN'


@dataclass(frozen=True)
class Place:
    """One place to fill in: its line, from 1 on, its key, and what is expected there."""

    line: int
    key: str
    text: str

    def __str__(self) -> str:
        return f'line {self.line}: {self.key}: {self.text}'


def fill_in(expected: str) -> str:
    """Return the value (or the key) of a place that has to be filled in."""
    return f'{FILL_IN} ({expected})'


def find_places(node: yaml.Node | None) -> list[Place]:
    """Return all places to fill in below a node, in the order of the file."""
    found: list[Place] = []
    if node is not None:
        _search(node, '', found, set())
    return found


def places_in(text: str | bytes) -> list[Place]:
    """
    Return the places to fill in of a YAML text.

    :raises yaml.YAMLError: it is not YAML.
    """
    return find_places(compose_yaml(text))


def _search(node: yaml.Node, key: str, found: list[Place], seen: set[int]) -> None:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if node.value.startswith(FILL_IN):
            found.append(Place(node.start_mark.line + 1, key, node.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            _search(entry, f'{key}[{index}]', found, seen)
    else:
        for name, value in node.value:
            _search(name, key, found, seen)
            _search(value, _join(key, name), found, seen)


def _join(key: str, name: yaml.Node) -> str:
    word = name.value if isinstance(name, yaml.ScalarNode) else '...'
    return f'{key}.{word}' if key else word
