"""`python -m kinfer_ros eval`: run a policy over commands, conditions and seeds, on all cores.

Exit code 0: every job has a result; 1: some have none; 2: a user error; 130 after Ctrl-C, with all
results so far on disk.
"""

import argparse
import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.evaluation.progress import EvalProgress
from kinfer_ros.cli.parsers import add_model_arguments
from kinfer_ros.cli.parsers import add_policy_arguments
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError
from kinfer_ros.evaluation.results_table import check_path
from kinfer_ros.evaluation.results_table import write_table
from kinfer_ros.launching.simulation import read_mounting

if TYPE_CHECKING:
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.evaluation.matrix import Job
    from kinfer_ros.evaluation.matrix import Matrix
    from kinfer_ros.evaluation.results import Results
    from kinfer_ros.policy.contract import Contract
    from kinfer_ros.policy.policy import Policy

Record = dict[str, Any]


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'eval',
        'Run a policy in lockstep over commands, conditions (pushes, friction, noise, '
        'delay, dropped commands, another robot) and seeds, on all cores: a table, an HTML page, '
        'and the command that repeats the worst run. Same seed, same numbers.',
        'eval walk.kinfer --robot biped',
        'eval walk.kinfer --robot biped --matrix my_matrix.yaml --seeds 20',
        'eval walk.kinfer --robot biped --quick --out results.csv --film worst.mp4',
        'eval walk.kinfer --robot biped --only stand/pushes/1 --record runs',
        codes='0: every job has a result; 1: some have none; 130: interrupted, can be resumed',
    )
    add_policy_arguments(parser)
    add = parser.add_argument
    add_robot_argument(parser)
    add_model_arguments(parser)
    add('--matrix', type=Path, metavar='FILE', help='your own commands and conditions (YAML)')
    add('--quick', action='store_true', help='one command, two conditions, a few seconds')
    add('--command', action='append', default=[], metavar='NAME', help='only this command')
    add('--condition', action='append', default=[], metavar='NAME', help='only this condition')
    add('--seconds', type=float, help='length of each run (default 10)')
    add('--seeds', type=int, help='seeds per condition with random values (default 6)')
    add('--workers', type=int, help='parallel processes (default: one per core)')
    add('--ray', action='store_true', help='run the jobs on Ray (RAY_ADDRESS, else a local one)')
    add('--evals-dir', type=Path, default=Path('evals'), help='output directory (default ./evals)')
    add('--resume', type=Path, metavar='DIR', help='continue an interrupted evaluation')
    add('--only', metavar='JOB', help='run one job, COMMAND/CONDITION/SEED, and show its result')
    add('--record', type=Path, metavar='DIR', help='with --only: record the run in this directory')
    add('--out', type=Path, metavar='FILE', help='also write all results: .csv or .parquet')
    add('--film', type=Path, metavar='FILE', help='film the worst run, or that of --only (.mp4)')
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code."""
    _check(arguments)
    require_module('mujoco', 'eval')
    # Imported here: --help works without MuJoCo.
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.evaluation.job import check_subject

    subject = Subject(
        arguments.model.absolute(),
        _robot(arguments.robot),
        _spec(arguments.spec),
        str(Path(arguments.mjcf).expanduser().absolute()) if arguments.mjcf else '',
        arguments.imu_site,
        tuple(read_mounting(vars(arguments))),
    )
    policy, warnings = check_subject(subject)
    for text in warnings:
        print(f'warning: {text}', file=sys.stderr)
    matrix = _matrix(arguments, policy.contract)
    if arguments.only:
        return _run_one(subject, matrix.job(arguments.only), arguments)
    return _run_all(subject, policy, matrix, arguments)


def _robot(name: str) -> str:
    """Make the path of a robot file absolute: workers may have another directory."""
    if '/' in name or name.endswith(('.yaml', '.yml')):
        return str(Path(name).expanduser().absolute())
    return name


def _spec(path: Path | None) -> Path | None:
    return path.absolute() if path else None


def _check(arguments: argparse.Namespace) -> None:
    """:raises ConfigError: conflicting options, or a number out of range."""
    if arguments.record and not arguments.only:
        raise ConfigError('--record needs --only JOB, the run to record')
    if arguments.record and arguments.film:
        raise ConfigError('--record and --film exclude each other: film the run without recording')
    if arguments.out:
        check_path(arguments.out)
        if arguments.out.suffix.lower() == '.parquet':
            require_module('pyarrow', f'--out {arguments.out}')
    if arguments.film:
        check_path(arguments.film, '--film', ('.mp4',))
        require_module('imageio_ffmpeg', '--film', 'imageio-ffmpeg')
    if arguments.quick and arguments.matrix:
        raise ConfigError('--quick and --matrix exclude each other: both define the runs')
    for name, most in (('seeds', 10_000), ('workers', 4096), ('seconds', 3600)):
        value = getattr(arguments, name)
        if value is not None and not 1 <= value <= most:
            raise ConfigError(f'--{name}: found {value:g}, expected 1 to {most}')


def _matrix(arguments: argparse.Namespace, contract: 'Contract') -> 'Matrix':
    from kinfer_ros.evaluation.matrix import default_matrix
    from kinfer_ros.evaluation.matrix import load_matrix
    from kinfer_ros.evaluation.matrix import quick_matrix

    if arguments.matrix:
        matrix = load_matrix(arguments.matrix, contract)
    else:
        matrix = quick_matrix(contract) if arguments.quick else default_matrix(contract)
    changes = {
        name: getattr(arguments, name)
        for name in ('seeds', 'seconds')
        if getattr(arguments, name) is not None
    }
    return replace(matrix.only(arguments.command, arguments.condition), **changes)


def _job_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of this command that define a job."""
    words = ['python', '-m', 'kinfer_ros', 'eval', str(arguments.model)]
    words += ['--robot', arguments.robot]
    for name in ('spec', 'matrix', 'seconds', 'mjcf', 'imu_site', 'imu_mounting'):
        value = getattr(arguments, name)
        if value not in (None, ''):
            words += [f'--{name.replace("_", "-")}', str(value)]
    return words + (['--quick'] if arguments.quick else [])


