"""Reads a YAML file strictly and reports all problems, with their lines, in one error.

A plain YAML loader ignores misspelt keys, keeps the last of two equal keys, and reads `1e3` as
text. Here the reader requests each key it knows from a `Section`, with its type, and `finish`
reports every missing, wrong or unknown key.
"""

import difflib
import math
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.fill_in import find_places
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import MAX_YAML_BYTES
from kinfer_ros.untrusted import compose_yaml
from kinfer_ros.untrusted import read_bytes
from kinfer_ros.untrusted import untag
from kinfer_ros.yaml_nodes import construct
from kinfer_ros.yaml_nodes import describe
from kinfer_ros.yaml_nodes import misread_numbers

MAX_TEXT = 4096
"""Characters of a text, such as a path."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest of `known`, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ''


class YamlFile:
    """
    A YAML file to read; `root` is its top level.

    :param what: the kind of file, for messages (`robot file`).
    :param error: class of the errors to raise.
    :param foreign: a file of another project: unknown keys are no problem (`unread` lists them),
        and Python's tags (`slice(None)`) are read as plain lists, without calling anything.
    :raises KinferRosError: of that class, when the file cannot be read as one YAML mapping.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        error: type[KinferRosError] = ConfigError,
        *,
        foreign: bool = False,
    ) -> None:
        self.path = path
        self._what = what
        self._error = error
        self._foreign = foreign
        self._problems: list[tuple[int, str]] = []
        self._sections: list[Section] = []
        self.root = Section(self, '', self._compose())

    def problem(self, line: int, text: str) -> None:
        """Note a problem; `line` counts from 1."""
        self._problems.append((line, text))

    def finish(self) -> None:
        """
        Report all problems, including unknown keys.

        :raises KinferRosError: one error with all problems, sorted by line.
        """
        for section in self._sections if not self._foreign else ():
            section.report_unknown()
        if not self._problems:
            return
        lines = [f'line {line}: {text}' for line, text in sorted(set(self._problems))]
        if len(lines) == 1:
            raise self._error(f'{self._what} {self.path}, {lines[0]}')
        raise self._error(f'{self._what} {self.path}: {_listed("problems", lines)}')

    def fail_at(self, line: int, text: str) -> KinferRosError:
        """Return the error of one problem, where nothing can be read without what is wrong."""
        return self._fail(text, f', line {line}')

    def unread(self) -> list[str]:
        """Return the places of the keys that nothing has asked for."""
        return [place for section in self._sections for place in section.unread()]

    def register(self, section: 'Section') -> None:
        """Add a section to check for unknown keys in `finish`."""
        self._sections.append(section)

    def _compose(self) -> yaml.MappingNode:
        text = self._text()
        try:
            node = compose_yaml(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f', line {mark.line + 1}, column {mark.column + 1}' if mark else ''
            raise self._fail(f'not YAML: {error.problem or error.context}', where) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise self._fail(f'not YAML: {error}') from None
        if not isinstance(node, yaml.MappingNode):
            found = 'nothing' if node is None else describe(node)
            raise self._fail(f'found {found} at the top, expected `key: value` lines')
        if self._foreign:
            untag(node, set())
        elif places := find_places(node):
            raise self._draft([str(place) for place in places])
        else:
            self._problems += misread_numbers(node)
        return node

    def _draft(self, places: list[str]) -> KinferRosError:
        listed = places[0] if len(places) == 1 else _listed('places', places)
        return self._fail(f'is a draft: fill in {listed}')

    def _text(self) -> str:
        data = read_bytes(self.path, MAX_YAML_BYTES, self._fail)
        try:
            return data.decode('utf-8')
        except UnicodeDecodeError as error:
            raise self._fail(f'is not UTF-8 text (byte {error.start})') from None

    def _fail(self, text: str, where: str = '') -> KinferRosError:
        separator = ' ' if text.startswith(('is ', 'cannot ')) else ': '
        return self._error(f'{self._what} {self.path}{where}{separator}{text}')


class Section:
    """
    One mapping of the file; a getter for each type of value.

    A getter whose key is missing or wrong notes the problem and returns a placeholder of the right
    type, so that reading continues and finds the other problems.
    """

    def __init__(self, file: YamlFile, name: str, node: yaml.MappingNode) -> None:
        self._file = file
        self._name = name
        self._known_keys: set[str] = set()
        self._nodes: dict[str, yaml.Node] = {}
        self._key_lines: dict[str, int] = {}
        self.line = node.start_mark.line + 1
        self._read_keys(node)
        file.register(self)

    def keys(self) -> tuple[str, ...]:
        """Return the keys, in the order of the file."""
        return tuple(self._nodes)

    def has(self, key: str) -> bool:
        """Whether an optional key is present."""
        self._known_keys.add(key)
        return key in self._nodes

    def problem(self, text: str, key: str = '') -> None:
        """Note a problem with a key, or with the whole section."""
        node = self._nodes.get(key)
        line = node.start_mark.line + 1 if node else self.line
        place = self._place(key)
        self._file.problem(line, f'{place}: {text}' if place else text)

    def error(self, text: str, key: str) -> KinferRosError:
        """Return an error for a key, where nothing can be read without it."""
        node = self._nodes.get(key)
        line = node.start_mark.line + 1 if node else self.line
        return self._file.fail_at(line, f'{self._place(key)}: {text}')

    def unread(self) -> list[str]:
        """Return the places of the keys that nothing has asked for."""
        return [self._place(key) for key in self._nodes if key not in self._known_keys]

    def string(self, key: str, default: str | None = None) -> str:
        """Return a text of one printable line, not empty."""

        def check(value: Any) -> bool:
            return is_name(value, MAX_TEXT) and bool(value.strip())

        return str(self._value(key, 'a text of printable characters', check, default, ''))

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        return bool(
            self._value(key, 'true or false', lambda v: isinstance(v, bool), default, False)
        )

    def integer(self, key: str, minimum: int, maximum: int, default: int | None = None) -> int:
        """Return a whole number from `minimum` to `maximum`."""

        def check(value: Any) -> bool:
            return type(value) is int and minimum <= value <= maximum

        wanted = f'a whole number from {minimum} to {maximum}'
        return int(self._value(key, wanted, check, default, minimum))

    def number(
        self,
        key: str,
        unit: str,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        default: float | None = None,
    ) -> float:
        """Return a finite number from `minimum` to `maximum`."""

        def check(value: Any) -> bool:
            return is_number(value) and minimum <= value <= maximum

        wanted = f'a number{_bounds(minimum, maximum)} ({unit})'
        return float(self._value(key, wanted, check, default, math.nan))

    def numbers(
        self, key: str, length: int, unit: str, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """Return a list of `length` finite numbers."""

        def check(value: Any) -> bool:
            return isinstance(value, list) and len(value) == length and all(map(is_number, value))

        wanted = f'a list of {length} numbers ({unit})'
        value = self._value(key, wanted, check, default, (math.nan,) * length)
        return tuple(float(entry) for entry in value)

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return one of the given words."""
        wanted = 'one of ' + ', '.join(choices)
        value = self._value(key, wanted, lambda v: v in choices, default, choices[0])
        return str(value)

    def section(self, key: str) -> 'Section | None':
        """Return the mapping under `key`; None, with a problem noted, where there is none."""
        node = self._node(key, required=True)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.problem(f'found {describe(node)}, expected keys of its own', key)
            return None
        return Section(self._file, self._place(key), node)

    def each(self, key: str) -> 'list[Section]':
        """Return the mappings of the list under `key`."""
        node = self._node(key, required=True)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.problem(f'found {describe(node)}, expected a list of mappings', key)
            return []
        sections = []
        for index, entry in enumerate(node.value):
            place = f'{self._place(key)}[{index}]'
            if isinstance(entry, yaml.MappingNode):
                sections.append(Section(self._file, place, entry))
            else:
                line = entry.start_mark.line + 1
                text = f'{place}: found {describe(entry)}, expected a mapping {{key: value, ...}}'
                self._file.problem(line, text)
        return sections

    def plain(self, key: str) -> Any:
        """Return an optional key's value as plain lists, dicts and scalars; None if absent."""
        node = self._node(key, required=False)
        if node is None:
            return None
        try:
            return yaml.constructor.SafeConstructor().construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            text = getattr(error, 'problem', None) or str(error)
            self.problem(f'cannot be read: {text}', key)
            return None

    def sections(self) -> 'dict[str, Section]':
        """Return the mappings under all keys, for keys that are free names."""
        sections = {key: self.section(key) for key in self._nodes}
        return {key: section for key, section in sections.items() if section is not None}

    def allow_all_keys(self) -> None:
        """Accept every key, where the allowed keys are not known."""
        self._known_keys |= self._nodes.keys()

    def report_unknown(self) -> None:
        """Note every unknown key."""
        missing = self._known_keys - self._nodes.keys()
        for key, line in self._key_lines.items():
            if key in self._known_keys:
                continue
            # A misspelt key most likely means one that is missing.
            hint = did_you_mean(key, missing) or did_you_mean(key, self._known_keys)
            place = f'{self._name}: ' if self._name else ''
            known = '' if hint else f'; known are {", ".join(sorted(self._known_keys))}'
            self._file.problem(line, f"{place}unknown key '{key}'{hint}{known}")

    def _value(
        self,
        key: str,
        wanted: str,
        check: Callable[[Any], bool],
        default: Any,
        placeholder: Any,
    ) -> Any:
        """Return the checked value, the default, or (with a problem noted) the placeholder."""
        node = self._node(key, required=default is None)
        if node is None:
            return placeholder if default is None else default
        value = construct(node)
        if check(value):
            return value
        self.problem(f'found {describe(node)}, expected {wanted}', key)
        return placeholder

    def _node(self, key: str, required: bool) -> yaml.Node | None:
        self._known_keys.add(key)
        node = self._nodes.get(key)
        if node is None and required:
            self.problem(f"missing key '{key}'")
        return node

    def _place(self, key: str) -> str:
        return '.'.join(part for part in (self._name, key) if part)

    def _read_keys(self, node: yaml.MappingNode) -> None:
        first: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._file.problem(line, f'found {describe(key_node)} as a key, expected a name')
            elif not is_name(key_node.value):
                found = ascii(key_node.value[:40])
                self._file.problem(line, f'found {found} as a key, expected printable characters')
            elif key_node.value in first:
                place = self._place(key_node.value)
                self._file.problem(line, f'{place}: duplicate key')
            else:
                first[key_node.value] = (key_node, value_node)
        node.value = list(first.values())
        self._merge(node)
        for key_node, value_node in node.value:
            self._nodes[key_node.value] = value_node
            self._key_lines[key_node.value] = key_node.start_mark.line + 1

    def _merge(self, node: yaml.MappingNode) -> None:
        """Resolve `<<: *anchor`."""
        try:
            yaml.constructor.SafeConstructor().flatten_mapping(node)
        except (yaml.YAMLError, RecursionError) as error:
            text = getattr(error, 'problem', None) or str(error)
            self._file.problem(self.line, f'{self._place("<<")}: {text}')


def _listed(what: str, lines: list[str]) -> str:
    return '\n  '.join([f'{len(lines)} {what}', *lines])


def is_number(value: Any) -> bool:
    """Whether a value is a finite number (not a boolean)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False


def _bounds(minimum: float, maximum: float) -> str:
    if math.isfinite(minimum) and math.isfinite(maximum):
        return f' from {minimum:g} to {maximum:g}'
    if math.isfinite(minimum):
        return f' of at least {minimum:g}'
    return f' of at most {maximum:g}' if math.isfinite(maximum) else ''
