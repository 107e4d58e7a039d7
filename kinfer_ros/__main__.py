"""`python -m kinfer_ros COMMAND`: the one door to every command.

Nothing that a ROS package installs is on PATH by itself, so without this a user would have to know
where colcon put the scripts. A command's module is imported only when it is called: `pack` works
on a machine that has no ROS.
"""

from __future__ import annotations

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
        'hold a policy against a robot, and a live graph: a verdict and a remedy a line',
    ),
    'completion': Command(
        'completion', 'print a script with which the Tab key of bash or zsh knows these commands'
    ),
    'doctor': Command(
        'doctor', 'say whether this machine is fit to run a robot, a remedy on each line'
    ),
    'eval': Command(
        'evaluation.eval',
        'run a policy over commands, conditions and seeds: a table, a page, the worst run',
    ),
    'export': Command(
        'runs.export', 'write the step log of a run as CSV, Parquet, MCAP, or for Rerun'
    ),
    'import': Command(
        'policy.import_', 'make a policy spec and a robot file of what an exporter wrote'
    ),
    'inspect': Command(
        'policy.inspect', 'say what a policy file is, takes and gives, and how fast it is here'
    ),
    'kos': Command(
        'robot.kos', 'look at the actuators of a robot that KOS runs, or bring it home slowly'
    ),
    'pack': Command('policy.pack', 'make a .kinfer archive from two ONNX files and metadata'),
    'plot': Command(
        'runs.plot', 'draw chosen numbers of a run, or of a log of kinfer, as a picture'
    ),
    'repair': Command('runs.repair', 'make a run whole that a kill or a power cut ended'),
    'replay': Command(
        'runs.replay', 'run a recorded run through its policy again and compare, to the bit'
    ),
    'report': Command(
        'runs.report', 'show a run, or two side by side, in one HTML file that opens offline'
    ),
    'robot': Command(
        'robot.robot', "make a robot file of K-Scale's metadata.json, or the URDF of a robot"
    ),
    'runs': Command('runs.runs', 'list the runs there are, and remove old ones'),
    'teleop': Command(
        'live.teleop', 'steer a policy with the keyboard: every entry of its command, by name'
    ),
    'top': Command('live.top', 'show a running policy node in a terminal, over its topics alone'),
    'verdict': Command(
        'runs.verdict', 'summarise a run: distance, falls, timing, and whether it went well'
    ),
    'watch': Command(
        'live.watch', "show a running policy node, or a recorded run, in Rerun's viewer"
    ),
    'walk': Command(
        'walk.walk', 'walk a robot in MuJoCo: policy, robot and recorder in one process'
    ),
}
"""Each command by its name."""


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
        f'{PROGRAM} COMMAND --help tells what a command takes; --version the version.',
    ]
    return '\n'.join(lines)


def refuse(text: str) -> int:
    """
    Tell the user what is wrong.

    :return: 2, the exit code of every user's mistake.
    """
    print(f'{PROGRAM}: error: {text}', file=sys.stderr)
    return 2


def unknown(name: str) -> int:
    """
    Refuse a word that is no command, naming the ones there are and the one that is nearest.

    :return: 2.
    """
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    return refuse(f'there is no command {name!r}.{hint}\n\n{usage()}')


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param argv: what stands after the program's name; sys.argv when left out.
    :return: the exit code: the command's own, 0 for help and version, 2 for a user's mistake.
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
            raise  # a bug of ours, not something the user has to install
        return refuse(
            f'{name} needs the Python module {error.name!r}, which {sys.executable} does not have.'
            ' Run `make walk` once, or source a ROS 2 installation and this workspace.'
        )
    except KinferRosError as error:
        return refuse(str(error))


if __name__ == '__main__':
    sys.exit(main())
