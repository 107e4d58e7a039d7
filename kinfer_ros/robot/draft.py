"""Drafts a robot file from an imported contract and an MJCF, and lists what it assumed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import ImportedContract

DEFAULT_KP, DEFAULT_KD = 40.0, 1.0
"""Nm/rad and Nm s/rad, for a joint of unknown gains."""
DEFAULT_VELOCITY_LIMIT = 20.0
"""rad/s, for a joint of unknown velocity limit."""
GAIN_HEADROOM = 2.0
"""kp_max and kd_max, as a multiple of the policy's gains."""
ERROR_AT_LIMIT = 0.5
"""rad of position error at which kp gives the torque limit that is assumed."""


@dataclass(frozen=True)
class JointLimits:
    """Limits of one joint, rad, Nm and rad/s; None where unknown."""

    lower: float | None = None
    upper: float | None = None
    torque_limit: float | None = None
    velocity_limit: float | None = None
    continuous: bool = False
    """It is said to turn without end."""


def draft_robot(
    contract: ImportedContract,
    limits: dict[str, JointLimits],
    *,
    base: str,
    imu: dict[str, Any],
    mjcf: str | None,
    urdf: str | None = None,
) -> dict[str, Any]:
    """
    Make a robot file's content, in the robot's joint order; notes assumptions in `contract`.

    :param limits: by joint name; those of the contract are used where they lack one.
    """
    limits = _complete(contract, limits)
    home = contract.by_joint(contract.default_pose)
    homeless = [name for name in contract.robot_joints if name not in home]
    if homeless:
        contract.assume(
            f'robot file, home: 0, or the limit nearest to it, for {_list(homeless, contract)}'
        )
    wheels = contract.velocity_joints
    kp = dict.fromkeys(wheels, 0.0) | _by_name(contract, contract.kp, DEFAULT_KP, 'kp', wheels)
    kd = _by_name(contract, contract.kd, DEFAULT_KD, 'kd')
    joints: dict[str, Any] = {}
    for name in contract.robot_joints:
        joints[name] = _joint(
            limits[name],
            home.get(name),
            kp.get(name, DEFAULT_KP),
            kd.get(name, DEFAULT_KD),
        )
    _note_assumptions(contract, limits)
    _note_wider(contract, limits, home)
    content: dict[str, Any] = {'name': contract.name}
    content |= {key: path for key, path in (('mjcf', mjcf), ('urdf', urdf)) if path is not None}
    listed = joints or fill_in('NAME: {lower, upper, home, kp, ...} of each joint, docs/robots.md')
    return content | {'base_frame': base, 'imu': imu, 'joints': listed}


def _complete(
    contract: ImportedContract, limits: dict[str, JointLimits]
) -> dict[str, JointLimits]:
    """:return: limits of every joint of the robot; where neither has one, None."""
    _lower_torques(contract, limits)
    ranges = dict(zip(contract.joints, contract.position_limits, strict=False))
    torques = contract.by_joint(contract.torque_limit)
    velocities = contract.by_joint(contract.velocity_limit)
    wheels = contract.velocity_joints
    complete = {}
    for name in contract.robot_joints:
        known = limits.get(name, JointLimits())
        torque, velocity = known.torque_limit, known.velocity_limit
        lower, upper = ranges.get(name, (None, None))
        lower = lower if known.lower is None else known.lower
        complete[name] = replace(
            known,
            lower=lower,
            upper=upper if known.upper is None else known.upper,
            torque_limit=torques.get(name) if torque is None else torque,
            velocity_limit=velocities.get(name) if velocity is None else velocity,
            continuous=lower is None and (known.continuous or name in wheels),
        )
    return complete


