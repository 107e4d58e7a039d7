"""Which gains a command was computed for: the version that commands and gains carry.

A policy may take over from another in the middle of a run, with gains of its own. Topics are not
ordered against each other, so gains may come before or after the first command of their version.
"""

from kinfer_ros.bridges.command import parse_version
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.errors import BridgeError

MAX_EARLY = 8
"""Versions kept that no command has asked for yet; of more, the newest."""


def parse_gains_sender(frame_id: str) -> tuple[str, int]:
    """
    Split '<session> <version>' of joint_gains; without a version it is 0, and both may be missing.

    :raises BridgeError: more words, or a version that is none.
    """
    words = frame_id.split()
    if len(words) > 2:
        raise BridgeError(
            f"found header.frame_id '{frame_id[:60]}', expected '<session> <version>', the "
            'session alone, or nothing'
        )
    return words[0] if words else '', parse_version(words[1]) if len(words) == 2 else 0


def format_gains_sender(session: str, version: int) -> str:
    """Return the header.frame_id of gains; version 0 is left away."""
    return f'{session} {version}' if version else session


class GainVersions:
    """
    The version in force, and the gains that came before a command of their version.

    :ivar session: that sent the gains in force, or ''.
    :ivar version: of the gains in force.
    """

    def __init__(self) -> None:
        self.session = ''
        self.version = 0
        self._early: dict[int, Gains] = {}
        self._early_session = ''

    @property
    def frame_id(self) -> str:
        """The header.frame_id of the gains in force."""
        return format_gains_sender(self.session, self.version)

    def in_force(self, session: str) -> int:
        """Return the version in force for a session: 0 before it has sent another."""
        return self.version if session == self.session else 0

    def newest(self, session: str, version: int) -> Gains | None:
        """Return the newest early gains of a session up to a version, or None."""
        if session != self._early_session:
            return None
        found = [each for each in self._early if each <= version]
        return self._early[max(found)] if found else None

    def keep(self, session: str, version: int, gains: Gains) -> None:
        """Keep gains until a command of their version comes."""
        if session != self._early_session:
            self._early, self._early_session = {}, session
        self._early[version] = gains
        if len(self._early) > MAX_EARLY:
            del self._early[min(self._early)]

    def take(self, session: str, version: int) -> Gains | None:
        """Return the early gains of a version, which come into force now; None without any."""
        if session != self._early_session or version not in self._early:
            return None
        gains = self._early[version]
        self.note(session, version)
        return gains

    def note(self, session: str, version: int) -> None:
        """Note that gains come into force; forget early ones up to their version."""
        self.session, self.version = session, version
        if session == self._early_session:
            self._early = {k: gains for k, gains in self._early.items() if k > version}
        else:
            self._early, self._early_session = {}, ''
