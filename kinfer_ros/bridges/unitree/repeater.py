"""What is written on rt/lowcmd: the last message, until the bridge is silent; then damping.

The motors expect a command every 2 ms and keep the last one, so that a bridge that dies must not
leave a target behind. This is decided in a process of its own.
"""

from kinfer_ros.bridges.unitree import frames

PERIOD_NS = 2_000_000
"""Between two messages on rt/lowcmd."""
GONE_NS = 3_000_000_000
"""Time for which a robot is damped whose bridge is gone, before the writer ends as well."""
SILENCE_NS = 500_000_000
"""Silence that is tolerated before the bridge has said how long."""

STALL_NS = 20_000_000
"""Time without a check that counts as a stall of this process, and not as silence."""


class Repeater:
    """Follows the bridge; every `now_ns` is of one steady clock."""

    def __init__(self, now_ns: int) -> None:
        self.message: bytes | None = None
        """What is written now; None: nothing."""
        self._damping: bytes | None = None
        self._timeout_ns = SILENCE_NS
        self._heard_ns = self._checked_ns = now_ns
        self._gone_ns: int | None = None

    def take(self, frame: bytes, now_ns: int) -> None:
        """Do what a frame of the bridge says."""
        self._heard_ns = now_ns
        kind = frame[:1]
        if kind == frames.WRITE:
            self.message = frame[1:]
        elif kind == frames.REST:
            self.message = None
        elif kind == frames.DAMP:
            self._timeout_ns, self._damping = frames.read_damp(frame)

    @property
    def alone(self) -> bool:
        """Whether the bridge is gone."""
        return self._gone_ns is not None

    def bridge_is_gone(self, now_ns: int) -> None:
        """Damp at once: nobody else is left to do it."""
        self._gone_ns = now_ns
        self._damp()

    def check(self, now_ns: int) -> bool:
        """
        Damp if the bridge is silent; call it before each message.

        :return: True if that has just begun: only a new message of the bridge ends it.
        """
        pause_ns = now_ns - self._checked_ns - PERIOD_NS
        self._checked_ns = now_ns
        if pause_ns > STALL_NS:
            self._heard_ns += pause_ns  # this process was not run: frames may be waiting
        silent = now_ns - self._heard_ns > self._timeout_ns
        return silent and not self.alone and self._damp()

    def has_ended(self, now_ns: int) -> bool:
        """Tell whether there is nothing more to do: the bridge is gone, the robot damped."""
        if self._gone_ns is None:
            return False
        return self.message is None or now_ns - self._gone_ns > GONE_NS

    def _damp(self) -> bool:
        if self.message is None or self.message == self._damping:
            return False
        self.message = self._damping
        return True
