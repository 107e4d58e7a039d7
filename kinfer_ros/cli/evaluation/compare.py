"""Compares two policies: both run the same jobs, and each measure gets a verdict.

The directory of a comparison holds an evaluation of each, `a` and `b`, and what both come to.
"""

import argparse
import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from kinfer_ros.atomic_file import replace_file
from kinfer_ros.cli.evaluation.evaluate import write_page
from kinfer_ros.cli.evaluation.jobs import Record
from kinfer_ros.cli.evaluation.jobs import make_matrix
from kinfer_ros.cli.evaluation.jobs import print_failed
from kinfer_ros.cli.evaluation.jobs import records_of
from kinfer_ros.cli.evaluation.jobs import run_missing
from kinfer_ros.cli.evaluation.jobs import say_interrupted
from kinfer_ros.cli.evaluation.jobs import whole_words
from kinfer_ros.errors import RunError
from kinfer_ros.evaluation.comparison import ALL
from kinfer_ros.evaluation.comparison import Row
from kinfer_ros.evaluation.comparison import as_table
from kinfer_ros.evaluation.comparison import compare
from kinfer_ros.evaluation.comparison import conditions_table
from kinfer_ros.evaluation.comparison import overall
from kinfer_ros.evaluation.comparison_page import make_comparison_page
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import shared_contract
from kinfer_ros.evaluation.results import Results
from kinfer_ros.evaluation.results import settings_of
from kinfer_ros.evaluation.results_table import write_rows
from kinfer_ros.evaluation.summary import align
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.directory import RunDirectory

PAGE, DATA, TABLE = 'comparison.html', 'comparison.json', 'comparison.csv'
MATRIX = 'matrix.yaml'
"""
The jobs of both policies. The command that repeats a job of one of them reads it: the default
commands of that policy alone may be others. Not written where the user gave a matrix with
sequences, which is read instead.
"""
SIDES = ('a', 'b')

Pair = tuple[Subject, Policy]


def run_comparison(pairs: Sequence[Pair], arguments: argparse.Namespace) -> int:
    """
    Run both policies and compare them; :return: the exit code.

    :raises KinferRosError: they take no command in common, or a directory cannot be used.
    """
    (_, a), (_, b) = pairs
    matrix = make_matrix(arguments, shared_contract(a.contract, b.contract))
    settings = [settings_of(subject, policy, matrix) for subject, policy in pairs]
    _say_left_out(a, b)
    path = arguments.resume or _make_folder(arguments, a, b)
    if not matrix.sequences:
        replace_file(path / MATRIX, json.dumps(matrix.as_json(), indent=1).encode())
    jobs = matrix.jobs()
    found: list[dict[str, Record]] = []
    failed: dict[str, str] = {}
    for side, (subject, policy), own in zip(SIDES, pairs, settings, strict=True):
        results = _open(path / side, own)
        with contextlib.closing(results):
            print(f'{side.upper()}: {policy.contract.path}', file=sys.stderr)
            try:
                missing = run_missing(subject, jobs, results, arguments)
            except KeyboardInterrupt:
                done = len(records_of(jobs, results))
                say_interrupted(f'{done} of {len(jobs)} runs of {side.upper()}', path, arguments)
                raise
        failed |= {f'{side}/{job}': reason for job, reason in missing.items()}
        records = records_of(jobs, results)
        write_page(own, records, len(jobs), path / side, _alone(subject, path, arguments))
        found.append({record['job']: record for record in records})
    rows = compare(found[0], found[1])
    _write(path, settings, rows, arguments)
    _print(path, rows, failed, arguments)
    return 1 if failed else 0


def _say_left_out(a: Policy, b: Policy) -> None:
    """Say which entries of the command only one of them takes: no job uses these by default."""
    ours, theirs = a.contract.command_names, b.contract.command_names
    for name, own, other in (('A', ours, theirs), ('B', theirs, ours)):
        alone = [entry for entry in own if entry not in other]
        if alone:
            print(
                f'note: only {name} takes the command {", ".join(alone)}: it stays neutral',
                file=sys.stderr,
            )


def _make_folder(arguments: argparse.Namespace, a: Policy, b: Policy) -> Path:
    name = f'{a.contract.path.stem}_vs_{b.contract.path.stem}.comparison'
    return RunDirectory.create(arguments.evals_dir, name).path


def _alone(subject: Subject, path: Path, arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments that evaluate one of the two alone, on the same jobs."""
    matrix = path / MATRIX if (path / MATRIX).exists() else arguments.matrix
    changes = {'model': subject.model, 'spec': subject.spec, 'matrix': matrix}
    return argparse.Namespace(**vars(arguments) | changes | {'quick': False, 'seconds': None})


def _open(path: Path, settings: Record) -> Results:
    """Begin or continue the evaluation of one side."""
    if path.is_dir():
        return Results(path, settings)
    try:
        path.mkdir()
    except OSError as error:
        raise RunError(f'{path}: cannot be made ({error.strerror}): no comparison') from error
    return Results.begin(path, settings)


def _write(
    path: Path, settings: Sequence[Record], rows: Sequence[Row], arguments: argparse.Namespace
) -> None:
    command = shlex.join(whole_words(arguments))
    page = make_comparison_page((settings[0], settings[1]), rows, command)
    replace_file(path / PAGE, page)
    replace_file(path / DATA, json.dumps(_content(path, rows), indent=2).encode())
    plain = [row.as_json() for row in rows]
    for file in (path / TABLE, *([arguments.out] if arguments.out else [])):
        write_rows(plain, file)


def _content(path: Path, rows: Sequence[Row]) -> Record:
    return {'results': str(path), 'verdict': overall(rows), 'rows': [r.as_json() for r in rows]}


def _print(
    path: Path, rows: Sequence[Row], failed: dict[str, str], arguments: argparse.Namespace
) -> None:
    if arguments.json:
        print(json.dumps(_content(path, rows) | {'no_result': failed}, indent=2))
        return
    print(as_table([row for row in rows if row.scope == ALL]))
    head, body = conditions_table(rows)
    print(f'\n{align([head, *body])}\n')
    print(f'verdict      {overall(rows)}')
    print_failed(failed)
    print(f'results      {path}\npage         {path / PAGE}')
