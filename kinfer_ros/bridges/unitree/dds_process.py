"""The process that speaks Unitree's DDS: reads rt/lowstate, writes rt/lowcmd at 500 Hz.

Apart from the bridge, because two DDS libraries in one process share symbols and have crashed, and
because a bridge that dies must not leave its last target in force. Started by link.py.
"""

import contextlib
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

from cyclonedds.builtin import BuiltinDataReader
from cyclonedds.builtin import BuiltinTopicDcpsPublication
from cyclonedds.core import DDSException
from cyclonedds.core import InstanceState
from cyclonedds.core import Policy
from cyclonedds.core import Qos
from cyclonedds.core import ReadCondition
from cyclonedds.core import SampleState
from cyclonedds.core import ViewState
from cyclonedds.core import WaitSet
from cyclonedds.domain import Domain
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.dds_types import Request
from kinfer_ros.bridges.unitree.dds_types import Response
from kinfer_ros.bridges.unitree.dds_types import low_command
from kinfer_ros.bridges.unitree.dds_types import low_state
from kinfer_ros.bridges.unitree.dds_types import request
from kinfer_ros.bridges.unitree.dds_types import with_data
from kinfer_ros.bridges.unitree.messages import FAMILIES
from kinfer_ros.bridges.unitree.repeater import PERIOD_NS
from kinfer_ros.bridges.unitree.repeater import Repeater
from kinfer_ros.bridges.unitree.switcher import CHECK_MODE

STATE_TOPIC, COMMAND_TOPIC = 'rt/lowstate', 'rt/lowcmd'
SWITCHER = 'rt/api/motion_switcher/'
MAX_PUBLISHERS, MAX_TEXT, MAX_FRAMES = 16, 400, 64
LOOK_NS = 100_000_000
"""Between two looks at who publishes, and for answers of the motion switcher."""
AGAIN_NS = 500_000_000
"""Until the motion switcher is asked again: DDS may connect the two after the first question."""
LATE_NS = 20_000_000
"""Delay after which missed messages are not made up for."""
CONFIGURATION = (
    '<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface name="{}" '
    'priority="default" multicast="default"/></Interfaces></General></Domain></CycloneDDS>'
)


class UnitreeDds:
    """One participant of the robot's domain."""

    def __init__(self, interface: str, domain: int, family_name: str) -> None:
        """:raises DDSException: it cannot take part."""
        family = FAMILIES[family_name]
        self._domain = Domain(domain, CONFIGURATION.format(interface))
        self.participant = DomainParticipant(domain)
        self._command = low_command(family)
        self.writer = self._writer(COMMAND_TOPIC, self._command)
        self.states = DataReader(
            self.participant, Topic(self.participant, STATE_TOPIC, low_state(family)),
            qos=Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(4)),
        )  # fmt: skip
        self._requests = self._writer(f'{SWITCHER}request', Request)
        self._answers = DataReader(
            self.participant, Topic(self.participant, f'{SWITCHER}response', Response)
        )
        self._publications = BuiltinDataReader(self.participant, BuiltinTopicDcpsPublication)
        self._known: dict[str, list[str]] = {}
        self._asked: set[int] = set()
        self._open: tuple[int, int] | None = None
        """Number and time (ns) of the last question that changes nothing."""

    def _writer(self, topic: str, kind: Any) -> Any:
        qos = Qos(Policy.Reliability.Reliable(0), Policy.History.KeepLast(1))
        return DataWriter(self.participant, Topic(self.participant, topic, kind), qos=qos)

    def write(self, message: bytes) -> None:
        """Write a message on rt/lowcmd."""
        self.writer.write(with_data(self._command, message))

    def ask(self, number: int, api_id: int) -> None:
        """Ask the motion switcher."""
        self._asked.add(number)
        self._open = (number, time.monotonic_ns()) if api_id == CHECK_MODE else None
        self._requests.write(request(number, api_id))

    def ask_again(self) -> None:
        """Repeat a question that was not answered, if it changes nothing."""
        if self._open is None:
            return
        number, asked_ns = self._open
        now_ns = time.monotonic_ns()
        if number not in self._asked:
            self._open = None
        elif now_ns - asked_ns > AGAIN_NS:
            self._open = (number, now_ns)
            self._requests.write(request(number, CHECK_MODE))

    def answers(self) -> list[list[Any]]:
        """Return number, code and data of the answers to our questions."""
        found = []
        for answer in self._answers.take(N=8):
            identity = getattr(getattr(answer, 'header', None), 'identity', None)
            if identity is not None and identity.id in self._asked:
                self._asked.discard(identity.id)
                found.append([identity.id, answer.header.status.code, answer.data[:MAX_TEXT]])
        return found

    def publishers(self) -> list[list[str]] | None:
        """Return topic, type and id of the publishers of other processes; None: no change."""
        changed = False
        for sample in self._publications.take(N=64):
            key = str(sample.key)
            alive = sample.sample_info.instance_state == InstanceState.Alive
            ours = alive and sample.participant_key == self.participant.guid
            if alive and not ours and sample.topic_name in (STATE_TOPIC, COMMAND_TOPIC):
                changed |= key not in self._known
                self._known[key] = [sample.topic_name, sample.type_name[:MAX_TEXT], key]
            elif not alive:
                changed |= self._known.pop(key, None) is not None
        return list(self._known.values())[:MAX_PUBLISHERS] if changed else None


