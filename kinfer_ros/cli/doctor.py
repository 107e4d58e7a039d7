"""`python -m kinfer_ros doctor`: check whether this machine can run a robot.

Exit code 0: nothing failed; 1: something failed; 2: a user error.
"""

import argparse
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.contract.report import FAIL
from kinfer_ros.contract.report import OK
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import Row
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import failed
from kinfer_ros.doctor.machine import check_machine
from kinfer_ros.doctor.software import check_packages
from kinfer_ros.doctor.software import check_ros
from kinfer_ros.share import share_dir

SLOW_S = 4.0
"""s; a longer discovery on the same machine is a warning."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'doctor',
        'Check versions, middleware, domain, shared memory, clock, limits, permissions and disk, '
        'and discovery between two processes. Changes nothing. Exit code 1 if anything failed.',
        'doctor',
        'doctor --json --runs-dir /data/runs',
        codes='0: nothing failed; 1: something failed',
    )
    add = parser.add_argument
    add(
        '--runs-dir',
        type=Path,
        default=Path('runs'),
        help='directory of the runs (default ./runs)',
    )
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code."""
    rows = check_packages(share_dir()) + check_ros(os.environ)
    # With invalid settings the middleware would only fail with a less clear message.
    if importlib.util.find_spec('rclpy') is not None and not failed(rows):
        rows += _graph()
    rows += check_machine(arguments.runs_dir)
    if arguments.json:
        content = {'fit': not failed(rows), 'rows': [asdict(row) for row in rows]}
        print(json.dumps(content, indent=2, allow_nan=False))
    else:
        print(as_table(rows))
        print(_summary(rows))
    return 1 if failed(rows) else 0


def _graph() -> list[Row]:
    # Imported here: the rest works without ROS.
    try:
        from kinfer_ros.ros.discovery import check_discovery
        from kinfer_ros.ros.discovery import middleware
    except ImportError as error:
        remedy = 'use the Python that ROS 2 was built for, and source its setup.bash'
        return [Row('rclpy imports', FAIL, str(error)[:200], 'no error', remedy)]
    rows = [Row('middleware', OK, middleware())]
    try:
        seconds = check_discovery()
    except Exception as error:  # rcl's errors have no common base
        return [*rows, Row('neighbours', FAIL, str(error)[:200], 'a node that starts')]
    if seconds is None:
        remedy = 'check the firewall on lo, multicast, space in /dev/shm, RMW_IMPLEMENTATION'
        return [
            *rows,
            Row(
                'neighbours',
                FAIL,
                'two processes on this machine do not find each other',
                '',
                remedy,
            ),
        ]
    verdict = WARN if seconds > SLOW_S else OK
    remedy = 'the first announcement was lost: check multicast and the load of the machine'
    return [*rows, Row('neighbours', verdict, f'found in {seconds:.2f} s', '', remedy)]


def _summary(rows: Sequence[Row]) -> str:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (OK, WARN, FAIL)}
    listed = ', '.join(f'{count} {name}' for name, count in counts.items())
    return f'\nthis machine is {"not fit" if failed(rows) else "fit"}: {listed}'
