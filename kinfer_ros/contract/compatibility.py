"""Checks whether one policy can take over from another while the robot is live."""

import numpy as np

from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.command import HEADING
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
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
