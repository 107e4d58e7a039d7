"""Turns metadata.json into typed values, or says everything that is wrong with it.

kinfer reads three keys (joint_names, command_names, carry_size) and ignores others; files before
0.6 have num_commands in place of command_names. Our own keys are optional: joint_biases,
joint_kp, joint_kd, joint_torque_limits, control_rate_hz, command_ranges, provenance. A key that
is there is checked: gains that are wrong on disk would be wrong on the robot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kinfer_ros.errors import ModelError

MAX_NAMES = 4096
MAX_NAME_CHARS = 256
MAX_RATE_HZ = 10000.0

_BASE = ('baseheight', 'baseroll', 'basepitch')
_ARM = ('shoulderpitch', 'shoulderroll', 'shoulderyaw', 'elbowpitch', 'wristroll')
_UNIFIED = (
    'xvel',
    'yvel',
    'yawrate',
    *_BASE,
    *(f'r{joint}' for joint in _ARM),
    *(f'l{joint}' for joint in _ARM),
)
# K-Scale's command vectors of the files that give a length and no names. `yaw` is an absolute
# heading in rad, `yawrate` a rate in rad/s.
_NAMES_BY_COUNT = {
    3: ('xvel', 'yvel', 'yawrate'),
    6: ('xvel', 'yvel', 'yaw', *_BASE),
    7: ('xvel', 'yvel', 'yawrate', 'yaw', *_BASE),
    16: _UNIFIED,
    18: (*_UNIFIED, 'rgripper', 'lgripper'),
}


def default_command_names(count: int) -> tuple[str, ...]:
    """Names of a command vector that has only a length: K-Scale's where known, else cmd_0..."""
    return _NAMES_BY_COUNT.get(count) or tuple(f'cmd_{index}' for index in range(count))


@dataclass(frozen=True)
class Metadata:
    """What metadata.json says, typed; None where it says nothing."""

    joint_names: tuple[str, ...]
    command_names: tuple[str, ...] | None
    num_commands: int | None
    carry_size: tuple[int, ...] | None
    control_rate_hz: float | None
    joint_biases: tuple[float, ...] | None
    joint_kp: tuple[float, ...] | None
    joint_kd: tuple[float, ...] | None
    joint_torque_limits: tuple[float, ...] | None
    command_ranges: dict[str, tuple[float, float]]
    provenance: dict[str, Any]


class Problems:
    """Collects what is wrong, so that one error says all of it."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[str] = []

    def add(self, what: str, found: str, expected: str) -> None:
        """Note one problem."""
        self._found.append(f'{what}: found {found}; expected {expected}')

    def raise_if_any(self) -> None:
        """
        Raise what was collected.

        :raises ModelError: with one problem on the line, several as a list.
        """
        if len(self._found) == 1:
            raise ModelError(f'{self._where}: {self._found[0]}')
        if self._found:
            lines = '\n  - '.join(self._found)
            raise ModelError(f'{self._where}: {len(self._found)} problems:\n  - {lines}')


def parse_metadata(raw: Mapping[str, Any], where: str) -> Metadata:
    """
    Check and type the values of metadata.json.

    :param where: the file and entry, for errors.
    :raises ModelError: naming every key that is wrong, what was found and what was expected.
    """
    reader = _Reader(raw, Problems(where))
    joint_names = reader.names('joint_names')
    if not joint_names and joint_names is not None:
        reader.problems.add('joint_names', 'an empty list', 'at least one joint')
    if joint_names is None and raw.get('joint_names') is None:
        reader.problems.add('joint_names', 'nothing', 'a list with the name of every joint')
    names = joint_names or ()
    metadata = Metadata(
        joint_names=names,
        command_names=reader.names('command_names'),
        num_commands=reader.count('num_commands'),
        carry_size=reader.sizes('carry_size'),
        control_rate_hz=reader.rate('control_rate_hz'),
        joint_biases=reader.vector('joint_biases', names, lowest=-math.inf),
        joint_kp=reader.vector('joint_kp', names, lowest=0.0),
        joint_kd=reader.vector('joint_kd', names, lowest=0.0),
        joint_torque_limits=reader.vector('joint_torque_limits', names, lowest=0.0),
        command_ranges=reader.ranges('command_ranges'),
        provenance=reader.mapping('provenance'),
    )
    commands, number = metadata.command_names, metadata.num_commands
    if commands is not None and number is not None and len(commands) != number:
        reader.problems.add('num_commands', str(number), f'{len(commands)}, as in command_names')
    reader.problems.raise_if_any()
    return metadata


class _Reader:
    """Reads keys by kind; a key that is absent or null is None (or empty), a bad one a problem."""

    def __init__(self, raw: Mapping[str, Any], problems: Problems) -> None:
        self._raw = raw
        self.problems = problems

    def names(self, key: str) -> tuple[str, ...] | None:
        value = self._raw.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_NAMES:
            self.problems.add(key, show(value), f'a list of at most {MAX_NAMES} names')
            return None
        wrong = [name for name in value if not _is_name(name)]
        if wrong:
            expected = f'printable, non-empty strings of at most {MAX_NAME_CHARS} characters'
            self.problems.add(key, show(wrong[0]), expected)
            return None
        twice = [name for name, times in Counter(value).items() if times > 1]
        if twice:
            self.problems.add(key, f'{show(twice)} more than once (duplicate)', 'each name once')
            return None
        return tuple(value)

    def count(self, key: str) -> int | None:
        value = self._raw.get(key)
        if value is None or _is_count(value):
            return value
        self.problems.add(key, show(value), f'an integer from 0 to {MAX_NAMES}')
        return None

    def sizes(self, key: str) -> tuple[int, ...] | None:
        value = self._raw.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(type(size) is int and size >= 0 for size in value):
            return tuple(value)
        self.problems.add(key, show(value), 'a list of integers (the shape of the carry)')
        return None

    def rate(self, key: str) -> float | None:
        value = self._raw.get(key)
        if value is None:
            return None
        if _is_number(value) and 0 < value <= MAX_RATE_HZ:
            return float(value)
        self.problems.add(key, show(value), f'a number above 0 and up to {MAX_RATE_HZ:g}')
        return None

    def vector(
        self, key: str, names: tuple[str, ...], *, lowest: float
    ) -> tuple[float, ...] | None:
        value, count = self._raw.get(key), len(names)
        if value is None:
            return None
        if isinstance(value, dict) and value.keys() == set(names):
            value = [value[name] for name in names]
        good = isinstance(value, list) and all(_is_number(x) and x >= lowest for x in value)
        if good and len(value) == count:
            return tuple(float(x) for x in value)
        bound = '' if lowest == -math.inf else f' not below {lowest:g}'
        found = f'{len(value)} numbers' if good else show(value)
        self.problems.add(key, found, f'{count} finite numbers{bound}, one a joint')
        return None

    def ranges(self, key: str) -> dict[str, tuple[float, float]]:
        result: dict[str, tuple[float, float]] = {}
        for name, value in self.mapping(key).items():
            good = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
            if good and value[0] <= value[1]:
                result[name] = (float(value[0]), float(value[1]))
            else:
                self.problems.add(f'{key}.{name}', show(value), '[lowest, highest], finite')
        return result

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._raw.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.problems.add(key, show(value), 'an object')
        return {}


def show(value: Any) -> str:
    """A value for an error message: as it stands in the file, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_CHARS and value.isprintable()


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_NAMES


def _is_number(value: Any) -> bool:
    """A finite number that float32 can hold; bool is no number."""
    return type(value) in (int, float) and abs(value) < 3.4e38