def _repeat_command(arguments: argparse.Namespace, job: str) -> str:
    """Return the command that repeats a job and records it."""
    return shlex.join([*_job_words(arguments), '--only', job, '--record', 'runs'])


# One job --------------------------------------------------------------------------------


def _run_one(subject: 'Subject', job: 'Job', arguments: argparse.Namespace) -> int:
    from kinfer_ros.evaluation.job import run_job
    from kinfer_ros.evaluation.summary import describe

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


# All jobs -------------------------------------------------------------------------------


def _run_all(
    subject: 'Subject', policy: 'Policy', matrix: 'Matrix', arguments: argparse.Namespace
) -> int:
    from kinfer_ros.evaluation.results import Results
    from kinfer_ros.evaluation.results import settings_of

    settings = settings_of(subject, policy, matrix)
    if arguments.resume:
        results = Results(arguments.resume, settings)
    else:
        results = Results.create(arguments.evals_dir, settings)
    jobs = matrix.jobs()
    missing = [job for job in jobs if job.id not in results.records]
    failed: dict[str, str] = {}
    with contextlib.closing(results):
        try:
            failed = _run_jobs(subject, missing, results, arguments)
        except KeyboardInterrupt:
            words = [
                *_job_words(arguments),
                *_selection_words(arguments),
                '--resume',
                str(results.path),
            ]
            print(f'\ninterrupted; continue with: {shlex.join(words)}', file=sys.stderr)
            raise
    records = [results.records[job.id] for job in jobs if job.id in results.records]
    page = _write_page(settings, records, len(jobs), results.path, arguments)
    written = _write_extras(subject, jobs, records, arguments)
    if arguments.json:
        print(_json(settings, records, failed, results.path))
    else:
        _print_summary(records, failed, arguments)
        print(f'results      {results.path}')
        print('\n'.join([f'page         {page}', *written] if page else written))
    return 1 if failed else 0


def _film(subject: 'Subject', job: 'Job', path: Path) -> tuple[Record, str]:
    """Run a job again and film it; :return: its result, and one line on the film."""
    from kinfer_ros.evaluation.film_job import film_job

    return film_job(subject, job, path)


