"""`python -m kinfer_ros plot`: plot chosen signals of step logs over time, as a PNG.

Exit code 0, or 2 for a user error.
"""

import argparse
import difflib
import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinfer_ros.analysis.series import BASE
from kinfer_ros.analysis.series import GROUPS
from kinfer_ros.analysis.series import JOINTS
from kinfer_ros.analysis.series import Series
from kinfer_ros.analysis.series import all_series
from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import default_output
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.runs.several import OFFSET_HELP
from kinfer_ros.cli.runs.several import read_runs
from kinfer_ros.cli.runs.several import split_runs
from kinfer_ros.errors import ConfigError

if TYPE_CHECKING:
    from kinfer_ros.cli.runs.figures import DrawnRun

SHOWN = 12
"""Maximum names listed in an error."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'plot',
        "Plot signals of a run, or of one of K-Scale's own logs, over time, as a PNG; of several "
        'runs over each other.',
        'plot runs/latest base timing',
        'plot runs/latest --joint left_knee',
        'plot runs/sim runs/real gyro --offset 0,1.25',
        "plot log.ndjson 'target/*knee' gyro --from 2 --to 4 --out knees.png",
        codes='0: written',
    )
    add = parser.add_argument
    add('run', metavar='RUN', help='run directory, or an .ndjson log')
    add(
        'names',
        nargs='*',
        default=[],
        metavar='NAME',
        help=f'further runs, then signals: a group ({", ".join(GROUPS)}), a key such as gyro or '
        f'target, a name such as target/left_knee, or a pattern (default {BASE}, with --joint '
        f'{JOINTS})',
    )
    add('--joint', action='append', default=[], metavar='JOINT', help='one joint; repeatable')
    add('--offset', metavar='S,S', help=OFFSET_HELP)
    add('--from', type=float, dest='start', metavar='S', help='start, s; 0: first step of run')
    add('--to', type=float, dest='end', metavar='S', help='end time, s')
    add('--out', type=Path, metavar='FILE', help='output file (default RUN/plot.png)')
    add('--list', action='store_true', help='list the names instead of plotting')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error."""
    if not arguments.list:
        require_module('matplotlib', 'plot')
    more, words = split_runs(arguments.names)
    paths = [Path(arguments.run), *more]
    runs = read_runs(paths, arguments.offset, progress=not arguments.json)
    found = [all_series(each.run, each.columns) for each in runs]
    chosen = _choose(found, words, arguments)
    if arguments.list:
        names = [each.name for each in runs]
        _print_list(dict(zip(names, chosen, strict=True)), as_json=arguments.json)
        return 0
    kept = _between([each.columns.time for each in runs], arguments.start, arguments.end)
    out: Path = arguments.out or default_output(paths[0], 'plot.png')
    # Imported here: matplotlib is optional.
    from kinfer_ros.cli.runs.figures import DrawnRun
    from kinfer_ros.cli.runs.figures import draw_signals

    drawn = [
        DrawnRun(each.name, each.columns, series, part)
        for each, series, part in zip(runs, chosen, kept, strict=True)
    ]
    draw_signals(out, drawn)
    _print_summary(out, drawn, as_json=arguments.json)
    return 0


def _choose(
    found: Sequence[Sequence[Series]], words: Sequence[str], arguments: argparse.Namespace
) -> list[list[Series]]:
    """
    Select the requested series of each run; a name has to be in one of them.

    :raises ConfigError: an unknown name.
    """
    every = {each.name: each for series in found for each in series}
    chosen = choose(list(every.values()), words, arguments.joint, arguments.list)
    names = {each.name for each in chosen}
    return [[each for each in series if each.name in names] for series in found]


def _print_summary(out: Path, drawn: Sequence['DrawnRun'], *, as_json: bool) -> None:
    names = dict.fromkeys(each.name for run in drawn for each in run.series)
    records = sum(int(run.kept.sum()) for run in drawn)
    warnings = [
        f'{run.name}: {text}' if len(drawn) > 1 else text
        for run in drawn
        for text in (*run.columns.warnings, *_lacks(run, list(names)))
    ]
    if as_json:
        summary = {'file': str(out), 'records': records, 'warnings': warnings}
        print(json.dumps(summary | {'series': list(names)}, indent=2))
    else:
        curves = sum(len(run.series) for run in drawn)
        print('\n'.join([f'{out}: {curves} curves of {records} records', *warnings]))


