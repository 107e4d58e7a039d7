"""K-Scale's metadata.json of a robot, turned into a robot YAML.

Its numbers are strings in degrees and its gains those of the actuators; copied by hand, one of
twenty would end up wrong.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from kinfer_ros.errors import RobotError

SIZE_LIMIT = 1 << 20
"""Bytes; the files are 10 kB."""
HARD_FACTOR = 2.0
"""kp_max and kd_max, as a multiple of the gains: what no policy may exceed."""

HEADER = """\
# {name}, from K-Scale's metadata.json. Angles in rad, gains in Nm/rad and Nms/rad, torques in Nm,
# speeds in rad/s. *_max is {factor:g} times the gain: no policy may exceed it. id is that of the
# KOS actuator. home is 0 where the metadata cannot say: put in the pose to start from.
name: {name}
base_frame: base_link
imu:
  frame: imu_link
  mounting: [1, 0, 0, 0]  # w x y z: the IMU frame in the base frame; look how yours is mounted
  gyro_unit: rad          # rad or deg, what the gyro gives a second

joints:
"""


def robot_yaml(path: Path, name: str) -> tuple[str, list[str]]:
    """
    Write the YAML of a robot.

    :return: the text, and what the metadata leaves open.
    :raises RobotError: the file cannot be read, is no such metadata, or lacks a number; with all
        that is wrong.
    """
    data = _read(path)
    joints = data.get('joint_name_to_metadata')
    if not isinstance(joints, dict) or not joints:
        raise RobotError(f"{path}: found no joints, expected an object 'joint_name_to_metadata'")
    types = data.get('actuator_type_to_metadata') or {}
    problems: list[str] = []
    notes: list[str] = []
    lines = []
    for joint, entry in joints.items():
        if not isinstance(entry, dict) or not joint.isidentifier():
            problems.append(f'{joint!r:.60}: expected a name and an object with its numbers')
            continue
        kind = types.get(entry.get('actuator_type')) if isinstance(types, dict) else None
        lines.append(_joint(joint, entry, kind if isinstance(kind, dict) else {}, problems, notes))
    if problems:
        listed = '\n  '.join(problems)
        raise RobotError(f'{path}: {len(problems)} problems\n  {listed}')
    return HEADER.format(name=name, factor=HARD_FACTOR) + '\n'.join(lines) + '\n', notes


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open('rb') as file:
            raw = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise RobotError(f'{path}: cannot be read: {error.strerror}') from None
    if len(raw) > SIZE_LIMIT:
        raise RobotError(f'{path}: is larger than {SIZE_LIMIT} bytes')
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RobotError(f'{path}: is not JSON: {error}') from None
    if not isinstance(data, dict):
        raise RobotError(f'{path}: expected a JSON object, as in K-Scale metadata.json')
    return data


def _joint(
    joint: str,
    entry: dict[str, Any],
    kind: dict[str, Any],
    problems: list[str],
    notes: list[str],
) -> str:
    def number(source: dict[str, Any], key: str) -> float:
        try:
            value = float(source[key])
        except (KeyError, TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            problems.append(f'{joint}: found {source.get(key)!r:.40} for {key}, expected a number')
        return value

    lower, upper = (math.radians(number(entry, f'{end}_angle_deg')) for end in ('min', 'max'))
    kp, kd = number(entry, 'kp'), number(entry, 'kd')
    source, key = entry, 'soft_torque_limit'
    if entry.get(key) is None:
        source, key = kind, 'max_torque'
    values = {
        'lower': lower,
        'upper': upper,
        'home': min(max(0.0, lower), upper),
        'kp': kp,
        'kd': kd,
        'kp_max': HARD_FACTOR * kp,
        'kd_max': HARD_FACTOR * kd,
        'torque_limit': number(source, key),
        'velocity_limit': number(kind, 'max_velocity'),
    }
    words = [f'{name}: {_decimal(value)}' for name, value in values.items()]
    words.insert(0, f'id: {_id(joint, entry, problems)}')
    if _truth(entry.get('flipped')):
        words.append('sign: -1')
    if entry.get('offset') not in (None, 0, '0', '0.0'):
        notes.append(
            f'{joint}: the offset {entry["offset"]!r:.40} is left out, since the metadata does '
            'not tell its unit: write it as offset in rad if KOS does not apply it itself'
        )
    return f'  {joint}:\n    {{{", ".join(words[:4])},\n     {", ".join(words[4:])}}}'


def _id(joint: str, entry: dict[str, Any], problems: list[str]) -> int:
    found = entry.get('id')
    if isinstance(found, bool) or not isinstance(found, int):
        problems.append(f'{joint}: found {found!r:.40} for id, expected a whole number')
        return 0
    return found


def _truth(found: Any) -> bool:
    return found is True or str(found).lower() in ('true', '1')


def _decimal(value: float) -> str:
    """Write a number as YAML 1.1 reads one: always with a decimal point."""
    text = f'{value:.6f}'.rstrip('0')
    return text + '0' if text.endswith('.') else text
