"""`python -m kinfer_ros robot`: robot files from MJCF, URDF and K-Scale's metadata; URDFs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinfer_ros.cli.common import command
from kinfer_ros.cli.drafts import DRAFT
from kinfer_ros.cli.drafts import as_yaml
from kinfer_ros.cli.drafts import print_assumptions
from kinfer_ros.cli.drafts import print_places
from kinfer_ros.cli.drafts import written
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.policy.archive import write_atomically
from kinfer_ros.robot.description import describe
from kinfer_ros.robot.description import require_joints
from kinfer_ros.robot.description import robot_alone
from kinfer_ros.robot.kos_metadata import KosMetadata
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.robot.urdf import UrdfFacts
from kinfer_ros.robot.urdf import read_urdf
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
    out = _out(arguments)
    mjcf = _read_mjcf(arguments.mjcf) if arguments.mjcf else None
    described = None if mjcf is None else describe(mjcf, None, out.parent)
    metadata = KosMetadata(path, described)
    require_joints(metadata.names, mjcf, None)
    content = metadata.robot(_name(arguments))
    warnings = [] if described is None else described.warnings
    code = _write(arguments, out, content, metadata.assumptions, warnings)
    beside = path.parent / 'robot.mjcf'
    if code and mjcf is None and beside.is_file():
        print(f'{beside} may have them: --mjcf {beside}')
    return code


def _read_mjcf(path: Path) -> Any:
    # Imported here: the rest works without MuJoCo.
    from kinfer_ros.robot.mjcf import read_mjcf

    return read_mjcf(path)


def _from_mjcf(arguments: argparse.Namespace) -> int:
    urdf = read_urdf(arguments.urdf) if arguments.urdf else None
    return _from_description(arguments, _read_mjcf(arguments.file), urdf)


def _from_urdf(arguments: argparse.Namespace) -> int:
    return _from_description(arguments, None, read_urdf(arguments.file))


def _from_description(arguments: argparse.Namespace, mjcf: Any, urdf: UrdfFacts | None) -> int:
    out = _out(arguments)
    name = _name(arguments)
    content, contract = robot_alone(name, describe(mjcf, urdf, out.parent))
    return _write(arguments, out, content, contract.assumptions, contract.warnings)


def _name(arguments: argparse.Namespace) -> str:
    """:return: the name of the robot: as asked, or that of the file."""
    stem = arguments.file.stem
    return str(arguments.name or (stem if stem != 'metadata' else 'robot'))


def _out(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path(f'{_name(arguments)}.yaml')


def _write(
    arguments: argparse.Namespace,
    out: Path,
    content: dict[str, Any],
    assumptions: Sequence[str],
    warnings: Sequence[str],
) -> int:
    """
    Write a robot file, or nothing, and report.

    :return: the exit code.
    """
    text = as_yaml(content, f'Robot file, from {arguments.file.name}', assumptions, warnings)
    with written({out: text}, overwrite=arguments.force) as places:
        joints = len(content['joints'])
        if not places[out]:
            load_robot(str(out.absolute()))
    print(f'wrote {out}: {joints} joints' + (', a draft' if places[out] else ''))
    print_assumptions(assumptions, warnings)
    if not places[out]:
        return 0
    print_places(places)
    return DRAFT


WRITTEN = '0: written; 1: written, with places to FILL IN'


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'robot',
        'Make robot files and URDFs (docs/robots.md).',
        'robot from-mjcf robot.xml',
        'robot from-kos-metadata metadata.json --mjcf robot.mjcf --name my_kbot',
        'robot urdf biped --out biped.urdf',
        codes=WRITTEN,
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    kos = _add_maker(
        commands,
        'from-kos-metadata',
        "K-Scale's metadata.json",
        'joints, actuator ids, gains, limits. Limits that it lacks are in the MJCF (--mjcf); '
        'without that, they are places to FILL IN.',
        'robot from-kos-metadata metadata.json --mjcf robot.mjcf --out my_kbot.yaml',
    )
    kos.set_defaults(run=_from_kos_metadata)
    kos.add_argument('--mjcf', type=Path, help='MuJoCo model of the robot, for its limits')
    mjcf = _add_maker(
        commands,
        'from-mjcf',
        'an MJCF',
        'joints, limits, torques, gains of servos, the IMU and the keyframe home.',
        'robot from-mjcf robot.xml --urdf robot.urdf --out my_robot.yaml',
    )
    mjcf.set_defaults(run=_from_mjcf)
    mjcf.add_argument('--urdf', type=Path, help='URDF of the robot, for its velocity limits')
    urdf_file = _add_maker(
        commands,
        'from-urdf',
        'a URDF',
        'revolute and continuous joints, limits, efforts, velocities.',
        'robot from-urdf robot.urdf --out my_robot.yaml',
    )
    urdf_file.set_defaults(run=_from_urdf)
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


def _add_maker(
    commands: Any, name: str, source: str, content: str, example: str
) -> argparse.ArgumentParser:
    """Add the parser of a command that makes a robot file."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=f'write a robot file from {source}',
        description=f'Write a robot file from {source}: {content} What is not known is assumed '
        'and printed.',
    )
    add_epilog(parser, example, codes=WRITTEN)
    add = parser.add_argument
    add('file', type=Path, metavar='FILE', help=source)
    add('--name', help='name of the robot (default: from the file)')
    add('--out', type=Path, help='output file (default: NAME.yaml, here)')
    add_force_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0; 1 for a draft; 2 for a user error, explained on stderr."""
    return int(arguments.run(arguments))
