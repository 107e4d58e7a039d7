"""`python -m kinfer_ros unitree`: which controller of a Unitree robot is active; end it.

Connects directly, without ROS: it tests robot, network and robot file before a node starts.
"""

import argparse
import itertools
import sys
import time

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.link import Link
from kinfer_ros.bridges.unitree.link import check_interface
from kinfer_ros.bridges.unitree.messages import StateReader
from kinfer_ros.bridges.unitree.options import AUTO
from kinfer_ros.bridges.unitree.options import family_of
from kinfer_ros.bridges.unitree.switcher import CHECK_MODE
from kinfer_ros.bridges.unitree.switcher import RELEASE_MODE
from kinfer_ros.bridges.unitree.switcher import TIMEOUT
from kinfer_ros.bridges.unitree.switcher import active_mode
from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_epilog
from kinfer_ros.cli.parsers import add_robot_argument
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import MessageError
from kinfer_ros.robot.robot import load_robot

LOOK_TIME = 2.0
"""s for which the robot is listened to."""
RELEASES = 5
"""Controllers may stand on others: so often one is released."""
SETTLE_TIME = 1.0
"""s between a release and the question whether another controller is active now."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'unitree',
        "Show which controller of a Unitree robot's own is active, or end it (docs/unitree.md).",
        'unitree state --network-interface eth0',
        'unitree release --network-interface eth0',
        codes='0: no controller is active; 1: one is, or nobody knows',
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    looking = commands.add_parser(
        'state',
        help='show the rate of lowstate, mode_machine, publishers and the active controller',
        description='Listen for two seconds; nothing is sent to the motors.',
    )
    releasing = commands.add_parser(
        'release',
        help="end the robot's own controller, after a question",
        description="End the robot's own controller through its motion switcher. A robot that "
        'stands then falls: hang it up, or lay it down, before.',
    )
    releasing.add_argument('--yes', action='store_true', help='do not ask for confirmation')
    codes = '0: no controller is active; 1: one is, or nobody knows'
    add_epilog(looking, 'unitree state --network-interface eth0 --robot go2', codes=codes)
    add_epilog(releasing, 'unitree release --network-interface eth0', codes=codes)
    for each in (looking, releasing):
        add_robot_argument(each, 'g1')
        each.add_argument(
            '--network-interface', required=True, help='network interface that leads to the robot'
        )
        each.add_argument('--family', default=AUTO, help='hg or go, where the robot is not known')
        each.add_argument('--domain', type=int, default=0, help='DDS domain (%(default)s)')
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 for an active controller, 2 for a user error."""
    robot = load_robot(arguments.robot)
    family = family_of(arguments.family, robot.name)
    check_interface(arguments.network_interface)
    talk = Talk(Link(arguments.network_interface, arguments.domain, family.name))
    try:
        if arguments.command == 'state':
            talk.listen(LOOK_TIME)
            _print_states(talk, StateReader(family))
            return _print_mode(talk.ask(CHECK_MODE))
        return _release(talk, sure=arguments.yes)
    finally:
        talk.link.close()


class Talk:
    """A conversation with a robot; nothing is written on rt/lowcmd."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.states: list[bytes] = []
        self.publishers: list[frames.Publisher] = []
        self._answers: dict[int, frames.Answer] = {}
        self._numbers = itertools.count(time.time_ns())

    def listen(self, seconds: float) -> None:
        """Take what the robot sends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._take()

    def ask(self, api_id: int) -> frames.Answer | None:
        """Ask the motion switcher; :return: its answer, None where there is none in time."""
        number, deadline = next(self._numbers), time.monotonic() + TIMEOUT
        self.link.send(frames.ask_frame(number, api_id))
        while number not in self._answers and time.monotonic() < deadline:
            self._take()
        return self._answers.pop(number, None)

    def _take(self) -> None:
        for frame in self.link.receive(0.05):
            if frame[:1] == frames.STATE:
                self.states.append(frames.read_state(frame)[1])
            elif frame[:1] == frames.PUBLISHERS:
                self.publishers = frames.read_publishers(frame)
            elif frame[:1] == frames.ANSWER:
                answer = frames.read_answer(frame)
                self._answers[answer.number] = answer
        if self.link.lost:
            raise BridgeError(f'the DDS process is gone: {self.link.lost}')


def _print_states(talk: Talk, reader: StateReader) -> None:
    print(f'rt/lowstate  {len(talk.states) / LOOK_TIME:.0f} Hz')
    for each in talk.publishers:
        print(f'publisher    {each.topic} {each.type_name} {each.key}')
    if not talk.states:
        return
    try:
        state = reader.read(talk.states[-1])
    except MessageError as error:
        print(f'problem      {error}')
        return
    if 'mode_machine' in state.dtype.names:
        print(f'mode_machine {state["mode_machine"]}')


def _print_mode(answer: frames.Answer | None) -> int:
    try:
        name = active_mode(answer)
    except BridgeError as error:
        print(f'controller   {error}')
        return 1
    print(f'controller   {name or "none is active"}')
    return 1 if name else 0


def _release(talk: Talk, *, sure: bool) -> int:
    for _ in range(RELEASES):
        name = active_mode(talk.ask(CHECK_MODE))
        if not name:
            print('no controller of the robot is active')
            return 0
        if not sure and not _confirmed(name):
            print('nothing was done', file=sys.stderr)
            return 1
        sure = True
        answer = talk.ask(RELEASE_MODE)
        if answer is None or answer.code:
            code = 'nothing' if answer is None else f'the error {answer.code}'
            raise BridgeError(f'the motion switcher answers ReleaseMode with {code}')
        talk.listen(SETTLE_TIME)
    raise BridgeError(f'a controller was active again after each of {RELEASES} releases')


def _confirmed(name: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(
            'a robot that stands will fall, and there is no terminal to ask for confirmation: '
            'give --yes'
        )
    print(f"The robot's controller {name!r} ends, and with it whatever holds the robot up.")
    try:
        return input('Does the robot hang, or lie on the floor? [yes/no] ') == 'yes'
    except EOFError:
        return False
