"""Makes a robot file from K-Scale's metadata.json (kscale-assets, `joint_name_to_metadata`).

That file has joints, ids, gains and limits, in degrees and with numbers as text.
"""

import json
import math
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RobotError
from kinfer_ros.untrusted import MAX_JSON_BYTES
from kinfer_ros.untrusted import read_bytes

GAIN_HEADROOM = 2.0
"""kp_max and kd_max, as a multiple of the gains in the file."""
DEFAULT_VELOCITY_LIMIT = 10.0
"""rad/s, where the file has no max_velocity for an actuator type."""


class KosMetadata:
    """
    A parsed metadata.json.

    :raises RobotError: it cannot be read, or is not K-Scale's format.
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
        """One line for each value that is not in the file."""
        self._types = types
        self.joints = {str(name): self._joint(str(name), entry) for name, entry in joints.items()}
        """Entries of the robot file, by joint name."""

    def robot(self, name: str) -> dict[str, Any]:
        """Return the content of a robot file."""
        self._assume(f'kp_max and kd_max: {GAIN_HEADROOM:g} times kp and kd')
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
            'kp_max': GAIN_HEADROOM * kp,
            'kd_max': round(GAIN_HEADROOM * kd, 6),
            'torque_limit': self._number(name, entry, 'soft_torque_limit'),
            'velocity_limit': self._velocity_limit(name, entry),
        }
        if entry.get('offset') is not None and self._number(name, entry, 'offset'):
            self._assume('offset: in degrees, as all other angles of the file')
            joint['offset'] = round(math.radians(self._number(name, entry, 'offset')), 6)
        if entry.get('flipped') not in (None, False, 'false', 'False'):
            joint['sign'] = -1
        return joint

    def _velocity_limit(self, name: str, entry: dict[str, Any]) -> float:
        actuator = self._types.get(entry.get('actuator_type'))
        if isinstance(actuator, dict) and actuator.get('max_velocity') is not None:
            return self._number(name, actuator, 'max_velocity')
        limit = DEFAULT_VELOCITY_LIMIT
        self._assume(f'velocity_limit: {limit:g} rad/s where the actuator has no max_velocity')
        return limit

    def _number(self, name: str, entry: dict[str, Any], key: str) -> float:
        """Parse a number, which may be written as text."""
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
    data = read_bytes(path, MAX_JSON_BYTES, lambda text: RobotError(f'{path}: {text}'))
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RobotError(f'{path}: is not JSON: {error}') from None
    if not isinstance(content, dict):
        raise RobotError(f'{path}: found {type(content).__name__}, expected a JSON object')
    return content
