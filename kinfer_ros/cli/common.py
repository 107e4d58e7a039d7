"""What all commands share: a user's mistake is one line and exit code 2, never a traceback."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError

USER_ERROR = 2
PROGRESS_PERIOD = 0.5
"""s between two updates of the progress line."""

INTERRUPTED = 130
CLOSED_PIPE = 141

Arguments = TypeVar('Arguments')


def run_command(function: Callable[[Arguments], int], argv: Arguments) -> int:
    """
    Run a command, and turn what a user can cause into an exit code.

    :param function: takes the arguments and gives the exit code.
    :return: that code; 2 after printing a KinferRosError as `error: ...`; 130 after Ctrl-C;
        141 where nobody reads on. Anything else that is raised is a bug of ours and propagates.
    """
    try:
        code = function(argv)
        sys.stdout.flush()
        return code
    except KinferRosError as error:
        print(f'error: {error}', file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` has read enough; Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE


class Progress:
    """
    A line on stderr that says how far long work has come; used as a context, and gone after it.

    Nothing is shown where stderr is no terminal.
    """

    def __init__(self, *, shown: bool = True) -> None:
        """:param shown: whether the user wants to see it at all."""
        self._shown = shown and sys.stderr.isatty()
        self._told = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print('\r\x1b[K', end='', file=sys.stderr, flush=True)

    def of(self, what: str) -> Callable[[int], None]:
        """Return what is called with each number; it shows one now and then."""

        def tell(number: int) -> None:
            if self._shown and time.monotonic() - self._told > PROGRESS_PERIOD:
                self._told = time.monotonic()
                print(f'\r\x1b[K{number} {what} ...', end='', file=sys.stderr, flush=True)

        return tell


def beside(run: Path, name: str) -> Path:
    """
    Say where a command writes that was not told: in the run, or beside a log that stands alone.

    :param run: a run directory, or an .ndjson file.
    :param name: of the file in a run directory; a log gives its own name the same suffix.
    """
    return run.with_suffix(Path(name).suffix) if run.is_file() else run / name


def need(module: str, what: str, package: str = '') -> None:
    """
    Check for a module that is an extra.

    :param what: what needs it, as the user typed it.
    :param package: what pip calls it, where that is not the module's name.
    :raises ConfigError: it is not installed; the text says how to get it.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f'{what} needs the Python module {module}, which {sys.executable} does not have: '
            f'`{sys.executable} -m pip install {package or module}`'
        )
