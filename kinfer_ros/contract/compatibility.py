"""Whether one policy can take over from another while the robot is live.

Without this module a policy for other gains, another rate or another order of joints would take
over a walking robot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.command import HEADING
from kinfer_ros.control.gains import gains
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.robot.robot import Robot


def check_compatibility(
    incoming: Contract, running: Contract, robot: Robot, rate_hz: float
) -> None:
    """
    Hold a policy against the contract of the one that runs.

    Joints, commands, inputs and carry have to be the same, since the step log of the run has one
    layout; rate, gains and start pose, since they cannot change under way.

    :raises ContractError: with everything that does not fit, and what to do instead.
    """
    problems = [
        f'{what}: found {found}, expected {expected}'
        for what, found, expected in (
            ('joints', incoming.joint_names, running.joint_names),
            ('commands', incoming.command_names, running.command_names),
            ('inputs', _inputs(incoming), _inputs(running)),
            ('carry shape', incoming.carry_shape, running.carry_shape),
            ('control rate', incoming.control_rate_hz or rate_hz, rate_hz),
        )
        if found != expected
    ]
    if not problems:
        problems = _numbers(incoming, running, robot)
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


def _numbers(incoming: Contract, running: Contract, robot: Robot) -> list[str]:
    asked, in_force = gains(incoming, robot), gains(running, robot)
    pairs: list[tuple[str, Any, Any]] = [
        ('kp', asked.kp, in_force.kp),
        ('kd', asked.kd, in_force.kd),
        ('torque limit', asked.torque_limit, in_force.torque_limit),
        ('start pose', start_pose(incoming, robot), start_pose(running, robot)),
    ]
    problems = []
    for what, found, expected in pairs:
        off = np.flatnonzero(~np.isclose(found, expected, rtol=1e-4, atol=1e-6))
        if off.size:
            first = int(off[0])
            problems.append(
                f'{what} of {robot.joint_names[first]}: found {found[first]:g}, '
                f'expected {expected[first]:g}'
            )
    return problems