def _lacks(run: 'DrawnRun', names: Sequence[str]) -> list[str]:
    """Say which of the drawn signals a run does not have."""
    own = {each.name for each in run.series}
    missing = [name for name in names if name not in own]
    if not missing:
        return []
    more = f' and {len(missing) - SHOWN} more' if len(missing) > SHOWN else ''
    return [f'does not have {", ".join(missing[:SHOWN])}{more}']


def choose(
    series: Sequence[Series], names: Sequence[str], joints: Sequence[str], everything: bool = False
) -> list[Series]:
    """
    Select the requested series, each once, in log order.

    :param everything: without names, select all instead of the default.
    :raises ConfigError: an unknown name; similar names are listed.
    """
    found = list(series)
    for joint in joints:
        if not any(each.group == JOINTS and _part(each) == joint for each in series):
            has = dict.fromkeys(_part(each) for each in series if each.group == JOINTS)
            raise ConfigError(f'--joint {joint}: not in this log, which has {list(has)}')
    if joints:
        found = [each for each in found if each.group == JOINTS and _part(each) in joints]
    wanted = list(names) or ([] if everything else [JOINTS if joints else BASE])
    for name in wanted:
        if not any(_matches(each, name) for each in found):
            known = dict.fromkeys(
                [each.group for each in found]
                + [_key(each) for each in found]
                + [each.name for each in found]
            )
            near = difflib.get_close_matches(name, list(known), SHOWN, 0.5)
            raise ConfigError(
                f'{name!r}: this log has no such signal{f"; near: {near}" if near else ""}. Its '
                f'groups: {", ".join(_groups(series))}; --list lists all. Further runs stand '
                'before the signals, each a run directory or an .ndjson log'
            )
    return [each for each in found if not wanted or any(_matches(each, n) for n in wanted)]


def _key(series: Series) -> str:
    return series.name.rpartition('/')[0] or series.name


def _part(series: Series) -> str:
    return series.name.rpartition('/')[2]


def _matches(series: Series, name: str) -> bool:
    return name in (series.group, _key(series), series.name) or fnmatch.fnmatchcase(
        series.name, name
    )


def _between(
    times: Sequence[np.ndarray], start: float | None, end: float | None
) -> list[np.ndarray]:
    """
    Return a mask of the records of each run in a time span.

    :raises ConfigError: there are none.
    """
    low = -np.inf if start is None else start
    high = np.inf if end is None else end
    kept = [(time >= low) & (time <= high) for time in times]
    if not any(each.any() for each in kept):
        first, last = min(time[0] for time in times), max(time[-1] for time in times)
        raise ConfigError(
            f'--from {start} --to {end}: no record there; '
            f'{"this log goes" if len(times) == 1 else "these logs go"} from {first:.2f} s to '
            f'{last:.2f} s'
        )
    return kept


def _groups(series: Sequence[Series]) -> dict[str, int]:
    """Return the groups that there are, each with the number of its signals."""
    counts: dict[str, int] = {}
    for each in series:
        counts[each.group] = counts.get(each.group, 0) + 1
    return counts


def _lines(series: Sequence[Series]) -> list[str]:
    width = max((len(each.name) for each in series), default=0)
    return [
        f'{each.group:7} {each.name:{width}}  {np.nanmin(each.values):11.4g} to '
        f'{np.nanmax(each.values):11.4g} {each.unit}'.rstrip()
        for each in series
    ]


def _print_list(chosen: dict[str, list[Series]], *, as_json: bool) -> None:
    if as_json:
        listed = {name: _plain(series) for name, series in chosen.items()}
        print(json.dumps(listed if len(listed) > 1 else next(iter(listed.values())), indent=2))
        return
    for name, series in chosen.items():
        head = [f'{name}:'] if len(chosen) > 1 else []
        groups = ', '.join(f'{group} ({count})' for group, count in _groups(series).items())
        print('\n'.join([*head, f'groups: {groups}', *_lines(series)]))


def _plain(series: Sequence[Series]) -> list[dict[str, object]]:
    return [
        {
            'name': each.name,
            'group': each.group,
            'unit': each.unit,
            'derived': each.derived,
            'records': int(np.isfinite(each.values).sum()),
            'min': float(np.nanmin(each.values)),
            'max': float(np.nanmax(each.values)),
        }
        for each in series
    ]
