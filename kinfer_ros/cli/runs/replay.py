"""`python -m kinfer_ros replay`: run the policy on a recorded run again, and compare.

Exit code 0: identical bit for bit on the ONNX Runtime that recorded it, else within the tolerance;
1: different, or nothing to compare; 2: an unusable file or argument. With another model it shows
how that one would have acted, exit code 0.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kinfer_ros.analysis.differences import Difference
from kinfer_ros.analysis.differences import Outcome
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import TOLERANCE
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.cli.common import Progress
from kinfer_ros.cli.common import command
from kinfer_ros.cli.common import require_module
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.run.setup import other_rate
from kinfer_ros.run.versions import host
from kinfer_ros.run.versions import versions


def _replay_bag(run: RecordedRun, arguments: argparse.Namespace) -> int:
    if arguments.model or arguments.out:
        raise ConfigError('--bag replays the model of the run: it excludes --model and --out')
    # Imported here: the rest works without ROS.
    from kinfer_ros.analysis.repair import bags_of
    from kinfer_ros.cli.runs.bag_replay_output import as_json
    from kinfer_ros.cli.runs.bag_replay_output import lines
    from kinfer_ros.ros.bag_replay import BagReplay
    from kinfer_ros.ros.bag_replay import load_for_bag

    loaded, bag = load_for_bag(run, bags_of(run.path))
    replay = BagReplay(run, loaded, bag, arguments.tolerance or TOLERANCE)
    with Progress(shown=not arguments.json) as progress:
        outcome = replay.run(progress.counter('commands replayed'))
    exact = arguments.tolerance is None and not _differing_builds(run)
    lockstep = bool(run.fact('parameters', 'lockstep'))
    target = outcome.target
    good = target.compared > 0 and not (target.differing if exact else target.beyond)
    if arguments.json:
        print(as_json(run, outcome, good=good, exact=exact))
    else:
        print('\n'.join(lines(outcome, good=good, exact=exact, lockstep=lockstep)))
    return 0 if good else 1


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'replay',
        'Run the policy on the recorded inputs of a run again and compare output, target and '
        'carry with the record, bit for bit on the ONNX Runtime that recorded it. Exit code 1 if '
        'they differ.',
        'replay runs/latest',
        'replay runs/latest --model new.kinfer --out compare.png',
        codes='0: identical; 1: different',
    )
    add = parser.add_argument
    add('run', type=Path, metavar='RUN', help='run directory, such as runs/latest')
    add('--model', type=Path, help='another policy file: show how it would have acted')
    add('--spec', type=Path, help='policy spec (YAML) of an .onnx model that takes a flat vector')
    add(
        '--tolerance',
        type=_positive,
        help=f'largest difference of output and target, rad; default 0 on the ONNX Runtime that '
        f'recorded the run, {TOLERANCE:g} on another',
    )
    add(
        '--bag',
        action='store_true',
        help="replay from the bag, through the node's sensor and control code (needs ROS 2)",
    )
    add(
        '--out',
        '--png',
        type=Path,
        metavar='FILE',
        help='plot recorded and replayed targets (matplotlib)',
    )
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 if the replay differs, 2 for a user error."""
    if arguments.out:
        require_module('matplotlib', '--out')
    run = RecordedRun.open(arguments.run)
    if arguments.bag:
        return _replay_bag(run, arguments)
    policy = _policy(run, arguments)
    other = policy.contract.sha256 != run.fact('model_sha256')
    replay = Replay(
        run, policy, _finder(run), other=other, tolerance=arguments.tolerance or TOLERANCE
    )
    begin = time.perf_counter()
    with Progress(shown=not arguments.json) as progress:
        pictures = _collect(run, replay, progress.counter('records replayed'))
    seconds = time.perf_counter() - begin
    if arguments.out:
        # Imported here: matplotlib is optional.
        from kinfer_ros.cli.runs.figures import draw_replay

        rate = float(run.fact('control_rate_hz'))
        draw_replay(arguments.out, pictures, tuple(run.fact('joint_order')), rate)
    exact = not other and arguments.tolerance is None and not _differing_builds(run)
    if arguments.json:
        print(_as_json(run, replay.outcome, other=other, exact=exact, seconds=seconds).decode())
    else:
        print('\n'.join(_lines(run, replay.outcome, other=other, exact=exact, seconds=seconds)))
        if arguments.out:
            print(f'picture      {arguments.out}')
    return 0 if _good(replay.outcome, other=other, exact=exact) else 1


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'found {text}, expected a number from 0')
    return value


