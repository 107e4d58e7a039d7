"""Which joints another node may move, and how; checked against the robot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kinfer_ros.errors import ConfigError
from kinfer_ros.policy.sets.policy_set import OVERRIDE_OBSERVATIONS
from kinfer_ros.robot.legs import joints_of_legs
from kinfer_ros.robot.robot import Robot
from kinfer_ros.yaml_file import did_you_mean

MEASURED, DEFAULT = OVERRIDE_OBSERVATIONS


@dataclass(frozen=True)
class OverrideSettings:
    """
    Fixed from configure on.

    :ivar joints: names of the joints that another node may move, in the order of the step log.
    :ivar time_s: in which a joint moves over to the other node's target.
    :ivar return_speed: rad/s, at most, at which it goes back, beside the policy's own motion.
    :ivar hidden: the policy sees these joints at rest in the start pose while another moves them.
    """

    joints: tuple[str, ...] = ()
    time_s: float = 0.5
    return_speed: float = 1.0
    hidden: bool = False


NO_OVERRIDES = OverrideSettings()


def read_override_settings(parameters: Mapping[str, Any], robot: Robot) -> OverrideSettings:
    """
    Read them of the policy node's parameters; runs of earlier versions have none.

    :raises ConfigError: with every joint that the robot lacks, that stands there twice, or that is
        of a leg without `allow_legs`.
    """
    joints = tuple(name for name in parameters.get('override_joints', ()) if name)
    seen = parameters.get('override_observation', MEASURED)
    problems = _problems(joints, robot, allow_legs=bool(parameters.get('allow_legs', False)))
    if seen not in OVERRIDE_OBSERVATIONS:
        problems.append(
            f'override_observation: found {seen!r}, expected one of {OVERRIDE_OBSERVATIONS}'
        )
    if problems:
        raise ConfigError('; '.join(f'parameter {problem}' for problem in problems))
    return OverrideSettings(
        joints,
        parameters.get('override_time', NO_OVERRIDES.time_s),
        parameters.get('override_return_speed', NO_OVERRIDES.return_speed),
        seen == DEFAULT,
    )


def _problems(joints: tuple[str, ...], robot: Robot, *, allow_legs: bool) -> list[str]:
    problems = [
        f'override_joints: {robot.path} has no {name!r}{did_you_mean(name, robot.joint_names)}'
        for name in joints
        if name not in robot.joint_names
    ]
    if len(set(joints)) < len(joints):
        twice = sorted({name for name in joints if joints.count(name) > 1})
        problems.append(f'override_joints: found {twice} more than once')
    known = [name for name in joints if name in robot.joint_names]
    legs = [] if allow_legs else joints_of_legs(robot, known)
    if legs:
        problems.append(_describe_legs(legs, robot))
    return problems


def _describe_legs(legs: list[str], robot: Robot) -> str:
    if robot.legs is not None:
        return f'override_joints: {legs} are of a leg (legs of {robot.path}): they need allow_legs'
    return (
        f'override_joints: {legs} are of a leg, or have no name of an arm, hand or head: list the '
        f'joints of all legs under `legs` in {robot.path}, or set allow_legs'
    )
