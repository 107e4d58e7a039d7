"""`python -m kinfer_ros top`: show a running policy node in a terminal, from its topics.

Exit code 0 at Ctrl-C or after --seconds; 1 if no policy node was found; 2 for a user error.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from kinfer_ros.cli.common import INTERRUPTED
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.common import run_command
from kinfer_ros.cli.parsers import add_node_arguments
from kinfer_ros.cli.parsers import command_parser

PERIOD = 0.25
"""s between screen updates."""


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code."""
    code = run_command(_command, argv)
    return 0 if code == INTERRUPTED else code


def _command(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    if not arguments.json:
        require_module('rich', 'top')
    # Imported here: --help works without ROS.
    from kinfer_ros.ros.live.live_view import LiveView

    with LiveView(arguments.namespace, arguments.node) as view:
        if arguments.json:
            return _once(view, arguments.seconds or 3.0)
        return _follow(view, arguments.seconds)


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'top',
        'Show a running policy node: mode, rate, lateness, sample age, joints with '
        'target, error and torque, guards. It only listens. Ctrl-C ends it.',
        'top --namespace robot1',
        'top --json --seconds 5',
        codes='0: ended by Ctrl-C, or after --seconds; 1: no policy node was found',
    )
    add = parser.add_argument
    add_node_arguments(parser)
    add('--seconds', type=float, default=0.0, help='exit after this time')
    add('--json', action='store_true', help='listen for --seconds (default 3), print JSON, exit')
    return parser


def _once(view: object, seconds: float) -> int:
    from kinfer_ros.ros.live.live_view import LiveView

    assert isinstance(view, LiveView)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        view.poll()
        time.sleep(0.02)
    state = view.poll()
    print(json.dumps(state.as_json(), indent=2, allow_nan=False))
    return 0 if state.mode or state.values else 1


def _follow(view: object, seconds: float) -> int:
    from rich.live import Live

    from kinfer_ros.cli.live.top_screen import screen
    from kinfer_ros.ros.live.live_view import LiveView

    assert isinstance(view, LiveView)
    begin = time.monotonic()
    with Live(screen(view.poll()), screen=sys.stdout.isatty(), auto_refresh=False) as live:
        while not seconds or time.monotonic() - begin < seconds:
            live.update(screen(view.poll()), refresh=True)
            time.sleep(PERIOD)
    if view.state.mode or view.state.values:
        return 0
    if not sys.stdout.isatty():
        print()  # Rich leaves the last line open
    print('error: no policy node was found', file=sys.stderr)
    return 1
