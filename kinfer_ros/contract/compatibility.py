"""Checks whether policies can take over from others while the robot is live."""

from dataclasses import replace

import numpy as np

from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.command import HEADING
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.policy_set import MemberSpec
from kinfer_ros.policy.sets.policy_set import PolicySet
from kinfer_ros.policy.spec.scan import ScanGrid
from kinfer_ros.robot.robot import Robot


def check_compatibility(
    incoming: Contract, running: Contract, robot: Robot, rate_hz: float
) -> None:
    """
    Compare a policy with the contract of the running one.

    Joints, commands, inputs and carry must be equal because a step log has one layout; rate and
    start pose because they cannot change while the robot is live. Gains change with the policy.

    :raises ContractError: with every difference, and what to do instead.
    """
    problems = [
        f'{what}: found {found}, expected {expected}'
        for what, found, expected in (
            ('joints', incoming.joint_names, running.joint_names),
            ('velocity joints', incoming.velocity_joints, running.velocity_joints),
            ('commands', incoming.command_names, running.command_names),
            ('inputs', _inputs(incoming), _inputs(running)),
            ('points of the height scan', _points(incoming), _points(running)),
            ('carry shape', incoming.carry_shape, running.carry_shape),
            ('control rate', incoming.control_rate_hz or rate_hz, rate_hz),
        )
        if found != expected
    ]
    if not problems:
        problems = _compare_start_poses(incoming, running, robot)
    if HEADING in running.command_names:
        problems.append("its command holds an absolute heading, which counts from a run's start")
    if problems:
        listed = '\n  '.join(problems)
        raise ContractError(
            f'{incoming.path} cannot take over from {running.path} while it runs: deactivate, '
            f'then load it\n  {listed}'
        )


def check_same_set(incoming: LoadedSet, loaded: LoadedSet) -> None:
    """
    Compare a policy set that was read again with the one that is loaded: only files may differ.

    :raises ContractError: with every difference, and what to do instead.
    """
    new, old = incoming.policy_set, loaded.policy_set
    problems = []
    if list(new.members) != list(old.members):
        found, expected = (', '.join(each.members) or 'none' for each in (new, old))
        problems = [f'policies: found {found}, expected {expected}']
    elif new.entry != old.entry:
        problems = [f'enter: found {new.entry}, expected {old.entry}']
    if not problems:
        for name, member in new.members.items():
            problems += _compare_settings(member, old.members[name])
    if not problems and replace(new, path=old.path, members=old.members) != old:
        problems = [f'transitions: {_differing_transitions(new, old)}']
    if problems:
        listed = '\n  '.join(problems)
        raise ContractError(
            f'{new.path} cannot take over from {old.path}, as it was loaded, while the node is '
            f'active: deactivate, then load it\n  {listed}'
        )


def _compare_settings(member: MemberSpec, loaded: MemberSpec) -> list[str]:
    if replace(member, model=loaded.model, spec=loaded.spec) == loaded:
        return []
    found, expected = member.settings(), loaded.settings()
    keys = [key for key in {**expected, **found} if found.get(key) != expected.get(key)]
    listed = [
        f'policies.{member.name}.{key}: found {found.get(key, "none")}, expected '
        f'{expected.get(key, "none")}'
        for key in keys
    ]
    return listed or [f'policies.{member.name}: its settings differ']


def _differing_transitions(new: PolicySet, old: PolicySet) -> str:
    differing = [each for each in new.transitions if each not in old.transitions]
    differing += [each for each in old.transitions if each not in new.transitions]
    pairs = dict.fromkeys(f'{each.source} to {each.target}' for each in differing)
    return f'{", ".join(pairs) or "their order"} differ, expected the same'


def _inputs(contract: Contract) -> dict[str, tuple[int, ...]]:
    return {each.name: each.shape for each in contract.inputs}


def _points(contract: Contract) -> ScanGrid | None:
    scan = contract.spec.scan if contract.spec is not None else None
    return None if scan is None else scan.grid


def _compare_start_poses(incoming: Contract, running: Contract, robot: Robot) -> list[str]:
    found, expected = start_pose(incoming, robot), start_pose(running, robot)
    differing = np.flatnonzero(~np.isclose(found, expected, rtol=1e-4, atol=1e-6))
    if not differing.size:
        return []
    first = int(differing[0])
    return [
        f'start pose of {robot.joint_names[first]}: found {found[first]:g}, '
        f'expected {expected[first]:g}'
    ]
