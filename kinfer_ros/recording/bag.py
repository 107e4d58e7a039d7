"""Writes a rosbag2 directory (version 9, MCAP) from serialised messages, as they came.

`ros2 bag`, Foxglove, PlotJuggler, rosbags and mcap read the result. Messages are gathered in
chunks; flush() ends a chunk and hands it to the operating system, so that a killed process loses
only what came after the last flush. Without metadata.yaml, which close() writes, readers refuse
the directory, although the chunks are there.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rosbags.interfaces import Qos
from rosbags.interfaces import QosDurability
from rosbags.interfaces import QosHistory
from rosbags.interfaces import QosLiveliness
from rosbags.interfaces import QosReliability
from rosbags.interfaces import QosTime
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer

from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag_types import MessageTypes

# RMW_DURATION_INFINITE: what a publisher that sets no deadline offers.
_INFINITE = QosTime(9223372036, 854775807)


class BagWriter:
    """
    One open bag: `path` (the directory), `counts` (messages by topic), `refused` (topic: why).

    A disk error ends it: the call that met it raises, everything later is ignored.
    """

    def __init__(self, path: Path, types: MessageTypes) -> None:
        """
        Make the directory and open the file.

        :param path: must not exist; its parents are made.
        :raises RunError: it exists, or cannot be made.
        """
        self.path = path
        self.counts: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self._types = types
        self._connections: dict[tuple[str, str], Any] = {}
        self._ended = False
        try:
            self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except Exception as error:  # OSError, or rosbags' own error family
            raise RunError(
                f'{path}: no bag can be made here ({error}); '
                'choose a directory that does not exist yet and can be written'
            ) from error

    def add_topic(
        self, topic: str, msgtype: str, *, reliable: bool = True, latched: bool = False
    ) -> bool:
        """
        Announce a topic, with what its publishers offer, so that a player can offer the same.

        :return: False when the type's definition is not known: the topic is refused for good.
        """
        key = (topic, msgtype)
        if self._ended or topic in self.refused:
            return False
        if key in self._connections:
            return True
        try:
            definition, digest = self._types.definition(msgtype)
        except RunError as error:
            self.refused[topic] = str(error)
            return False
        self._connections[key] = self._guarded(
            lambda: self._writer.add_connection(
                topic,
                msgtype,
                msgdef=definition,
                rihs01=digest,
                offered_qos_profiles=[_offered(reliable, latched)],
            )
        )
        self.counts.setdefault(topic, 0)
        return True

    def add(self, topic: str, msgtype: str, stamp_ns: int, data: bytes) -> bool:
        """
        Write one message.

        :param stamp_ns: when it was received, ns since the Unix epoch.
        :param data: CDR with its four byte header, written unchanged.
        :return: False when it was not written, because its topic is refused or the bag has ended.
        :raises RunError: the disk is full or gone; the bag has ended.
        """
        connection = self._connections.get((topic, msgtype))
        if connection is None:
            if not self.add_topic(topic, msgtype):
                return False
            connection = self._connections[topic, msgtype]
        if self._ended:
            return False
        self._guarded(lambda: self._writer.write(connection, stamp_ns, data))
        self.counts[topic] += 1
        return True

    def flush(self) -> None:
        """
        Make what was written so far survive this process.

        :raises RunError: the disk is full or gone; the bag has ended.
        """
        if not self._ended:
            self._guarded(self._end_chunk)

    def close(self, notes: Mapping[str, str] | None = None) -> dict[str, int]:
        """
        Write index and metadata.yaml; safe to call again.

        :param notes: what else readers of metadata.yaml should know (its custom_data).
        :return: number of messages by topic.
        :raises RunError: the disk is full or gone.
        """
        if not self._ended:
            for key, text in (notes or {}).items():
                self._writer.set_custom_data(key, text)
            self._guarded(self._writer.close)
            self._ended = True
        return dict(self.counts)

    def _end_chunk(self) -> None:
        # rosbags ends a chunk only when it has grown to 1 MiB, which takes many seconds here. Its
        # storage has the means to do it earlier; an empty chunk must not be ended.
        storage: Any = self._writer.storage
        if storage.chunk.msgs:
            storage.close_chunk()
        storage.bio.flush()

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Run an action on the file; what goes wrong ends the bag with one error."""
        try:
            return action()
        except Exception as error:  # OSError, or rosbags' own error family
            self._ended = True
            self._abandon()
            raise RunError(f'{self.path}: writing failed ({error}); the bag ends here') from error

    def _abandon(self) -> None:
        try:
            self._writer.abort()
        except Exception:  # the disk that failed fails again at closing
            return


def _offered(reliable: bool, latched: bool) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        1 if latched else 10,
        QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        _INFINITE,
        _INFINITE,
        QosLiveliness.AUTOMATIC,
        _INFINITE,
        False,
    )
