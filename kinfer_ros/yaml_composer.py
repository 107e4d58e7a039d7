"""Reads YAML as nodes: with libyaml where PyYAML has it, a tenth of the time.

PyYAML has two readers that differ on rare texts. So libyaml reads only what both read alike; the
rest, and what it refuses, goes to the reader in Python, whose words and lines all errors have.
"""

import re
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]
from yaml.composer import Composer  # type: ignore[import-untyped, unused-ignore]
from yaml.resolver import Resolver  # type: ignore[import-untyped, unused-ignore]

try:
    from yaml.cyaml import CParser  # type: ignore[import-untyped, unused-ignore]
except ImportError:  # PyYAML without libyaml
    CParser = None

_READ_ALIKE = re.compile(r'[^!%?\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]*')
"""No tags, directives, explicit keys, tabs, and no line ends but the usual one."""

if CParser is not None:

    class _LibyamlReader(Composer, CParser, Resolver):  # type: ignore[misc]
        """Makes nodes in Python, which bounds their depth: libyaml's own composer overflows."""

        def __init__(self, text: str | bytes) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)


def compose_node(text: str | bytes) -> Any:
    """
    Read one YAML document.

    :return: its root node, or None of an empty file.
    :raises yaml.YAMLError: it is not YAML.
    :raises RecursionError: it is nested too deep.
    """
    if CParser is not None and _is_read_alike(text):
        try:
            return _LibyamlReader(text).get_single_node()
        except yaml.YAMLError:
            pass  # said below
    reader = yaml.SafeLoader(text)
    try:
        return reader.get_single_node()
    finally:
        reader.dispose()


def _is_read_alike(text: str | bytes) -> bool:
    if isinstance(text, bytes):
        try:
            text = text.decode('utf-8')
        except UnicodeDecodeError:
            return False
    return _READ_ALIKE.fullmatch(text) is not None
