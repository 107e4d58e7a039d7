"""Reads one datagram of K-Scale's JSON commands, which anybody may have sent.

`{"type": "normal", "commands": {"xvel": 0.3, ...}}`; pyfirmware takes the names at the top level
as well, and `{"type": "reset"}` sets all commands to zero. Nothing else is obeyed.
"""

import json
from dataclasses import dataclass
from typing import Any
from typing import NoReturn

from kinfer_ros.control.command import MAX_VALUE
from kinfer_ros.errors import MessageError
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import json_text

MAX_BYTES = 4096
MAX_ENTRIES = 64
"""Commands of a datagram; K-Scale's senders have 18."""
MAX_NAME = 64
MAX_DIGITS = 40
"""Characters of a number."""

NORMAL, RESET = 'normal', 'reset'


@dataclass(frozen=True)
class Datagram:
    """
    A valid datagram.

    :ivar neutral: all commands are to be neutral (`reset`).
    :ivar values: the commands, by name.
    :ivar ignored: top-level keys that mean nothing here.
    """

    neutral: bool
    values: dict[str, float]
    ignored: tuple[str, ...] = ()


def parse_datagram(data: bytes) -> Datagram:
    """
    Read a datagram.

    :raises MessageError: it is not valid as a whole; no part of it may then be used.
    """
    content = _read_json(data)
    kind = content.pop('type', NORMAL)
    if kind not in (NORMAL, RESET):
        raise _refuse('type', _shown(kind), f'"{NORMAL}" or "{RESET}"')
    if 'commands' not in content:
        values, ignored = content, {}
    else:
        values = content.pop('commands')
        ignored = content
        if not isinstance(values, dict):
            raise _refuse('commands', _shown(values), 'an object {name: number}')
    if kind == RESET:
        return Datagram(True, {}, tuple(ignored or values))
    if len(values) > MAX_ENTRIES:
        raise _refuse('commands', f'{len(values)} of them', f'at most {MAX_ENTRIES}')
    for name, value in values.items():
        if not is_name(name, MAX_NAME):
            raise _refuse('commands', f'the name {_shown(name)}', 'printable characters')
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refuse(name, _shown(value), 'a number')
        if not abs(value) < MAX_VALUE:
            raise _refuse(name, _shown(value), f'a number below {MAX_VALUE:g}')
    return Datagram(False, {name: float(value) for name, value in values.items()}, tuple(ignored))


def _read_json(data: bytes) -> dict[str, Any]:
    """:raises MessageError: it is too long, no JSON object, or has a key twice."""
    if len(data) > MAX_BYTES:
        raise MessageError(f'found more than {MAX_BYTES} bytes')
    try:
        content = json.loads(
            json_text(data),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_whole_number,
            parse_float=_number,
        )
    except (ValueError, RecursionError) as error:
        raise MessageError(f'is no JSON: {error}') from None
    if not isinstance(content, dict):
        raise MessageError(f'found {_shown(content)}, expected a JSON object')
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MessageError(f'has the key {_shown(twice)} twice')
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise MessageError(f'found {text}, expected a finite number')


def _number(text: str) -> float:
    if len(text) > MAX_DIGITS:
        raise MessageError(f'found a number of {len(text)} characters, expected {MAX_DIGITS}')
    return float(text)


def _whole_number(text: str) -> float:
    return _number(text)


def _refuse(what: str, found: str, expected: str) -> MessageError:
    return MessageError(f'{what}: found {found}, expected {expected}')


def _shown(value: object) -> str:
    return ascii(value)[:60]
