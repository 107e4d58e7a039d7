"""Makes a robot file of K-Scale's metadata.json: joints, ids, gains, limits.

K-Scale keeps these facts of each robot in its own file (kscale-assets, `joint_name_to_metadata`),
in degrees and with numbers as text. Without this module they would be copied by hand.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RobotError

HEADROOM = 2.0
"""kp_max and kd_max, by the gains of the file."""
SPEED = 10.0
"""rad/s, where the file has no max_velocity for the type of an actuator."""
MAX_BYTES = 4 << 20


class KosMetadata:
    """
    A metadata.json, read.

    :raises RobotError: it cannot be read, or is not what K-Scale writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = _read(path)
        joints = content.get('joint_name_to_metadata')
        types = content.get('actuator_type_to_metadata') or {}
        if not isinstance(joints, dict) or not joints or not isinstance(types, dict):
            raise RobotError(
                f'{path}: found no joint_name_to_metadata, expected the metadata.json of a robot '
                'of K-Scale'
            )
        self.assumptions: list[str] = []
        """What the file does not say, a line each."""
        self._types = types
        self.joints = {str(name): self._joint(str(name), entry) for name, entry in joints.items()}
        """Entries of the robot file, by joint."""

    def robot(self, name: str) -> dict[str, Any]:
        """Return the content of a robot file."""
        self._assume(f'kp_max and kd_max: {HEADROOM:g} times kp and kd')
        self._assume('home: 0 for each joint, or the limit nearest to it')
        self._assume('imu: mounted as the base, its gyro in rad/s')
        return {
            'name': name,
            'base_frame': 'base_link',
            'imu': {'frame': 'imu_link', 'mounting': [1.0, 0.0, 0.0, 0.0], 'gyro_unit': 'rad'},
            'joints': self.joints,
        }

    def _assume(self, text: str) -> None:
        if text not in self.assumptions:
            self.assumptions.append(text)

    def _joint(self, name: str, entry: Any) -> dict[str, float | int]:
        if not isinstance(entry, dict):
            raise RobotError(f'{self.path}: {name}: found {entry!r:.60}, expected a mapping')
        number = self._number(name, entry, 'id')
        if number != int(number):
            raise RobotError(f'{self.path}: {name}: found id {number:g}, expected a whole number')
        lower = math.radians(self._number(name, entry, 'min_angle_deg'))
        upper = math.radians(self._number(name, entry, 'max_angle_deg'))
        kp, kd = self._number(name, entry, 'kp'), self._number(name, entry, 'kd')
        joint: dict[str, float | int] = {
            'id': int(number),
            'lower': round(lower, 6),
            'upper': round(upper, 6),
            'home': round(min(max(0.0, lower), upper), 6),
            'kp': kp,
            'kd': kd,
            'kp_max': HEADROOM * kp,
            'kd_max': round(HEADROOM * kd, 6),
            'torque_limit': self._number(name, entry, 'soft_torque_limit'),
            'velocity_limit': self._speed(name, entry),
        }
        if entry.get('offset') is not None and self._number(name, entry, 'offset'):
            self._assume('offset: in degrees, as all other angles of the file')
            joint['offset'] = round(math.radians(self._number(name, entry, 'offset')), 6)
        if entry.get('flipped') not in (None, False, 'false', 'False'):
            joint['sign'] = -1
        return joint

    def _speed(self, name: str, entry: dict[str, Any]) -> float:
        kind = self._types.get(entry.get('actuator_type'))
        if isinstance(kind, dict) and kind.get('max_velocity') is not None:
            return self._number(name, kind, 'max_velocity')
        self._assume(f'velocity_limit: {SPEED:g} rad/s where the actuator has no max_velocity')
        return SPEED

    def _number(self, name: str, entry: dict[str, Any], key: str) -> float:
        """Read a number, which may be a text."""
        value = entry.get(key)
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            raise RobotError(
                f'{self.path}: {name}: found {key} {str(value)[:40]!r}, expected a number'
            )
        return number


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open('rb') as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RobotError(f'{path}: found over {MAX_BYTES} bytes, expected a small JSON file')
        content = json.loads(data)
    except OSError as error:
        raise RobotError(f'{path}: cannot be read: {error.strerror}') from None
    except (ValueError, RecursionError) as error:
        raise RobotError(f'{path}: is not JSON: {error}') from None
    if not isinstance(content, dict):
        raise RobotError(f'{path}: found {type(content).__name__}, expected a JSON object')
    return content
