"""Drafts a robot file from an imported contract and an MJCF, and lists what it assumed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import ImportedContract

DEFAULT_VELOCITY_LIMIT = 20.0
"""rad/s, for a joint of unknown velocity limit."""
GAIN_HEADROOM = 2.0
"""kp_max and kd_max, as a multiple of the policy's gains."""
ERROR_AT_LIMIT = 0.5
"""rad of position error at which kp gives the torque limit that is assumed."""


@dataclass(frozen=True)
class JointLimits:
    """Limits of one joint, rad and Nm; None where unknown."""

    lower: float | None = None
    upper: float | None = None
    torque_limit: float | None = None


def draft_robot(
    contract: ImportedContract,
    limits: dict[str, JointLimits],
    *,
    base: str,
    imu: dict[str, Any],
    mjcf: str | None,
) -> dict[str, Any]:
    """
    Make a robot file's content, in the robot's joint order; notes assumptions in `contract`.

    :param limits: by joint name.
    """
    home = contract.by_joint(contract.default_pose)
    homeless = [name for name in contract.robot_joints if name not in home]
    if homeless:
        contract.assume(
            f'robot file, home: 0, or the limit nearest to it, for {_list(homeless, contract)}'
        )
    kp = _by_name(contract, contract.kp, 40.0, 'kp')
    kd = _by_name(contract, contract.kd, 1.0, 'kd')
    joints: dict[str, Any] = {}
    for name in contract.robot_joints:
        joints[name] = _joint(
            limits.get(name, JointLimits()),
            home.get(name),
            kp.get(name, 40.0),
            kd.get(name, 1.0),
        )
    _note_assumptions(contract, limits)
    content: dict[str, Any] = {'name': contract.name}
    if mjcf is not None:
        content['mjcf'] = mjcf
    listed = joints or fill_in('NAME: {lower, upper, home, kp, ...} of each joint, docs/robots.md')
    return content | {'base_frame': base, 'imu': imu, 'joints': listed}


def _by_name(
    contract: ImportedContract, values: Sequence[float] | None, default: float, what: str
) -> dict[str, float]:
    known = contract.by_joint(values)
    if not known:
        contract.assume(f'robot file, {what}: {default:g} for every joint (the file has none)')
    return known


def _joint(limits: JointLimits, home: float | None, kp: float, kd: float) -> dict[str, float]:
    lower = -math.pi if limits.lower is None else limits.lower
    upper = math.pi if limits.upper is None else limits.upper
    home = min(max(0.0, lower), upper) if home is None else home
    torque = kp * ERROR_AT_LIMIT if limits.torque_limit is None else limits.torque_limit
    return {
        'lower': round(min(lower, home), 6),
        'upper': round(max(upper, home), 6),
        'home': home,
        'kp': kp,
        'kd': kd,
        'kp_max': GAIN_HEADROOM * kp,
        'kd_max': GAIN_HEADROOM * kd,
        'torque_limit': round(max(torque, 0.1), 6),
        'velocity_limit': DEFAULT_VELOCITY_LIMIT,
    }


def _note_assumptions(contract: ImportedContract, limits: dict[str, JointLimits]) -> None:
    names = contract.robot_joints
    unlimited = [n for n in names if limits.get(n, JointLimits()).lower is None]
    weak = [n for n in names if limits.get(n, JointLimits()).torque_limit is None]
    if unlimited:
        contract.assume(f'robot file, limits: -3.14 to 3.14 rad for {_list(unlimited, contract)}')
    if weak:
        contract.assume(
            f'robot file, torque limits: kp x {ERROR_AT_LIMIT:g} rad for {_list(weak, contract)}'
        )
    contract.assume(
        f'robot file, velocity limits: {DEFAULT_VELOCITY_LIMIT:g} rad/s for every joint'
    )
    contract.assume(
        f'robot file, kp_max and kd_max: {GAIN_HEADROOM:g} times the gains of the policy'
    )


def _list(names: Sequence[str], contract: ImportedContract) -> str:
    """Name joints, or all of them."""
    return 'every joint' if len(names) == len(contract.robot_joints) else ', '.join(names)
