"""`python -m kinfer_ros robot from-kos-metadata`: a robot file of K-Scale's metadata.json."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.bridges.kos_metadata import KosMetadata
from kinfer_ros.cli.common import add_force_argument
from kinfer_ros.cli.common import command_parser
from kinfer_ros.cli.common import explain
from kinfer_ros.cli.common import run_command
from kinfer_ros.control.robot import load_robot
from kinfer_ros.policy.archive import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code: 0, or 2 after a mistake that is explained on stderr."""
    return run_command(_robot, argv)


def _robot(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    path: Path = arguments.file
    metadata = KosMetadata(path)
    name = arguments.name or (path.stem if path.stem != 'metadata' else 'robot')
    out: Path = arguments.out or Path(f'{name}.yaml')
    content = metadata.robot(name)
    lines = [f'# From {path.name}. Assumed, because that file does not say it:']
    lines += [f'#   {line}' for line in metadata.assumptions]
    dumped = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)
    text = '\n'.join(lines) + '\n' + str(dumped)
    write_atomically(out, text.encode(), overwrite=arguments.force)
    robot = load_robot(str(out.absolute()))
    print(f'wrote {out}: {len(robot.joints)} joints')
    print('assumed, because the file does not say it:')
    for line in metadata.assumptions:
        print(f'  - {line}')
    return 0


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'robot',
        'Make robot files (docs/robots.md).',
        'robot from-kos-metadata metadata.json --name my_kbot',
        codes='0: it is written',
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    made = commands.add_parser(
        'from-kos-metadata',
        help="write a robot file of K-Scale's metadata.json",
        description="Write a robot file of K-Scale's metadata.json: joints, actuator ids, gains, "
        'limits. What that file does not say is assumed and printed.',
    )
    explain(
        made,
        'robot from-kos-metadata metadata.json --name my_kbot --out my_kbot.yaml',
        codes='0: it is written',
    )
    add = made.add_argument
    add('file', type=Path, metavar='FILE', help='metadata.json of a robot of K-Scale')
    add('--name', help='name of the robot (default: of the file)')
    add('--out', type=Path, help='file to write (default: NAME.yaml, here)')
    add_force_argument(made)
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
