"""`python -m kinfer_ros robot`: a robot file from K-Scale's metadata.json, or a robot's URDF."""

import argparse
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.policy.archive import write_atomically
from kinfer_ros.robot.kos_metadata import KosMetadata
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers.description import robot_urdf


def _urdf(arguments: argparse.Namespace) -> int:
    text, notes = robot_urdf(load_robot(arguments.robot))
    for note in notes:
        print(f'note: {note}', file=sys.stderr)
    if arguments.out is None:
        print(text, end='')
        return 0
    write_atomically(arguments.out, text.encode(), overwrite=arguments.force)
    print(f'wrote {arguments.out}')
    return 0


def _from_kos_metadata(arguments: argparse.Namespace) -> int:
    path: Path = arguments.file
    metadata = KosMetadata(path)
    name = arguments.name or (path.stem if path.stem != 'metadata' else 'robot')
    out: Path = arguments.out or Path(f'{name}.yaml')
    content = metadata.robot(name)
    lines = [f'# From {path.name}. Assumed, not in that file:']
    lines += [f'#   {line}' for line in metadata.assumptions]
    dumped = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    text = '\n'.join(lines) + '\n' + str(dumped)
    write_atomically(out, text.encode(), overwrite=arguments.force)
    robot = load_robot(str(out.absolute()))
    print(f'wrote {out}: {len(robot.joints)} joints')
    print('assumed, not in the file:')
    for line in metadata.assumptions:
        print(f'  - {line}')
    return 0


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'robot',
        'Make robot files and URDFs (docs/robots.md).',
        'robot from-kos-metadata metadata.json --name my_kbot',
        'robot urdf biped --out biped.urdf',
        codes='0: written',
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    made = commands.add_parser(
        'from-kos-metadata',
        help="write a robot file from K-Scale's metadata.json",
        description="Write a robot file of K-Scale's metadata.json: joints, actuator ids, gains, "
        'limits. What that file does not say is assumed and printed.',
    )
    add_epilog(
        made,
        'robot from-kos-metadata metadata.json --name my_kbot --out my_kbot.yaml',
        codes='0: written',
    )
    made.set_defaults(run=_from_kos_metadata)
    add = made.add_argument
    add('file', type=Path, metavar='FILE', help='metadata.json of a K-Scale robot')
    add('--name', help='name of the robot (default: from the file)')
    add('--out', type=Path, help='output file (default: NAME.yaml, here)')
    add_force_argument(made)
    urdf = commands.add_parser(
        'urdf',
        help='write the URDF of a robot: its own, or one generated from its MJCF',
        description='Write the URDF of a robot, for robot_state_publisher, RViz and Foxglove: '
        'the one named in its YAML, or one generated from its MJCF. What URDF cannot express is '
        'printed on stderr.',
    )
    add_epilog(
        urdf,
        'robot urdf biped',
        'robot urdf my_robot.yaml --out my_robot.urdf',
        codes='0: written',
    )
    urdf.set_defaults(run=_urdf)
    add = urdf.add_argument
    add('robot', metavar='ROBOT', help='a name in config/robots, or the path of a robot YAML')
    add('--out', type=Path, help='output file (default: print it)')
    add_force_argument(urdf)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error, explained on stderr."""
    return int(arguments.run(arguments))
