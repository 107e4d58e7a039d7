"""Reads the records of other projects' step logs as ours, and numbers of keys that are not ours.

pyfirmware, the K-Bot's firmware, writes `{"timestamp": s, "data": {...}}` with its own names;
others add keys of their own. Every number of a log is a series.
"""

from collections.abc import Iterator
from typing import Any

RENAMED = {
    'joint_velocities': 'joint_vels',
    'projected_gravity': 'projected_g',
    'accelerometer': 'accel',
    'gyroscope': 'gyro',
    'action': 'output',
}
"""pyfirmware's key -> ours; all others keep their names."""
MAX_KEYS = 500
"""Other keys of one log."""


class OtherKeys:
    """
    What a log has beside the keys of our records.

    :ivar names: of components: `joint_order` and `command_names`, where records have them.
    :ivar left_out: keys whose values are no numbers.
    """

    def __init__(self, ours: frozenset[str]) -> None:
        """:param ours: the keys of our records, and of kinfer's."""
        self._ours = ours
        self.names: dict[str, list[str]] = {}
        self.left_out: set[str] = set()
        self._keys: set[str] = set()
        self._records = 0

    def as_ours(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with our names of keys."""
        data = record.get('data')
        if 'step_id' not in record and isinstance(data, dict):
            record = {RENAMED.get(str(key), str(key)): value for key, value in data.items()}
            record.setdefault('step_id', self._records)
            self._records += 1
            seconds = record.get('timestamp')
            if isinstance(seconds, int | float) and abs(seconds) < 1e11:
                record['t_us'] = round(seconds * 1e6)
        command = record.get('command')
        if isinstance(command, dict):
            self.names.setdefault('command_names', [str(name) for name in command])
            order = self.names['command_names']
            record['command'] = [command.get(name) for name in order]
        joints = record.get('joint_order')
        if isinstance(joints, list) and 'joint_order' not in self.names:
            self.names['joint_order'] = [str(name) for name in joints]
        return record

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
        if not isinstance(value, int | float | list) or (
            name not in self._keys and len(self._keys) >= MAX_KEYS
        ):
            if len(self.left_out) < MAX_KEYS:
                self.left_out.add(name)
            return False
        self._keys.add(name)
        return True

    def warnings(self) -> list[str]:
        """Say what was left out."""
        if not self.left_out:
            return []
        names = sorted(self.left_out)
        more = f' and {len(names) - 10} more' if len(names) > 10 else ''
        return [
            f'left out, since they are no numbers, or more than {MAX_KEYS} keys: '
            f'{", ".join(names[:10])}{more}'
        ]
