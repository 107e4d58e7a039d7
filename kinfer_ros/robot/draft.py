"""Drafts a robot file of what a foreign contract and an MJCF say, and says what it assumed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinfer_ros.policy.importers.contract import ImportedContract

SPEED = 20.0
"""rad/s, where nothing tells the speed limit of a joint."""
HEADROOM = 2.0
"""kp_max and kd_max, by the gains of the policy."""
ERROR_AT_LIMIT = 0.5
"""rad of error at which a joint of unknown torque limit reaches the one that is assumed."""


@dataclass(frozen=True)
class Known:
    """What is known of one joint; None where it is not."""

    lower: float | None = None
    upper: float | None = None
    torque_limit: float | None = None


def draft_robot(
    found: ImportedContract,
    known: dict[str, Known],
    *,
    base: str,
    imu: dict[str, Any],
    mjcf: str | None,
) -> dict[str, Any]:
    """
    Make a robot file's content, in the robot's own joint order; what is assumed goes to `found`.

    :param known: limits by joint name.
    """
    home = dict(zip(found.joints, found.default_pose, strict=True))
    kp = _by_name(found, found.kp, 40.0, 'kp')
    kd = _by_name(found, found.kd, 1.0, 'kd')
    joints: dict[str, Any] = {}
    for name in found.robot_joints:
        joints[name] = _joint(
            known.get(name, Known()), home.get(name, 0.0), kp.get(name, 40.0), kd.get(name, 1.0)
        )
    _say(found, known)
    content: dict[str, Any] = {'name': found.name}
    if mjcf is not None:
        content['mjcf'] = mjcf
    return content | {'base_frame': base, 'imu': imu, 'joints': joints}


def _by_name(
    found: ImportedContract, values: Sequence[float] | None, usual: float, what: str
) -> dict[str, float]:
    if values is None:
        found.assume(f'robot file, {what}: {usual:g} for every joint (the file has none)')
        return {}
    return dict(zip(found.joints, values, strict=True))


def _joint(known: Known, home: float, kp: float, kd: float) -> dict[str, float]:
    lower = -math.pi if known.lower is None else known.lower
    upper = math.pi if known.upper is None else known.upper
    torque = kp * ERROR_AT_LIMIT if known.torque_limit is None else known.torque_limit
    return {
        'lower': round(min(lower, home), 6),
        'upper': round(max(upper, home), 6),
        'home': home,
        'kp': kp,
        'kd': kd,
        'kp_max': HEADROOM * kp,
        'kd_max': HEADROOM * kd,
        'torque_limit': round(max(torque, 0.1), 6),
        'velocity_limit': SPEED,
    }


def _say(found: ImportedContract, known: dict[str, Known]) -> None:
    names = found.robot_joints
    unlimited = [n for n in names if known.get(n, Known()).lower is None]
    weak = [n for n in names if known.get(n, Known()).torque_limit is None]
    if unlimited:
        found.assume(f'robot file, limits: -3.14 to 3.14 rad for {", ".join(unlimited)}')
    if weak:
        found.assume(
            f'robot file, torque limits: kp x {ERROR_AT_LIMIT:g} rad for {", ".join(weak)}'
        )
    found.assume(f'robot file, velocity limits: {SPEED:g} rad/s for every joint')
    found.assume(f'robot file, kp_max and kd_max: {HEADROOM:g} times the gains of the policy')
