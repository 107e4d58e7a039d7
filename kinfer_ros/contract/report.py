"""Checks a policy's contract against a robot and reports a verdict and a remedy for each point.

A mismatch is a failure, an unlikely value a warning. What no check can verify is listed as
assumed, for a person who knows the training.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinfer_ros.control.assembly import DEFAULT_RATE_HZ
from kinfer_ros.control.assembly import check_fit
from kinfer_ros.control.assembly import start_pose
from kinfer_ros.control.command import HEADING
from kinfer_ros.control.command import NAMED_ENTRIES
from kinfer_ros.control.command import TWIST_ENTRIES
from kinfer_ros.control.gains.policy_gains import gains
from kinfer_ros.control.gains.policy_gains import policy_joints
from kinfer_ros.control.wheels import find_wheels
from kinfer_ros.control.wheels import with_rest
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.contract import takes_odometry
from kinfer_ros.policy.metadata import is_placeholder
from kinfer_ros.policy.motion.motion import too_fast
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.sets.policy_set import MemberSpec
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import told_apart
from kinfer_ros.yaml_file import did_you_mean

OK, WARN, FAIL, ASSUMED = 'ok', 'warn', 'fail', 'assumed'

MAX_HOME_DISTANCE = 0.5
"""rad between the policy's start pose and the robot's home pose that gives a warning."""
MAX_REST_DISTANCE = 0.75
"""rad between the start pose and the first targets in that pose; trained policies reach 0.5."""
MAX_TORQUE_RATIO = 3.0
"""Torque that an output of 1 requests, relative to the torque limit; trained policies: below 1."""

IMU_INPUTS = frozenset(
    ('projected_gravity', 'accelerometer', 'gyroscope', 'quaternion', 'initial_heading')
)
"""Inputs of a K-Scale archive that the mounting of the IMU turns."""
UNTURNED = 0.9999
"""Real part of a mounting from which on it is none (0.03 rad)."""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    what: str
    verdict: str
    """ok, warn, fail or assumed."""
    found: str
    expected: str = ''
    remedy: str = ''
    transient: bool = False
    """A failure that may not recur: a busy machine delays messages."""


def failed(rows: Iterable[Row]) -> bool:
    """Whether a report contains a failure."""
    return any(row.verdict == FAIL for row in rows)


def raise_if_failed(rows: Sequence[Row], path: Path, robot: Robot) -> None:
    """
    Raise an error where a check failed.

    :param path: of the policy, or of its set.
    :raises ContractError: with the lines that are not ok.
    :raises NotReady: the same, where all failures are transient.
    """
    if failed(rows):
        table = as_table([row for row in rows if row.verdict in (FAIL, WARN)])
        error = NotReady if all(r.transient for r in rows if r.verdict == FAIL) else ContractError
        raise error(f'{path} does not fit the robot {robot.name} ({robot.path}):\n{table}')


def as_table(rows: Sequence[Row]) -> str:
    """Format the report as text: one line for each verdict, its remedy below."""
    width = max((len(row.what) for row in rows), default=0)
    lines = []
    for row in rows:
        expected = f'; expected {row.expected}' if row.expected else ''
        lines.append(f'{row.verdict:<7}  {row.what:<{width}}  {row.found}{expected}')
        if row.remedy and row.verdict != OK:
            lines.append(f'{"":<7}  {"":<{width}}  -> {row.remedy}')
    return '\n'.join(lines)


def check_contract(
    policy: Policy,
    robot: Robot,
    command_entries: Sequence[str] = (),
    member: MemberSpec | None = None,
) -> list[Row]:
    """
    Check a policy against a robot, without a running graph.

    :param command_entries: names that will be published on `policy_command` besides the known.
    :param member: what its policy set says of it.
    :return: all lines; where joints are missing, only the checks that do not need them.
    """
    contract = policy.contract
    rows = [_check_joints(contract, robot)]
    rows += _check_commands(contract, command_entries)
    rows.append(_check_rate(contract))
    rows += _check_sources(contract, robot)
    if not failed(rows[:1]):
        rows += [
            _check_limits(contract, robot, member),
            _check_start_pose(contract, robot),
            *_check_gains(contract, robot, member),
            *_check_wheels(contract, robot),
        ]
        rows.append(_check_rest(policy, robot))
        rows += _check_motion(policy, robot)
    for line in contract.assumptions:
        what, _, found = line.partition(': ')
        rows.append(Row(what, ASSUMED, found))
    return rows


def _check_joints(contract: Contract, robot: Robot) -> Row:
    missing = [name for name in contract.joint_names if name not in robot.joint_names]
    extra = [name for name in robot.joint_names if name not in contract.joint_names]
    if missing:
        hint = did_you_mean(missing[0], extra or robot.joint_names)
        found = f'the robot lacks the joints {missing}{hint}'
        remedy = (
            f'use the same names in {robot.path} and in the policy (the robot has '
            f'{", ".join(robot.joint_names)})'
        )
        return Row('joints', FAIL, found, f'all of {", ".join(contract.joint_names)}', remedy)
    kept = f'; {", ".join(extra)} stay at the start pose' if extra else ''
    return Row('joints', OK, f'{len(contract.joint_names)}, matched by name{kept}')


def _check_commands(contract: Contract, entries: Sequence[str]) -> list[Row]:
    if not contract.command_names:
        return [Row('commands', OK, 'none: the policy takes no command')]
    known = (*TWIST_ENTRIES, HEADING, *NAMED_ENTRIES, *entries)
    unknown = [name for name in contract.command_names if name not in known]
    rows = [Row('commands', OK, ', '.join(contract.command_names))]
    if unknown:
        found = f'no source gives {", ".join(unknown)}'
        expected = f'cmd_vel: {", ".join(TWIST_ENTRIES)}; policy_command: the others'
        remedy = 'publish them on policy_command and name them in policy_command_entries'
        rows = [Row('commands', WARN, found, expected, remedy)]
    unlimited = [name for name in contract.command_names if name not in contract.command_ranges]
    if unlimited:
        found = f'none for {", ".join(unlimited)}: not limited'
        remedy = 'write them under commands (spec) or command_ranges (metadata.json)'
        rows.append(Row('command ranges', WARN, found, 'the ranges of the training', remedy))
    return rows


def _check_rate(contract: Contract) -> Row:
    if contract.control_rate_hz is None:
        found = f'the file gives none: {DEFAULT_RATE_HZ:g} Hz is used'
        remedy = 'set control_rate if it was another'
        return Row('control rate', WARN, found, 'the rate of the training', remedy)
    return Row('control rate', OK, f'{contract.control_rate_hz:g} Hz')


def _check_sources(contract: Contract, robot: Robot) -> list[Row]:
    names = [each.name for each in contract.inputs]
    rows = []
    if takes_odometry(names):
        found = "the policy takes the base's linear velocity; hardware may lack it"
        expected = 'odom: nav_msgs/Odometry, twist in the base frame'
        remedy = 'run a state estimator that publishes it; a stale one is a fault'
        rows.append(Row('odometry', WARN, found, expected, remedy))
    if contract.spec is not None and contract.spec.scan is not None:
        found = f'the policy takes the heights of {contract.spec.scan.size} points of the ground'
        expected = 'height_scan: sensor_msgs/Image, 32FC1'
        remedy = 'run a node that samples an elevation map; a stale scan is a fault'
        rows.append(Row('height scan', WARN, found, expected, remedy))
    return [*rows, _mounting_row(contract, robot)]


def _mounting_row(contract: Contract, robot: Robot) -> Row:
    mounting = ', '.join(f'{value:g}' for value in robot.imu_mounting)
    found = f'[{mounting}] (w x y z) from {robot.imu_frame} to the base'
    takes_imu = not IMU_INPUTS.isdisjoint(each.name for each in contract.inputs)
    if contract.spec is not None or not takes_imu or abs(robot.imu_mounting[0]) > UNTURNED:
        return Row('IMU mounting', ASSUMED, found)
    remedy = (
        'kinfer-sim and pyfirmware give a policy what the IMU measures in its own frame: if it '
        'was trained so, imu_mounting raw'
    )
    return Row('IMU mounting', ASSUMED, found, '', remedy)


def _check_limits(contract: Contract, robot: Robot, member: MemberSpec | None) -> Row:
    """Check that the start pose and the gains are within the robot's limits."""
    try:
        check_fit(contract, robot, member)
    except ContractError as error:
        found = '; '.join(line.strip() for line in str(error).splitlines()[1:])
        return Row('limits', FAIL, found, '', f'check {robot.path} and the policy')
    return Row('limits', OK, 'start pose and gains are within those of the robot')


