"""PD gains and torque limits of a policy on a robot, and their limits.

control/gains/handshake.py checks what the bridge has in force.
"""

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

    def equals(self, other: 'Gains') -> bool:
        """Whether all numbers are the same."""
        return self is other or bool(
            (self.kp == other.kp).all()
            and (self.kd == other.kd).all()
            and (self.torque_limit == other.torque_limit).all()
        )


def gains(contract: Contract, robot: Robot) -> Gains:
    """Return the policy's training gains, or the robot's where its file has none."""
    return Gains(
        overlay(robot.kp, contract.joint_kp, contract, robot),
        overlay(robot.kd, contract.joint_kd, contract, robot),
        overlay(robot.torque_limit, contract.joint_torque_limits, contract, robot),
    )


def gain_problem(requested: Gains, robot: Robot, live: LiveSettings) -> str:
    """Return why the gain factors must not be applied to these gains, or ''."""
    for name, values, limits, factor in (
        ('kp', requested.kp, robot.kp_max, live.kp_factor),
        ('kd', requested.kd, robot.kd_max, live.kd_factor),
    ):
        over = np.flatnonzero(values * factor > limits * (1 + 1e-6))
        if over.size:
            joint = int(over[0])
            stiff = values > 0
            max_factor = np.min(limits[stiff] / values[stiff])
            return (
                f'{name}_factor: found {factor:g}, which makes {name} of '
                f'{robot.joint_names[joint]} {values[joint] * factor:g}, expected at most '
                f'{name}_max {limits[joint]:g}: a factor of at most {max_factor:g}'
            )
    return ''


def overlay(
    base: Float64, values: Sequence[float] | None, contract: Contract, robot: Robot
) -> Float64:
    """Return a copy of `base` with the policy's values, given in its joint order."""
    merged = base.copy()
    if values is not None:
        merged[policy_joints(contract, robot)] = values
    return merged


def policy_joints(contract: Contract, robot: Robot) -> Indices:
    """Return the index of each of the policy's joints in the robot's order."""
    return np.array([robot.joint_names.index(n) for n in contract.joint_names], dtype=np.intp)
