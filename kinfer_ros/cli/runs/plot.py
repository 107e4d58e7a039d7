"""`python -m kinfer_ros plot`: plot chosen signals of a step log over time, as a PNG.

Exit code 0, or 2 for a user error.
"""

import argparse
import difflib
import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import BASE
from kinfer_ros.analysis.series import GROUPS
from kinfer_ros.analysis.series import JOINTS
from kinfer_ros.analysis.series import Series
from kinfer_ros.analysis.series import all_series
from kinfer_ros.cli.common import Progress
from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import default_output
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError

SHOWN = 12
"""Maximum names listed in an error."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'plot',
        "Plot signals of a run, or of one of kinfer's own logs, over time, as a PNG.",
        'plot runs/latest base timing',
        'plot runs/latest --joint left_knee',
        "plot log.ndjson 'target/*knee' gyro --from 2 --to 4 --out knees.png",
        codes='0: written',
    )
    add = parser.add_argument
    add('run', type=Path, metavar='RUN', help='run directory, or an .ndjson log')
    add(
        'names',
        nargs='*',
        metavar='NAME',
        help=f'signals: a group ({", ".join(GROUPS)}), a key such as gyro or target, a name '
        f'such as target/left_knee, or a pattern (default {BASE}, with --joint {JOINTS})',
    )
    add('--joint', action='append', default=[], metavar='JOINT', help='one joint; repeatable')
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
    run = RecordedRun.open(arguments.run)
    with Progress(shown=not arguments.json) as progress:
        columns = read_columns(run, progress.counter('records read'))
    chosen = choose(all_series(run, columns), arguments.names, arguments.joint, arguments.list)
    if arguments.list:
        print(_as_json(chosen) if arguments.json else '\n'.join(_lines(chosen)))
        return 0
    kept = _between(columns.time, arguments.start, arguments.end)
    out: Path = arguments.out or default_output(run.path, 'plot.png')
    # Imported here: matplotlib is optional.
    from kinfer_ros.cli.runs.figures import draw_signals

    draw_signals(out, run.path.resolve().name, columns, chosen, kept)
    if arguments.json:
        summary = {'file': str(out), 'records': int(kept.sum()), 'warnings': columns.warnings}
        print(json.dumps(summary | {'series': [each.name for each in chosen]}, indent=2))
    else:
        text = f'{out}: {len(chosen)} curves of {kept.sum()} records'
        print('\n'.join([text, *columns.warnings]))
    return 0


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
                f'{name!r}: this log has no such signal{f"; near: {near}" if near else ""}. '
                '--list lists them'
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


def _between(time: np.ndarray, start: float | None, end: float | None) -> np.ndarray:
    """
    Return a mask of the records in a time span.

    :raises ConfigError: there are none.
    """
    kept = np.ones(len(time), dtype=bool)
    if start is not None:
        kept &= time >= start
    if end is not None:
        kept &= time <= end
    if not kept.any():
        raise ConfigError(
            f'--from {start} --to {end}: no record there; this log goes from {time[0]:.2f} s to '
            f'{time[-1]:.2f} s'
        )
    return kept


def _lines(series: Sequence[Series]) -> list[str]:
    width = max((len(each.name) for each in series), default=0)
    return [
        f'{each.group:7} {each.name:{width}}  {np.nanmin(each.values):11.4g} to '
        f'{np.nanmax(each.values):11.4g} {each.unit}'.rstrip()
        for each in series
    ]


def _as_json(series: Sequence[Series]) -> str:
    listed = [
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
    return json.dumps(listed, indent=2)
