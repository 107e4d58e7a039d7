"""Writes a rosbag2 directory (version 9, MCAP) from serialised messages.

`ros2 bag`, Foxglove, PlotJuggler, rosbags and mcap read the result. Messages are collected in
chunks; flush() ends a chunk and passes it to the operating system, so that a killed process loses
only what came after the last flush. close() writes metadata.yaml, without which readers refuse the
directory.
"""

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

# RMW_DURATION_INFINITE: the QoS of a publisher without a deadline.
_INFINITE = QosTime(9223372036, 854775807)


class BagWriter:
    """
    An open bag: `path` (directory), `counts` (messages by topic), `refused` (reason by topic).

    A disk error ends it: the failing call raises, later calls are ignored.
    """

    def __init__(self, path: Path, types: MessageTypes) -> None:
        """
        Create the directory and open the file.

        :param path: must not exist; its parents are created.
        :raises RunError: it exists, or cannot be created.
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
        except Exception as error:  # OSError, or rosbags' own exceptions
            raise RunError(
                f'{path}: no bag can be created here ({error}); '
                'choose a directory that does not exist yet and can be written'
            ) from error

    def add_topic(
        self, topic: str, msgtype: str, *, reliable: bool = True, latched: bool = False
    ) -> bool:
        """
        Add a topic with the QoS of its publishers, for playback with the same QoS.

        :return: False when the type's definition is not known: the topic is refused.
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
        self._connections[key] = self._run_or_end(
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

        :param stamp_ns: time of reception, ns since the Unix epoch.
        :param data: CDR with its four byte header, written unchanged.
        :return: False when it was not written, because its topic is refused or the bag has ended.
        :raises RunError: the disk is full or has failed; the bag has ended.
        """
        connection = self._connections.get((topic, msgtype))
        if connection is None:
            if not self.add_topic(topic, msgtype):
                return False
            connection = self._connections[topic, msgtype]
        if self._ended:
            return False
        self._run_or_end(lambda: self._writer.write(connection, stamp_ns, data))
        self.counts[topic] += 1
        return True

    def flush(self) -> None:
        """
        Pass everything written so far to the operating system.

        :raises RunError: the disk is full or has failed; the bag has ended.
        """
        if not self._ended:
            self._run_or_end(self._end_chunk)

    def close(self, notes: Mapping[str, str] | None = None) -> dict[str, int]:
        """
        Write index and metadata.yaml; safe to call again.

        :param notes: entries for custom_data in metadata.yaml.
        :return: number of messages by topic.
        :raises RunError: the disk is full or has failed.
        """
        if not self._ended:
            for key, text in (notes or {}).items():
                self._writer.set_custom_data(key, text)
            self._run_or_end(self._writer.close)
            self._ended = True
        return dict(self.counts)

    def _end_chunk(self) -> None:
        # rosbags ends a chunk only at 1 MiB, which takes many seconds here. Its storage can do it
        # earlier; an empty chunk must not be ended.
        storage: Any = self._writer.storage
        if storage.chunk.msgs:
            storage.close_chunk()
        storage.bio.flush()

    def _run_or_end(self, action: Callable[[], Any]) -> Any:
        """Run an action on the file; any failure ends the bag with one error."""
        try:
            return action()
        except Exception as error:  # OSError, or rosbags' own exceptions
            self._ended = True
            self._abandon()
            raise RunError(f'{self.path}: writing failed ({error}); the bag ends here') from error

    def _abandon(self) -> None:
        try:
            self._writer.abort()
        except Exception:  # the failed disk fails again
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
