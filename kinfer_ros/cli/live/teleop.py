"""`python -m kinfer_ros teleop`: steer every entry of a policy's command from the keyboard.

Exit code 0 at Ctrl-C; 2 for a user error. At the end the terminal is restored and the last command
is neutral; after SIGKILL the policy node's `command_timeout` does that.
"""

import argparse
import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinfer_ros.cli.common import command
from kinfer_ros.cli.live.teleop_screen import ENTER
from kinfer_ros.cli.live.teleop_screen import LEAVE
from kinfer_ros.cli.live.teleop_screen import render
from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.cli.live.teleop_steering import split_keys
from kinfer_ros.cli.parsers import add_node_arguments
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.commands.sequence import CommandSequence
from kinfer_ros.commands.sequence import load_folder
from kinfer_ros.errors import ConfigError

if TYPE_CHECKING:
    from kinfer_ros.nodes.teleop import SteeringNode

PERIOD = 0.05
"""s between commands."""
LAST_COMMANDS = 3
"""Neutral commands at the end, in case one is lost."""
QUIT = ('\x03', '\x04')
SERVICES = {'g': 'start', 'x': 'stop', 'r': 'reset'}


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'teleop',
        'Steer a policy with the keyboard: every entry of its command, by name '
        '(policy_command). A value stays when the key is released; space sets all to neutral, '
        'x is the soft stop of the policy node. The policies of a set are listed with their keys.',
        'teleop',
        'teleop --namespace robot1',
        codes='0: ended by Ctrl-C',
    )
    add_node_arguments(parser)
    parser.add_argument(
        '--sequences',
        type=Path,
        metavar='FOLDER',
        help='folder of command sequences for the keys 1 to 9 (default: those of the package)',
    )
    return parser


@command(make_parser, draws=True)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError('teleop: found no terminal; it reads keys from one')
    sequences = list(load_folder(arguments.sequences).values())
    # Imported here: --help works without ROS.
    from kinfer_ros.nodes.teleop import SteeringNode
    from kinfer_ros.ros.context import ros_context

    with caught_signals() as ended, ros_context() as context:
        node = SteeringNode(context, arguments.namespace, arguments.node)
        try:
            with _terminal():
                _steer(node, sequences, ended)
        finally:
            node.close()
    return 0


@contextlib.contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collect signals that end the process in a list."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {
        number: signal.signal(number, lambda found, _: received.append(found))
        for number in numbers
    }
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Read single keys without echo on the alternate screen; restore the terminal afterwards."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSANOW)
        mode = termios.tcgetattr(number)
        # Disable Ctrl-S and Ctrl-Z: stopped, it would send nothing and leave the terminal changed.
        mode[0] &= ~termios.IXON
        mode[6][termios.VSUSP] = os.fpathconf(number, 'PC_VDISABLE').to_bytes(1, 'little')
        termios.tcsetattr(number, termios.TCSANOW, mode)
        _write(ENTER)
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
            _write(LEAVE)
            # Not TCSADRAIN, which would wait for a terminal that no longer reads.
            termios.tcsetattr(number, termios.TCSANOW, before)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _steer(
    node: 'SteeringNode', sequences: Sequence[CommandSequence], ended: Sequence[int]
) -> None:
    """Process keys until quit, a signal or the loss of the terminal; then send neutral."""
    steering: Steering | None = None
    shown = ''
    try:
        while not ended:
            node.poll()
            steering = _steering_for(steering, node.ranges, sequences)
            if steering is not None:
                steering.advance(time.monotonic())
                node.send(steering)
            drawn = render(steering, node.mode, node.seen, node.message, node.policies)
            if drawn != shown:
                _write(drawn)
                shown = drawn
            if not _process_keys(_keys(PERIOD), steering, node):
                return
    except OSError:
        pass  # the terminal is gone
    finally:
        if steering is not None:
            send_neutral(node, steering)


def _steering_for(
    steering: Steering | None, ranges: Ranges | None, sequences: Sequence[CommandSequence]
) -> Steering | None:
    """Return a new, neutral Steering if the policy changed."""
    if ranges is None or (steering is not None and steering.ranges == ranges):
        return steering
    return Steering(ranges, sequences)


def _keys(seconds: float) -> list[str]:
    """Wait for keys, at most that long; :return: QUIT if the terminal is gone."""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return []
    text = os.read(sys.stdin.fileno(), 64)
    return split_keys(text.decode(errors='ignore')) if text else [QUIT[1]]


def _process_keys(keys: Sequence[str], steering: Steering | None, node: 'SteeringNode') -> bool:
    """Process keys; :return: False if one of them quits."""
    for key in keys:
        if key in QUIT:
            return False
        if key in SERVICES:
            if key == 'x' and steering is not None:
                steering.stop()
            node.call(SERVICES[key])
        elif name := node.policies.of_key(key):
            node.ask_policy(name)
        elif steering is not None:
            steering.key(key)
    return True


def send_neutral(node: 'SteeringNode', steering: Steering) -> None:
    """Send neutral commands, the last ones, and wait until they have arrived."""
    steering.stop()
    for _ in range(LAST_COMMANDS):
        node.send(steering)
        time.sleep(PERIOD / 5)
    node.wait_until_sent(0.5)
