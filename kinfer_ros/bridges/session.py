"""Which session may command a robot: one at a time.

Two policy nodes on one robot would move its joints in turn, and a target of a node that has died
would stay in force. A bridge obeys one session until that session ends or falls silent.
"""

from collections import deque

from kinfer_ros.bridges.command import INACTIVE
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.command_timeout import CommandTimeout

MAX_BLOCKED = 64
"""Sessions remembered as blocked."""


class SessionGuard:
    """
    Keeps a robot to one sender at a time; times are ns of one steady clock.

    :param timeout_ns: silence after which the sender counts as gone.
    """

    def __init__(self, timeout_ns: int) -> None:
        self.timeout = CommandTimeout(timeout_ns)
        self.holder = ''
        """The session that is obeyed; empty if any session may begin."""
        self.mode = ''
        """Mode of its last command."""
        self._moving = False
        self._blocked: deque[str] = deque(maxlen=MAX_BLOCKED)

    def admits(self, session: str) -> bool:
        """Tell whether a session may command now."""
        return self.holder == session or (not self.holder and session not in self._blocked)

    def block(self, session: str) -> None:
        """
        Never admit a session again: it was rejected, or fell silent.

        Its policy has gone on without the robot, so its next target would be a jump. Ids are new
        at each activation.
        """
        if session and session not in self._blocked:
            self._blocked.append(session)

    def reject(self, session: str) -> str:
        """Block a session that was not admitted; return why it was not."""
        if session in self._blocked and not self.holder:
            return (
                'it was rejected or fell silent before, and has gone on without the robot: '
                'activate its sender anew, or call ~/enable'
            )
        self.block(session)
        return f'session {self.holder} commands this robot'

    def unblock_all(self) -> None:
        """Admit every session again: a person has enabled the robot."""
        self._blocked.clear()

    def note_command(self, command: Command, now_ns: int) -> None:
        """Note a command that was obeyed: its session now holds the robot, or has ended."""
        self.holder = '' if command.mode == INACTIVE else command.session
        self.mode = command.mode
        self._moving = command.position is not None
        self.timeout.restart(now_ns)

    def release(self) -> None:
        """Forget the session."""
        self.holder = ''

    def expired(self, now_ns: int) -> bool:
        """
        Free the robot from a session that fell silent; call it periodically.

        :return: True if its last command was a target, which now must not stay in force.
        """
        if not self.holder or not self.timeout.expired(now_ns):
            return False
        self.block(self.holder)
        self.holder = ''
        return self._moving
