"""The command time-out of all bridges: silence of the sender, and commands that come too late."""

from kinfer_ros.text import told_apart


class CommandTimeout:
    """
    Measures how long a sender has been silent; `now_ns` is of one steady clock.

    :ivar limit_ns: the parameter `command_timeout`.
    """

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self._last_ns = 0
        self._suspect = False

    @property
    def reason(self) -> str:
        """Reason of the state `damping` after a time-out."""
        return f'no command for {self.limit_ns / 1e9:g} s'

    def restart(self, now_ns: int) -> None:
        """Measure the silence from now on: a command came, or a pause has ended."""
        self._last_ns = now_ns
        self._suspect = False

    def expired(self, now_ns: int) -> bool:
        """
        Tell whether the sender has been silent for too long; call it periodically.

        The first call after the limit only raises a suspicion: if this process was suspended, the
        command that it missed is still in the queue and is read before the next call.
        """
        if now_ns - self._last_ns < self.limit_ns:
            return False
        if not self._suspect:
            self._suspect = True
            return False
        return True

    def format_late(self, age_ns: int) -> str:
        """Return why a target is late that answers a sample of this age, or ''."""
        if age_ns <= self.limit_ns:
            return ''
        age, most = told_apart(age_ns / 1e6, self.limit_ns / 1e6)
        return (
            f'it answers a sample of {age} ms ago, '
            f'at most {most} ms (command_timeout) are accepted'
        )