def _write_extras(
    subject: 'Subject',
    jobs: 'Sequence[Job]',
    records: Sequence[Record],
    arguments: argparse.Namespace,
) -> list[str]:
    """Write the table and the film; :return: lines on them."""
    from kinfer_ros.evaluation.summary import badness

    said = []
    if arguments.out:
        rows = write_table(records, arguments.out)
        said.append(f'table        {arguments.out}: {rows} rows')
    if arguments.film and records:
        worst = min(records, key=badness)['job']
        job = next(each for each in jobs if each.id == worst)
        said.append(f'{worst}: {_film(subject, job, arguments.film)[1]}')
    return said


def _selection_words(arguments: argparse.Namespace) -> list[str]:
    """Return the options that select jobs, and those of the files that follow."""
    words = [] if arguments.seeds is None else ['--seeds', str(arguments.seeds)]
    for name in ('command', 'condition'):
        for value in getattr(arguments, name):
            words += [f'--{name}', value]
    for name in ('out', 'film'):
        if getattr(arguments, name):
            words += [f'--{name}', str(getattr(arguments, name))]
    return words


def _run_jobs(
    subject: 'Subject', jobs: 'Sequence[Job]', results: 'Results', arguments: argparse.Namespace
) -> dict[str, str]:
    """Run jobs; :return: the errors of jobs without a result, by job id."""
    from kinfer_ros.evaluation.workers import cores
    from kinfer_ros.evaluation.workers import run_jobs

    if arguments.ray:
        require_module('ray', '--ray')
        from kinfer_ros.evaluation.on_ray import run_jobs_on_ray

        outcomes = run_jobs_on_ray(subject, jobs)
    else:
        outcomes = run_jobs(subject, jobs, arguments.workers or cores())
    failed: dict[str, str] = {}
    progress = EvalProgress(len(jobs))
    with contextlib.closing(outcomes):
        for found in outcomes:
            if found is not None:
                job, outcome = found
                if isinstance(outcome, str):
                    failed[job.id] = outcome
                    progress.job_failed(f'{job.id}: no result: {outcome}')
                else:
                    results.add(outcome)
                    progress.job_done(outcome['survived'])
            progress.show()
    progress.clear()
    return failed


def _print_summary(
    records: Sequence[Record], failed: dict[str, str], arguments: argparse.Namespace
) -> None:
    from kinfer_ros.evaluation.summary import as_gait_table
    from kinfer_ros.evaluation.summary import as_table
    from kinfer_ros.evaluation.summary import by_command
    from kinfer_ros.evaluation.summary import by_condition
    from kinfer_ros.evaluation.summary import summarise

    if records:
        whole = summarise('all', records)
        for form in (as_table, as_gait_table):
            print(form('condition', [*by_condition(records), whole]), end='\n\n')
            print(form('command', by_command(records)), end='\n\n')
        print(f'worst        {whole.worst}: {whole.worst_text}')
        print(f'again        {_repeat_command(arguments, whole.worst)}')
    if failed:
        print(f'no result    {len(failed)} jobs: {", ".join(list(failed)[:5])}')


def _write_page(
    settings: Record,
    records: Sequence[Record],
    total: int,
    path: Path,
    arguments: argparse.Namespace,
) -> Path | None:
    from kinfer_ros.evaluation.page import make_page
    from kinfer_ros.evaluation.results import PAGE
    from kinfer_ros.run.directory import replace_file

    if not records:
        return None
    replay = {record['job']: _repeat_command(arguments, record['job']) for record in records}
    replace_file(path / PAGE, make_page(settings, records, replay, total))
    return path / PAGE


def _json(settings: Record, records: Sequence[Record], failed: dict[str, str], path: Path) -> str:
    from kinfer_ros.evaluation.summary import by_command
    from kinfer_ros.evaluation.summary import by_condition

    content = {
        'results': str(path),
        'settings': settings,
        'conditions': [line.as_json() for line in by_condition(records)],
        'commands': [line.as_json() for line in by_command(records)],
        'no_result': failed,
    }
    return json.dumps(content, indent=2)
