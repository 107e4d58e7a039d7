"""Reads the records of other projects' step logs as ours, and numbers of keys that are not ours.

pyfirmware, the K-Bot's firmware, writes `{"timestamp": s, "step_id": n, ...}` with its own names;
some of its tools put all but the time under `data`. Others add keys of their own. Every number of
a log is a series, and what is none is named.
"""

import json
from collections.abc import Iterator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from kinfer_ros.untrusted import json_text

RENAMED = {
    'timestamp_us': 't_us',
    'joint_velocities': 'joint_vels',
    'projected_gravity': 'projected_g',
    'accelerometer': 'accel',
    'gyroscope': 'gyro',
    'action': 'output',
}
"""pyfirmware's key -> ours; all others keep their names."""
BY_JOINT = frozenset(
    ('output', 'target', 'measured_position', 'measured_velocity', 'reference', 'joint_angles')
)
"""Rows in the order of `joint_order`, beside those whose key begins with `joint_`."""
TIMES = frozenset(('timestamp', 'timestamp_us'))
"""Keys that make an object a record, where it has no step_id."""
MAX_KEYS = 500
"""Other keys of one log."""
MAX_NUMBERS = 4096
"""Numbers of the other keys of one record together: each has a place in every record."""
MAX_NAMES = 1024
"""Joints, or entries of the command, of one log."""
MAX_SECONDS = 1e11
"""Since the Unix epoch: no clock shows more."""


