"""Who may command a robot, and what counts as a command.

Two policy nodes on one robot would tear at its joints in turn, and one that died would leave its
last target in force for ever. A bridge therefore obeys one session at a time, until that session
takes its leave or falls silent, and refuses as a whole whatever it does not understand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.errors import BridgeError
from kinfer_ros.yaml_file import did_you_mean

ENABLED = 'enabled'
DISABLED = 'disabled'
DAMPING = 'damping'
"""States of a bridge; what it publishes goes on with the reason."""

BARRED = 64
"""Sessions that are remembered as not to be obeyed any more."""

INACTIVE = 'inactive'
RUN = 'run'
MODES = (INACTIVE, 'ramp', 'hold', RUN, 'fade', 'damp', 'fault')
"""Modes of a sender, the second word of a command's frame_id."""


@dataclass(frozen=True, eq=False)
class Command:
    """One message on joint_commands."""

    session: str
    """Who sends it: an id that is new at each activation."""
    mode: str
    """One of MODES, or empty where the sender has no modes."""
    stamp_ns: int
    """Stamp of the sensor sample that it answers."""
    names: Sequence[str]
    position: Float64 | None
    """Targets in rad, in the order of `names`; None asks for damping."""


def parse_sender(frame_id: str) -> tuple[str, str]:
    """
    Split '<session> <mode>'; the mode may be left out.

    :raises BridgeError: there is no session, or the mode is unknown.
    """
    words = frame_id.split()
    if not 1 <= len(words) <= 2:
        raise BridgeError(
            f"found header.frame_id '{frame_id[:60]}', expected '<session> <mode>': the session "
            'is any word that stays the same as long as the sender lives'
        )
    session, mode = words[0], words[1] if len(words) == 2 else ''
    if mode and mode not in MODES:
        raise BridgeError(f"found mode '{mode[:20]}', expected one of {', '.join(MODES)}")
    return session, mode


class JointMap:
    """Finds joints by name: once for each list of names, since senders repeat themselves."""

    LIMIT = 16
    """Lists of names remembered; a sender that sends more different ones gains nothing."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self._index = {name: index for index, name in enumerate(joint_names)}
        self._known: dict[tuple[str, ...], Indices] = {}

    def indices(self, names: Sequence[str]) -> Indices:
        """
        Return where the named joints are in the robot's order.

        :raises BridgeError: no names, a joint that the robot lacks, or one that comes twice.
        """
        key = tuple(names)
        found = self._known.get(key)
        if found is None:
            self._check(key)
            found = np.array([self._index[name] for name in key], np.intp)
            if len(self._known) >= self.LIMIT:
                self._known.clear()
            self._known[key] = found
        return found

    def _check(self, names: tuple[str, ...]) -> None:
        if not names:
            raise BridgeError('found no joint names, expected a name for each value')
        unknown = [name for name in names if name not in self._index]
        if unknown:
            listed = ', '.join(unknown)[:300]
            hint = did_you_mean(unknown[0], self._index)
            raise BridgeError(
                f'found the joints {listed}{hint}, which the robot lacks; '
                f'expected {", ".join(self._index)}'
            )
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise BridgeError(f'found the joints {", ".join(twice)} more than once')


def checked(what: str, values: Float64, names: Sequence[str]) -> Float64:
    """
    Return the values if there is a finite one for each name.

    :raises BridgeError: otherwise.
    """
    if len(values) != len(names):
        raise BridgeError(f'found {len(values)} values of {what}, expected {len(names)}')
    finite = np.isfinite(values)
    if not finite.all():
        wrong = ', '.join(name for name, fine in zip(names, finite, strict=True) if not fine)
        raise BridgeError(f'found a {what} that is not finite for {wrong}')
    return values


class SessionGuard:
    """
    Keeps a robot to one sender at a time; times are ns of one steady clock.

    :param timeout_ns: silence after which the sender counts as gone.
    """

    def __init__(self, timeout_ns: int) -> None:
        self.timeout_ns = timeout_ns
        self.holder = ''
        """The session that is obeyed; empty when anyone may begin."""
        self._moving = False
        self._suspect = False
        self._last_ns = 0
        self._barred: deque[str] = deque(maxlen=BARRED)

    def admits(self, session: str) -> bool:
        """Tell whether a session may command now."""
        return self.holder == session or (not self.holder and session not in self._barred)

    def bar(self, session: str) -> None:
        """
        Never admit a session again, though the robot be free: it was rejected, or fell silent.

        Its policy has gone on without the robot; its next target would be a leap. Ids are new at
        each activation.
        """
        if session and session not in self._barred:
            self._barred.append(session)

    def rejection(self, session: str) -> str:
        """Bar a session that was not admitted, and say why it was not."""
        if session in self._barred and not self.holder:
            return (
                'it was rejected or fell silent before, and has gone on without the robot: '
                'activate its sender anew, or call ~/enable'
            )
        self.bar(session)
        return f'session {self.holder} commands this robot'

    def pardon(self) -> None:
        """Admit everyone again: a person has enabled the robot."""
        self._barred.clear()

    def obeyed(self, command: Command, now_ns: int) -> None:
        """Note a command that was obeyed: its session holds the robot, or takes its leave."""
        self.holder = '' if command.mode == INACTIVE else command.session
        self._moving = command.position is not None
        self.touch(now_ns)

    def touch(self, now_ns: int) -> None:
        """Count the silence from now on: a pause is not the sender's fault."""
        self._last_ns = now_ns
        self._suspect = False

    def release(self) -> None:
        """Forget the session."""
        self.holder = ''

    def expired(self, now_ns: int) -> bool:
        """
        Free the robot from a session that fell silent; to be called again and again.

        The first call after the time-out only raises a suspicion: if it was this process that
        slept, the command that it missed waits to be read, and is read before the next call.

        :return: True if its last command was a target, which now must not stay in force.
        """
        if not self.holder or now_ns - self._last_ns < self.timeout_ns:
            return False
        if not self._suspect:
            self._suspect = True
            return False
        self.bar(self.holder)
        self.holder = ''
        return self._moving
