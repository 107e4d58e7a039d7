"""Evaluates one policy: all jobs, with table and page, or one job alone."""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinfer_ros.atomic_file import replace_file
from kinfer_ros.cli.evaluation.jobs import Record
from kinfer_ros.cli.evaluation.jobs import print_failed
from kinfer_ros.cli.evaluation.jobs import records_of
from kinfer_ros.cli.evaluation.jobs import repeat_command
from kinfer_ros.cli.evaluation.jobs import run_missing
from kinfer_ros.cli.evaluation.jobs import say_interrupted
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.job import run_job
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import Matrix
from kinfer_ros.evaluation.page import make_page
from kinfer_ros.evaluation.results import PAGE
from kinfer_ros.evaluation.results import Results
from kinfer_ros.evaluation.results import settings_of
from kinfer_ros.evaluation.results_table import write_table
from kinfer_ros.evaluation.summary import as_gait_table
from kinfer_ros.evaluation.summary import as_table
from kinfer_ros.evaluation.summary import badness
from kinfer_ros.evaluation.summary import by_command
from kinfer_ros.evaluation.summary import by_condition
from kinfer_ros.evaluation.summary import describe
from kinfer_ros.evaluation.summary import summarise
from kinfer_ros.policy.policy import Policy

# One job --------------------------------------------------------------------------------


def run_one(subject: Subject, job: Job, arguments: argparse.Namespace) -> int:
    """
    Run one job; :return: the exit code.

    :raises KinferRosError: a file is wrong, or nothing can be recorded or filmed here.
    """
    if arguments.record:
        # Imported here: only recording needs ROS.
        from kinfer_ros.evaluation.recording import record_job

        record, path = record_job(subject, job, arguments.record)
        record['run'] = str(path)
    elif arguments.film:
        record, said = _film(subject, job, arguments.film)
        print(said, file=sys.stderr)
    else:
        record = run_job(subject, job)
    if arguments.out:
        write_table([record], arguments.out)
    if arguments.json:
        print(json.dumps(record, indent=2))
        return 0
    print(f'{"job":<16} {record["job"]}\n{"":<16} {describe(record)}')
    for key, value in record.items():
        if key not in ('job', 'survived', 'reason'):
            print(f'{key:<16} {_format(value)}')
    return 0


def _format(value: Any) -> str:
    if isinstance(value, dict):
        return ', '.join(f'{key} {_format(each)}' for key, each in value.items())
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def _film(subject: Subject, job: Job, path: Path) -> tuple[Record, str]:
    """Run a job again and film it; :return: its result, and one line on the film."""
    # Imported here: only a film needs OpenGL.
    from kinfer_ros.evaluation.film_job import film_job

    return film_job(subject, job, path, lambda text: print(text, file=sys.stderr))


# All jobs -------------------------------------------------------------------------------


def run_all(
    subject: Subject, policy: Policy, matrix: Matrix, arguments: argparse.Namespace
) -> int:
    """
    Run all jobs; :return: the exit code.

    :raises KinferRosError: the directory cannot be used, or the film fails.
    """
    settings = settings_of(subject, policy, matrix)
    if arguments.resume:
        results = Results(arguments.resume, settings)
    else:
        results = Results.create(arguments.evals_dir, settings)
    jobs = matrix.jobs()
    with contextlib.closing(results):
        try:
            failed = run_missing(subject, jobs, results, arguments)
        except KeyboardInterrupt:
            _keep(settings, jobs, results, arguments)
            raise
    records = records_of(jobs, results)
    page = write_page(settings, records, len(jobs), results.path, arguments)
    rows = write_table(records, arguments.out) if arguments.out else 0
    if arguments.json:
        print(_json(settings, records, failed, results.path))
    else:
        _print_summary(records, failed, arguments)
        print(f'results      {results.path}')
        if page:
            print(f'page         {page}')
        if arguments.out:
            print(f'table        {arguments.out}: {rows} rows')
    _film_worst(subject, jobs, records, arguments)
    return 1 if failed else 0


def _keep(
    settings: Record, jobs: Sequence[Job], results: Results, arguments: argparse.Namespace
) -> None:
    """Say what an interrupt leaves, and write the page of it."""
    records = records_of(jobs, results)
    page = write_page(settings, records, len(jobs), results.path, arguments)
    shown = f', shown in {page}' if page else ''
    say_interrupted(f'{len(records)} of {len(jobs)} runs', results.path, arguments, shown)


def _film_worst(
    subject: Subject, jobs: Sequence[Job], records: Sequence[Record], arguments: argparse.Namespace
) -> None:
    """Film the worst run, if that was asked for: at the end, since it may take a minute."""
    if arguments.film and records:
        sys.stdout.flush()
        worst = min(records, key=badness)['job']
        job = next(each for each in jobs if each.id == worst)
        said = f'{worst}: {_film(subject, job, arguments.film)[1]}'
        print(said, file=sys.stderr if arguments.json else sys.stdout)


def _print_summary(
    records: Sequence[Record], failed: dict[str, str], arguments: argparse.Namespace
) -> None:
    if records:
        whole = summarise('all', records)
        for form in (as_table, as_gait_table):
            print(form('condition', [*by_condition(records), whole]), end='\n\n')
            print(form('command', by_command(records)), end='\n\n')
        print(f'worst        {whole.worst}: {whole.worst_text}')
        print(f'again        {repeat_command(arguments, whole.worst)}')
    print_failed(failed)


def write_page(
    settings: Record,
    records: Sequence[Record],
    total: int,
    path: Path,
    arguments: argparse.Namespace,
) -> Path | None:
    """Write the page of an evaluation into its directory; None where there is no result."""
    if not records:
        return None
    replay = {each['job']: repeat_command(arguments, each['job']) for each in records}
    replace_file(path / PAGE, make_page(settings, records, replay, total))
    return path / PAGE


def _json(settings: Record, records: Sequence[Record], failed: dict[str, str], path: Path) -> str:
    content = {
        'results': str(path),
        'settings': settings,
        'conditions': [line.as_json() for line in by_condition(records)],
        'commands': [line.as_json() for line in by_command(records)],
        'no_result': failed,
    }
    return json.dumps(content, indent=2)
