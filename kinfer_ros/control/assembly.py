"""Holds a policy against a robot and builds the controller that joins them.

Without this module a policy for another robot would be started, and be found out by the motors.
Everything that does not fit is reported at once, before anything moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.controller import Parts
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.modes import Settings
from kinfer_ros.control.policy_inputs import Observation
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.control.policy_runner import PolicyRunner
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot

DEFAULT_RATE_HZ = 50.0
"""kinfer's convention for a file that names no control rate."""


@dataclass(frozen=True)
class Gains:
    """PD gains and torque limits in the robot's joint order: Nm/rad, Nm s/rad, Nm."""

    kp: Float64
    kd: Float64
    torque_limit: Float64


def check(contract: Contract, robot: Robot) -> None:
    """
    Hold the contract against the robot.

    :raises ContractError: with every joint, gain and pose that does not fit.
    """
    missing = [name for name in contract.joint_names if name not in robot.joint_names]
    if missing:
        raise ContractError(
            f'{contract.path} does not fit the robot {robot.name} ({robot.path}): the robot lacks '
            f'the joints {missing}; the policy has {list(contract.joint_names)}, '
            f'the robot has {list(robot.joint_names)}'
        )
    problems = _pose_problems(contract, robot) + _gain_problems(contract, robot)
    if problems:
        listed = '\n  '.join(problems)
        raise ContractError(
            f'{contract.path} does not fit the robot {robot.name} ({robot.path}):\n  {listed}'
        )


def _pose_problems(contract: Contract, robot: Robot) -> list[str]:
    pose = start_pose(contract, robot)
    return [
        f'start pose of {name}: found {q:.4f} rad, expected {lo:.4f} to {hi:.4f} (the limits)'
        for name, q, lo, hi in zip(robot.joint_names, pose, robot.lower, robot.upper, strict=True)
        if not lo <= q <= hi
    ]


def _gain_problems(contract: Contract, robot: Robot) -> list[str]:
    asked = gains(contract, robot)
    hard = (('kp', robot.kp_max), ('kd', robot.kd_max), ('torque_limit', robot.torque_limit))
    problems = []
    for key, most in hard:
        values = getattr(asked, key)
        for name, value, limit in zip(robot.joint_names, values, most, strict=True):
            if not 0.0 <= value <= limit * (1 + 1e-6):
                problems.append(
                    f'{key} of {name}: the policy was trained with {value:g}, '
                    f'the robot YAML allows 0 to {limit:g}'
                )
    return problems


def start_pose(contract: Contract, robot: Robot) -> Float64:
    """Pose [N] rad to start from, robot order: the policy's joint biases, else the home pose."""
    return _overlay(robot.home, contract.joint_biases, contract, robot)


def gains(contract: Contract, robot: Robot) -> Gains:
    """Gains the policy was trained with, where its file tells them, else the robot's own."""
    return Gains(
        _overlay(robot.kp, contract.joint_kp, contract, robot),
        _overlay(robot.kd, contract.joint_kd, contract, robot),
        _overlay(robot.torque_limit, contract.joint_torque_limits, contract, robot),
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


def _overlay(
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


def assemble(
    policy: Policy, robot: Robot, settings: Settings, tunables: LiveSettings | None = None
) -> Controller:
    """
    Build the controller of a policy on a robot.

    :param tunables: live settings; they become the controller's own.
    :raises ContractError: the two do not fit; see `check`.
    """
    contract = policy.contract
    check(contract, robot)
    tunables = tunables or LiveSettings()
    frame = SensorFrame(robot)
    command = CommandVector(
        contract.command_names,
        contract.command_ranges,
        tunables=tunables,
        default=settings.default_command,
        extra_entries=settings.command_entries,
    )
    asked = gains(contract, robot)
    parts = Parts(
        frame=frame,
        command=command,
        watch=GuardSet(robot, frame, tunables),
        limiter=TargetLimiter(
            robot,
            (asked.kp, asked.kd, asked.torque_limit),
            settings.period_ns / 1e9,
            tunables,
        ),
        stepping=PolicyRunner(fit(policy, robot, frame, command), tunables),
        start_pose=start_pose(contract, robot),
        tunables=tunables,
    )
    return Controller(parts, settings)


def fit(policy: Policy, robot: Robot, frame: SensorFrame, command: CommandVector) -> BoundPolicy:
    """
    Join a policy to the sensors and the command that are there.

    :raises ContractError: an input has no source.
    """
    joints = policy_joints(policy.contract, robot)
    return BoundPolicy(policy, Observation(policy.inputs, frame, joints, command), joints)
