"""`python -m kinfer_ros COMMAND`: runs every command of the package.

A ROS package installs nothing on PATH; this works wherever the package can be imported. A
command's module is imported only when it is called: `pack` works on a machine without ROS.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from kinfer_ros import __version__
from kinfer_ros.cli.parsers import PROGRAM
from kinfer_ros.errors import KinferRosError


class Command(NamedTuple):
    """A command: its module below kinfer_ros.cli, and one line of help."""

    module: str
    help: str


COMMANDS = {
    'check': Command(
        'policy.check',
        'check a policy against a robot and a live graph; suggest fixes',
    ),
    'completion': Command('completion', 'print a script for tab completion in bash or zsh'),
    'doctor': Command('doctor', 'check whether this machine can run a robot; suggest fixes'),
    'eval': Command(
        'evaluation.eval',
        'evaluate a policy over commands, conditions and seeds: a table, a page, the worst run',
    ),
    'export': Command(
        'runs.export', 'write the step log of a run as CSV, Parquet, MCAP, or for Rerun'
    ),
    'import': Command(
        'policy.import_', 'create a policy spec and a robot file from exporter metadata'
    ),
    'inspect': Command('policy.inspect', 'show contract and latency of a policy file'),
    'kos': Command('robot.kos', 'show the actuators of a KOS robot, or move it slowly to home'),
    'node': Command(
        'live.node', 'start, stop, enable, tune and push the nodes of a running graph'
    ),
    'pack': Command('policy.pack', 'make a .kinfer archive from two ONNX files and metadata'),
    'plot': Command('runs.plot', 'plot chosen signals of a run or of a kinfer log as a PNG'),
    'repair': Command('runs.repair', 'repair a run after a kill or a power cut'),
    'replay': Command('runs.replay', 'run the policy on a recorded run again and compare'),
    'report': Command('runs.report', 'write one HTML file of a run, or of two side by side'),
    'robot': Command(
        'robot.robot', "make a robot file from K-Scale's metadata.json, or a robot's URDF"
    ),
    'runs': Command('runs.runs', 'list recorded runs, and remove old ones'),
    'sequence': Command('live.sequence', 'list, play and convert command sequences'),
    'spec': Command('policy.spec', 'write a template of a policy spec, to be filled in'),
    'teleop': Command('live.teleop', "steer every entry of a policy's command by keyboard"),
    'top': Command('live.top', 'show a running policy node in a terminal'),
    'unitree': Command(
        'robot.unitree', "show which controller of a Unitree robot's own is active, or end it"
    ),
    'verdict': Command('runs.verdict', 'summarise a run: distance, falls, timing, success'),
    'watch': Command('live.watch', 'show a running policy node in Rerun or Foxglove, or a run'),
    'walk': Command(
        'walk.walk', 'walk a robot in MuJoCo: policy, robot and recorder in one process'
    ),
}
"""The commands by name."""


def module_of(name: str) -> str:
    """:return: the module of a command."""
    return f'kinfer_ros.cli.{COMMANDS[name].module}'


def usage() -> str:
    """
    Give the list of commands.

    :return: the text of --help, without a newline at its end.
    """
    width = max(len(name) for name in COMMANDS)
    lines = [f'usage: {PROGRAM} COMMAND [ARGUMENTS]', '', 'commands:']
    lines += [f'  {name:<{width}}  {line}' for name, (_, line) in sorted(COMMANDS.items())]
    lines += [
        '',
        'examples:',
        f'  {PROGRAM} walk vx:=0.3',
        f'  {PROGRAM} report --help',
        f'  source <({PROGRAM} completion bash)',
        '',
        f'{PROGRAM} COMMAND --help describes a command; --version shows the version.',
    ]
    return '\n'.join(lines)


def refuse(text: str) -> int:
    """
    Print an error.

    :return: 2, the exit code of every user error.
    """
    print(f'{PROGRAM}: error: {text}', file=sys.stderr)
    return 2


def unknown(name: str) -> int:
    """
    Refuse an unknown command; list all commands and suggest the nearest.

    :return: 2.
    """
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    return refuse(f'there is no command {name!r}.{hint}\n\n{usage()}')


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param argv: the arguments after the program's name; default sys.argv.
    :return: the exit code: the command's own, 0 for help and version, 2 for a user error.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        return refuse(f'which command?\n\n{usage()}')
    name, rest = words[0], words[1:]
    if name == 'help' and rest:
        name, rest = rest[0], ['--help']
    if name in ('-h', '--help', 'help'):
        print(usage())
        return 0
    if name in ('-V', '--version'):
        print(f'kinfer_ros {__version__}')
        return 0
    if name not in COMMANDS:
        return unknown(name)
    try:
        return int(importlib.import_module(module_of(name)).main(rest))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split('.')[0] == 'kinfer_ros':
            raise  # our bug, nothing the user has to install
        return refuse(
            f'{name} needs the Python module {error.name!r}, which {sys.executable} does not have.'
            ' Run `make walk` once, or source a ROS 2 installation and this workspace.'
        )
    except KinferRosError as error:
        return refuse(str(error))


if __name__ == '__main__':
    sys.exit(main())
