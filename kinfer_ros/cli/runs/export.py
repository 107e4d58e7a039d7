"""`python -m kinfer_ros export`: write a step log for PlotJuggler, pandas, Foxglove and Rerun.

Exit code 0, or 2 for a user error. The bag of a run needs no export: it is MCAP.
"""

import argparse
import json
from pathlib import Path

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.columns import read_columns
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import all_series
from kinfer_ros.analysis.series import panels_of
from kinfer_ros.analysis.table import write_csv
from kinfer_ros.analysis.table import write_parquet
from kinfer_ros.cli.common import Progress
from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import default_output
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser

SUFFIXES = {'csv': '.csv', 'parquet': '.parquet', 'mcap': '.mcap', 'rerun': '.rrd'}
NEEDED = {'parquet': ('pyarrow', 'pyarrow'), 'rerun': ('rerun', 'rerun-sdk')}
"""Module and distribution of formats that need an optional dependency."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'export',
        'Write the step log of a run for other tools. csv: spreadsheets, PlotJuggler; '
        'parquet: pandas, Polars, PlotJuggler; mcap: Foxglove and PlotJuggler, ROS 2 messages on '
        "the graph's topics; rerun: Rerun's viewer. The bag of a run is MCAP already.",
        'export runs/latest --to parquet',
        'export runs/latest --to mcap --out for_foxglove.mcap',
        codes='0: written',
    )
    add = parser.add_argument
    add('run', type=Path, metavar='RUN', help='run directory, or an .ndjson log')
    add('--to', choices=tuple(SUFFIXES), default='csv', help='format (default csv)')
    add('--out', type=Path, metavar='FILE', help='output file (default RUN/steps.csv, ...)')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error."""
    if arguments.to in NEEDED:
        module, package = NEEDED[arguments.to]
        require_module(module, f'--to {arguments.to}', package)
    run = RecordedRun.open(arguments.run)
    out: Path = arguments.out or default_output(run.path, f'steps{SUFFIXES[arguments.to]}')
    with Progress(shown=not arguments.json) as progress:
        columns = read_columns(run, progress.counter('records read'))
        _write(run, columns, arguments.to, out, progress)
    records = len(columns.step_id)
    if arguments.json:
        summary = {'file': str(out), 'rows': records, 'bytes': out.stat().st_size}
        print(json.dumps(summary | {'warnings': columns.warnings}, indent=2))
    else:
        print('\n'.join([f'{out}: {records} rows', *columns.warnings]))
    return 0


def _write(run: RecordedRun, columns: Columns, to: str, out: Path, progress: Progress) -> None:
    if to == 'csv':
        write_csv(columns, all_series(run, columns), out)
    elif to == 'parquet':
        write_parquet(run, columns, all_series(run, columns), out)
    elif to == 'mcap':
        # Imported here: rosbags is optional.
        from kinfer_ros.analysis.steps_mcap import write_mcap

        write_mcap(run, columns, out, progress.counter('records written'))
    else:
        # Imported here: rerun-sdk is optional.
        from kinfer_ros.viewers import rerun_log

        series = all_series(run, columns)
        name = run.path.resolve().name
        recording = rerun_log.open_recording(name, panels_of(series), out)
        rerun_log.send_run(recording, columns, series)
        rerun_log.finish(recording)