def _rate(run: RecordedRun) -> float | None:
    """:return: the rate that was asked for instead of the policy's own, or None."""
    return other_rate(run.facts.get('parameters') or {})


def _policy(run: RecordedRun, arguments: argparse.Namespace) -> Policy:
    """Load the given model, or the run's own, which must be unchanged."""
    if arguments.model is not None:
        return load_model(arguments.model, spec=arguments.spec, control_rate_hz=_rate(run))
    return _recorded_policy(run, arguments.spec)


def _recorded_policy(run: RecordedRun, spec: Path | None = None) -> Policy:
    """Load the policy of a run, or of a set; it must be unchanged."""
    path, sha256 = Path(run.fact('model')), run.fact('model_sha256')
    spec = spec or run.facts.get('spec') or run.fact('parameters', 'spec') or None
    if not path.is_file():
        raise RunError(f'{path}: the model of this run is gone; give a copy of it with --model')
    policy = load_model(path, spec=spec, control_rate_hz=_rate(run))
    if policy.contract.sha256 != sha256:
        raise RunError(
            f'{path}: the model has changed since this run (sha256 {policy.contract.sha256[:12]}, '
            f'recorded {sha256[:12]}); give a copy of the recorded one with --model, or this file '
            'itself to see how it would have acted'
        )
    recorded = run.facts.get('provenance', {}).get('spec_sha256')
    if recorded and (policy.contract.provenance or {}).get('spec_sha256') != recorded:
        raise RunError(f'{spec}: the policy spec has changed since this run; give it with --spec')
    return policy


def _finder(run: RecordedRun) -> Callable[[str | int], Policy]:
    """Return a function that loads the policy of a swap; run.json lists path and sha256."""

    def find(name: str | int) -> Policy:
        """:raises RunError: it is not listed, or has changed."""
        if isinstance(name, int):
            return _recorded_policy(RecordedRun(run.path, {**run.facts, **run.load(name)}))
        if name in run.facts.get('policies', {}):
            return _recorded_policy(run.of_policy(name))
        own = run.fact('parameters', 'spec') or None
        listed = [(run.fact('model_sha256'), run.fact('model'), own)]
        listed += [
            (each['model_sha256'], each['model'], each.get('spec'))
            for each in run.facts.get('swaps', [])
        ]
        for sha256, path, spec in listed:
            if sha256.startswith(name):
                policy = load_model(path, spec=spec, control_rate_hz=_rate(run))
                if policy.contract.sha256 == sha256:
                    return policy
                raise RunError(f'{path}: has changed since it took over in this run')
        raise RunError(
            f'{run.path}: a swap to the model {name}..., which run.json does not list: it was '
            'written by another version of kinfer_ros, or is damaged'
        )

    return find


def _collect(
    run: RecordedRun, replay: Replay, update: Callable[[int], None]
) -> dict[str, list[Any]]:
    """Replay every record; :return: the data of a plot."""
    pictures: dict[str, list[Any]] = {'step': [], 'recorded': [], 'replayed': []}
    for record in run.records():
        update(replay.outcome.records)
        ran = replay.feed(record)
        if ran and record.get('target') is not None:
            pictures['step'].append(record['step_id'])
            pictures['recorded'].append(record['target'])
            pictures['replayed'].append(replay.lane.target.copy())
    return pictures


