"""Serves ROS 2 messages to Foxglove over its WebSocket protocol (foxglove-sdk).

Messages go out as they came, CDR with their .msg definition, so Foxglove shows them as it does
over ros-foxglove-bridge. Clients only read: the server offers neither publishing, nor parameters,
nor services. Each client has a bounded queue that drops its oldest messages, so that a slow one
holds nobody up.
"""

from collections import deque

import foxglove
from foxglove.websocket import ChannelView
from foxglove.websocket import Client
from foxglove.websocket import ServerListener

from kinfer_ros.errors import ConfigError

MAX_LATCHED = 64
"""Messages kept of a latched topic for clients that come later."""

_Kept = tuple[int, bytes]


class FoxgloveServer:
    """
    An open server.

    :ivar port: on which it listens.
    :ivar topics: the types of its topics.
    :ivar sent: number of messages.
    """

    def __init__(self, host: str, port: int, name: str) -> None:
        """
        Listen.

        :param port: 0: any that is free.
        :raises ConfigError: it cannot listen there.
        """
        self.topics: dict[str, str] = {}
        self.sent = 0
        self._context = foxglove.Context()
        self._channels: dict[str, foxglove.Channel] = {}
        self._latched: dict[str, deque[_Kept]] = {}
        self._newcomers = _Newcomers()
        try:
            self._server = foxglove.start_server(
                name=name,
                host=host,
                port=port,
                capabilities=[],
                supported_encodings=[],
                server_listener=self._newcomers,
                context=self._context,
            )
        except RuntimeError as error:
            raise ConfigError(
                f'{host}:{port}: Foxglove cannot be served there ({error}); --port chooses another'
            ) from error
        self.port = self._server.port

    def add_topic(self, topic: str, msgtype: str, definition: str) -> None:
        """
        Offer a topic.

        :param definition: its .msg text, with all nested types.
        """
        schema = foxglove.Schema(name=msgtype, encoding='ros2msg', data=definition.encode())
        self._channels[topic] = foxglove.Channel(
            topic, schema=schema, message_encoding='cdr', context=self._context
        )
        self.topics[topic] = msgtype

    def keep(self, topic: str, count: int) -> None:
        """Keep the last messages of a latched topic, one for each of its publishers; 0: none."""
        kept = self._latched.get(topic, ())
        self._latched[topic] = deque(kept, maxlen=min(count, MAX_LATCHED))

    def send(self, topic: str, stamp_ns: int, data: bytes) -> None:
        """
        Send a message to all who want it.

        :param stamp_ns: time of reception, ns since the Unix epoch.
        :param data: CDR, with its header.
        """
        self._channels[topic].log(data, log_time=stamp_ns)
        self._latched[topic].append((stamp_ns, data))
        self.sent += 1

    def send_latched(self) -> None:
        """Send what was kept to clients that have subscribed since the last time."""
        waiting = self._newcomers.waiting
        while waiting:
            client, topic = waiting.popleft()
            for stamp_ns, data in self._latched.get(topic, ()):
                self._channels[topic].log(data, log_time=stamp_ns, sink_id=client)

    def close(self) -> None:
        """Close the connections."""
        self._server.stop()


class _Newcomers(ServerListener):  # type: ignore[misc, unused-ignore]
    """
    Notes who subscribes; called by the server's threads.

    :ivar waiting: client and topic.
    """

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, str]] = deque()

    def on_subscribe(self, client: Client, channel: ChannelView) -> None:
        """Note it."""
        self.waiting.append((client.id, channel.topic))
