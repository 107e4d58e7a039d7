"""The plain values of YAML nodes, and their description in an error."""

from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]


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
    if isinstance(value, yaml.Node) or len(node.value) > 1000:
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
