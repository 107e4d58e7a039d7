"""Runs the missing jobs of an evaluation, and words the commands that repeat them."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.evaluation.progress import EvalProgress
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import Job
from kinfer_ros.evaluation.matrix import Matrix
from kinfer_ros.evaluation.matrix import default_matrix
from kinfer_ros.evaluation.matrix import load_matrix
from kinfer_ros.evaluation.matrix import quick_matrix
from kinfer_ros.evaluation.results import Results
from kinfer_ros.evaluation.workers import cores
from kinfer_ros.evaluation.workers import run_jobs
from kinfer_ros.policy.contract import Contract

Record = dict[str, Any]


def make_matrix(arguments: argparse.Namespace, contract: Contract) -> Matrix:
    """Return the jobs that the arguments ask for."""
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


def run_missing(
    subject: Subject, jobs: Sequence[Job], results: Results, arguments: argparse.Namespace
) -> dict[str, str]:
    """
    Run the jobs that have no result yet.

    :return: the errors of jobs without a result, by job id.
    """
    missing = [job for job in jobs if job.id not in results.records]
    if arguments.ray:
        require_module('ray', '--ray')
        from kinfer_ros.evaluation.on_ray import run_jobs_on_ray

        outcomes = run_jobs_on_ray(subject, missing)
    else:
        outcomes = run_jobs(subject, missing, arguments.workers or cores())
    failed: dict[str, str] = {}
    progress = EvalProgress(len(missing))
    with contextlib.closing(outcomes):
        try:
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
        finally:
            progress.clear()
    return failed


def records_of(jobs: Sequence[Job], results: Results) -> list[Record]:
    """Return the results of jobs, in their order."""
    return [results.records[job.id] for job in jobs if job.id in results.records]


def say_interrupted(kept: str, path: Path, arguments: argparse.Namespace, shown: str = '') -> None:
    """Say what Ctrl-C leaves in the directory of an evaluation, and how to go on."""
    print(
        f'\ninterrupted: {kept} are kept in {path}{shown}\n'
        f'continue with: {_resume_command(arguments, path)}',
        file=sys.stderr,
    )


def print_failed(failed: Mapping[str, str]) -> None:
    """Name jobs without a result, if there are any."""
    if failed:
        print(f'no result    {len(failed)} jobs: {", ".join(list(failed)[:5])}')


# Commands to repeat ---------------------------------------------------------------------


def repeat_command(arguments: argparse.Namespace, job: str) -> str:
    """Return the command that repeats a job and records it."""
    return shlex.join([*_words(arguments), '--only', job, '--record', 'runs'])


def _resume_command(arguments: argparse.Namespace, path: Path) -> str:
    """Return the command that goes on with an evaluation or a comparison."""
    return shlex.join([*whole_words(arguments), '--resume', str(path)])


def whole_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of this command, without where it writes its results."""
    words = _words(arguments)
    if arguments.compare:
        words += ['--compare', *map(str, arguments.compare)]
    if arguments.spec_b:
        words += ['--spec-b', str(arguments.spec_b)]
    words += [] if arguments.seeds is None else ['--seeds', str(arguments.seeds)]
    for name in ('command', 'condition'):
        for value in getattr(arguments, name):
            words += [f'--{name}', value]
    for name in ('out', 'film'):
        if getattr(arguments, name):
            words += [f'--{name}', str(getattr(arguments, name))]
    return words


def _words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of this command that define a job."""
    words = ['python', '-m', 'kinfer_ros', 'eval']
    words += [str(arguments.model)] if arguments.model else []
    words += ['--robot', arguments.robot]
    for name in ('spec', 'matrix', 'seconds', 'mjcf', 'imu_site', 'imu_mounting'):
        value = getattr(arguments, name)
        if value not in (None, ''):
            words += [f'--{name.replace("_", "-")}', str(value)]
    return words + (['--quick'] if arguments.quick else [])
