"""What all commands share: a user's mistake is one line and exit code 2, never a traceback."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError

USER_ERROR = 2
INTERRUPTED = 130

Arguments = TypeVar('Arguments')


def run_command(function: Callable[[Arguments], int], argv: Arguments) -> int:
    """
    Run a command, and turn what a user can cause into an exit code.

    :param function: takes the arguments and gives the exit code.
    :return: that code; 2 after printing a KinferRosError as `error: ...`; 130 after Ctrl-C.
        Anything else that is raised is a bug of ours and propagates.
    """
    try:
        return function(argv)
    except KinferRosError as error:
        print(f'error: {error}', file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments that name a policy, and the choice of JSON."""
    add = parser.add_argument
    add('model', type=Path, metavar='MODEL', help='policy file, .kinfer or .onnx')
    add('--spec', type=Path, help='policy spec (YAML) of an .onnx file that takes a flat vector')
    add('--json', action='store_true', help='write JSON in place of a text')


def need(module: str, what: str) -> None:
    """
    Check for a module that is an extra.

    :param what: what needs it, as the user typed it.
    :raises ConfigError: it is not installed; the text says how to get it.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f'{what} needs the Python module {module}, which {sys.executable} does not have: '
            f'`{sys.executable} -m pip install {module}`'
        )
