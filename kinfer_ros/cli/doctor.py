"""`python -m kinfer_ros doctor`: is this machine fit to run a robot? A remedy on each line.

Exit code 0: nothing failed; 1: something did; 2: a user's mistake.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kinfer_ros.cli.common import run_command
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
"""s to find a neighbour on the same machine that are worth a word."""


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code."""
    return run_command(_command, argv)


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'doctor',
        'Look at versions, middleware, domain, shared memory, clock, limits, '
        'permissions and disk, and let two processes find each other. Changes nothing. Exit code '
        '1 if anything failed.',
        'doctor',
        'doctor --json --runs-dir /data/runs',
        codes='0: nothing failed; 1: something did',
    )
    add = parser.add_argument
    add('--runs-dir', type=Path, default=Path('runs'), help='where runs will be (default ./runs)')
    add_json_argument(parser)
    return parser


def _command(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    rows = check_packages(share_dir()) + check_ros(os.environ)
    # Without settings that can work, the middleware would only say it less clearly.
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
    # Here, because the rest works without ROS.
    try:
        from kinfer_ros.ros.discovery import check_discovery
        from kinfer_ros.ros.discovery import middleware
    except ImportError as error:
        remedy = 'is it the Python that ROS 2 was built for? Source its setup.bash'
        return [Row('rclpy imports', FAIL, str(error)[:200], 'that it does', remedy)]
    rows = [Row('middleware', OK, middleware())]
    try:
        seconds = check_discovery()
    except Exception as error:  # rcl's errors share no base
        return [*rows, Row('neighbours', FAIL, str(error)[:200], 'a node that starts')]
    if seconds is None:
        remedy = 'a firewall on lo or multicast, a full /dev/shm, another RMW_IMPLEMENTATION?'
        return [*rows, Row('neighbours', FAIL, 'two processes here do not meet', '', remedy)]
    verdict = WARN if seconds > SLOW_S else OK
    remedy = 'its first announcement is lost: is multicast on, and the machine idle?'
    return [*rows, Row('neighbours', verdict, f'found in {seconds:.2f} s', '', remedy)]


def _summary(rows: Sequence[Row]) -> str:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (OK, WARN, FAIL)}
    listed = ', '.join(f'{count} {name}' for name, count in counts.items())
    return f'\nthis machine is {"not fit" if failed(rows) else "fit"}: {listed}'


if __name__ == '__main__':
    raise SystemExit(main())
