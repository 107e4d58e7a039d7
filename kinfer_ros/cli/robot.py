"""`python -m kinfer_ros robot`: check a robot YAML, or make one from K-Scale's metadata.json."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.bridges.kos_metadata import robot_yaml
from kinfer_ros.cli.common import run_command
from kinfer_ros.control.robot import load_robot
from kinfer_ros.errors import RobotError


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code: 0, or 2 after a mistake that is explained on stderr."""
    return run_command(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.action == 'check':
        robot = load_robot(arguments.robot)
        print(f'{robot.path}: {robot.name}, {len(robot.joints)} joints')
        return 0
    return _from_kos_metadata(arguments.file, arguments.name, arguments.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m kinfer_ros robot', description='Robot files, docs/robots.md.'
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    check = actions.add_parser('check', help='read a robot YAML and say what is wrong with it')
    check.add_argument('robot', help='a name in config/robots, or the path of a YAML')
    convert = actions.add_parser(
        'from-kos-metadata', help="write a robot YAML from K-Scale's metadata.json"
    )
    convert.add_argument('file', type=Path, help='metadata.json of a robot')
    convert.add_argument('--name', default='', help="the robot's name (default: of the folder)")
    convert.add_argument('-o', '--output', type=Path, help='the YAML to make (default: print it)')
    return parser


def _from_kos_metadata(file: Path, name: str, output: Path | None) -> int:
    text, notes = robot_yaml(file, name or file.resolve().parent.name)
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    if output is None:
        print(text, end='')
        return 0
    try:
        with output.open('x', encoding='utf-8') as stream:
            stream.write(text)
    except OSError as error:
        raise RobotError(f'{output}: cannot be made: {error.strerror}') from None
    robot = load_robot(str(output.resolve()))
    print(f'{output}: {robot.name}, {len(robot.joints)} joints. Put in home and the IMU mounting.')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
