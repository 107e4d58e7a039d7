"""The parsers of all commands: help with examples and exit codes, suggestions, shared options."""

import argparse
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NoReturn

from kinfer_ros.errors import ConfigError
from kinfer_ros.text import ROS_NAME_RULE
from kinfer_ros.text import is_ros_name

PROGRAM = 'python -m kinfer_ros'
WIDTH = 79


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser that suggests what was meant, and takes options inside a list of words."""

    _interleaves = False
    """Whether parse_known_intermixed_args is running: it calls parse_known_args."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, but do not end a list of words at the next option."""
        if self._interleaves or not _has_list(self):
            return super().parse_known_args(args, namespace)
        self._interleaves = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._interleaves = False

    def error(self, message: str) -> NoReturn:
        """Print the message with a suggestion, if there is one, and exit with code 2."""
        super().error(message + _suggestion(message, self))


def _suggestion(message: str, parser: argparse.ArgumentParser) -> str:
    # Imported here: help and version need no YAML.
    from kinfer_ros.yaml_file import did_you_mean

    choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if choice:
        return did_you_mean(choice[1], re.findall(r'[\w.-]+', choice[2]))
    unknown = re.search(r'unrecognized arguments: .*?(--[\w-]+)', message)
    return did_you_mean(unknown[1], _options(parser)) if unknown else ''


def _has_list(parser: argparse.ArgumentParser) -> bool:
    return any(
        not action.option_strings and action.nargs in (argparse.ZERO_OR_MORE, argparse.ONE_OR_MORE)
        for action in parser._actions  # argparse has no public list of them
    )


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the long options of a parser and its subcommands."""
    for action in parser._actions:  # argparse has no public list of them
        yield from (option for option in action.option_strings if option.startswith('--'))
    for each in subcommands(parser).values():
        yield from _options(each)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of a command's subcommands by name; empty if it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def command_parser(name: str, description: str, *examples: str, codes: str) -> CommandParser:
    """
    Make the parser of a command.

    :param examples: without the program: `report runs/latest`.
    :param codes: its exit codes, except 2 and 130, which are common to all commands.
    """
    parser = CommandParser(prog=f'{PROGRAM} {name}', description=description)
    add_epilog(parser, *examples, codes=codes)
    return parser


def add_epilog(parser: argparse.ArgumentParser, *examples: str, codes: str) -> None:
    """Add examples and exit codes to a parser's help; see `command_parser`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps examples on one line
    parser.description = textwrap.fill(parser.description or '', WIDTH)
    parser.epilog = make_epilog(*examples, codes=codes)


def make_epilog(*examples: str, codes: str) -> str:
    """Return the end of a help text: examples and exit codes."""
    lines = '\n'.join(f'  {PROGRAM} {example}' for example in examples)
    meanings = f'exit code {codes}; 2: an error in the arguments or in a file'
    return f'examples:\n{lines}\n\n{textwrap.fill(meanings, WIDTH)}'


def add_robot_argument(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add --robot; it is required if it has no default."""
    meaning = 'a name in config/robots, or the path of a robot YAML'
    more = f' (default {default})' if default else ''
    parser.add_argument('--robot', required=not default, default=default, help=meaning + more)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `walk` has as mjcf:=, imu_site:= and imu_mounting:=."""
    add = parser.add_argument
    add('--mjcf', default='', metavar='FILE', help="MuJoCo model, in place of the robot file's")
    add('--imu-site', default='', metavar='NAME', help='site of its IMU')
    add(
        '--imu-mounting',
        default='',
        metavar='W,X,Y,Z',
        help='orientation of the IMU in the base; mjcf: that of the site; raw: none',
    )


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that select a policy node."""
    add = parser.add_argument
    add('--namespace', type=ros_name, default='', help='namespace of the robot')
    add('--node', type=ros_name, default='policy_node',
        help='name of the policy node (default policy_node)')  # fmt: skip


def ros_name(text: str) -> str:
    """Return a namespace or the name of a node; the type of an option."""
    if text not in ('', '/') and not is_ros_name(text):
        raise argparse.ArgumentTypeError(f'found {text!r}, expected {ROS_NAME_RULE}')
    return text


def add_force_argument(parser: argparse.ArgumentParser) -> None:
    """Add --force."""
    parser.add_argument('--force', action='store_true', help='overwrite existing files')


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument('--json', action='store_true', help='print JSON instead of text')


def refuse_spec_of_set(arguments: argparse.Namespace) -> None:
    """:raises ConfigError: --spec is there beside a policy set."""
    if arguments.spec is not None:
        raise ConfigError(
            f'--spec: found {arguments.spec} beside the policy set {arguments.model}, expected '
            'none: the set names its specs'
        )


def add_policy_arguments(parser: argparse.ArgumentParser, default: str = '') -> None:
    """
    Add the arguments that name a policy, and --json.

    :param default: what stands for MODEL where it may be left out.
    """
    add = parser.add_argument
    help_text = 'policy file, .kinfer or .onnx; or a policy set, .yaml'
    more = f' (default: {default})' if default else ''
    add('model', type=Path, metavar='MODEL', nargs='?' if default else None, help=help_text + more)
    add('--spec', type=Path, help='policy spec (YAML) of an .onnx file that takes a flat vector')
    add_json_argument(parser)