def _check_start_pose(contract: Contract, robot: Robot) -> Row:
    pose = start_pose(contract, robot)
    distance = np.abs(pose - with_rest(robot.home, find_wheels(contract, robot)))
    worst = int(distance.argmax())
    name = robot.joint_names[worst]
    found = (
        f'{name} is {distance[worst]:.2f} rad from the home of the robot ({pose[worst]:.3f} rad)'
    )
    if distance[worst] > MAX_HOME_DISTANCE:
        remedy = 'wrong joint order, sign or degrees in the default pose? Else correct the home'
        return Row('start pose', WARN, found, f'about {robot.home[worst]:.3f} rad', remedy)
    return Row('start pose', OK, f'at most {distance[worst]:.2f} rad from the home of the robot')


def _check_gains(contract: Contract, robot: Robot, member: MemberSpec | None) -> list[Row]:
    given = (contract.joint_kp, contract.joint_kd, contract.joint_torque_limits)
    missing = [
        name
        for name, values in zip(('kp', 'kd', 'torque limits'), given, strict=True)
        if values is None
    ]
    factors = ''
    if member is not None and member.has_factors:
        factors = f', kp times {member.kp_factor:g} and kd times {member.kd_factor:g} by the set'
    rows = [Row('gains', OK, f'as the policy was trained{factors}')]
    allowed = contract.spec is not None and contract.spec.undamped
    if is_placeholder(contract.joint_kp, contract.joint_kd) and not allowed:
        found = 'kp 1 and kd 0 for every joint, which mjlab writes for want of better'
        remedy = 'write the gains of the training, or gains.undamped: true in the spec'
        rows = [Row('gains', FAIL, found, 'those it was trained with', remedy)]
    elif missing:
        found = f"the policy gives no {', '.join(missing)}: the robot's are used{factors}"
        remedy = 'write them under gains (spec) or joint_kp, joint_kd (metadata.json)'
        rows = [Row('gains', WARN, found, 'those it was trained with', remedy)]
    if contract.spec is not None:
        rows.append(_check_action_scale(contract, robot))
        rows += _check_limp_joints(contract, robot)
    return rows