def _differing_builds(run: RecordedRun) -> str:
    """Return how this machine differs from the one that recorded the run, or ''."""
    recorded = run.facts.get('versions', {}).get('onnxruntime')
    here = versions()['onnxruntime']
    machines = run.facts.get('host', {}).get('machine'), host()['machine']
    if recorded != here:
        return f'ONNX Runtime {recorded} recorded, {here} here'
    return f'{machines[0]} recorded, {machines[1]} here' if machines[0] != machines[1] else ''


def _good(outcome: Outcome, *, other: bool, exact: bool) -> bool:
    if other:
        return outcome.replayed > 0
    return outcome.identical if exact else outcome.within


def _verdict(outcome: Outcome, *, other: bool, exact: bool) -> str:
    if not outcome.replayed:
        return 'nothing to replay'
    if other:
        return 'another model'
    if outcome.identical:
        return 'identical'
    return 'differs' if exact or not outcome.within else 'within tolerance'


def _lines(
    run: RecordedRun, outcome: Outcome, *, other: bool, exact: bool, seconds: float
) -> list[str]:
    """Return the lines of the text output."""
    lines = [
        f'verdict      {_verdict(outcome, other=other, exact=exact)}'
        + ('' if exact or other else f' ({_differing_builds(run) or "--tolerance was given"})'),
        f'replayed     {outcome.replayed} of {outcome.run_records} steps of mode run, '
        f'{outcome.records} records, in {seconds:.1f} s',
    ]
    for name, each in outcome.tensors.items():
        if not each.compared:
            lines.append(f'{name:12} not compared')
            continue
        text = f'{name:12} {each.compared} compared, {each.differing} differ'
        if each.largest:
            text += f'; largest {_describe(each.largest)}'
        lines.append(text)
    if outcome.first and not other:
        lines.append(f'first        {_describe(outcome.first)}')
    if other:
        lines += _by_joint(run, outcome)
    lines += [f'followed     step {step}: {what}' for step, what in outcome.changes]
    lines += [f'missing      steps {first} to {last}' for first, last in outcome.missing]
    if outcome.skipped:
        lines.append(f'skipped      {outcome.skipped} steps before the next recorded carry')
    if outcome.unchecked_targets:
        lines.append(f'unchecked    {outcome.unchecked_targets} targets: the log lacks the state')
    if outcome.unusable:
        lines.append(f'unusable     {outcome.unusable} records; {outcome.first_unusable}')
    if run.damaged:
        lines.append(f'damaged      {len(run.damaged)} lines are not records: {run.damaged[:5]}')
    return lines


def _describe(difference: Difference) -> str:
    where = f'step {difference.step_id}, {difference.tensor}[{difference.index}]'
    if difference.note:
        return f'{where}: {difference.note}'
    numbers = f'recorded {difference.recorded!r}, replayed {difference.replayed!r}'
    return f'{difference.size:.3g} at {where}: {numbers}'


def _by_joint(run: RecordedRun, outcome: Outcome) -> list[str]:
    target = outcome.tensors['target' if outcome.tensors['target'].compared else 'output']
    if not target.compared:
        return []
    lines = ['joint                            rms rad    max rad']
    for name, rms, worst in zip(run.fact('joint_order'), target.rms, target.worst, strict=False):
        lines.append(f'  {name:28} {rms:9.4f}  {worst:9.4f}')
    return lines


def _as_json(
    run: RecordedRun, outcome: Outcome, *, other: bool, exact: bool, seconds: float
) -> bytes:
    content = {
        'run': str(run.path),
        'verdict': _verdict(outcome, other=other, exact=exact),
        'exact': exact,
        'records': outcome.records,
        'run_records': outcome.run_records,
        'replayed': outcome.replayed,
        'seconds': round(seconds, 3),
        'tensors': {
            name: each.as_json() | {'rms': each.rms if np.isfinite(each.rms).all() else None}
            for name, each in outcome.tensors.items()
        },
        'changes': outcome.changes,
        'missing': outcome.missing,
        'skipped': outcome.skipped,
        'unchecked_targets': outcome.unchecked_targets,
        'unusable': outcome.unusable,
        'first_unusable': outcome.first_unusable or None,
        'damaged_lines': len(run.damaged),
        'joints': list(run.fact('joint_order')),
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
