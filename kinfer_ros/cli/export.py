"""`python -m kinfer_ros export`: a step log as CSV, for PlotJuggler, pandas and spreadsheets.

The bag of a run needs no export: it is MCAP, which Foxglove, PlotJuggler and Rerun open.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.cli.common import add_json_argument
from kinfer_ros.cli.common import command_parser
from kinfer_ros.cli.common import run_command
from kinfer_ros.telemetry.columns import read_columns
from kinfer_ros.telemetry.recorded_run import RecordedRun
from kinfer_ros.telemetry.table import write_csv


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code: 0, or 2 for a user's mistake."""
    return run_command(_command, argv)


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'export',
        'Write the step log of a run as CSV: a row a tick, columns such as '
        'target/left_knee. The bag of a run is MCAP already: Foxglove, PlotJuggler and Rerun open '
        'it as it is.',
        'export runs/latest',
        'export runs/latest --out steps.csv',
        codes='0: it is written',
    )
    parser.add_argument('run', type=Path, metavar='RUN', help='run directory, or an .ndjson log')
    parser.add_argument('--to', choices=('csv',), default='csv', help='format (default csv)')
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='where to write it (default RUN/steps.csv)'
    )
    add_json_argument(parser)
    return parser


def _command(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    run = RecordedRun.open(arguments.run)
    columns = read_columns(run)
    beside = run.path.with_suffix('.csv') if run.path.is_file() else run.path / 'steps.csv'
    out: Path = arguments.out or beside
    rows = write_csv(run, columns, out)
    if arguments.json:
        print(json.dumps({'file': str(out), 'rows': rows, 'warnings': columns.warnings}, indent=2))
    else:
        print('\n'.join([f'{out}: {rows} rows', *columns.warnings]))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
