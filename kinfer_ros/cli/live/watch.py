"""`python -m kinfer_ros watch`: show a running policy node or a recorded run in Rerun or Foxglove.

Exit code 0 at Ctrl-C or after --seconds; 1 if no policy node was found; 2 for a user error.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kinfer_ros.cli.common import INTERRUPTED
from kinfer_ros.cli.common import Progress
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.common import run_command
from kinfer_ros.cli.live.foxglove_view import add_foxglove_arguments
from kinfer_ros.cli.live.foxglove_view import check_arguments
from kinfer_ros.cli.live.foxglove_view import serve
from kinfer_ros.cli.parsers import add_node_arguments
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError

if TYPE_CHECKING:
    from kinfer_ros.ros.live.live_view import LiveView
    from kinfer_ros.viewers.live_state import LiveState

PERIOD = 0.02
"""s between polls of the topics."""

SEND_PERIOD = 0.2
"""s between messages to the viewer."""

SETTLE = 1.0
"""s after the first joint state to receive everything else that the layout shows."""


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code."""
    code = run_command(_command, argv)
    return 0 if code == INTERRUPTED else code


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'watch',
        "Show a running policy node in Rerun's viewer: base, joints, timing, modes. With "
        '--foxglove: serve all its topics to Foxglove. It only listens. With RUN: a recorded run. '
        'Ctrl-C ends it.',
        'watch --namespace robot1',
        'watch --foxglove',
        'watch --foxglove --namespace robot1 --out robot1.json',
        'watch runs/latest',
        'watch --out live.rrd --seconds 10',
        codes='0: ended by Ctrl-C, or after --seconds; 1: no policy node was found',
    )
    add = parser.add_argument
    add('run', type=Path, nargs='?', metavar='RUN', help='a recorded run, or an .ndjson log')
    add_node_arguments(parser)
    add('--seconds', type=float, default=0.0, help='exit after this time')
    add(
        '--out',
        '--save',
        type=Path,
        metavar='FILE',
        help="write a file (.rrd) instead of opening Rerun's viewer; with --foxglove: write the "
        'layout (.json) of the robot in --namespace',
    )
    add_foxglove_arguments(parser)
    add('--json', action='store_true', help='print a JSON summary at the end')
    return parser


def _command(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    check_arguments(arguments)
    if arguments.foxglove:
        return serve(arguments)
    require_module('rerun', 'watch', 'rerun-sdk')
    if arguments.run:
        if arguments.namespace or arguments.seconds:
            raise ConfigError('--namespace and --seconds are for a live robot, not for a RUN')
        return _show_run(arguments)
    # Imported here: --help and a recorded run work without ROS.
    from kinfer_ros.ros.live.live_view import LiveView

    with LiveView(arguments.namespace, arguments.node, base=True) as view:
        return _follow(view, arguments)


def _show_run(arguments: argparse.Namespace) -> int:
    from kinfer_ros.analysis.columns import read_columns
    from kinfer_ros.analysis.recorded_run import RecordedRun
    from kinfer_ros.analysis.series import all_series
    from kinfer_ros.analysis.series import panels_of
    from kinfer_ros.viewers import rerun_log

    run = RecordedRun.open(arguments.run)
    with Progress(shown=not arguments.json) as progress:
        columns = read_columns(run, progress.counter('records read'))
    series = all_series(run, columns)
    name = run.path.resolve().name
    recording = rerun_log.open_recording(name, panels_of(series), arguments.out)
    rerun_log.send_run(recording, columns, series)
    rerun_log.finish(recording)
    _print_summary(arguments, {'records': len(columns.step_id), 'warnings': columns.warnings})
    return 0


def _follow(view: 'LiveView', arguments: argparse.Namespace) -> int:
    """Follow the topics until Ctrl-C or the end of --seconds."""
    end = time.monotonic() + arguments.seconds if arguments.seconds else float('inf')
    if not arguments.json:
        print('waiting for a policy node ...', file=sys.stderr)
    _wait_for_joints(view, end)
    if not view.state.joints:
        print('error: no joint_states received', file=sys.stderr)
        return 1
    show = _Show(view.state, arguments)
    try:
        while time.monotonic() < end:
            show.add(view.poll())
            time.sleep(PERIOD)
    finally:
        show.close()
        _print_summary(arguments, {'samples': show.samples, 'mode': view.state.mode})
    return 0 if view.state.mode or view.state.values else 1


def _wait_for_joints(view: 'LiveView', end: float) -> None:
    """Wait for joints, then SETTLE seconds for the other topics."""
    received = float('inf')
    while time.monotonic() < min(end, received + SETTLE):
        if view.poll().joints and received == float('inf'):
            received = time.monotonic()
        time.sleep(PERIOD)


class _Show:
    """One live recording; `samples` counts the states added."""

    def __init__(self, state: 'LiveState', arguments: argparse.Namespace) -> None:
        from kinfer_ros.viewers import rerun_log

        self.samples = 0
        self._log = rerun_log
        name = arguments.namespace or 'live'
        self._recording = rerun_log.open_recording(name, state.panels(), arguments.out)
        self._batch = rerun_log.Batch(self._recording)
        self._begin = self._sent = time.monotonic()
        self._sent_texts: dict[str, str] = {}

    def add(self, state: 'LiveState') -> None:
        """Add the current state."""
        now = time.monotonic()
        seconds = now - self._begin
        self.samples += 1
        self._batch.add(seconds, state.numbers())
        self._send_text(seconds, self._log.MODE, 'mode', state.mode)
        self._send_text(seconds, self._log.EVENTS, 'bridge', state.bridge)
        for name, counts in state.guards().items():
            self._send_text(seconds, self._log.EVENTS, f'guard {name}', counts)
        if now - self._sent > SEND_PERIOD:
            self._sent = now
            self._batch.send()

    def _send_text(self, seconds: float, where: str, what: str, text: str) -> None:
        """Send a text if it changed."""
        if text and self._sent_texts.get(what) != text:
            self._sent_texts[what] = text
            self._log.log_text(self._recording, where, seconds, f'{what}: {text}')

    def close(self) -> None:
        """Send the remaining batch."""
        self._batch.send()
        self._log.finish(self._recording)


def _print_summary(arguments: argparse.Namespace, found: dict[str, Any]) -> None:
    """Print what was shown."""
    saved = str(arguments.out) if arguments.out else None
    if arguments.json:
        print(json.dumps({'saved': saved, **found}, indent=2))
    elif saved:
        print(f'{saved}: {next(iter(found.values()))} {next(iter(found))}')
