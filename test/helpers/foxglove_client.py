"""A client of Foxglove's WebSocket protocol (foxglove.sdk.v1), in place of Foxglove's app."""

from __future__ import annotations

import json
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any

from websockets.sync.client import connect

SETTLE = 0.1
"""s between an advertised channel and its subscription: foxglove-sdk announces a channel a moment
before it accepts subscriptions."""


class FoxgloveClient:
    """
    Subscribes to every topic that the server advertises.

    :ivar info: the server's first message.
    :ivar channels: what it advertised, by topic.
    :ivar messages: of each topic, (time in ns, bytes).
    :ivar replies: its other messages.
    """

    def __init__(self, port: int) -> None:
        self.info: dict[str, Any] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.replies: list[dict[str, Any]] = []
        self._topics: dict[int, str] = {}
        self._connection = connect(
            f'ws://127.0.0.1:{port}', subprotocols=['foxglove.sdk.v1'], close_timeout=1
        )

    def __enter__(self) -> FoxgloveClient:
        self._socket = self._connection.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.__exit__(kind, error, trace)

    def ask(self, message: dict[str, Any] | bytes) -> None:
        """Send an operation."""
        self._socket.send(json.dumps(message) if isinstance(message, dict) else message)

    def read_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Take messages until a condition holds; :return: whether it came true."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            try:
                self._take(self._socket.recv(timeout=0.2))
            except TimeoutError:
                continue
        return True

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            kind, number, stamp = struct.unpack_from('<BIQ', message)
            assert kind == 1  # message data
            self.messages[self._topics[number]].append((stamp, message[13:]))
            return
        content = json.loads(message)
        if content['op'] == 'serverInfo':
            self.info = content
        elif content['op'] == 'advertise':
            self._subscribe(content['channels'])
        else:
            self.replies.append(content)

    def _subscribe(self, channels: list[dict[str, Any]]) -> None:
        wanted = []
        for channel in channels:
            self.channels[channel['topic']] = channel
            number = len(self._topics) + 1
            self._topics[number] = channel['topic']
            wanted.append({'id': number, 'channelId': channel['id']})
        time.sleep(SETTLE)
        self.ask({'op': 'subscribe', 'subscriptions': wanted})


def attempts() -> list[dict[str, Any] | bytes]:
    """All that would change a robot: a message on cmd_vel, a parameter, a service call."""
    twist = {'topic': '/cmd_vel', 'encoding': 'cdr', 'schemaName': 'geometry_msgs/msg/Twist'}
    parameter = {'name': '/policy_node.max_tilt', 'value': 3.0}
    return [
        {'op': 'advertise', 'channels': [{'id': 1, **twist}]},
        struct.pack('<BI', 1, 1) + bytes(52),
        {'op': 'setParameters', 'parameters': [parameter], 'id': 'set'},
        struct.pack('<BIII', 2, 1, 1, 3) + b'cdr' + bytes(4),
    ]