def forward(dds: UnitreeDds, bridge: socket.socket, ended: threading.Event) -> None:
    """Hand over what comes from the robot; say why where that ends before `ended` is set."""
    try:
        _forward(dds, bridge, ended)
    except Exception as error:
        _send(bridge, frames.FAILED + repr(error).encode()[:MAX_TEXT])
        raise


def _forward(dds: UnitreeDds, bridge: socket.socket, ended: threading.Event) -> None:
    anything = ViewState.Any | SampleState.Any | InstanceState.Any
    waiting = WaitSet(dds.participant)
    waiting.attach(ReadCondition(dds.states, anything))
    look_ns = 0
    while not ended.is_set():
        if waiting.wait(LOOK_NS // 2):
            arrival_ns = time.monotonic_ns()
            for sample in dds.states.take(N=4):
                if hasattr(sample, 'data'):
                    _send(bridge, frames.state_frame(arrival_ns, sample.data))
        if time.monotonic_ns() - look_ns > LOOK_NS:
            look_ns = time.monotonic_ns()
            publishers = dds.publishers()
            if publishers is not None:
                _send(bridge, frames.json_frame(frames.PUBLISHERS, publishers))
            for answer in dds.answers():
                _send(bridge, frames.json_frame(frames.ANSWER, answer))
            dds.ask_again()


def _send(bridge: socket.socket, frame: bytes) -> None:
    with contextlib.suppress(OSError):  # it is slow, or gone, which `repeat` sees
        bridge.send(frame[: frames.MAX_FRAME], socket.MSG_DONTWAIT)


def repeat(dds: UnitreeDds, bridge: socket.socket, ended: threading.Event) -> None:
    """Write what the bridge says, until it is gone, or `ended` is set, and the robot is damped."""
    due_ns = time.monotonic_ns()
    repeater = Repeater(due_ns)
    while not repeater.has_ended(due_ns):
        due_ns = max(due_ns + PERIOD_NS, time.monotonic_ns() - LATE_NS)
        if repeater.alone:
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
        elif ended.is_set() or not _listen(dds, bridge, repeater, due_ns):
            repeater.bridge_is_gone(due_ns)
        if repeater.check(time.monotonic_ns()):
            _send(bridge, frames.DAMPED)
        if repeater.message is not None:
            dds.write(repeater.message)


def _listen(dds: UnitreeDds, bridge: socket.socket, repeater: Repeater, until_ns: int) -> bool:
    """Take frames of the bridge until a time; :return: False if it is gone."""
    for _ in range(MAX_FRAMES):
        wait = max(0, until_ns - time.monotonic_ns()) / 1e9
        if not select.select([bridge], [], [], wait)[0]:
            break
        try:
            frame = bridge.recv(frames.MAX_FRAME)
        except ConnectionError:  # it left frames of ours unread
            return False
        if not frame:
            return False
        if frame[:1] == frames.ASK:
            dds.ask(*frames.read_ask(frame))
        else:
            repeater.take(frame, time.monotonic_ns())
    return True


def main(arguments: list[str]) -> int:
    """Run with an inherited socket: its number, interface, domain, family."""
    number, interface, domain, family = arguments
    ended = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the bridge, which ends softly
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    bridge = socket.socket(fileno=int(number))
    try:
        dds = UnitreeDds(interface, int(domain), family)
    except DDSException as error:
        _send(bridge, frames.FAILED + str(error).encode()[:MAX_TEXT])
        return 2
    _send(bridge, frames.READY)
    reader_ended = threading.Event()
    reader = threading.Thread(target=forward, args=(dds, bridge, reader_ended), daemon=True)
    reader.start()
    try:
        repeat(dds, bridge, ended)
    finally:
        reader_ended.set()
        reader.join(1.0)
    return 0


if __name__ == '__main__':
    raise SystemExit(main(sys.argv[1:]))
