"""Passes the messages of a running graph on to Foxglove, undecoded."""

import re
import time
from collections.abc import Callable

from rclpy.node import Node

from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag_types import MessageTypes
from kinfer_ros.ros.topic_recorder import RecordedTopic
from kinfer_ros.ros.topic_recorder import TopicRecorder
from kinfer_ros.run.versions import ros_distro
from kinfer_ros.viewers.foxglove_layout import GLOBAL_TOPICS
from kinfer_ros.viewers.foxglove_server import FoxgloveServer

PERIOD = 0.02
"""s between batches of messages."""

DISCOVERY_PERIOD = 0.5
"""s between looks at the graph."""

RUN = '.*/run'
"""Not served: a node that subscribes to it and to the commands counts as a recorder."""


class ServedGraph:
    """The topics of a node's namespace and the global ones; without a namespace, all topics."""

    def __init__(self, node: Node, server: FoxgloveServer, warn: Callable[[str], None]) -> None:
        """:param warn: called with what the user has to know, once for each topic."""
        self._server = server
        self._warn = warn
        self._types = MessageTypes(ros_distro())
        self._refused: set[str] = set()
        exclude = excluded(node.get_namespace())
        self._topics = TopicRecorder(node, exclude, self._offer, warn, reliable=False)

    def follow(self, seconds: float) -> None:
        """Pass on for so many seconds; 0: for ever."""
        now = look = time.monotonic()
        end = now + seconds if seconds else float('inf')
        while now < end:
            if now >= look:
                look = now + DISCOVERY_PERIOD
                self._topics.discover()
            self._server.send_latched()
            for tap, stamp_ns, data in self._topics.take():
                if tap.topic not in self._refused:
                    self._server.send(tap.topic, stamp_ns, data)
            time.sleep(PERIOD)
            now = time.monotonic()

    def _offer(self, tap: RecordedTopic) -> None:
        """Offer a topic that is new, or whose publishers have changed."""
        if tap.topic not in self._server.topics:
            try:
                definition, _ = self._types.definition(tap.msgtype)
            except RunError as error:
                self._refused.add(tap.topic)
                self._warn(f'{tap.topic} is left out: {error}')
                return
            self._server.add_topic(tap.topic, tap.msgtype, definition)
        self._server.keep(tap.topic, tap.latched)


def excluded(namespace: str) -> list[str]:
    """
    Return regular expressions that match the topics which are not served.

    :param namespace: of the robot; `/`: all robots are served.
    """
    if namespace == '/':
        return [RUN]
    return [RUN, f'(?!{re.escape(namespace)}/|/({"|".join(GLOBAL_TOPICS)})$).*']
