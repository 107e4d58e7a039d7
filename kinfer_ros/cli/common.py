"""Shared by all commands: user errors as one line and exit code 2, progress, optional modules."""

import argparse
import contextlib
import functools
import importlib.util
import io
import os
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from typing import TypeVar

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.text import printable

USER_ERROR = 2
PROGRESS_PERIOD = 0.5
"""s between updates of the progress line."""

INTERRUPTED = 130
CLOSED_PIPE = 141

Arguments = TypeVar('Arguments')


def run_command(function: Callable[[Arguments], int], argv: Arguments) -> int:
    """
    Run a command and turn user errors into an exit code.

    :param function: takes the arguments and returns the exit code.
    :return: that code; 2 after printing a KinferRosError as `error: ...`; 130 after Ctrl-C;
        141 after a closed pipe. Any other exception is our bug and propagates.
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
        # The reader, such as `| head`, has exited; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE


def command(
    make_parser: Callable[[], argparse.ArgumentParser], *, draws: bool = False
) -> Callable[[Callable[[argparse.Namespace], int]], Callable[..., int]]:
    """
    Make the main function of a command: it parses, and user errors become an exit code.

    :param draws: it writes control sequences to standard output, and text of files escaped.
    """

    def decorate(function: Callable[[argparse.Namespace], int]) -> Callable[..., int]:
        @functools.wraps(function)
        def main(argv: Sequence[str] | None = None) -> int:
            output = sys.stdout if draws else PrintableOutput(sys.stdout)
            with contextlib.redirect_stdout(output):
                return run_command(lambda words: function(make_parser().parse_args(words)), argv)

        return main

    return decorate


class PrintableOutput(io.TextIOBase):
    """Standard output on which text of files cannot control the terminal."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def write(self, text: str) -> int:
        """Write, with control characters escaped."""
        return self._output.write(printable(text))

    def flush(self) -> None:
        """Flush."""
        self._output.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._output.isatty()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._output.fileno()


class Progress:
    """
    A progress line on stderr, as a context manager that clears it at the end.

    Shows nothing if stderr is not a terminal.
    """

    def __init__(self, *, shown: bool = True) -> None:
        """:param shown: False hides it."""
        self._shown = shown and sys.stderr.isatty()
        self._shown_at = time.monotonic()

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print('\r\x1b[K', end='', file=sys.stderr, flush=True)

    def counter(self, what: str) -> Callable[[int], None]:
        """Return a function to call with each number; it shows one every PROGRESS_PERIOD."""

        def update(number: int) -> None:
            if self._shown and time.monotonic() - self._shown_at > PROGRESS_PERIOD:
                self._shown_at = time.monotonic()
                print(f'\r\x1b[K{number} {what} ...', end='', file=sys.stderr, flush=True)

        return update


def default_output(run: Path, name: str) -> Path:
    """
    Return the default output path of a command: in the run directory, or next to a log.

    :param run: a run directory, or an .ndjson file.
    :param name: file name in a run directory; for a log, its own name with that suffix.
    """
    return run.with_suffix(Path(name).suffix) if run.is_file() else run / name


def require_module(module: str, what: str, package: str = '', extra: str = '') -> None:
    """
    Check that an optional module is installed.

    :param what: the command or option that needs it.
    :param package: its name for pip, if not the module's.
    :param extra: the extra of this package that brings it.
    :raises ConfigError: it is not installed; the text has the install command.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f'{what} needs the Python module {module}, which {sys.executable} does not have: '
            f'`{sys.executable} -m pip install {package or module}`'
            + (f' (the extra {extra}: kinfer_ros[{extra}])' if extra else '')
        )
