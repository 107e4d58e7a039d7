"""Converts K-Scale's kmotions to command sequences: their Python file is read, never run.

Of a `.py` the functions `create_NAME` are read whose keyframes are plain numbers; those that are
computed are named. A `.json` has `{NAME: {TIME: {ENTRY: VALUE}}}`, as `Motion.keyframes` gives it.
"""

import ast
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.commands.sequence import HOLD
from kinfer_ros.commands.sequence import LINEAR
from kinfer_ros.commands.sequence import MAX_KEYFRAMES
from kinfer_ros.commands.sequence import TIME
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.errors import ConfigError
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import MAX_JSON_BYTES
from kinfer_ros.untrusted import MAX_YAML_BYTES
from kinfer_ros.untrusted import json_text
from kinfer_ros.untrusted import read_bytes
from kinfer_ros.yaml_file import is_number

PREFIX = 'create_'
FUNCTIONS = {'radians': math.radians}
CONSTANTS = {'pi': math.pi}

Keyframes = dict[float, dict[str, float]]


@dataclass
class Converted:
    """
    What a file has.

    :ivar texts: the YAML of each sequence, by its name.
    :ivar left_out: why each other motion is not converted, by its name.
    """

    texts: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class _NotData(Exception):
    """Code that is no plain number."""


def convert(path: Path) -> Converted:
    """
    Convert all motions of a file.

    :raises ConfigError: it is no such file.
    """
    left_out: dict[str, str] = {}
    is_json = path.suffix.lower() == '.json'
    limit = MAX_JSON_BYTES if is_json else MAX_YAML_BYTES
    data = read_bytes(path, limit, lambda text: ConfigError(f'kmotions {path}: {text}'))
    try:
        if is_json:
            found = _from_json(json.loads(json_text(data)))
        else:
            found, left_out = _from_python(ast.parse(data, str(path)))
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ConfigError(f'kmotions {path}: cannot be read: {error}') from None
    result = Converted(left_out=left_out)
    for name, (description, keyframes) in found.items():
        if problem := _problem(name, keyframes):
            result.left_out[name] = problem
        else:
            result.texts[name] = _as_yaml(name, description, keyframes)
    if not found and not left_out:
        raise ConfigError(f'kmotions {path}: found no motion')
    return result


def _problem(name: str, keyframes: Mapping[Any, Any]) -> str:
    """Return why keyframes are none, or ''."""
    if not is_name(name, 60) or '/' in name or name.startswith('.'):
        return 'its name cannot be that of a file'
    if not isinstance(keyframes, dict) or not 1 <= len(keyframes) <= MAX_KEYFRAMES:
        return f'found no keyframes, or over {MAX_KEYFRAMES}'
    for time, frame in keyframes.items():
        if not is_number(time) or time < 0.0 or not isinstance(frame, dict):
            return f'the keyframe {str(time)[:40]!r} is none'
        for entry, value in frame.items():
            if not is_name(entry, 60) or entry == TIME or not is_number(value):
                return f'the keyframe {time:g} has no number for {str(entry)[:40]!r}'
    if not any(keyframes.values()):
        return 'it moves nothing'
    return ''


def _as_yaml(name: str, description: str, keyframes: Keyframes) -> str:
    """Write a sequence as kmotions plays it: what a keyframe leaves out is 0 there."""
    entries = list(dict.fromkeys(entry for frame in keyframes.values() for entry in frame))
    content = {
        'name': name,
        **({'description': description} if is_name(description) else {}),
        'interpolation': {each: HOLD if each in TWIST_ENTRIES else LINEAR for each in entries},
        'keyframes': [
            {TIME: time, **{each: round(frame.get(each, 0.0), 6) for each in entries}}
            for time, frame in sorted(keyframes.items())
        ],
    }
    return str(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99))


def _from_json(content: Any) -> dict[str, tuple[str, Any]]:
    if not isinstance(content, dict):
        raise ValueError('expected {NAME: {TIME: {ENTRY: VALUE}}}')
    found: dict[str, tuple[str, Any]] = {}
    for name, frames in content.items():
        if not isinstance(frames, dict):
            raise ValueError(f'{name[:40]!r}: expected an object of keyframes')
        keyframes = {float(time): frame for time, frame in frames.items()}
        if len(keyframes) != len(frames):
            raise ValueError(f'{name[:40]!r}: two keyframes have one time')
        found[name] = ('', keyframes)
    return found


def _from_python(tree: ast.Module) -> tuple[dict[str, tuple[str, Keyframes]], dict[str, str]]:
    found: dict[str, tuple[str, Keyframes]] = {}
    left_out: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith(PREFIX):
            continue
        name = node.name.removeprefix(PREFIX)
        try:
            description = (ast.get_docstring(node) or '').split('\n')[0]
            found[name] = (description, _keyframes(node))
        except _NotData as error:
            left_out[name] = str(error)
    return found, left_out


def _keyframes(function: ast.FunctionDef) -> Keyframes:
    """
    Return the keyframes of a function that assigns them and returns, and does nothing else.

    :raises _NotData: it does something else.
    """
    body = [each for each in function.body if not isinstance(each, ast.Expr)]
    good = len(body) == 2 and isinstance(body[0], ast.Assign) and isinstance(body[1], ast.Return)
    if not good or not isinstance(body[0].value, ast.Dict):  # type: ignore[attr-defined]
        raise _NotData('its keyframes are computed: write them to a .json and convert that')
    frames: Keyframes = {}
    for time, frame in _items(body[0].value):  # type: ignore[attr-defined]
        if not isinstance(frame, ast.Dict):
            raise _NotData(f'line {frame.lineno}: a keyframe is no plain mapping')
        frames[_number(time)] = {_text(key): _number(value) for key, value in _items(frame)}
    return frames


def _items(node: ast.Dict) -> list[tuple[ast.expr, ast.expr]]:
    if any(key is None for key in node.keys):
        raise _NotData(f'line {node.lineno}: a mapping is merged into another')
    return [(key, each) for key, each in zip(node.keys, node.values, strict=True) if key]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise _NotData(f'line {node.lineno}: the name of an entry is computed')


def _number(node: ast.expr) -> float:
    """Return a plain number, its negative, or math.radians of one."""
    if isinstance(node, ast.Constant) and is_number(node.value):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.Attribute) and node.attr in CONSTANTS:
        return CONSTANTS[node.attr]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        function = FUNCTIONS.get(node.func.attr)
        if function is not None and len(node.args) == 1 and not node.keywords:
            return function(_number(node.args[0]))
    raise _NotData(f'line {node.lineno}: a number is computed')
