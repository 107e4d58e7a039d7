"""Checks that a policy fits a robot, and builds their controller.

All that does not fit is reported at once, before anything moves.
"""

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.start_state import ActivationChecks
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.gains.policy_gains import overlay
from kinfer_ros.control.gains.policy_gains import policy_joints
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.parts import ControlInputs
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy.inputs import Observation
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.wheels import find_wheels
from kinfer_ros.control.wheels import with_rest
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot

DEFAULT_RATE_HZ = 50.0
IMU_VELOCITY = 'imu_linear_velocity'
"""kinfer's default for a file without a control rate."""


def check_fit(contract: Contract, robot: Robot) -> None:
    """
    Check the contract against the robot.

    :raises ContractError: with every joint, gain and pose that does not fit.
    """
    misfit = f'{contract.path} does not fit the robot {robot.name} ({robot.path})'
    missing = [name for name in contract.joint_names if name not in robot.joint_names]
    if missing:
        raise ContractError(
            f'{misfit}: the robot lacks the joints {missing}; '
            f'the policy has {list(contract.joint_names)}, '
            f'the robot has {list(robot.joint_names)}'
        )
    problems = _pose_problems(contract, robot) + _gain_problems(contract, robot)
    problems += _wheel_problems(contract, robot)
    names = [each.name for each in contract.inputs]
    if robot.imu_position is None and any(name.startswith(IMU_VELOCITY) for name in names):
        problems.append(
            f'imu.position of {robot.path}: found none, expected the place of the IMU in the base '
            'frame, [x, y, z] in m: the policy takes the velocity there (imu_linear_velocity)'
        )
    if problems:
        raise ContractError('\n  '.join([f'{misfit}:', *problems]))


def _pose_problems(contract: Contract, robot: Robot) -> list[str]:
    pose = start_pose(contract, robot)
    wheels = contract.velocity_joints
    return [
        f'start pose of {name}: found {q:.4f} rad, expected {lo:.4f} to {hi:.4f} (the limits)'
        for name, q, lo, hi in zip(robot.joint_names, pose, robot.lower, robot.upper, strict=True)
        if not lo <= q <= hi and name not in wheels
    ]


def _gain_problems(contract: Contract, robot: Robot) -> list[str]:
    requested = gains(contract, robot)
    return [
        f'{key} of {name}: the policy was trained with {value:g}, '
        f'the robot YAML allows 0 to {limit:g}'
        for key, values, limits in (
            ('kp', requested.kp, robot.kp_max),
            ('kd', requested.kd, robot.kd_max),
            ('torque_limit', requested.torque_limit, robot.torque_limit),
        )
        for name, value, limit in zip(robot.joint_names, values, limits, strict=True)
        if not 0.0 <= value <= limit * (1 + 1e-6)
    ]


def _wheel_problems(contract: Contract, robot: Robot) -> list[str]:
    """The torque of a wheel is kd (target - speed), also where the robot file has the gains."""
    requested = gains(contract, robot)
    places = [robot.joint_names.index(name) for name in contract.velocity_joints]
    problems = [
        f'kp of {robot.joint_names[at]}: found {requested.kp[at]:g}, expected 0: the policy '
        'drives it by velocity (torque = kd (target - speed))'
        for at in places
        if requested.kp[at] != 0.0
    ]
    return problems + [
        f'kd of {robot.joint_names[at]}: found 0, expected more: only kd turns a wheel'
        for at in places
        if requested.kd[at] == 0.0
    ]


def start_pose(contract: Contract, robot: Robot) -> Float64:
    """
    Return the start pose [N] rad, robot order: the policy's joint biases, else home.

    It is the target of the modes ramp and hold: that of a wheel is 0 rad/s.
    """
    pose = overlay(robot.home, contract.joint_biases, contract, robot)
    return with_rest(pose, find_wheels(contract, robot))


def assemble(
    policy: Policy, robot: Robot, settings: SessionSettings, live: LiveSettings | None = None
) -> Controller:
    """
    Build the controller of a policy on a robot.

    :param live: live settings; they become the controller's own.
    :raises ContractError: they do not fit; see `check_fit`.
    """
    contract = policy.contract
    check_fit(contract, robot)
    live = live or LiveSettings()
    frame = SensorFrame(robot)
    command = CommandVector(
        contract.command_names,
        contract.command_ranges,
        live=live,
        default=settings.default_command,
        extra_entries=settings.command_entries,
    )
    wheels = find_wheels(contract, robot)
    guards = GuardSet(robot, frame, live, wheels)
    requested = gains(contract, robot)
    inputs = ControlInputs(frame, command, guards.health)
    limiter = TargetLimiter(
        robot,
        (requested.kp, requested.kd, requested.torque_limit),
        settings.period_ns / 1e9,
        live,
        wheels,
    )
    pose = start_pose(contract, robot)
    parts = Parts(
        inputs=inputs,
        guards=guards,
        checks=ActivationChecks(frame, command, guards, robot, pose, wheels),
        limiter=limiter,
        runner=PolicyRunner(
            bind(policy, robot, inputs),
            live,
            limit_ns=lambda: settings.longest_inference_ns(live),
        ),
        start_pose=pose,
        live=live,
        wheels=wheels,
    )
    return Controller(parts, settings)


def bind(policy: Policy, robot: Robot, inputs: ControlInputs) -> BoundPolicy:
    """
    Bind a policy to the robot's sensors and command.

    :raises ContractError: an input has no source.
    """
    joints = policy_joints(policy.contract, robot)
    spec = policy.contract.spec
    observation = Observation(
        policy.inputs,
        inputs.frame,
        joints,
        inputs.command,
        inputs.motion,
        wait=spec is not None and spec.motion is not None and spec.motion.wait,
    )
    return BoundPolicy(policy, observation, joints)
