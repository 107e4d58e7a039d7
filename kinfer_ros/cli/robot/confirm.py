"""Asks a person before something moves or is written for good."""

import sys

from kinfer_ros.errors import ConfigError


def confirmed(what: str, question: str) -> bool:
    """
    Ask a question; only `yes` is one.

    :param what: what will happen, for the error without a terminal: `the robot will move`.
    :raises ConfigError: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise ConfigError(f'{what}, and there is no terminal to ask for confirmation: give --yes')
    try:
        return input(f'{question} [yes/no] ') == 'yes'
    except EOFError:
        return False
