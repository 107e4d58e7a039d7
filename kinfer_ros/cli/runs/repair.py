"""`python -m kinfer_ros repair`: repair a run after a kill or a power cut.

Exit code 0: the run is complete; 2: it cannot be repaired.
"""

import argparse
import json
from pathlib import Path

from kinfer_ros.analysis.recorded_run import not_a_run
from kinfer_ros.analysis.repair import BagRepair
from kinfer_ros.analysis.repair import bags_of
from kinfer_ros.analysis.repair import repair_bag
from kinfer_ros.analysis.repair import repair_facts
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_json_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import RunError


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'repair',
        'Recover the readable data of the bag of a killed recorder, with index and '
        'metadata.yaml, and record in run.json where the step log ends. The damaged bag is kept '
        'next to it.',
        'repair runs/latest',
        codes='0: the run is complete',
    )
    parser.add_argument('run', type=Path, metavar='RUN', help='run directory, or a bag directory')
    add_json_argument(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, or 2 for a user error."""
    run: Path = arguments.run
    if not run.is_dir():
        raise RunError(f'{run}: {not_a_run(run, "no such directory", logs=False)}')
    is_bag = not (run / 'run.json').exists() and any(run.glob('*.mcap'))
    bags = [repair_bag(path) for path in ([run.resolve()] if is_bag else bags_of(run.resolve()))]
    facts = [] if is_bag else repair_facts(run)
    if arguments.json:
        print(json.dumps({'bags': [_plain(bag) for bag in bags], 'run_json': facts}, indent=2))
    else:
        print('\n'.join([*map(_describe, bags), *facts] or ['nothing to repair']))
    return 0


def _plain(bag: BagRepair) -> dict[str, object]:
    return {
        'path': str(bag.path),
        'kept': None if bag.kept is None else str(bag.kept),
        'messages': bag.messages,
        'lost_bytes': bag.lost_bytes,
        'refused': bag.refused,
    }


def _describe(bag: BagRepair) -> str:
    if bag.kept is None:
        return f'{bag.path}: whole'
    text = f'{bag.path}: {bag.messages} messages recovered, {bag.lost_bytes} bytes lost'
    text += f'; the damaged one is in {bag.kept}'
    return text + ''.join(f'\n  without {topic}: {why}' for topic, why in bag.refused.items())
