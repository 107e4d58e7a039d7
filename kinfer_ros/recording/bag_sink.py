"""Writes recorded messages into the open bag, or holds them until a bag is opened.

The recorder starts before the run directory is known, and the latched messages that describe the
robot come first. A failing bag never raises here: recording is off, with one error, until the next
bag is opened.
"""

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from kinfer_ros.errors import RunError
from kinfer_ros.recording.bag import BagWriter
from kinfer_ros.recording.bag_types import MessageTypes

MAX_HELD_BYTES = 16 * 2**20
"""Limit of held messages while no bag is open: the oldest are discarded, and counted."""

# Ending a chunk costs 1.5 us per message with the interpreter's lock held. At high rates chunks
# end without flush(), so that no tick waits for half a millisecond.
_FLUSH_MESSAGES = 256

_Message = tuple[str, str, int, bytes]


class BagSink:
    """
    Opens, fills and closes bags.

    `path` is the open bag's directory or None, `error` why recording is off or None, `discarded`
    the number of held messages that were discarded.
    """

    def __init__(self, types: MessageTypes, hold_bytes: int = MAX_HELD_BYTES) -> None:
        self.path: Path | None = None
        self.error: str | None = None
        self.discarded = 0
        self._types = types
        self._bag: BagWriter | None = None
        self._hold_bytes = hold_bytes
        self._held: deque[_Message] = deque()
        self._held_bytes = 0
        self._unflushed = 0
        self._offered: dict[tuple[str, str], tuple[bool, int]] = {}
        self._latched: dict[tuple[str, str], deque[_Message]] = {}

    def offer(self, topic: str, msgtype: str, *, reliable: bool, latched: int) -> None:
        """
        Set the QoS that a topic's publishers offer, before its first message and on each change.

        :param latched: number of publishers with transient local durability. That many last
            messages are repeated at the start of each later bag.
        """
        self._offered[topic, msgtype] = (reliable, latched)
        if latched:
            kept = self._latched.get((topic, msgtype), ())
            self._latched[topic, msgtype] = deque(kept, maxlen=latched)
        if self._bag is not None:
            self._announce(self._bag)

    def add(self, topic: str, msgtype: str, stamp_ns: int, data: bytes) -> bool:
        """
        Write a message, or hold it while there is no bag and no error.

        :param stamp_ns: time of reception, ns since the Unix epoch.
        :return: False when it is lost: its type is not known, or recording is off.
        """
        message = (topic, msgtype, stamp_ns, data)
        latched = self._latched.get((topic, msgtype))
        if latched is not None:
            latched.append(message)
        if self._bag is None:
            return self._hold(message)
        try:
            added = self._bag.add(topic, msgtype, stamp_ns, data)
            self._unflushed += added
            if self._unflushed >= _FLUSH_MESSAGES:
                self._unflushed = 0
                self._bag.flush()
            return added
        except RunError as error:
            self._fail(error)
            return False

    def open(self, path: Path, now_ns: int | None = None) -> bool:
        """
        Close the open bag, open another, and write the held messages into it.

        :param path: directory of the new bag.
        :param now_ns: ns since the Unix epoch, stamp of the repeated latched messages.
        :return: False when it cannot be created or written; `error` has the reason.
        """
        self.close()
        self.error = None
        try:
            self._bag = BagWriter(path, self._types)
            self.path = path
            self._announce(self._bag)
            held = list(self._held)
            for message in held:
                self._bag.add(*message)
            self._repeat_latched(self._bag, held, time.time_ns() if now_ns is None else now_ns)
            self._bag.flush()
        except RunError as error:
            self._fail(error)
        self._held.clear()
        self._held_bytes = 0
        return self.error is None

    def flush(self) -> None:
        """Pass everything written so far to the operating system."""
        if self._bag is not None:
            try:
                self._unflushed = 0
                self._bag.flush()
            except RunError as error:
                self._fail(error)

    def close(self, notes: Mapping[str, str] | None = None) -> dict[str, int] | None:
        """
        Close the bag.

        :param notes: as BagWriter.close.
        :return: number of messages by topic, or None when no bag is open.
        """
        bag, self._bag, self.path = self._bag, None, None
        if bag is None:
            return None
        try:
            return bag.close(notes)
        except RunError as error:
            self._fail(error)
            return dict(bag.counts)

    def refused(self) -> dict[str, str]:
        """Return the topics that the open bag refuses, with the reason."""
        return {} if self._bag is None else dict(self._bag.refused)

    def _hold(self, message: _Message) -> bool:
        if self.error is not None:
            return False
        self._held.append(message)
        self._held_bytes += _size(message)
        while self._held_bytes > self._hold_bytes:
            self._held_bytes -= _size(self._held.popleft())
            self.discarded += 1
        return True

    def _announce(self, bag: BagWriter) -> None:
        try:
            for (topic, msgtype), (reliable, latched) in self._offered.items():
                bag.add_topic(topic, msgtype, reliable=reliable, latched=latched > 0)
        except RunError as error:
            self._fail(error)

    def _repeat_latched(self, bag: BagWriter, held: list[_Message], now_ns: int) -> None:
        written = set(map(id, held))
        for messages in self._latched.values():
            for message in messages:
                if id(message) not in written:
                    topic, msgtype, _, data = message
                    bag.add(topic, msgtype, now_ns, data)

    def _fail(self, error: RunError) -> None:
        self._bag, self.path = None, None
        self.error = str(error)


def _size(message: _Message) -> int:
    """Memory of a held message: its bytes, and an estimate for the objects."""
    return len(message[3]) + 256
