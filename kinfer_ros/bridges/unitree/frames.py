"""What the bridge and its DDS process say to each other: one datagram each, kind and content."""

import json
import struct
from dataclasses import dataclass
from typing import Any

MAX_FRAME = 1 << 16
"""Bytes of the longest datagram."""

MAX_BACKLOG = 4
"""States of one batch that are all looked at: 8 ms."""

# To the DDS process.
WRITE = b'W'
"""Write this message from now on, 500 times a second."""
DAMP = b'D'
"""What to write when the bridge is silent for a time (ms, u32), or gone."""
REST = b'Z'
"""Write nothing: somebody else may control the robot."""
BEAT = b'H'
"""The bridge is alive."""
ASK = b'Q'
"""Ask the motion switcher: number and function (u64)."""

# From the DDS process.
READY = b'O'
"""It takes part in the domain."""
STATE = b'S'
"""A message of rt/lowstate: its arrival on the steady clock (ns, u64), its bytes."""
PUBLISHERS = b'P'
"""Who publishes rt/lowstate and rt/lowcmd, as JSON."""
ANSWER = b'R'
"""An answer of the motion switcher, as JSON."""
DAMPED = b'T'
"""The bridge was silent: it writes the damping message."""
FAILED = b'E'
"""Why it cannot go on, as text."""

_TIME = struct.Struct('<Q')
_TIMEOUT = struct.Struct('<I')
_CALL = struct.Struct('<QQ')


@dataclass(frozen=True)
class Publisher:
    """A publisher of one of the two topics, of another process."""

    topic: str
    type_name: str
    key: str
    """Its id in DDS."""


@dataclass(frozen=True)
class Answer:
    """An answer of the motion switcher."""

    number: int
    code: int
    """0 if it did what it was asked for."""
    data: str


def state_frame(arrival_ns: int, data: bytes) -> bytes:
    """Make a STATE."""
    return STATE + _TIME.pack(arrival_ns) + data


def read_state(frame: bytes) -> tuple[int, bytes]:
    """:return: arrival in ns of the steady clock, and the message of a STATE."""
    return _TIME.unpack_from(frame, 1)[0], frame[1 + _TIME.size :]


def without_old_states(batch: list[bytes]) -> list[bytes]:
    """Leave out all but the newest STATE of a batch that was held up, so that it is caught up."""
    states = [index for index, frame in enumerate(batch) if frame[:1] == STATE]
    if len(states) <= MAX_BACKLOG:
        return batch
    old = set(states[:-1])
    return [frame for index, frame in enumerate(batch) if index not in old]


def damp_frame(timeout_ns: int, message: bytes) -> bytes:
    """Make a DAMP."""
    return DAMP + _TIMEOUT.pack(timeout_ns // 1_000_000) + message


def read_damp(frame: bytes) -> tuple[int, bytes]:
    """:return: the time-out in ns, and the message of a DAMP."""
    return _TIMEOUT.unpack_from(frame, 1)[0] * 1_000_000, frame[1 + _TIMEOUT.size :]


def ask_frame(number: int, api_id: int) -> bytes:
    """Make an ASK."""
    return ASK + _CALL.pack(number, api_id)


def read_ask(frame: bytes) -> tuple[int, int]:
    """:return: number and function of an ASK."""
    number, api_id = _CALL.unpack_from(frame, 1)
    return number, api_id


def json_frame(kind: bytes, content: Any) -> bytes:
    """Make a PUBLISHERS or ANSWER."""
    return kind + json.dumps(content).encode()


def read_publishers(frame: bytes) -> list[Publisher]:
    """:return: the publishers of a PUBLISHERS."""
    return [Publisher(*row) for row in json.loads(frame[1:])]


def read_answer(frame: bytes) -> Answer:
    """:return: the content of an ANSWER."""
    return Answer(*json.loads(frame[1:]))