def _check_action_scale(contract: Contract, robot: Robot) -> Row:
    """Find an action scale that is wrong by about ten: compare its torque with the limit."""
    assert contract.spec is not None
    action = contract.spec.action
    index = [robot.joint_names.index(name) for name in action.joints]
    requested = gains(contract, robot)
    wheels = [name in action.velocity_joints for name in action.joints]
    gain = np.where(wheels, requested.kd[index], requested.kp[index])
    ratio = np.abs(action.scale) * gain / requested.torque_limit[index]
    worst = int(ratio.argmax())
    name = action.joints[worst]
    found = f'an output of 1 requests {ratio[worst]:.2g} times the torque limit of {name}'
    if ratio[worst] > MAX_TORQUE_RATIO:
        expected = f'at most {MAX_TORQUE_RATIO:g}'
        return Row('action scale', WARN, found, expected, 'is action.scale right?')
    return Row('action scale', OK, found)


def _check_motion(policy: Policy, robot: Robot) -> list[Row]:
    """Look for jumps of the motion: frames that the joints cannot follow."""
    timeline = policy.timeline
    if timeline is None:
        return []
    motion, names = timeline.motion, policy.contract.joint_names
    limits = robot.velocity_limit[[robot.joint_names.index(name) for name in names]]
    jumps = too_fast(motion, names, limits)
    if jumps:
        more = f', and {len(jumps) - 3} more' if len(jumps) > 3 else ''
        found = f'{"; ".join(jumps[:3])}{more}'
        remedy = 'does the motion jump, or are its columns and rate as the spec says?'
        return [Row('motion', WARN, found, 'at most velocity_limit of the robot', remedy)]
    found = f'{(timeline.ticks - 1) / (policy.contract.control_rate_hz or 1.0):.2f} s'
    return [Row('motion', OK, f'{found} of {motion.where}, then {timeline.spec.end}')]


