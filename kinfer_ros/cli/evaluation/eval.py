"""`python -m kinfer_ros eval`: run a policy, or two, over commands, conditions and seeds.

Exit code 0: every job has a result; 1: some have none; 2: a user error; 130 after Ctrl-C, with all
results so far on disk.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_model_arguments
from kinfer_ros.cli.parsers import add_policy_arguments
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError
from kinfer_ros.evaluation.results_table import check_path
from kinfer_ros.launching.simulation import read_mounting
from kinfer_ros.share import shipped_policy

if TYPE_CHECKING:
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.policy.policy import Policy


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'eval',
        'Run a policy in lockstep over commands, conditions (pushes, friction, noise, '
        'delay, dropped commands, another robot) and seeds, on all cores: a table, an HTML page, '
        'and the command that repeats the worst run; or compare two. Same seed, same numbers.',
        'eval --robot biped --quick',
        'eval walk.kinfer --robot biped --matrix my_matrix.yaml --seeds 20',
        'eval walk.kinfer --robot biped --quick --out results.csv --film worst.mp4',
        'eval walk.kinfer --robot biped --only stand/pushes/1 --record runs',
        'eval --compare walk.kinfer new.kinfer --robot biped',
        codes='0: every job has a result; 1: some have none; 130: interrupted, can be resumed',
    )
    add_policy_arguments(parser, 'the one that ships for the robot')
    add = parser.add_argument
    add('--compare', type=Path, nargs=2, metavar=('A', 'B'),
        help='run two policies through the same jobs: a verdict on B by measure')  # fmt: skip
    add('--spec-b', type=Path, metavar='FILE', help='policy spec of B; --spec is that of A')
    add_robot_argument(parser)
    add_model_arguments(parser)
    add('--matrix', type=Path, metavar='FILE', help='your own commands and conditions (YAML)')
    add('--quick', action='store_true',
        help='every command, three conditions, one seed: some seconds')  # fmt: skip
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
    from kinfer_ros.cli.evaluation import compare
    from kinfer_ros.cli.evaluation import evaluate
    from kinfer_ros.cli.evaluation.jobs import make_matrix

    if arguments.compare:
        a, b = arguments.compare
        pairs = [_subject(arguments, a, arguments.spec), _subject(arguments, b, arguments.spec_b)]
        return compare.run_comparison(pairs, arguments)
    subject, policy = _subject(arguments, _model(arguments), arguments.spec)
    matrix = make_matrix(arguments, policy.contract)
    if arguments.only:
        return evaluate.run_one(subject, matrix.job(arguments.only), arguments)
    return evaluate.run_all(subject, policy, matrix, arguments)


def _subject(
    arguments: argparse.Namespace, model: Path, spec: Path | None
) -> 'tuple[Subject, Policy]':
    """Load a policy and its robot once, and print what the simulation warns of."""
    from kinfer_ros.evaluation.job import Subject
    from kinfer_ros.evaluation.job import check_subject

    subject = Subject(
        model.absolute(),
        _robot(arguments.robot),
        spec.absolute() if spec else None,
        str(Path(arguments.mjcf).expanduser().absolute()) if arguments.mjcf else '',
        arguments.imu_site,
        tuple(read_mounting(vars(arguments))),
    )
    policy, warnings = check_subject(subject)
    for text in warnings:
        print(f'warning: {text}', file=sys.stderr)
    return subject, policy


def _model(arguments: argparse.Namespace) -> Path:
    """
    Return the policy: the one that is named, else the robot's own, which is then said.

    :raises ConfigError: none is named, and none ships for the robot.
    """
    if arguments.model is not None:
        return Path(arguments.model)
    found = shipped_policy(arguments.robot)
    if found is None:
        raise ConfigError(
            f'MODEL: found none, and none ships for the robot {arguments.robot}; expected a '
            '.kinfer or .onnx file'
        )
    print(f'policy       {found} (it ships for this robot)', file=sys.stderr)
    return found


def _robot(name: str) -> str:
    """Make the path of a robot file absolute: workers may have another directory."""
    if '/' in name or name.endswith(('.yaml', '.yml')):
        return str(Path(name).expanduser().absolute())
    return name


def _check(arguments: argparse.Namespace) -> None:
    """:raises ConfigError: conflicting options, or a number out of range."""
    _check_comparison(arguments)
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


def _check_comparison(arguments: argparse.Namespace) -> None:
    if not arguments.compare:
        if arguments.spec_b:
            raise ConfigError('--spec-b needs --compare A B: it is the policy spec of B')
        return
    if arguments.model is not None:
        raise ConfigError(
            f'MODEL: found {arguments.model} beside --compare, expected none: A and B are the '
            'policies'
        )
    for name in ('only', 'record', 'film'):
        if getattr(arguments, name):
            raise ConfigError(f'--{name} and --compare exclude each other: it is for one policy')
