"""`python -m kinfer_ros check`: check a policy, or a policy set, against a robot and a live graph.

Prints a table with a verdict and a fix per line. Exit code 0: nothing failed; 1: something failed;
2: an unusable file or argument.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_model_arguments
from kinfer_ros.cli.parsers import add_policy_arguments
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.parsers import refuse_spec_of_set
from kinfer_ros.cli.parsers import ros_name
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import failed
from kinfer_ros.contract.set_report import SetReport
from kinfer_ros.contract.set_report import check_set
from kinfer_ros.contract.set_report import transition_table
from kinfer_ros.contract.set_report import transitions_json
from kinfer_ros.contract.simulation import check_simulation
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import RobotError
from kinfer_ros.launching.simulation import robot_of
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import is_set_file
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import aligned


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'check',
        'Check the contract of a policy, or of all policies of a policy set, against a robot. '
        'Exit code 1 on any failure.',
        'check walk.kinfer --robot biped',
        'check set.yaml --robot my_robot.yaml',
        'check policy.onnx --spec policy.spec.yaml --robot my_robot.yaml --live',
        'check walk.kinfer --robot kbot --mjcf robot.mjcf --imu-mounting mjcf',
        codes='0: it fits; 1: something does not',
    )
    add_policy_arguments(parser)
    add = parser.add_argument
    add_robot_argument(parser)
    add_model_arguments(parser)
    add(
        '--command-entries',
        nargs='*',
        default=[],
        metavar='NAME',
        help='further command entries published on policy_command',
    )
    add('--live', action='store_true', help='also check a running graph (needs ROS 2)')
    add('--namespace', type=ros_name, default='', help='with --live: namespace of the robot')
    add('--seconds', type=float, default=3.0, help='with --live: how long to listen (default 3)')
    add('--use-sim-time', action='store_true', help='with --live: stamps use /clock')
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 if something does not fit, 2 for a user error."""
    loaded, robot = _load(arguments)
    if loaded.is_set:
        return _check_set(loaded, robot, arguments)
    policy = loaded.entry
    rows = check_contract(policy, robot, arguments.command_entries)
    rows += check_simulation(policy.contract, robot)
    rows += _check_live(loaded, robot, arguments)
    if arguments.json:
        print(_json(rows, policy.contract.path, robot.path))
    else:
        print(as_table(rows))
        print(_summary(rows))
    return 1 if failed(rows) else 0


def _check_live(loaded: LoadedSet, robot: Robot, arguments: argparse.Namespace) -> list[Row]:
    if not arguments.live:
        return []
    # Imported here: the rest works without ROS.
    from kinfer_ros.ros.live.live_check import check_live

    return check_live(
        [*loaded.policies.values()],
        robot,
        namespace=arguments.namespace,
        seconds=arguments.seconds,
        use_sim_time=arguments.use_sim_time,
    )


def _check_set(loaded: LoadedSet, robot: Robot, arguments: argparse.Namespace) -> int:
    report = check_set(loaded, robot, arguments.command_entries)
    live = _check_live(loaded, robot, arguments)
    rows = [*report.all_rows, *live]
    policy_set = loaded.policy_set
    if arguments.json:
        print(_set_json(loaded, robot, report, live))
        return 1 if failed(rows) else 0
    for name, each in report.policies.items():
        first = ', runs first' if name == policy_set.entry else ''
        print(f'policy {name} ({policy_set.members[name].model}{first})\n{as_table(each)}\n')
    if policy_set.transitions:
        table = transition_table(policy_set, report.changes)
        print('\n'.join(['transitions', *aligned(table, '  '), '']))
    print(f'policy set {policy_set.path}\n{as_table([*report.rows, *live])}')
    print(_summary(rows))
    return 1 if failed(rows) else 0


def _load(arguments: argparse.Namespace) -> tuple[LoadedSet, Robot]:
    """:raises KinferRosError: with what is wrong with the policy, the robot file, or both."""
    robot, problem = None, ''
    try:
        robot = robot_of(vars(arguments))
    except (RobotError, ConfigError) as error:
        problem = str(error)
    try:
        loaded = _load_policies(arguments)
    except KinferRosError as error:
        raise KinferRosError('\n'.join(filter(None, (str(error), problem)))) from None
    if robot is None:
        raise RobotError(problem)
    return loaded, robot


def _load_policies(arguments: argparse.Namespace) -> LoadedSet:
    if not is_set_file(arguments.model):
        return LoadedSet.of_one(load_model(arguments.model, spec=arguments.spec))
    refuse_spec_of_set(arguments)
    return load_set(arguments.model)


def _summary(rows: Sequence[Row]) -> str:
    counts = dict.fromkeys(('ok', 'warn', 'fail', 'assumed'), 0)
    for row in rows:
        counts[row.verdict] += 1
    verdict = 'does not fit' if failed(rows) else 'fits'
    listed = ', '.join(f'{count} {name}' for name, count in counts.items())
    return f'\nthe contract {verdict}: {listed}'


def _set_json(loaded: LoadedSet, robot: Robot, report: SetReport, live: Sequence[Row]) -> str:
    policy_set = loaded.policy_set
    content = {
        'policy_set': str(policy_set.path),
        'robot': str(robot.path),
        'fits': not failed([*report.all_rows, *live]),
        'policies': {
            name: {
                'model': str(policy_set.members[name].model),
                'rows': [asdict(row) for row in rows],
            }
            for name, rows in report.policies.items()
        },
        'transitions': transitions_json(policy_set, report.changes),
        'rows': [asdict(row) for row in (*report.rows, *live)],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _json(rows: Sequence[Row], model: Path, robot: Path) -> str:
    content = {
        'model': str(model),
        'robot': str(robot),
        'fits': not failed(rows),
        'rows': [asdict(row) for row in rows],
    }
    return json.dumps(content, indent=2, allow_nan=False)
