"""Parses metadata.json into typed values; all problems are reported in one error.

kinfer reads three keys (joint_names, command_names, carry_size) and ignores others; files before
0.6 have num_commands in place of command_names. Our own keys are optional: joint_biases,
joint_kp, joint_kd, joint_torque_limits, control_rate_hz, command_ranges, provenance. Those of
newer exporters are read by newer_metadata.py; keys that nobody reads are listed in `notes`.
"""

import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.newer_metadata import is_entries
from kinfer_ros.policy.newer_metadata import read_entries
from kinfer_ros.policy.newer_metadata import read_fields
from kinfer_ros.text import is_name
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32

MAX_NAMES = 4096
MAX_NAME_CHARS = 256
MAX_RATE_HZ = 10000.0
SAME_POSE = 1e-3
"""rad; angles of two keys that are nearer are the same."""
KNOWN = (
    'joint_names', 'command_names', 'num_commands', 'carry_size', 'control_rate_hz',
    'joint_biases', 'home_position', 'joint_kp', 'joint_kd', 'joint_torque_limits',
    'command_ranges', 'command_type_info', 'kinfer_version', 'training_metadata', 'provenance',
)  # fmt: skip

_BASE = ('baseheight', 'baseroll', 'basepitch')
_ARM = ('shoulderpitch', 'shoulderroll', 'shoulderyaw', 'elbowpitch', 'wristroll')
_VELOCITY = ('xvel', 'yvel', 'yawrate')
_ARMS = {side: tuple(f'{side}{joint}' for joint in _ARM) for side in 'rl'}
# K-Scale's command vectors, for files that give a length and no names. `yaw` is an absolute
# heading in rad, `yawrate` a rate in rad/s.
_NAMES_BY_COUNT = {
    3: _VELOCITY,
    6: ('xvel', 'yvel', 'yaw', *_BASE),
    7: ('xvel', 'yvel', 'yawrate', 'yaw', *_BASE),
    16: (*_VELOCITY, *_BASE, *_ARMS['r'], *_ARMS['l']),
    18: (*_VELOCITY, *_BASE, *_ARMS['r'], 'rgripper', *_ARMS['l'], 'lgripper'),
}


def is_placeholder(kp: Sequence[float] | None, kd: Sequence[float] | None) -> bool:
    """Whether gains are what mjlab's exporter writes where it has none: kp 1, kd -0."""
    return bool(kp) and bool(kd) and set(kp or ()) == {1.0} and not any(kd or ())


def default_command_names(count: int) -> tuple[str, ...]:
    """Names for a command vector of this length: K-Scale's where known, else cmd_0, cmd_1, ..."""
    return _NAMES_BY_COUNT.get(count) or tuple(f'cmd_{index}' for index in range(count))


@dataclass(frozen=True)
class Metadata:
    """Typed content of metadata.json; None for missing keys."""

    joint_names: tuple[str, ...]
    command_names: tuple[str, ...] | None
    num_commands: int | None
    carry_size: tuple[int, ...] | None
    control_rate_hz: float | None
    joint_biases: tuple[float, ...] | None
    """The start pose, rad: home_position, or else joint_biases of the file."""
    joint_kp: tuple[float, ...] | None
    joint_kd: tuple[float, ...] | None
    joint_torque_limits: tuple[float, ...] | None
    command_ranges: dict[str, tuple[float, float]]
    provenance: dict[str, Any]
    fields: dict[str, tuple[float, float] | None]
    """Entries of the command by command_type_info, each with its range."""
    notes: tuple[str, ...]
    """What was chosen between two keys, and which keys were not read."""


