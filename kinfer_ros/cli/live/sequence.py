"""`python -m kinfer_ros sequence`: list, play and convert command sequences.

Exit code 0: done, or ended by Ctrl-C; 1: no policy node is heard, or a motion was not converted; 2
for a user error.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kinfer_ros.cli.common import command
from kinfer_ros.cli.drafts import written
from kinfer_ros.cli.live.teleop import PERIOD
from kinfer_ros.cli.live.teleop import caught_signals
from kinfer_ros.cli.live.teleop import send_neutral
from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_force_argument
from kinfer_ros.cli.parsers import add_node_arguments
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.commands.kmotions import convert
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import find_sequence
from kinfer_ros.commands.sequence import load_folder
from kinfer_ros.commands.sequence import load_sequence
from kinfer_ros.control.command import own_name

if TYPE_CHECKING:
    from kinfer_ros.nodes.teleop import SteeringNode

FIND_TIMEOUT = 7.0
"""s in which the policy node has to be heard: its diagnostics come each second."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'sequence',
        'Command sequences: commands of a policy over time, by name (docs/sequences.md).',
        'sequence list',
        'sequence play wave',
        'sequence convert motions.py --out my_sequences/',
        codes='0: done, or ended by Ctrl-C; 1: no policy node is heard, or a motion was not '
        'converted',
    )
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    found = actions.add_parser('list', help='list the sequences of a folder')
    _add_folder(found)
    add_epilog(found, 'sequence list', codes='0: listed')
    play = actions.add_parser('play', help='play a sequence on a running policy node')
    play.add_argument('name', help='name of a sequence, or the path of its file')
    _add_folder(play)
    add_node_arguments(play)
    add_epilog(play, 'sequence play wave', codes='0: played; 1: no policy node is heard')
    from_kmotions = actions.add_parser('convert', help="convert K-Scale's kmotions")
    from_kmotions.add_argument('file', type=Path, help='motions.py, or keyframes as .json')
    from_kmotions.add_argument('--out', type=Path, default=Path(), help='folder (default: here)')
    add_force_argument(from_kmotions)
    add_epilog(
        from_kmotions,
        'sequence convert motions.py --out my_sequences/',
        codes='0: all converted; 1: some are not',
    )
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--sequences',
        type=Path,
        metavar='FOLDER',
        help='folder of sequences (default: those of the package)',
    )


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code."""
    if arguments.action == 'list':
        return _list(arguments.sequences)
    if arguments.action == 'convert':
        return _convert(arguments)
    return _play(find_sequence(arguments.name, arguments.sequences), arguments)


def _list(folder: Path | None) -> int:
    for sequence in load_folder(folder).values():
        entries = ', '.join(sequence.tracks)
        print(f'{sequence.name:<20} {sequence.seconds:5.1f} s  {entries}')
    return 0


def _convert(arguments: argparse.Namespace) -> int:
    """Write a file for each motion, all or none."""
    found = convert(arguments.file)
    head = f'# Converted from {arguments.file.name} of kmotions.\n'
    texts = {arguments.out / f'{name}.yaml': head + text for name, text in found.texts.items()}
    with written(texts, overwrite=arguments.force):
        for path in texts:
            load_sequence(path)
    for path in texts:
        print(f'wrote {path}')
    for name, reason in found.left_out.items():
        print(f'not converted: {name}: {reason}', file=sys.stderr)
    return 1 if found.left_out else 0


def _play(sequence: CommandSequence, arguments: argparse.Namespace) -> int:
    # Imported here: --help works without ROS.
    from kinfer_ros.nodes.teleop import SteeringNode
    from kinfer_ros.ros.context import ros_context

    with caught_signals() as ended, ros_context() as context:
        node = SteeringNode(context, arguments.namespace, arguments.node)
        try:
            return _play_on(node, sequence, ended)
        finally:
            node.close()


def _play_on(node: 'SteeringNode', sequence: CommandSequence, ended: list[int]) -> int:
    """Play until the end or a signal, which blends out; then the entries are neutral."""
    deadline = time.monotonic() + FIND_TIMEOUT
    while node.ranges is None and not ended:
        if time.monotonic() > deadline:
            print(f'no policy node is heard: {node.message or "is it running?"}', file=sys.stderr)
            return 1
        node.poll()
        time.sleep(PERIOD)
    if node.ranges is None:
        return 0
    if refusal := sequence.refusal(node.ranges):
        print(refusal, file=sys.stderr)
        return 1
    # Only its own entries: others stay with whoever commands them.
    names = [own_name(name, node.ranges) for name in sequence.tracks]
    steering = Steering({name: node.ranges[name] for name in names})
    steering.advance(time.monotonic())
    steering.play(sequence)
    while steering.playing:
        if ended:
            steering.end_sequence()
        node.poll()
        steering.advance(time.monotonic())
        node.send(steering)
        time.sleep(PERIOD)
    send_neutral(node, steering)
    return 0
