"""`python -m kinfer_ros verdict`: summarise a run from its directory, and judge it.

`walk` ends with it, and `make walk` calls it after `ros2 launch`. Exit code 0: the robot stayed up
and all files are closed; 1: otherwise; 2: no such run.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import RunError

FIGURES = (
    'reason', 'run_s', 'distance_m', 'path_m', 'turned_rad', 'falls', 'counters', 'timing',
)  # fmt: skip


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'verdict',
        'Summarise a run. Exit code 0: the robot stayed up and all files are closed; '
        '1: otherwise; 2: no such run.',
        'verdict runs/latest',
        codes='0: the robot stayed up and all files are closed; 1: otherwise',
    )
    parser.add_argument('run', type=Path, metavar='RUN', help='run directory')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 for a bad run, 2 for a user error."""
    return print_verdict(arguments.run, as_json=arguments.json)


def print_verdict(run: Path, *, as_json: bool = False) -> int:
    """
    Print the summary of a finished run.

    :param as_json: as JSON, with the figures of run.json.
    :return: 0 if the robot stayed up and all files were closed, else 1.
    :raises RunError: `run` is not a run directory.
    """
    facts = RecordedRun.open(run).facts
    if facts.get('ended') is None:
        raise RunError(
            f'{run}: this run has not ended, or its process was killed: `python -m kinfer_ros '
            'repair` recovers its data'
        )
    if 'counters' not in facts:
        raise RunError(f'{run}: the process of this run was killed, so it has no figures')
    problems, lines = judge(run, facts)
    if as_json:
        figures = {key: facts.get(key) for key in FIGURES}
        result = {'run': str(run), 'good': not problems, 'problems': problems}
        print(json.dumps(result | figures, indent=2))
        return 1 if problems else 0
    for line in lines:
        print(line)
    for problem in problems:
        print(f'problem      {problem}')
    print(f'run          {_shown(run)}')
    return 1 if problems else 0


def judge(run: Path, facts: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """
    Return the problems of a finished run, and its summary, one fact per line.

    :raises RunError: run.json lacks expected keys.
    """
    try:
        return find_problems(run, facts), summary(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f'{run}/run.json: does not hold the figures of a run ({error!r}); it was written by '
            'another version of kinfer_ros, or is damaged'
        ) from error


def find_problems(run: Path, facts: Mapping[str, Any]) -> list[str]:
    """Return the problems of a finished run."""
    problems = []
    counters = facts['counters']
    if facts['falls']:
        problems.append(f'the robot fell ({facts["reason"]})')
    elif counters['faults']:
        problems.append(str(facts['reason']))
    if not counters['run_ticks']:
        problems.append(f'the policy never ran ({facts["reason"]})')
    log = counters['log']
    if log and (log['error'] or log['dropped']):
        problems.append(
            f'step log: {log["dropped"]} records dropped, {log["error"] or "no error"}'
        )
    bag = run / 'bag'
    if bag.is_dir() and not (bag / 'metadata.yaml').is_file():
        problems.append(f'the bag in {bag} was not closed')
    return problems


def summary(facts: Mapping[str, Any]) -> list[str]:
    """Summarise a finished run, one fact per line."""
    timing, counters = facts['timing'], facts['counters']
    late, age = timing['late_us'], timing['sample_age_us']
    log = counters['log'] or {'written': 0, 'dropped': 0}
    machine = facts.get('machine') or {}  # runs of earlier versions have none
    stalls = []
    if machine.get('stalls'):
        stalls.append(
            f'stalls       {machine["stalls"]}: this machine did not run the node, for up to '
            f'{machine["longest_stall_ms"]:.0f} ms (`doctor`, docs/performance.md)'
        )
    return [
        f'ended        {facts["reason"]}, after {facts["run_s"]:.1f} s of run',
        f'distance     {facts["distance_m"]:.2f} m (path {facts["path_m"]:.2f} m, '
        f'turned {facts["turned_rad"]:+.2f} rad)',
        f'falls        {facts["falls"]}',
        f'ticks        {counters["ticks"]}, missed {counters["missed_ticks"]}',
        *stalls,
        f'lateness     p50 {late["p50"] / 1000:.2f} ms, p99 {late["p99"] / 1000:.2f} ms',
        f'sample age   p50 {age["p50"] / 1000:.2f} ms, p99 {age["p99"] / 1000:.2f} ms',
        f'records      {log["written"]} written, {log["dropped"]} dropped',
    ]


def _shown(path: Path) -> str:
    """Return a path relative to the working directory, if it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