def _lower_torques(contract: ImportedContract, limits: dict[str, JointLimits]) -> None:
    """Both limits hold in a simulation, so the policy knows the lower one."""
    known = {name: limits[name].torque_limit for name in contract.joints if name in limits}
    stated = contract.by_joint(contract.torque_limit)
    over = {n: t for n, t in known.items() if t is not None and t < stated.get(n, 0.0)}
    if over:
        contract.torque_limit = list((stated | over).values())
        listed = ', '.join(f'{name} {over[name]:g} for {stated[name]:g}' for name in over)
        contract.assume(f"torque limits: the robot's lower ones (Nm), {listed}")


def _by_name(
    contract: ImportedContract,
    values: Sequence[float] | None,
    default: float,
    what: str,
    without: Sequence[str] = (),
) -> dict[str, float]:
    known = contract.by_joint(values)
    known = {name: v for name, v in known.items() if name not in contract.unknown_gains}
    there = (*known, *without)
    if missing := [name for name in contract.robot_joints if name not in there]:
        listed = _list(missing, contract) if known else 'every joint'
        contract.assume(f'robot file, {what}: {default:g} for {listed} (the file has none)')
    return known


def _joint(limits: JointLimits, home: float | None, kp: float, kd: float) -> dict[str, Any]:
    speed = limits.velocity_limit or DEFAULT_VELOCITY_LIMIT
    # What moves a joint at its limit: the stiffness, or the damping of a wheel.
    assumed = kp * ERROR_AT_LIMIT or kd * speed
    torque = assumed if limits.torque_limit is None else limits.torque_limit
    more = {
        'kp': kp,
        'kd': kd,
        'kp_max': GAIN_HEADROOM * kp,
        'kd_max': GAIN_HEADROOM * kd,
        'torque_limit': round(max(torque, 0.1), 6),
        'velocity_limit': speed,
    }
    if limits.continuous:
        return {'continuous': True, 'home': home or 0.0, **more}
    lower = -math.pi if limits.lower is None else limits.lower
    upper = math.pi if limits.upper is None else limits.upper
    home = min(max(0.0, lower), upper) if home is None else home
    return {
        'lower': min(round(lower, 6), home),
        'upper': max(round(upper, 6), home),
        'home': home,
        **more,
    }


def _note_assumptions(contract: ImportedContract, limits: dict[str, JointLimits]) -> None:
    names = contract.robot_joints
    unlimited = [n for n in names if limits[n].lower is None and not limits[n].continuous]
    endless = [n for n in names if limits[n].continuous]
    weak = [n for n in names if limits[n].torque_limit is None]
    fast = [n for n in names if not limits[n].velocity_limit]
    if endless:
        contract.assume(f'robot file, continuous (no limits): {_list(endless, contract)}')
    if unlimited:
        contract.assume(f'robot file, limits: -3.14 to 3.14 rad for {_list(unlimited, contract)}')
    if weak:
        contract.assume(
            f'robot file, torque limits: kp x {ERROR_AT_LIMIT:g} rad for {_list(weak, contract)}'
            + (', kd x velocity limit where kp is 0' if contract.velocity_joints else '')
        )
    if fast:
        contract.assume(
            f'robot file, velocity limits: {DEFAULT_VELOCITY_LIMIT:g} rad/s for '
            f'{_list(fast, contract)}'
        )
    contract.assume(f'robot file, kp_max and kd_max: {GAIN_HEADROOM:g} times kp and kd')


def _note_wider(
    contract: ImportedContract, limits: dict[str, JointLimits], home: dict[str, float]
) -> None:
    """Say where the default pose is outside of the limits, which are then widened."""
    wider = [
        name
        for name, angle in home.items()
        if (known := limits.get(name)) is not None
        and not (-math.inf if known.lower is None else known.lower)
        <= angle
        <= (math.inf if known.upper is None else known.upper)
    ]
    if wider:
        contract.assume(f'robot file, limits: widened to the default pose for {", ".join(wider)}')


def _list(names: Sequence[str], contract: ImportedContract) -> str:
    """Name joints, or all of them."""
    return 'every joint' if len(names) == len(contract.robot_joints) else ', '.join(names)
