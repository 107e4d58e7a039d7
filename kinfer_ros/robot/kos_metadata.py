"""Makes a robot file from K-Scale's metadata.json (kscale-assets, `joint_name_to_metadata`).

That file has joints, ids, gains and limits, in degrees and with numbers as text. Where it has no
limits, they are in the MJCF beside it; without that, they are places to fill in.
"""

import json
import math
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RobotError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.robot.description import Description
from kinfer_ros.untrusted import MAX_JSON_BYTES
from kinfer_ros.untrusted import json_text
from kinfer_ros.untrusted import read_bytes

GAIN_HEADROOM = 2.0
"""kp_max and kd_max, as a multiple of the gains in the file."""
UNITS = {'kp': 'Nm/rad', 'kd': 'Nm s/rad'}
ABSENT = ('', 'none', 'null')
DEFAULT_VELOCITY_LIMIT = 10.0
"""rad/s, where the file has no max_velocity for an actuator type."""


class KosMetadata:
    """
    A parsed metadata.json.

    :param described: the MJCF of the robot, which has the limits that the file may lack.
    :raises RobotError: it cannot be read, is not K-Scale's format, or is of another robot.
    """

    def __init__(self, path: Path, described: Description | None = None) -> None:
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
        self._described = Description() if described is None else described
        self._types = types
        self._speed = None if _is_absent(content, 'max_velocity') else content['max_velocity']
        self.names = [str(name) for name in joints]
        self.joints = {str(name): self._joint(str(name), entry) for name, entry in joints.items()}
        """Entries of the robot file, by joint name."""

    def robot(self, name: str) -> dict[str, Any]:
        """Return the content of a robot file, with places to fill in for limits it lacks."""
        found = self._described
        self._assume(f'kp_max and kd_max: {GAIN_HEADROOM:g} times kp and kd')
        self._assume('home: 0 for each joint, or the limit nearest to it')
        self.assumptions += found.notes
        if found.mjcf is None:
            self._assume('imu: mounted as the base, its gyro in rad/s')
        else:
            self._assume('imu: its gyro in rad/s')
        if others := [joint for joint in found.limits if joint not in self.joints]:
            self._assume(f'in the MJCF, and not in the metadata: {", ".join(others)}')
        content: dict[str, Any] = {'name': name}
        if found.mjcf is not None:
            content['mjcf'] = found.mjcf
        return content | {
            'base_frame': found.base,
            'imu': found.imu | {'gyro_unit': 'rad'},
            'joints': self.joints,
        }

    def _assume(self, text: str) -> None:
        if text not in self.assumptions:
            self.assumptions.append(text)

    def _joint(self, name: str, entry: Any) -> dict[str, float | int | str]:
        if not isinstance(entry, dict):
            raise RobotError(f'{self.path}: {name}: found {entry!r:.60}, expected a mapping')
        number = self._number(name, entry, 'id')
        if number != int(number):
            raise RobotError(f'{self.path}: {name}: found id {number:g}, expected a whole number')
        lower, upper = self._limits(name, entry)
        kp, kd = self._or_fill_in(name, entry, 'kp'), self._or_fill_in(name, entry, 'kd')
        home = 0.0
        if not isinstance(lower, str) and not isinstance(upper, str):
            home = round(min(max(0.0, lower), upper), 6)
        joint: dict[str, float | int | str] = {
            'id': int(number),
            'lower': lower,
            'upper': upper,
            'home': home,
            'kp': kp,
            'kd': kd,
            'kp_max': _headroom(kp, 'Nm/rad'),
            'kd_max': _headroom(kd, 'Nm s/rad'),
            'torque_limit': self._torque_limit(name, entry),
            'velocity_limit': self._velocity_limit(name, entry),
        }
        if entry.get('offset') is not None and self._number(name, entry, 'offset'):
            self._assume('offset: in degrees, as all other angles of the file')
            joint['offset'] = round(math.radians(self._number(name, entry, 'offset')), 6)
        if entry.get('flipped') not in (None, False, 'false', 'False'):
            joint['sign'] = -1
        return joint

    def _limits(self, name: str, entry: dict[str, Any]) -> tuple[float | str, float | str]:
        """:return: lower and upper limit, rad; places to fill in where nobody knows them."""
        if not (_is_absent(entry, 'min_angle_deg') and _is_absent(entry, 'max_angle_deg')):
            lower = math.radians(self._number(name, entry, 'min_angle_deg'))
            return round(lower, 6), round(
                math.radians(self._number(name, entry, 'max_angle_deg')), 6
            )
        known = self._described.limits.get(name)
        if known is None or known.lower is None or known.upper is None:
            return fill_in('rad, lowest angle'), fill_in('rad, highest angle')
        self._assume('lower and upper: those of the MJCF (the file has no angles)')
        return round(known.lower, 6), round(known.upper, 6)

    def _actuator(self, entry: dict[str, Any]) -> dict[str, Any]:
        """:return: what the file says of a joint's type of actuator; empty for nothing."""
        actuator = self._types.get(str(entry.get('actuator_type')))
        return actuator if isinstance(actuator, dict) else {}

    def _torque_limit(self, name: str, entry: dict[str, Any]) -> float | str:
        if not _is_absent(entry, 'soft_torque_limit'):
            return self._number(name, entry, 'soft_torque_limit')
        actuator = self._actuator(entry)
        if not _is_absent(actuator, 'max_torque'):
            self._assume('torque_limit: max_torque of the actuator (no soft_torque_limit)')
            return self._number(name, actuator, 'max_torque')
        known = self._described.limits.get(name)
        if known is None or known.torque_limit is None:
            return fill_in('Nm')
        self._assume('torque_limit: that of the MJCF (the file has no soft_torque_limit)')
        return round(known.torque_limit, 6)

    def _velocity_limit(self, name: str, entry: dict[str, Any]) -> float:
        actuator = self._actuator(entry)
        if not _is_absent(actuator, 'max_velocity'):
            return self._number(name, actuator, 'max_velocity')
        if self._speed is not None:
            self._assume('velocity_limit: max_velocity of the file, taken as rad/s')
            return self._number(name, {'max_velocity': self._speed}, 'max_velocity')
        limit = DEFAULT_VELOCITY_LIMIT
        self._assume(f'velocity_limit: {limit:g} rad/s where the actuator has no max_velocity')
        return limit

    def _or_fill_in(self, name: str, entry: dict[str, Any], key: str) -> float | str:
        return fill_in(UNITS[key]) if _is_absent(entry, key) else self._number(name, entry, key)

    def _number(self, name: str, entry: dict[str, Any], key: str) -> float:
        """Parse a number, which may be written as text."""
        value = entry.get(key)
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            raise RobotError(
                f'{self.path}: {name}: found {key} {str(value)[:40]!r}, expected a number'
            )
        return number


def _is_absent(entry: dict[str, Any], key: str) -> bool:
    """Whether the file has no value: the exporter writes Python's None as text, too."""
    value = entry.get(key)
    return value is None or (isinstance(value, str) and value.strip().lower() in ABSENT)


def _headroom(gain: float | str, unit: str) -> float | str:
    if isinstance(gain, str):
        return fill_in(f'{unit}, the largest allowed')
    return round(GAIN_HEADROOM * gain, 6)


def _read(path: Path) -> dict[str, Any]:
    data = read_bytes(path, MAX_JSON_BYTES, lambda text: RobotError(f'{path}: {text}'))
    try:
        content = json.loads(json_text(data))
    except (ValueError, RecursionError) as error:
        raise RobotError(f'{path}: is not JSON: {error}') from None
    if not isinstance(content, dict):
        raise RobotError(f'{path}: found {type(content).__name__}, expected a JSON object')
    return content
