"""What all bridges do alike: admit one session, check commands and gains, damp on silence."""

from abc import ABC
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.command import JointMap
from kinfer_ros.bridges.command_timeout import CommandTimeout
from kinfer_ros.bridges.gain_versions import GainVersions
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.gains import limit_gains
from kinfer_ros.bridges.gains import merge_gains
from kinfer_ros.bridges.session import MAX_BLOCKED
from kinfer_ros.bridges.session import SessionGuard
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

HOLD_NS = 100_000_000
"""Time for which the last target is held where the gains of a command are not in force."""


class BridgeCore(ABC):
    """
    Decides what a robot obeys; a subclass moves the robot. `now_ns` is of one steady clock.

    :param timeout_ns: the command time-out.
    :param warn: takes one line on each thing that was refused or went wrong.
    :param on_change: called after the state has changed.
    :ivar state: enabled, disabled or damping.
    :ivar state_text: the state with its reason, as it is published.
    :ivar counts: events by name; keys of the diagnostics.
    """

    COUNTERS: ClassVar[tuple[str, ...]]
    NO_WHEELS: ClassVar[str] = (
        'found target velocities (wheels), expected positions alone: this bridge sends no others'
    )
    """Why a command with velocities damps the robot; '' where the bridge takes them."""

    def __init__(
        self,
        robot: Robot,
        timeout_ns: int,
        warn: Callable[[str], None],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._description = robot
        self._warn = warn
        self._on_change = on_change
        self._joints = JointMap(robot.joint_names)
        self._guard = SessionGuard(timeout_ns)
        self._versions = GainVersions()
        self._waiting: Command | None = None  # for its gains
        self._hold = CommandTimeout(HOLD_NS)
        self._rejected: deque[tuple[str, str]] = deque(maxlen=MAX_BLOCKED)
        self.state = DISABLED
        self.state_text = DISABLED
        self.counts = dict.fromkeys((*self.COUNTERS, 'stalls'), 0)

    @property
    def holder(self) -> str:
        """The session that is obeyed, or empty."""
        return self._guard.holder

    @property
    def gains_frame_id(self) -> str:
        """Session and version of the gains in force, as joint_gains_in_force has them."""
        return self._versions.frame_id

    @property
    def mode(self) -> str:
        """The mode of the last command that was obeyed, or empty."""
        return self._guard.mode

    def set_command_timeout(self, timeout_ns: int) -> None:
        """Change how long a session may be silent."""
        self._guard.timeout.limit_ns = timeout_ns

    def set_gains(
        self,
        names: Sequence[str],
        gains: tuple[Float64, Float64, Float64],
        session: str = '',
        version: int = 0,
    ) -> bool:
        """
        Take kp, kd and torque limits for the named joints; an empty array leaves its values.

        They are reduced to the hard limits of the robot YAML.

        :param session: the sender, if it says who it is; while a session holds the robot, gains
            are taken from that one only.
        :param version: of the session's gains. One that no command has asked for yet is kept until
            one does; those of an older one come too late, and are left.
        :return: False if they were refused, with a warning.
        """
        if not self._admit(session):
            return False
        versions = self._versions
        early = bool(self.holder) and version > versions.in_force(session)
        if self.holder and version < versions.in_force(session):
            return True
        base = (versions.newest(session, version) if early else None) or self._requested_gains()
        try:
            merged = merge_gains(base, self._joints, names, gains)
            limited = self._check_gains(limit_gains(merged, self._description))
        except BridgeError as error:
            self.refuse(f'joint_gains: {error}')
            return False
        if early:
            versions.keep(session, version, limited)
        else:
            versions.note(session, version)
            self._apply_gains(limited)
        return True

    def refuse(self, text: str) -> None:
        """Count a message that was refused, and warn why."""
        self.counts['refused'] += 1
        self._warn(f'refused {text}')

    # What a subclass adds ----------------------------------------------------------------

    @abstractmethod
    def _current_target(self) -> Float64:
        """Return a copy of the targets [N] rad in force; while damped, the measured pose."""

    def _current_velocity(self) -> Float64 | None:
        """Return a copy of the target velocities [N] rad/s in force; None without any."""
        return None

    def _check_target(self, target: Float64) -> Float64:
        """Return the target [N] rad within the limits; :raises BridgeError: it is refused."""
        return target

    def _can_move(self) -> bool:
        """Tell whether commands move the robot now."""
        return self.state != DISABLED

    @abstractmethod
    def _move(self, target: Float64, mode: str, velocity: Float64 | None) -> None:
        """Bring targets [N] rad, and rad/s where a joint has one, into force; ends damping."""

    @abstractmethod
    def _damp(self) -> None:
        """Stop pushing: no target is in force any more."""

    @abstractmethod
    def _requested_gains(self) -> Gains:
        """Return the gains that a message on joint_gains changes."""

    def _check_gains(self, gains: Gains) -> Gains:
        """Return gains that are within the limits; :raises BridgeError: they are refused."""
        return gains

    @abstractmethod
    def _apply_gains(self, gains: Gains) -> None:
        """Bring gains into force, or begin to."""

    def _gains_settled(self) -> bool:
        """Tell whether the gains of the newest version are in force, where that takes time."""
        return True

    # Shared decisions --------------------------------------------------------------------

    def _admit(self, session: str) -> bool:
        """Tell whether a session may command now; reject it otherwise, with a warning."""
        if self._guard.admits(session):
            return True
        self.counts['rejected'] += 1
        reason = self._guard.reject(session)
        # Once: a policy node in a fault goes on sending damping commands.
        if (session, reason) not in self._rejected:
            self._rejected.append((session, reason))
            self._warn(f'session {session} rejected: {reason}')
        return False

    def _obey(self, command: Command, now_ns: int, age_ns: int = 0) -> bool:
        """
        Do what a command of an admitted session asks for.

        :param age_ns: age of the sensor sample that it answers.
        :return: False if it was refused: then nothing of it is done.
        """
        if command.velocity is not None and self.NO_WHEELS:
            self._damp_because(self.NO_WHEELS, 'refused')
            return False
        try:
            target = self._read_target(command, age_ns)
            velocity = self._read_velocity(command)
        except BridgeError as error:
            self.refuse(f'joint_commands: {error}')
            return False
        self.counts['commands'] += 1
        self._guard.note_command(command, now_ns)
        if not self._can_move():
            return True  # the sender is known and its silence is measured
        brought = self._bring_gains(command)
        if target is None:
            self._waiting = None
            self._damp()
            return True
        if not brought:
            self._wait_for_gains(command, now_ns)
            return True
        self._waiting = None
        if self.state == DAMPING:
            self._enter(ENABLED)
        self._move(target, command.mode, velocity)
        return True

    def _read_target(self, command: Command, age_ns: int) -> Float64 | None:
        """
        Merge the named targets into those in force: [N] rad, or None for damping.

        :raises BridgeError: unknown joints, a target that is not finite, or a late one.
        """
        if command.position is None:
            return None
        target = self._current_target()
        self._joints.assign(target, 'target', command.names, command.position)
        if late := self._guard.timeout.format_late(age_ns):
            self.counts['late'] += 1
            raise BridgeError(late)
        return self._check_target(target)

    def _bring_gains(self, command: Command) -> bool:
        """
        Bring the gains that a command was computed for into force, in the instant of the command.

        :return: False if they have not come, or are not in force yet.
        """
        session, version = command.session, command.gains_version
        if self._versions.in_force(session) != version:
            gains = self._versions.take(session, version)
            if gains is None:
                return False
            self._apply_gains(gains)
        return self._gains_settled()

    def _wait_for_gains(self, command: Command, now_ns: int) -> None:
        """Hold the last target until the gains of a command are in force."""
        if self._waiting is None:
            self._hold.restart(now_ns)
        self._waiting = command

    def take_waiting(self) -> Command | None:
        """Return the command that waits for gains, if these are there now; it waits no more."""
        command = self._waiting
        if command is None or not self._bring_gains(command):
            return None
        self._waiting = None
        return command

    def answer_waiting(self, now_ns: int) -> bool:
        """Obey the command that waits for gains, if these are there; :return: whether it was."""
        command = self.take_waiting()
        return command is not None and self._obey(command, now_ns)

    @property
    def lacking(self) -> str:
        """Which gains a command waits for, or ''."""
        if self._waiting is None:
            return ''
        return f'gains of version {self._waiting.gains_version}'

    def _check_gains_timeout(self, now_ns: int) -> None:
        """Damp if the gains of a command do not come into force; call it periodically."""
        if self._waiting is None or not self._hold.expired(now_ns):
            return
        reason = f'{self.lacking} are not in force {HOLD_NS / 1e9:g} s after their command'
        self._guard.block(self.holder)  # its policy has gone on without the robot
        self._damp_because(reason, 'timeouts')

    def _read_velocity(self, command: Command) -> Float64 | None:
        """
        Merge the target velocities of the named joints, 0 where none came, into those in force.

        :raises BridgeError: one is not finite, or there is not one for each name.
        """
        velocity, named = self._current_velocity(), command.velocity
        if command.position is None or (velocity is None and named is None):
            return None
        if velocity is None:
            velocity = np.zeros(len(self._description.joints))
        if named is None:
            named = np.zeros(len(command.names))
        self._joints.assign(velocity, 'target velocity', command.names, named)
        return velocity

    def _check_command_timeout(self, now_ns: int) -> None:
        """Damp if the session fell silent after a target; call it periodically."""
        self._check_gains_timeout(now_ns)
        if self._guard.expired(now_ns) and self.state == ENABLED:
            self._damp_because(self._guard.timeout.reason, 'timeouts')

    def _damp_because(self, reason: str, counter: str) -> None:
        """Damp, free the robot for another session, count and warn."""
        self.counts[counter] += 1
        self._waiting = None
        self._damp()
        self._guard.release()
        if self.state != DISABLED:
            self._enter(DAMPING, reason)
        self._warn(f'damping: {reason}')

    def _enter(self, state: str, reason: str = '') -> None:
        if state == DISABLED:
            self._waiting = None
        text = f'{state} {reason}'.strip()
        if text != self.state_text:
            self.state, self.state_text = state, text
            self._on_change()