class Problems:
    """Collects problems, to report all of them in one error."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: list[str] = []

    def add(self, what: str, found: str, expected: str) -> None:
        """Note one problem."""
        self._found.append(f'{what}: found {found}; expected {expected}')

    def raise_if_any(self) -> None:
        """
        Raise the collected problems.

        :raises ModelError: one problem in the line, several as a list.
        """
        if len(self._found) == 1:
            raise ModelError(f'{self._where}: {self._found[0]}')
        if self._found:
            lines = '\n  - '.join(self._found)
            raise ModelError(f'{self._where}: {len(self._found)} problems:\n  - {lines}')


def parse_metadata(raw: Mapping[str, Any], where: str) -> Metadata:
    """
    Check and convert the values of metadata.json.

    :param where: the file and entry, for errors.
    :raises ModelError: naming every wrong key, what was found and what was expected.
    """
    reader = _Reader(raw, Problems(where))
    joint_names = reader.names('joint_names')
    if not joint_names and joint_names is not None:
        reader.problems.add('joint_names', 'an empty list', 'at least one joint')
    if joint_names is None and raw.get('joint_names') is None:
        reader.problems.add('joint_names', 'nothing', 'a list with the name of every joint')
    names = joint_names or ()
    pose, notes = _start_pose(reader, names)
    fields = read_fields(raw, reader.problems.add, notes)
    if unread := [str(key) for key in raw if key not in KNOWN]:
        notes.append(f'metadata: not read: {", ".join(unread)}')
    reader.text('kinfer_version')
    commands = reader.names('command_names')
    if commands is None and fields:
        commands = tuple(fields)
    metadata = Metadata(
        joint_names=names,
        command_names=commands,
        num_commands=reader.count('num_commands'),
        carry_size=reader.sizes('carry_size'),
        control_rate_hz=reader.rate('control_rate_hz'),
        joint_biases=pose,
        joint_kp=reader.vector('joint_kp', names, lowest=0.0),
        joint_kd=reader.vector('joint_kd', names, lowest=0.0),
        joint_torque_limits=reader.vector('joint_torque_limits', names, lowest=0.0),
        command_ranges=reader.ranges('command_ranges'),
        provenance=reader.mapping('provenance'),
        fields=fields,
        notes=tuple(notes),
    )
    number = metadata.num_commands
    if commands is not None and number is not None and len(commands) != number:
        reader.problems.add('num_commands', str(number), f'{len(commands)}, as in command_names')
    reader.problems.raise_if_any()
    return metadata


def _start_pose(
    reader: '_Reader', names: tuple[str, ...]
) -> tuple[tuple[float, ...] | None, list[str]]:
    """:return: the pose that the robot starts in, and a note where two keys give one."""
    biases, home = reader.pose('joint_biases', names), reader.pose('home_position', names)
    if biases is None or home is None or len(biases) != len(home):
        return biases if home is None else home, []
    apart = max((abs(a - b) for a, b in zip(biases, home, strict=True)), default=0.0)
    if apart < SAME_POSE:
        return home, []
    text = f'start pose: home_position; joint_biases is up to {apart:.3g} rad away from it'
    return home, [text]


class _Reader:
    """Reads keys by type; a missing or null key gives None (or empty), a wrong one a problem."""

    def __init__(self, raw: Mapping[str, Any], problems: Problems) -> None:
        self._raw = raw
        self.problems = problems

    def names(self, key: str) -> tuple[str, ...] | None:
        """Return a list of distinct names; None where there is none, or with a problem noted."""
        value = self._raw.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_NAMES:
            self.problems.add(key, format_value(value), f'a list of at most {MAX_NAMES} names')
            return None
        wrong = [name for name in value if not is_name(name, MAX_NAME_CHARS)]
        if wrong:
            expected = f'printable, non-empty strings of at most {MAX_NAME_CHARS} characters'
            self.problems.add(key, format_value(wrong[0]), expected)
            return None
        duplicates = [name for name, times in Counter(value).items() if times > 1]
        if duplicates:
            found = f'{format_value(duplicates)} more than once (duplicate)'
            self.problems.add(key, found, 'each name once')
            return None
        return tuple(value)

    def count(self, key: str) -> int | None:
        value = self._raw.get(key)
        if value is None or _is_count(value):
            return value
        self.problems.add(key, format_value(value), f'an integer from 0 to {MAX_NAMES}')
        return None

    def sizes(self, key: str) -> tuple[int, ...] | None:
        value = self._raw.get(key)
        if value is None:
            return None
        if isinstance(value, list) and all(type(size) is int and size >= 0 for size in value):
            return tuple(value)
        self.problems.add(key, format_value(value), 'a list of integers (the shape of the carry)')
        return None

    def rate(self, key: str) -> float | None:
        value = self._raw.get(key)
        if value is None:
            return None
        if is_float32(value) and 0 < value <= MAX_RATE_HZ:
            return float(value)
        self.problems.add(key, format_value(value), f'a number above 0 and up to {MAX_RATE_HZ:g}')
        return None

    def vector(
        self, key: str, names: tuple[str, ...], *, lowest: float
    ) -> tuple[float, ...] | None:
        """Return a number for each of `names`; None where there is none, or with a problem."""
        value, count = self._raw.get(key), len(names)
        if value is None:
            return None
        if isinstance(value, dict) and value.keys() == set(names):
            value = [value[name] for name in names]
        good = isinstance(value, list) and all(is_float32(x) and x >= lowest for x in value)
        if good and len(value) == count:
            return tuple(float(x) for x in value)
        bound = '' if lowest == -math.inf else f' not below {lowest:g}'
        found = f'{len(value)} numbers' if good else format_value(value)
        self.problems.add(key, found, f'{count} finite numbers{bound}, one a joint')
        return None

    def pose(self, key: str, names: tuple[str, ...]) -> tuple[float, ...] | None:
        """Read an angle for each joint: numbers, or entries that name their joint."""
        value = self._raw.get(key)
        if is_entries(value):
            return read_entries(key, value, names, self.problems.add)
        return self.vector(key, names, lowest=-math.inf)

    def text(self, key: str) -> None:
        """Note a problem where a key is no text."""
        value = self._raw.get(key)
        if value is not None and not is_name(value, MAX_NAME_CHARS):
            self.problems.add(key, format_value(value), 'a text')

    def ranges(self, key: str) -> dict[str, tuple[float, float]]:
        result: dict[str, tuple[float, float]] = {}
        for name, value in self.mapping(key).items():
            good = isinstance(value, list) and len(value) == 2 and all(map(is_float32, value))
            if good and value[0] <= value[1]:
                result[name] = (float(value[0]), float(value[1]))
            else:
                self.problems.add(
                    f'{key}.{name}', format_value(value), '[lowest, highest], finite'
                )
        return result

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._raw.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.problems.add(key, format_value(value), 'an object')
        return {}


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_NAMES