def parse_line(line: bytes) -> dict[str, Any]:
    """
    Parse a record; Python's own JSON has NaN, Infinity and integers of any size.

    :raises ValueError, RecursionError: it is none.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        if not line.startswith(b'{'):
            raise
        record = json.loads(json_text(line), parse_int=_parse_int)
    if not isinstance(record, dict):
        raise ValueError('no object')
    return record


def _parse_int(text: str) -> int | float:
    return int(text) if len(text) < 19 else float(text)


@lru_cache(maxsize=256)  # asked for every key of every record
def is_by_joint(key: str) -> bool:
    """Return whether a row has a number for each of `joint_order`."""
    return key in BY_JOINT or (key.startswith('joint_') and key != 'joint_order')


class Names:
    """
    The names of a row's components over a log, each in the place of its first record.

    :ivar all: names so far; those that come later follow.
    :ivar order: those of the next rows.
    """

    def __init__(self, names: Sequence[Any]) -> None:
        """:param names: those that are known before the first record."""
        self.all = [str(name) for name in names]
        self.order = list(self.all)
        self._places: list[int] | None = None
        self.changes = 0

    def use(self, order: list[Any]) -> bool:
        """
        Take the names of the next rows.

        :return: False where they cannot be told apart, or are too many.
        """
        if order == self.order:
            return True
        names = [str(name) for name in order]
        if len(set(names)) != len(names) or len({*self.all, *names}) > MAX_NAMES:
            return False
        self.changes += bool(self.order)
        known = set(self.all)
        self.all += [name for name in names if name not in known]
        place = {name: at for at, name in enumerate(self.all)}
        self._places = [place[name] for name in names]
        self.order = order
        if self._places == list(range(len(names))):
            self._places = None
        return True

    def put(self, row: list[Any]) -> list[Any] | None:
        """Return a row in the order of `all`; None where it is not as long as its names."""
        if len(row) != len(self.order):
            return None
        if self._places is None:
            return row
        placed: list[Any] = [None] * len(self.all)
        for at, value in zip(self._places, row, strict=True):
            placed[at] = value
        return placed


class OtherKeys:
    """
    What a log has beside the keys of our records.

    :ivar joints: names by `joint_order`; `commands` by a command that is a mapping.
    :ivar left_out: keys whose values are no numbers.
    """

    def __init__(
        self, ours: frozenset[str], joints: Sequence[Any] = (), commands: Sequence[Any] = ()
    ) -> None:
        """
        :param ours: the keys of our records, and of kinfer's.
        :param joints: the joint order of run.json, if any; `commands` likewise.
        """
        self._ours = ours
        self.joints = Names(joints)
        self.commands = Names(commands)
        self.left_out: set[str] = set()
        self._problems: dict[str, None] = {}
        self._keys: set[str] = set()
        self._numbers = 0
        self._records = 0

    @property
    def names(self) -> dict[str, list[str]]:
        """The names of components, under their keys in run.json."""
        found = {'joint_order': self.joints.all, 'command_names': self.commands.all}
        return {key: names for key, names in found.items() if names}

    def as_ours(self, record: dict[str, Any]) -> dict[str, Any]:
        """
        Return a record with our names of keys, and joints and commands in one order.

        :raises ValueError, TypeError: its step_id is no number.
        """
        if 't_us' not in record:
            record = self._rename(record)
        self._records += 1
        if not isinstance(record['step_id'], int):
            record['step_id'] = int(record['step_id'])
        command = record.get('command')
        if isinstance(command, dict):
            record['command'] = self._by_name(list(command), list(command.values()))
        # One that has no names has those of the record before it.
        order = record.get('joint_order') or self.joints.order
        if isinstance(order, list) and order:
            self._put_joints(order, record)
        return record

    def _rename(self, record: dict[str, Any]) -> dict[str, Any]:
        data = record.get('data')
        if isinstance(data, dict) or TIMES & record.keys():
            record.setdefault('step_id', self._records)
        if isinstance(data, dict):
            record = {key: value for key, value in record.items() if key != 'data'} | data
        renamed = {}
        for key, value in record.items():
            ours = RENAMED.get(key, key)
            renamed[key if ours in record else ours] = value
        seconds = renamed.get('timestamp')
        if isinstance(seconds, int | float) and abs(seconds) < MAX_SECONDS:
            renamed.setdefault('t_us', round(seconds * 1e6))
        elif seconds is not None:
            self.left_out.add('timestamp')
        return renamed

    def _by_name(self, order: list[Any], row: list[Any]) -> list[Any] | None:
        if not self.commands.use(order):
            self._problems[f'command: more than {MAX_NAMES} names; the rest is left out'] = None
            return None
        return self.commands.put(row)

    def _put_joints(self, order: list[Any], record: dict[str, Any]) -> None:
        """Bring the rows of joints into one order, whatever the order of this record is."""
        known = self.joints.use(order)
        if not known:
            self._problems[
                f'joint_order: found a name twice, or over {MAX_NAMES} names: the rows of joints '
                'of such records are left out'
            ] = None
        for key in [key for key in record if is_by_joint(key)]:
            row = record[key]
            if not isinstance(row, list) or not row:
                continue
            record[key] = self.joints.put(row) if known else None
            if known and record[key] is None:
                self._problems[f'{key}: rows that are not as long as joint_order are left out'] = (
                    None
                )

    def numbers(self, record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the numbers and the lists of a record that are not ours, by key."""
        for key in record.keys() - self._ours:
            value = record[key]
            if isinstance(value, dict):
                parts = {f'{key}/{name}': each for name, each in value.items()}
            else:
                parts = {key: value}
            for name, each in parts.items():
                if each is not None and self._takes(name, each):
                    yield name, each

    def _takes(self, name: str, value: Any) -> bool:
        if name in self._keys and isinstance(value, int | float | list):
            return True
        size = len(value) if isinstance(value, list) else 1
        full = len(self._keys) >= MAX_KEYS or self._numbers + size > MAX_NUMBERS
        if not isinstance(value, int | float | list) or full:
            if len(self.left_out) < MAX_KEYS:
                self.left_out.add(name)
            return False
        self._keys.add(name)
        self._numbers += size
        return True

    def warnings(self) -> list[str]:
        """Say what was left out, and what changed within the log."""
        said = list(self._problems)
        if self.joints.changes:
            said.append(
                f'joint_order changes within the log ({self.joints.changes} x): joints are '
                'matched by name'
            )
        if self.left_out:
            names = sorted(self.left_out)
            more = f' and {len(names) - 10} more' if len(names) > 10 else ''
            said.append(
                f'left out, since they are no numbers, or more than {MAX_KEYS} keys or '
                f'{MAX_NUMBERS} numbers: {", ".join(names[:10])}{more}'
            )
        return said
