"""`python -m kinfer_ros runs`: list recorded runs, and remove old ones.

Exit code 0; 1 if removal was not confirmed; 2 for a user error.
"""

import argparse
import fnmatch
import json
import sys
from dataclasses import asdict
from pathlib import Path

from kinfer_ros.analysis.run_list import OPEN
from kinfer_ros.analysis.run_list import VERDICTS
from kinfer_ros.analysis.run_list import RunSummary
from kinfer_ros.analysis.run_list import list_runs
from kinfer_ros.analysis.run_list import remove_runs
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'runs',
        'List the matching runs, oldest first.',
        'runs --verdict bad --last 5',
        'runs --older 20 --remove',
        codes='0: done; 1: removal was not confirmed',
    )
    add = parser.add_argument
    add('--runs-dir', type=Path, default=Path('runs'), help='directory of runs (default ./runs)')
    add('--model', metavar='PATTERN', help="name of the model's file, such as 'walk*'")
    add('--verdict', choices=VERDICTS, help='only runs with this verdict')
    add('--last', type=int, metavar='N', help='only the N newest of these')
    add('--older', type=int, metavar='N', help='all of these but the N newest')
    add('--remove', action='store_true', help='remove them after confirmation')
    add('--yes', action='store_true', help='with --remove: do not ask, for scripts')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code."""
    found = _chosen(list_runs(arguments.runs_dir), arguments)
    if arguments.remove:
        return _remove(found, arguments)
    if arguments.json:
        print(_as_json(found))
    else:
        print('\n'.join(_table(found)))
    return 0


def _chosen(found: list[RunSummary], arguments: argparse.Namespace) -> list[RunSummary]:
    for option in ('last', 'older'):
        number = getattr(arguments, option)
        if number is not None and number < 0:
            raise ConfigError(f'--{option}: found {number}, expected 0 or more')
    if arguments.model:
        found = [run for run in found if fnmatch.fnmatch(run.model, arguments.model)]
    if arguments.verdict:
        found = [run for run in found if run.verdict == arguments.verdict]
    if arguments.older is not None:
        found = found[: max(len(found) - arguments.older, 0)]
    if arguments.last is not None:
        found = found[len(found) - arguments.last :] if arguments.last < len(found) else found
    return found


def _table(found: list[RunSummary]) -> list[str]:
    if not found:
        return ['no runs']
    rows = [('run', 'verdict', 'run s', 'm', 'MB', 'robot', 'how it ended')]
    rows += [
        (
            run.path.name + (' *' if run.latest else ''),
            run.verdict,
            f'{run.run_s:.1f}',
            f'{run.distance_m:.2f}',
            f'{run.bytes / 1e6:.1f}',
            run.robot,
            run.reason.splitlines()[0][:60] if run.reason else '',
        )
        for run in found
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if 2 <= i <= 4 else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append('  '.join(cells).rstrip())
    return [*lines, f'{len(found)} runs, {sum(run.bytes for run in found) / 1e6:.1f} MB; * latest']


def _as_json(found: list[RunSummary]) -> str:
    return json.dumps([asdict(run) | {'path': str(run.path)} for run in found], indent=2)


def _remove(found: list[RunSummary], arguments: argparse.Namespace) -> int:
    going = [run for run in found if run.verdict != OPEN and run.ours]
    for run in found:
        if not run.ours:
            print(f'{run.path.name}: kept, its run.json is not of kinfer_ros', file=sys.stderr)
        elif run.verdict == OPEN:
            print(f'{run.path.name}: not ended, kept (repair it first)', file=sys.stderr)
    if not going:
        print('[]' if arguments.json else 'nothing to remove')
        return 0
    if not arguments.yes:
        if arguments.json or not sys.stdin.isatty():
            raise ConfigError(
                '--remove asks for confirmation: it needs a terminal and no --json, or --yes'
            )
        print('\n'.join(_table(going)))
        if input(f'remove these {len(going)} runs? [y/N] ').strip().lower() not in ('y', 'yes'):
            print('nothing was removed')
            return 1
    for line in remove_runs(going):
        print(line, file=sys.stderr)
    if arguments.json:
        print(_as_json(going))
        return 0
    print(f'removed {len(going)} runs, {sum(run.bytes for run in going) / 1e6:.1f} MB')
    return 0
