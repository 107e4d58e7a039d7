"""`walk`: the graph of walk.launch.py in one process, with a status line and a verdict.

It replaces `ros2 launch` where that is not installed; the arguments are the same.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from kinfer_ros.cli.common import run_command
from kinfer_ros.cli.parsers import make_epilog
from kinfer_ros.cli.runs.verdict import print_verdict
from kinfer_ros.cli.walk.probe import refuse_second_robot
from kinfer_ros.control.modes import Mode
from kinfer_ros.errors import KinferRosError
from kinfer_ros.launching.arguments import ARGUMENTS
from kinfer_ros.launching.arguments import parse
from kinfer_ros.launching.graph import nodes
from kinfer_ros.ros.composition import Composition
from kinfer_ros.ros.composition import import_nodes
from kinfer_ros.ros.context import ros_context
from kinfer_ros.ros.process import SWITCH_INTERVAL

USAGE = """\
usage: python -m kinfer_ros walk [name:=value ...]

Walks a robot: runs bridge (MuJoCo), policy node and recorder in this process, shows a status line,
and prints a summary at the end. Ctrl-C ends it softly.

arguments:"""

EPILOG = make_epilog(
    'walk vx:=0.3 duration:=10.0',
    'walk lockstep:=true video:=walk.mp4',
    'walk bridge:=kos robot:=kbot kos_host:=192.168.1.20 model:=walking_policy.kinfer',
    codes='0: the robot stayed up and all files are closed; 1: it fell or faulted, or a file is '
    'not closed',
)

STATUS_PERIOD = 0.5
CLEAR_LINE = '\r\x1b[K'


def main(argv: list[str] | None = None) -> int:
    """Run the command; see USAGE."""
    return run_command(walk, sys.argv[1:] if argv is None else argv)


def walk(argv: list[str]) -> int:
    """
    Walk; :return: the exit code.

    :raises KinferRosError: a bad argument or file, or a graph that already has this robot.
    """
    if any(word in ('-h', '--help', '-s', '--show-args') for word in argv):
        print(USAGE)
        for argument in ARGUMENTS:
            default = f' (default {argument.default})' if argument.default else ''
            print(f'  {argument.name + ":=":15} {argument.description}{default}')
        print(f'\n{EPILOG}')
        return 0
    arguments = parse(argv)
    specs = nodes(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL)
    stopped = threading.Event()
    _clear_status_line_before_logs()
    with _signals(stopped), ros_context() as context:
        refuse_second_robot(context, arguments, lambda: import_nodes(specs))
        graph = Composition(context, specs, arguments)
        try:
            graph.start()
            _show_status(graph, stopped)
        finally:
            graph.stop()
    return _verdict(graph, interrupted=stopped.is_set())


@contextlib.contextmanager
def _signals(stopped: threading.Event) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into an event; further signals are harmless."""
    previous = {
        number: signal.signal(number, lambda *_: stopped.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _clear_status_line_before_logs() -> None:
    if sys.stderr.isatty():
        # A log line clears the status line first.
        log_format = CLEAR_LINE + '[{severity}] [{name}]: {message}'
        os.environ.setdefault('RCUTILS_CONSOLE_OUTPUT_FORMAT', log_format)


def _show_status(graph: Composition, stopped: threading.Event) -> None:
    """Show the status line until the run ends, a fault ends it, or a signal arrives."""
    tty = sys.stderr.isatty()
    begin = time.monotonic()
    next_line = 0.0
    while not graph.ended and not stopped.wait(0.05):
        policy = graph.policy
        setup = policy.setup
        if setup is not None and setup.controller.mode is Mode.FAULT:
            policy.request_end(f'fault: {setup.controller.reason}')
        now = time.monotonic()
        if now >= next_line:
            next_line = now + (STATUS_PERIOD if tty else 5.0)
            line = f'{_status(policy)}  [{now - begin:5.1f} s]'
            print(f'{CLEAR_LINE}{line}' if tty else line, end='' if tty else '\n', file=sys.stderr)
            sys.stderr.flush()
    if tty:
        print(CLEAR_LINE, end='', file=sys.stderr)


def _status(policy: Any) -> str:
    session, setup = policy.session, policy.setup
    if session is None or setup is None:
        return f'starting  {policy.failure or ""}'
    controller = setup.controller
    return (
        f'{controller.mode!s:8} run {controller.run_ns / 1e9:5.1f} s  {policy.rate:5.1f} Hz  '
        f'late p99 {session.late.quantile_ns(0.99) / 1e6:5.2f} ms  '
        f'distance {session.odometer.distance:5.2f} m'
    )


def _verdict(graph: Composition, *, interrupted: bool) -> int:
    """Print the summary of run.json; :return: the exit code."""
    policy = graph.policy
    if policy.run_path is None:
        if interrupted:
            print('stopped before the run started', file=sys.stderr)
            return 130
        raise policy.failure or KinferRosError('the run did not start, see the log')
    return print_verdict(policy.run_path)
