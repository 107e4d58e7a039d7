"""`python -m kinfer_ros report`: write one HTML file of a run, or of several over each other.

Exit code 0, or 2 for a user error.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.report.reported_run import ReportedRun
from kinfer_ros.atomic_file import replace_file
from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import default_output
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.runs.several import OFFSET_HELP
from kinfer_ros.cli.runs.several import ReadRun
from kinfer_ros.cli.runs.several import read_runs
from kinfer_ros.cli.runs.verdict import judge
from kinfer_ros.errors import RunError


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'report',
        'Write one HTML file that opens offline: what happened and what to do, then base, joints, '
        'timing, policy, guards and events on one time axis. With further runs: all of them in '
        'every plot, and the differences. Needs Bokeh (the extra `report`).',
        'report runs/latest',
        'report runs/sim runs/real --out both.html',
        'report runs/sim runs/real --offset 0,1.25',
        codes='0: written',
    )
    add = parser.add_argument
    add('runs', type=Path, metavar='RUN', nargs='+', help='run directories, or .ndjson logs')
    add('--offset', metavar='S,S', help=OFFSET_HELP)
    add('--out', type=Path, metavar='FILE', help='output file (default RUN/report.html)')
    add('--png', type=Path, metavar='FILE', help='also plot the main signals as a PNG')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error."""
    require_module('bokeh', 'report', extra='report')
    if arguments.png:
        require_module('matplotlib', '--png')
    # Imported here: Bokeh is optional.
    from kinfer_ros.analysis.report.page import make_report

    begin = time.perf_counter()
    read = read_runs(arguments.runs, arguments.offset, progress=not arguments.json)
    subjects = [_subject(path, each) for path, each in zip(arguments.runs, read, strict=True)]
    out: Path = arguments.out or default_output(arguments.runs[0], 'report.html')
    page = make_report(subjects, arguments.runs, out)
    try:
        replace_file(out, page)
    except OSError as error:
        raise RunError(f'{out}: cannot be written ({error.strerror}); choose --out') from error
    if arguments.png:
        # Imported here: matplotlib is optional.
        from kinfer_ros.cli.runs.figures import draw_report

        draw_report(arguments.png, subjects)
    seconds = time.perf_counter() - begin
    if arguments.json:
        print(
            json.dumps(
                {
                    'report': str(out),
                    'bytes': len(page),
                    'seconds': round(seconds, 3),
                    'runs': [_plain(subject) for subject in subjects],
                },
                indent=2,
            )
        )
    else:
        print(f'{out}: {len(page) / 1e6:.1f} MB, in {seconds:.1f} s')
        if arguments.png:
            print(arguments.png)
        for subject in subjects:
            for text in (*subject.problems, *subject.columns.warnings):
                print(f'problem      {subject.run.path}: {text}')
    return 0


def _subject(path: Path, read: ReadRun) -> ReportedRun:
    problems, summary = _verdict(path, read.run)
    return ReportedRun(read.run, read.columns, problems, summary, read.name)


def _verdict(path: Path, run: RecordedRun) -> tuple[Sequence[str], Sequence[str]]:
    """Return problems and summary of a run."""
    if run.path.is_file():
        return [], ['a step log without run.json']
    if run.facts.get('ended') is None:
        return ['this run has not ended, or its process was killed'], []
    if 'counters' not in run.facts:
        return ['the process of this run was killed'], []
    try:
        return judge(path, run.facts)
    except RunError as error:
        return [str(error)], []


def _plain(subject: ReportedRun) -> dict[str, object]:
    return {
        'run': str(subject.run.path),
        'records': len(subject.columns.step_id),
        'problems': list(subject.problems),
        'warnings': subject.columns.warnings,
    }
