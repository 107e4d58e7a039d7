"""The plain values of YAML nodes, and their description in an error."""

import re
from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

_BASE_60 = re.compile(r'[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?')
_OCTAL = re.compile(r'[-+]?0[\d_]*[1-7][\d_]*')
MAX_NUMBER = 1000
"""Characters; a longer number is one that cannot be read."""
_NUMBERS = ('tag:yaml.org,2002:int', 'tag:yaml.org,2002:float')


def misread_numbers(node: yaml.Node, seen: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """
    Yield the line of each number that YAML 1.1 takes for another one than is written, and why.

    It reads 1:30 as 90, since it counts in base 60, and 010 as 8.
    """
    seen = set() if seen is None else seen
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if reason := _misreading(node):
            yield node.start_mark.line + 1, reason
        return
    for entry in node.value:
        # The names of keys are taken as they are written.
        yield from misread_numbers(entry[1] if isinstance(entry, tuple) else entry, seen)


def _misreading(node: yaml.ScalarNode) -> str:
    if node.tag not in _NUMBERS or len(node.value) > MAX_NUMBER:
        return ''
    if _BASE_60.fullmatch(node.value):
        return (
            f'found {node.value[:60]}, which YAML reads in base 60; expected a plain number '
            '(seconds: 90.0 for 1:30), or quotes around a text'
        )
    if node.tag == _NUMBERS[0] and _OCTAL.fullmatch(node.value):
        return (
            f'found {node.value[:60]}, which YAML reads as octal; expected a number without a '
            'leading 0, or quotes around a text'
        )
    return ''


def construct(node: yaml.Node) -> Any:
    """Return the plain value of a scalar or a list of scalars, else the node."""
    if isinstance(node, yaml.SequenceNode) and _nested(node):
        return node
    if isinstance(node, yaml.MappingNode):
        return node
    try:
        return yaml.constructor.SafeConstructor().construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, OverflowError):
        return node


def describe(node: yaml.Node) -> str:
    """Describe the content of a YAML node in words."""
    if isinstance(node, yaml.MappingNode):
        return f'a mapping of {len(node.value)} keys'
    if isinstance(node, yaml.SequenceNode):
        value = construct(node)
        if isinstance(value, list) and len(value) <= 8 and not _nested(node):
            return _printed('the list ', value)
        return f'a list of {len(node.value)}'
    value = construct(node)
    if value is None:
        return 'nothing'
    if isinstance(value, str):
        return f"the text '{value[:60]}'{_number_hint(value)}"
    if isinstance(value, yaml.Node) or len(node.value) > MAX_NUMBER:
        return f"a value that cannot be read: '{node.value[:60]}'"
    return f'{value}'


def _printed(what: str, value: Any) -> str:
    try:
        return f'{what}{value}'
    except ValueError:  # Python prints no integer of over 4300 digits
        return f'{what}of values that cannot be printed'


def _nested(node: yaml.SequenceNode) -> bool:
    return any(not isinstance(entry, yaml.ScalarNode) for entry in node.value)


def _number_hint(text: str) -> str:
    """Explain a number that YAML 1.1 reads as text, such as 1e3."""
    try:
        float(text)
    except ValueError:
        return ''
    return ' (YAML wants a decimal point and no quotes: 1.0e-3)'
