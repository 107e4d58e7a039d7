"""`python -m kinfer_ros eval`: a policy over commands, conditions and seeds, on all cores.

Without it "it walks" would rest on one run of one robot. Exit code 0: every job has a result; 1:
some have none; 2: a user's mistake; 130 after Ctrl-C, with all results so far on disk.
"""

from __future__ import annotations

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

from kinfer_ros.cli.common import need
from kinfer_ros.cli.common import run_command
from kinfer_ros.cli.evaluation.eval_progress import Progress
from kinfer_ros.cli.parsers import add_policy_arguments
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError

if TYPE_CHECKING:
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.evaluation.matrix import Job
    from kinfer_ros.evaluation.matrix import Matrix
    from kinfer_ros.evaluation.results import Results
    from kinfer_ros.policy.contract import Contract
    from kinfer_ros.policy.policy import Policy

Record = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code."""
    return run_command(_command, argv)


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'eval',
        'Run a policy in lockstep over commands, conditions (pushes, friction, noise, '
        'delay, dropped commands, another robot) and seeds, on all cores: a table, an HTML page, '
        'and the command that repeats the worst run. Same seed, same numbers.',
        'eval walk.kinfer --robot biped',
        'eval walk.kinfer --robot biped --matrix my_matrix.yaml --seeds 20',
        'eval walk.kinfer --robot biped --only stand/pushes/1 --record runs',
        codes='0: every job has a result; 1: some have none; 130: interrupted, to be resumed',
    )
    add_policy_arguments(parser)
    add = parser.add_argument
    add_robot_argument(parser)
    add('--matrix', type=Path, metavar='FILE', help='commands and conditions of your own (YAML)')
    add('--quick', action='store_true', help='one command, two conditions, a few seconds')
    add('--command', action='append', default=[], metavar='NAME', help='only this command')
    add('--condition', action='append', default=[], metavar='NAME', help='only this condition')
    add('--seconds', type=float, help='of each run (default 10)')
    add('--seeds', type=int, help='of each condition in which something is drawn (default 6)')
    add('--workers', type=int, help='processes at a time (default: one a core)')
    add('--ray', action='store_true', help='run the jobs on Ray (RAY_ADDRESS, else started here)')
    add('--evals-dir', type=Path, default=Path('evals'), help='where to write (default ./evals)')
    add('--resume', type=Path, metavar='DIR', help='go on with an evaluation that was interrupted')
    add('--only', metavar='JOB', help='run one job, COMMAND/CONDITION/SEED, and show its result')
    add('--record', type=Path, metavar='DIR', help='with --only: log the run below this directory')
    return parser


def _command(argv: Sequence[str] | None) -> int:
    arguments = make_parser().parse_args(argv)
    _check(arguments)
    need('mujoco', 'eval')
    # Here, because --help works without MuJoCo.
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.evaluation.job import check_subject

    subject = Subject(arguments.model.absolute(), _robot(arguments.robot), _spec(arguments.spec))
    policy = check_subject(subject)
    matrix = _matrix(arguments, policy.contract)
    if arguments.only:
        return _one(subject, matrix.job(arguments.only), arguments)
    return _all(subject, policy, matrix, arguments)


def _robot(name: str) -> str:
    """Path of a robot file, absolute: workers and clusters may have another directory."""
    if '/' in name or name.endswith(('.yaml', '.yml')):
        return str(Path(name).expanduser().absolute())
    return name


def _spec(path: Path | None) -> Path | None:
    return path.absolute() if path else None


def _check(arguments: argparse.Namespace) -> None:
    """:raises ConfigError: options that exclude each other, or a number out of range."""
    if arguments.record and not arguments.only:
        raise ConfigError('--record: needs --only JOB: which run shall be recorded?')
    if arguments.quick and arguments.matrix:
        raise ConfigError('--quick and --matrix exclude each other: both say what is run')
    for name, most in (('seeds', 10_000), ('workers', 4096), ('seconds', 3600)):
        value = getattr(arguments, name)
        if value is not None and not 1 <= value <= most:
            raise ConfigError(f'--{name}: found {value:g}, expected 1 to {most}')


def _matrix(arguments: argparse.Namespace, contract: Contract) -> Matrix:
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


def _words(arguments: argparse.Namespace) -> list[str]:
    """Say the command again, as far as it says what a job is."""
    words = ['python', '-m', 'kinfer_ros', 'eval', str(arguments.model)]
    words += ['--robot', arguments.robot]
    for name in ('spec', 'matrix', 'seconds'):
        value = getattr(arguments, name)
        if value is not None:
            words += [f'--{name}', str(value)]
    return words + (['--quick'] if arguments.quick else [])


def _again(arguments: argparse.Namespace, job: str) -> str:
    """Write the command that repeats a job, and records it."""
    return shlex.join([*_words(arguments), '--only', job, '--record', 'runs'])


# One job --------------------------------------------------------------------------------


def _one(subject: Subject, job: Job, arguments: argparse.Namespace) -> int:
    from kinfer_ros.evaluation.job import run_job
    from kinfer_ros.evaluation.summary import describe

    if arguments.record:
        # Here, because only a recording needs ROS.
        from kinfer_ros.evaluation.recording import record_job

        record, path = record_job(subject, job, arguments.record)
        record['run'] = str(path)
    else:
        record = run_job(subject, job)
    if arguments.json:
        print(json.dumps(record, indent=2))
        return 0
    print(f'{"job":<16} {record["job"]}\n{"":<16} {describe(record)}')
    for key, value in record.items():
        if key not in ('job', 'survived', 'reason'):
            print(f'{key:<16} {_shown(value)}')
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ', '.join(f'{key} {_shown(each)}' for key, each in value.items())
    return f'{value:.4g}' if isinstance(value, float) else str(value)


# All jobs -------------------------------------------------------------------------------


def _all(subject: Subject, policy: Policy, matrix: Matrix, arguments: argparse.Namespace) -> int:
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
            failed = _run(subject, missing, results, arguments)
        except KeyboardInterrupt:
            words = [*_words(arguments), *_chosen(arguments), '--resume', str(results.path)]
            print(f'\ninterrupted; go on with: {shlex.join(words)}', file=sys.stderr)
            raise
    records = [results.records[job.id] for job in jobs if job.id in results.records]
    page = _write_page(settings, records, len(jobs), results.path, arguments)
    if arguments.json:
        print(_json(settings, records, failed, results.path))
    else:
        _print(records, failed, arguments)
        print(f'results      {results.path}\npage         {page}')
    return 1 if failed else 0


def _chosen(arguments: argparse.Namespace) -> list[str]:
    """Say again which of the jobs were asked for."""
    words = [] if arguments.seeds is None else ['--seeds', str(arguments.seeds)]
    for name in ('command', 'condition'):
        for value in getattr(arguments, name):
            words += [f'--{name}', value]
    return words


def _run(
    subject: Subject, jobs: Sequence[Job], results: Results, arguments: argparse.Namespace
) -> dict[str, str]:
    """Run jobs; :return: why some have no result, by job id."""
    from kinfer_ros.evaluation.workers import cores
    from kinfer_ros.evaluation.workers import run_jobs

    if arguments.ray:
        need('ray', '--ray')
        from kinfer_ros.evaluation.on_ray import run_jobs_on_ray

        outcomes = run_jobs_on_ray(subject, jobs)
    else:
        outcomes = run_jobs(subject, jobs, arguments.workers or cores())
    failed: dict[str, str] = {}
    progress = Progress(len(jobs))
    with contextlib.closing(outcomes):
        for found in outcomes:
            if found is not None:
                job, outcome = found
                if isinstance(outcome, str):
                    failed[job.id] = outcome
                    progress.say(f'{job.id}: no result: {outcome}')
                else:
                    results.add(outcome)
                    progress.count(outcome['survived'])
            progress.show()
    progress.end()
    return failed


def _print(
    records: Sequence[Record], failed: dict[str, str], arguments: argparse.Namespace
) -> None:
    from kinfer_ros.evaluation.summary import as_table
    from kinfer_ros.evaluation.summary import by_command
    from kinfer_ros.evaluation.summary import by_condition
    from kinfer_ros.evaluation.summary import summarise

    if records:
        whole = summarise('all', records)
        print(as_table('condition', [*by_condition(records), whole]))
        print()
        print(as_table('command', by_command(records)))
        print(f'\nworst        {whole.worst}: {whole.worst_text}')
        print(f'again        {_again(arguments, whole.worst)}')
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
    replay = {record['job']: _again(arguments, record['job']) for record in records}
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


if __name__ == '__main__':
    raise SystemExit(main())
