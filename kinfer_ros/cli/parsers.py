"""The parsers of all commands: help with examples and exit codes, errors that name what was meant.

Without this module each command would have its own words for the same option and the same error.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

PROGRAM = 'python -m kinfer_ros'
WIDTH = 79


class CommandParser(argparse.ArgumentParser):
    """argparse whose errors name the option, command or choice that was most likely meant."""

    def error(self, message: str) -> NoReturn:
        """Say it, with a suggestion where there is one, and exit with code 2."""
        super().error(message + _suggestion(message, self))


def _suggestion(message: str, parser: argparse.ArgumentParser) -> str:
    # Here, because help and version need no YAML.
    from kinfer_ros.yaml_file import did_you_mean

    choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if choice:
        return did_you_mean(choice[1], re.findall(r'[\w.-]+', choice[2]))
    unknown = re.search(r'unrecognized arguments: .*?(--[\w-]+)', message)
    return did_you_mean(unknown[1], _options(parser)) if unknown else ''


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Long options of a parser and of its subcommands, one of which was meant."""
    for action in parser._actions:  # argparse has no public list of them
        yield from (option for option in action.option_strings if option.startswith('--'))
    for each in subcommands(parser).values():
        yield from _options(each)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Give the parsers of a command's subcommands by name; empty where it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def command_parser(name: str, description: str, *examples: str, codes: str) -> CommandParser:
    """
    Make the parser of a command.

    :param examples: of its use, without the program: `report runs/latest`.
    :param codes: what its exit codes mean, but for 2 and 130, which mean the same everywhere.
    """
    parser = CommandParser(prog=f'{PROGRAM} {name}', description=description)
    explain(parser, *examples, codes=codes)
    return parser


def explain(parser: argparse.ArgumentParser, *examples: str, codes: str) -> None:
    """Give a parser's help examples and exit codes; see `command_parser`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # examples stay in one line
    parser.description = textwrap.fill(parser.description or '', WIDTH)
    parser.epilog = closing(*examples, codes=codes)


def closing(*examples: str, codes: str) -> str:
    """Write the end of a help text."""
    lines = '\n'.join(f'  {PROGRAM} {example}' for example in examples)
    meanings = f'exit code {codes}; 2: a mistake in the arguments or in a file'
    return f'examples:\n{lines}\n\n{textwrap.fill(meanings, WIDTH)}'


def add_robot_argument(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Give a parser the argument that names a robot; it is required where it has no default."""
    meaning = 'a name in config/robots, or the path of a robot YAML'
    more = f' (default {default})' if default else ''
    parser.add_argument('--robot', required=not default, default=default, help=meaning + more)


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments that say which policy node is meant."""
    add = parser.add_argument
    add('--namespace', default='', help='namespace of the robot')
    add('--node', default='policy_node', help='name of the policy node (default policy_node)')


def add_force_argument(parser: argparse.ArgumentParser) -> None:
    """Give a parser the leave to overwrite."""
    parser.add_argument('--force', action='store_true', help='overwrite what is there')


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Give a parser the choice of JSON."""
    parser.add_argument('--json', action='store_true', help='write JSON in place of a text')


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments that name a policy, and the choice of JSON."""
    add = parser.add_argument
    add('model', type=Path, metavar='MODEL', help='policy file, .kinfer or .onnx')
    add('--spec', type=Path, help='policy spec (YAML) of an .onnx file that takes a flat vector')
    add_json_argument(parser)
