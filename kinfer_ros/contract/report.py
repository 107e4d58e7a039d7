"""The contract of a policy held against a robot, as a report with a remedy on each line.

What does not fit is a failure; what is unlikely is a warning; what no check can know is printed as
assumed, for somebody who knows the training. Without this module a wrong order, scale or sign
would be found out by the motors.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import check
from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.command import HEADING
from kinfer_ros.control.command import NAMED_ENTRIES
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.control.gains import gains
from kinfer_ros.control.gains import policy_joints
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.policy import Policy
from kinfer_ros.robot.robot import Robot
from kinfer_ros.yaml_file import did_you_mean

OK, WARN, FAIL, ASSUMED = 'ok', 'warn', 'fail', 'assumed'

FAR_FROM_HOME = 0.5
"""rad between the policy's start pose and the robot's home from which it is worth a look."""
FAR_AT_REST = 0.75
"""rad from the start pose to the target of a robot that stands in it; trained policies: 0.5."""
TORQUE_RATIO = 3.0
"""Torque that an output of 1 asks for, by the torque limit; trained policies: below 1."""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    what: str
    verdict: str
    """ok, warn, fail or assumed."""
    found: str
    expected: str = ''
    remedy: str = ''
    passing: bool = False
    """A failure that may be gone the next time: a busy machine makes messages late."""


def failed(rows: Iterable[Row]) -> bool:
    """Whether a report has a failure in it."""
    return any(row.verdict == FAIL for row in rows)


def refuse(rows: Sequence[Row], contract: Contract, robot: Robot) -> None:
    """
    Let nothing pass that has failed.

    :raises ContractError: with the lines that are not ok.
    :raises NotReady: the same, where all that has failed may be gone the next time.
    """
    if failed(rows):
        said = as_table([row for row in rows if row.verdict in (FAIL, WARN)])
        error = NotReady if all(r.passing for r in rows if r.verdict == FAIL) else ContractError
        raise error(f'{contract.path} does not fit the robot {robot.name} ({robot.path}):\n{said}')


def as_table(rows: Sequence[Row]) -> str:
    """Write the report for a person: a verdict a line, the remedy below it."""
    width = max((len(row.what) for row in rows), default=0)
    lines = []
    for row in rows:
        expected = f'; expected {row.expected}' if row.expected else ''
        lines.append(f'{row.verdict:<7}  {row.what:<{width}}  {row.found}{expected}')
        if row.remedy and row.verdict != OK:
            lines.append(f'{"":<7}  {"":<{width}}  -> {row.remedy}')
    return '\n'.join(lines)


def check_contract(policy: Policy, robot: Robot, command_entries: Sequence[str] = ()) -> list[Row]:
    """
    Hold a policy against a robot, without a graph.

    :param command_entries: names promised on `policy_command` beyond the known ones.
    :return: every line; where joints are missing, only what can be said without them.
    """
    contract = policy.contract
    rows = [_joints(contract, robot)]
    rows += _commands(contract, command_entries)
    rows.append(_rate(contract))
    rows += _sources(contract, robot)
    if not failed(rows[:1]):
        rows += [_fit(contract, robot), _home(contract, robot), *_gains(contract, robot)]
        rows.append(_at_rest(policy, robot))
    for line in contract.assumptions:
        what, _, found = line.partition(': ')
        rows.append(Row(what, ASSUMED, found))
    return rows


def _joints(contract: Contract, robot: Robot) -> Row:
    missing = [name for name in contract.joint_names if name not in robot.joint_names]
    extra = [name for name in robot.joint_names if name not in contract.joint_names]
    if missing:
        hint = did_you_mean(missing[0], extra or robot.joint_names)
        return Row(
            'joints',
            FAIL,
            f'the robot lacks the joints {missing}{hint}',
            f'all of {", ".join(contract.joint_names)}',
            f'name them alike in {robot.path} and in the policy (the robot has '
            f'{", ".join(robot.joint_names)})',
        )
    kept = f'; {", ".join(extra)} stay at the start pose' if extra else ''
    return Row('joints', OK, f'{len(contract.joint_names)}, matched by name{kept}')


def _commands(contract: Contract, entries: Sequence[str]) -> list[Row]:
    if not contract.command_names:
        return [Row('commands', OK, 'none: the policy takes no command')]
    known = (*TWIST_ENTRIES, HEADING, *NAMED_ENTRIES, *entries)
    unknown = [name for name in contract.command_names if name not in known]
    rows = [Row('commands', OK, ', '.join(contract.command_names))]
    if unknown:
        rows[0] = Row(
            'commands',
            WARN,
            f'no source gives {", ".join(unknown)}',
            f'cmd_vel: {", ".join(TWIST_ENTRIES)}; policy_command: the others',
            'publish them on policy_command and name them in policy_command_entries',
        )
    free = [name for name in contract.command_names if name not in contract.command_ranges]
    if free:
        rows.append(
            Row(
                'command ranges',
                WARN,
                f'none for {", ".join(free)}: not limited',
                'the ranges of the training',
                'write them under commands (spec) or command_ranges (metadata.json)',
            )
        )
    return rows


def _rate(contract: Contract) -> Row:
    if contract.control_rate_hz is None:
        return Row(
            'control rate',
            WARN,
            f'the file names none: {DEFAULT_RATE_HZ:g} Hz is taken',
            'the rate of the training',
            'set control_rate if it was another',
        )
    return Row('control rate', OK, f'{contract.control_rate_hz:g} Hz')


def _sources(contract: Contract, robot: Robot) -> list[Row]:
    names = [each.name for each in contract.inputs]
    rows = []
    if any(name.startswith('base_linear_velocity') for name in names):
        rows.append(
            Row(
                'odometry',
                WARN,
                "the policy takes the base's linear velocity; hardware may lack it",
                'odom: nav_msgs/Odometry, twist in the base frame',
                'run a state estimator that publishes it; a stale one is a fault',
            )
        )
    mounting = ', '.join(f'{value:g}' for value in robot.imu_mounting)
    rows.append(
        Row('IMU mounting', ASSUMED, f'[{mounting}] (w x y z) from {robot.imu_frame} to the base')
    )
    return rows


def _fit(contract: Contract, robot: Robot) -> Row:
    """What assembly refuses: start pose outside the limits, gains above them."""
    try:
        check(contract, robot)
    except ContractError as error:
        found = '; '.join(line.strip() for line in str(error).splitlines()[1:])
        return Row('limits', FAIL, found, '', f'look at {robot.path} and at the policy')
    return Row('limits', OK, 'start pose and gains are within those of the robot')


def _home(contract: Contract, robot: Robot) -> Row:
    pose = start_pose(contract, robot)
    away = np.abs(pose - robot.home)
    worst = int(away.argmax())
    name = robot.joint_names[worst]
    found = f'{name} is {away[worst]:.2f} rad from the home of the robot ({pose[worst]:.3f} rad)'
    if away[worst] > FAR_FROM_HOME:
        return Row(
            'start pose',
            WARN,
            found,
            f'about {robot.home[worst]:.3f} rad',
            'wrong joint order, sign or degrees in the default pose? Else correct the home',
        )
    return Row('start pose', OK, f'at most {away[worst]:.2f} rad from the home of the robot')


def _gains(contract: Contract, robot: Robot) -> list[Row]:
    given = (contract.joint_kp, contract.joint_kd, contract.joint_torque_limits)
    silent = [
        name
        for name, values in zip(('kp', 'kd', 'torque limits'), given, strict=True)
        if values is None
    ]
    rows = [Row('gains', OK, 'as the policy was trained')]
    if silent:
        rows[0] = Row(
            'gains',
            WARN,
            f'the policy names no {", ".join(silent)}: those of the robot are taken',
            'what it was trained with',
            'write them under gains (spec) or joint_kp, joint_kd (metadata.json)',
        )
    if contract.spec is not None:
        rows.append(_torque(contract, robot))
    return rows


def _torque(contract: Contract, robot: Robot) -> Row:
    """An action scale that is wrong by ten shows in what an output of 1 asks of the motors."""
    assert contract.spec is not None
    action = contract.spec.action
    index = [robot.joint_names.index(name) for name in action.joints]
    asked = gains(contract, robot)
    ratio = np.abs(action.scale) * asked.kp[index] / asked.torque_limit[index]
    worst = int(ratio.argmax())
    found = (
        f'an output of 1 asks {action.joints[worst]} for {ratio[worst]:.2g} times its torque limit'
    )
    if ratio[worst] > TORQUE_RATIO:
        return Row(
            'action scale', WARN, found, f'at most {TORQUE_RATIO:g}', 'is action.scale right?'
        )
    return Row('action scale', OK, found)


def _at_rest(policy: Policy, robot: Robot) -> Row:
    """Ask the policy what it would do with a robot that stands in its start pose."""
    contract = policy.contract
    pose = start_pose(contract, robot)[policy_joints(contract, robot)]
    target = policy.at_rest(pose)
    away = np.abs(target - pose)
    worst = int(away.argmax())
    found = f'{contract.joint_names[worst]} would go {away[worst]:.2f} rad from the start pose'
    if away[worst] > FAR_AT_REST:
        return Row(
            'standing still',
            WARN,
            found,
            f'at most {FAR_AT_REST:g} rad',
            'default pose, joint order, action scale or relative_to may be wrong',
        )
    return Row('standing still', OK, found)