def _check_limp_joints(contract: Contract, robot: Robot) -> list[Row]:
    """Find joints whose targets have no effect: most likely wheels, driven by velocity."""
    assert contract.spec is not None
    kp = dict(zip(robot.joint_names, gains(contract, robot).kp, strict=True))
    action = contract.spec.action
    limp = [n for n in action.joints if kp[n] == 0.0 and n not in action.velocity_joints]
    if not limp:
        return []
    found = f'kp of {", ".join(limp)} is 0: a position target does not move them'
    remedy = 'a wheel has target: velocity; leave others out of action.joints'
    return [Row('position targets', WARN, found, 'kp over 0', remedy)]


def _check_wheels(contract: Contract, robot: Robot) -> list[Row]:
    """Look at the joints that are driven by velocity: limits, and what the policy sees of them."""
    wheels = contract.velocity_joints
    if not wheels or contract.spec is None:
        return []
    joints = {joint.name: joint for joint in robot.joints}
    ends = [name for name in wheels if not joints[name].continuous]
    seen = {
        name
        for term in contract.spec.terms
        if term.source == 'joint_positions'
        for name, scale in zip(term.names, term.scale, strict=True)
        if name in wheels and scale != 0.0
    }
    rows = [Row('wheels', OK, f'{", ".join(wheels)}, driven by velocity')]
    if ends:
        found = f'{", ".join(ends)} are driven by velocity and have limits: beyond is a fault'
        remedy = f'write continuous: true in {robot.path}, unless they have an end'
        rows.append(Row('wheel limits', WARN, found, 'joints that turn without end', remedy))
    if seen:
        found = f'the policy takes the angle of {", ".join(sorted(seen))}, which grows for ever'
        remedy = 'leave them out of the joints of joint_positions, or scale them by 0'
        rows.append(Row('wheel angles', WARN, found, 'joint_velocities of wheels alone', remedy))
    return rows


def _check_rest(policy: Policy, robot: Robot) -> Row:
    """Check the first targets for a robot that stands still in the start pose."""
    contract = policy.contract
    pose = start_pose(contract, robot)[policy_joints(contract, robot)]
    target = policy.target_at_rest(pose)
    wheels = np.array([name in contract.velocity_joints for name in contract.joint_names])
    distance = np.where(wheels, 0.0, np.abs(target - pose))
    worst = int(distance.argmax())
    name = contract.joint_names[worst]
    away, _ = told_apart(distance[worst], MAX_REST_DISTANCE, 2)
    found = f'{name} would move {away} rad from the start pose'
    if distance[worst] > MAX_REST_DISTANCE:
        expected = f'at most {MAX_REST_DISTANCE:g} rad'
        remedy = 'default pose, joint order, action scale or relative_to may be wrong'
        return Row('standing still', WARN, found, expected, remedy)
    return Row('standing still', OK, found)
