"""PD gains and torque limits: what a policy asks for on a robot, and whether that is allowed.

Whether the bridge has them in force is in control/gains_handshake.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.policy.contract import Contract
from kinfer_ros.robot.robot import Robot


@dataclass(frozen=True)
class Gains:
    """PD gains and torque limits in the robot's joint order: Nm/rad, Nm s/rad, Nm."""

    kp: Float64
    kd: Float64
    torque_limit: Float64


def gains(contract: Contract, robot: Robot) -> Gains:
    """Gains the policy was trained with, where its file tells them, else the robot's own."""
    return Gains(
        overlay(robot.kp, contract.joint_kp, contract, robot),
        overlay(robot.kd, contract.joint_kd, contract, robot),
        overlay(robot.torque_limit, contract.joint_torque_limits, contract, robot),
    )


def gain_problem(asked: Gains, robot: Robot, tunables: LiveSettings) -> str:
    """Say why the gain factors must not be applied to these gains, or ''."""
    for name, values, hard, factor in (
        ('kp', asked.kp, robot.kp_max, tunables.kp_factor),
        ('kd', asked.kd, robot.kd_max, tunables.kd_factor),
    ):
        over = np.flatnonzero(values * factor > hard * (1 + 1e-6))
        if over.size:
            joint = int(over[0])
            stiff = values > 0
            most = np.min(hard[stiff] / values[stiff])
            return (
                f'{name}_factor: found {factor:g}, which makes {name} of '
                f'{robot.joint_names[joint]} {values[joint] * factor:g}, expected at most '
                f'{name}_max {hard[joint]:g}: a factor of at most {most:g}'
            )
    return ''


def overlay(
    base: Float64, values: Sequence[float] | None, contract: Contract, robot: Robot
) -> Float64:
    """Return a copy of `base` with the policy's values, which are in its own joint order."""
    merged = base.copy()
    if values is not None:
        merged[policy_joints(contract, robot)] = values
    return merged


def policy_joints(contract: Contract, robot: Robot) -> Indices:
    """Place of each of the policy's joints in the robot's order."""
    return np.array([robot.joint_names.index(n) for n in contract.joint_names], dtype=np.intp)
