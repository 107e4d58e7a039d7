"""Checks that a policy fits a robot, and builds their controller.

All that does not fit is reported at once, before anything moves.
"""

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.contract.start_state import ActivationChecks
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.gains.policy_gains import overlay
from kinfer_ros.control.gains.policy_gains import policy_joints
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.gains.requested import RequestedGains
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.overrides.hidden import HiddenJoints
from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.overrides.settings import DEFAULT
from kinfer_ros.control.parts import ControlInputs
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy.conditions import ConditionCheck
from kinfer_ros.control.policy.inputs import Observation
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.policy.transitions import Transitions
from kinfer_ros.control.policy.via_pose import via_poses
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tuning.live_tuning import LiveTuning
from kinfer_ros.control.wheels import find_wheels
from kinfer_ros.control.wheels import with_rest
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.policy_set import MemberSpec
from kinfer_ros.robot.robot import Robot

DEFAULT_RATE_HZ = 50.0
IMU_VELOCITY = 'imu_linear_velocity'
"""kinfer's default for a file without a control rate."""


def check_fit(contract: Contract, robot: Robot, member: MemberSpec | None = None) -> None:
    """
    Check the contract against the robot.

    :param member: what its policy set says of it.
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
    problems = _pose_problems(contract, robot) + _gain_problems(contract, robot, member)
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


def _gain_problems(contract: Contract, robot: Robot, member: MemberSpec | None) -> list[str]:
    requested = member_gains(contract, robot, member)
    asked = 'the set asks for' if member and member.has_factors else 'the policy was trained with'
    return [
        f'{key} of {name}: {asked} {value:g}, the robot YAML allows 0 to {limit:g}'
        for key, values, limits in (
            ('kp', requested.kp, robot.kp_max),
            ('kd', requested.kd, robot.kd_max),
            ('torque_limit', requested.torque_limit, robot.torque_limit),
        )
        for name, value, limit in zip(robot.joint_names, values, limits, strict=True)
        if not 0.0 <= value <= limit * (1 + 1e-6)
    ]


def member_gains(contract: Contract, robot: Robot, member: MemberSpec | None) -> Gains:
    """Return the gains of a policy, with the factors of its set."""
    own = gains(contract, robot)
    if member is None or not member.has_factors:
        return own
    return Gains(own.kp * member.kp_factor, own.kd * member.kd_factor, own.torque_limit)


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
    return assemble_set(LoadedSet.of_one(policy), robot, settings, live)


def assemble_set(
    loaded: LoadedSet, robot: Robot, settings: SessionSettings, live: LiveSettings | None = None
) -> Controller:
    """
    Build the controller of a policy set on a robot.

    :param live: live settings; they become the controller's own.
    :raises ContractError: a policy does not fit the robot, or the set.
    """
    for name, policy in loaded.policies.items():
        check_fit(policy.contract, robot, loaded.policy_set.members[name])
    live = live or LiveSettings()
    first = loaded.entry.contract
    frame = SensorFrame(robot)
    command = CommandVector(
        _all_commands(loaded),
        first.command_ranges,
        live=live,
        default=settings.default_command,
        extra_entries=settings.command_entries,
    )
    wheels = find_wheels(first, robot)
    guards = GuardSet(robot, frame, live, wheels)
    overrides = None
    if settings.overrides.joints:
        hidden = any(
            each.override_observation == DEFAULT for each in loaded.policy_set.members.values()
        )
        overrides = JointOverrides(
            settings.overrides, robot, settings.period_ns / 1e9, hidden=hidden
        )
    inputs = ControlInputs(frame, command, guards.health, overrides=overrides)
    members = {
        name: bind(policy, robot, inputs, loaded.policy_set.members[name])
        for name, policy in loaded.policies.items()
    }
    entry = members[loaded.policy_set.entry]
    pose, requested = entry.start_pose, entry.gains
    limiter = TargetLimiter(
        robot,
        (requested.kp, requested.kd, requested.torque_limit),
        settings.period_ns / 1e9,
        live,
        wheels,
    )
    runner = PolicyRunner(entry, live, limit_ns=lambda: settings.longest_inference_ns(live))
    ramp = GainRamp(live.action_scale, live.kp_factor, live.kd_factor)
    check = ConditionCheck(frame, command, wheels)
    poses = via_poses(loaded.policy_set, members, robot)
    transitions = Transitions(loaded.policy_set, members, runner, check, guards.stats.say, poses)
    parts = Parts(
        inputs=inputs,
        guards=guards,
        checks=ActivationChecks(frame, command, guards, robot, pose, wheels),
        limiter=limiter,
        runner=runner,
        start_pose=pose,
        tuning=LiveTuning(live, ramp, runner, guards, limiter, settings.period_ns / 1e9),
        gains=RequestedGains(requested, ramp, every_step=not settings.real_time),
        transitions=transitions,
        wheels=wheels,
    )
    parts.adopt(entry)
    guards.stats.take_events()  # what the first policy sets is no event of a tick
    return Controller(parts, settings)


def _all_commands(loaded: LoadedSet) -> tuple[str, ...]:
    """Return the entries of all commands of a set, each once."""
    return tuple(
        dict.fromkeys(
            name for policy in loaded.policies.values() for name in policy.contract.command_names
        )
    )


def bind(
    policy: Policy, robot: Robot, inputs: ControlInputs, member: MemberSpec | None = None
) -> BoundPolicy:
    """
    Bind a policy to the robot's sensors and command.

    :param member: what its set says of it.
    :raises ContractError: an input has no source.
    """
    contract = policy.contract
    joints = policy_joints(contract, robot)
    spec = contract.spec
    scan = spec.scan if spec is not None else None
    if scan is not None:
        inputs.frame.scan_shape = (scan.rows, scan.columns)
    observation = Observation(
        policy.inputs,
        inputs.frame,
        joints,
        inputs.command,
        inputs.motion,
        entries=contract.command_names,
        wait=spec is not None and spec.motion is not None and spec.motion.wait,
        hidden=_hidden_joints(policy.contract, robot, inputs, joints, member),
    )
    pose, own = start_pose(contract, robot), member_gains(contract, robot, member)
    if member is None:
        ranges = contract.command_ranges
        return BoundPolicy(policy, observation, joints, pose, own, command_ranges=ranges)
    return BoundPolicy(
        policy,
        observation,
        joints,
        pose,
        own,
        name=member.name,
        action_scale=member.action_scale,
        command_ranges=_limited_ranges(contract, member),
        stricter=member.stricter,
    )


def _limited_ranges(contract: Contract, member: MemberSpec) -> dict[str, tuple[float, float]]:
    """Return the ranges of the command, within the limits of the set."""
    ranges = dict(contract.command_ranges)
    for name, limit in zip(TWIST_ENTRIES, member.command_limit, strict=True):
        if limit:
            low, high = ranges.get(name, (-limit, limit))
            ranges[name] = (max(low, -limit), min(high, limit))
    return ranges


def _hidden_joints(
    contract: Contract,
    robot: Robot,
    inputs: ControlInputs,
    joints: Indices,
    member: MemberSpec | None,
) -> HiddenJoints | None:
    overrides = inputs.overrides
    if overrides is None:
        return None
    own = member.override_observation if member is not None else ''
    if not (own == DEFAULT if own else overrides.hidden_by_default):
        return None
    return HiddenJoints(overrides, joints, start_pose(contract, robot))
