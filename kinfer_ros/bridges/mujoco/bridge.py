"""The robot side of the graph around a simulated robot: sessions, states, time and lockstep.

Everything that the MuJoCo bridge decides is decided here, without ROS and with the time passed in,
so that the promises (base held until `run`, one session, damping on silence, the same commands
giving the same bits) are tested without a network or a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.pacer import SECOND
from kinfer_ros.bridges.mujoco.pacer import Pacer
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.bridges.session import DAMPING
from kinfer_ros.bridges.session import DISABLED
from kinfer_ros.bridges.session import ENABLED
from kinfer_ros.bridges.session import INACTIVE
from kinfer_ros.bridges.session import RUN
from kinfer_ros.bridges.session import Command
from kinfer_ros.bridges.session import JointMap
from kinfer_ros.bridges.session import SessionGuard
from kinfer_ros.bridges.session import checked
from kinfer_ros.errors import BridgeError

LOCKSTEP_TIMEOUT_NS = 5 * SECOND
"""How long a simulation in lockstep waits for a command before it gives up."""
RESEND_NS = SECOND // 20
"""How long an unanswered sample stays before it is sent again."""
LATE_NS = SECOND // 10


class MujocoBridgeCore:
    """
    One simulated robot, obeying commands; every `now_ns` is of one steady clock.

    :param robot: the robot, at its start.
    :param warn: takes one line on whatever was refused or went wrong.
    :raises ConfigError: the control period is not a whole number of physics steps.
    """

    def __init__(
        self, robot: MujocoRobot, timing: Timing, now_ns: int, warn: Callable[[str], None]
    ) -> None:
        self.robot = robot
        self._timing = timing
        self._warn = warn
        self._substeps = timing.substeps(robot.timestep_ns)
        self._map = JointMap(robot.robot.joint_names)
        self._guard = SessionGuard(timing.command_timeout_ns)
        self._pacer = Pacer(robot.timestep_ns, max(LATE_NS, 4 * timing.tick_ns))
        self._pacer.start()
        self._pending: list[Callable[[], object]] = []
        self._held_back: Command | None = None
        self._sent_ns = now_ns
        self._answered_ns = now_ns
        self._commanded = False
        self.in_lockstep = timing.lockstep
        """Whether simulated time waits for commands; ends for good."""
        self.paused = False
        self.state = ENABLED
        """enabled, disabled or damping; the latter two with a reason in `state_text`."""
        self.state_text = ENABLED
        self.counts = dict.fromkeys(
            ('commands', 'refused', 'rejected', 'late', 'stale', 'timeouts', 'resets', 'pushes'), 0
        )
        self.gains_version = 0
        """Goes up whenever gains may have changed."""

    @property
    def stamp_ns(self) -> int:
        """Simulated time of the present state: one control period at the start, never zero."""
        return self._timing.period_ns + self.robot.time_ns

    @property
    def dropped_ns(self) -> int:
        """Time that the simulation was too slow to simulate."""
        return self._pacer.dropped_ns

    @property
    def holder(self) -> str:
        """The session that is obeyed, or empty."""
        return self._guard.holder

    def wake_from(self, first_ns: int) -> None:
        """Say when the timer that calls `tick` fires next."""
        self._pacer.start(first_ns)

    def lag_ns(self, now_ns: int) -> int:
        """Real time: how long before `now_ns` the present state was due."""
        return self._pacer.lag_ns(now_ns)

    def set_timeout(self, timeout_ns: int) -> None:
        """Change how long a session may be silent."""
        self._guard.timeout_ns = timeout_ns

    def command(self, command: Command, now_ns: int, age_ns: int = 0) -> bool:
        """
        Obey or refuse a command.

        :param age_ns: how old the sample is that it answers. In real time a target that is older
            than the command time-out is refused; damping is obeyed whatever its stamp.
        :return: True if it was the answer that lockstep waited for: the state is a new one.
        """
        if not self._guard.admits(command.session):
            if command.position is None and not self.holder:
                self.robot.damp()  # whoever asks for it, and whatever became of his session
            self._reject(command.session)
            return False
        if self.in_lockstep:
            return self._lockstep_command(command, now_ns)
        if age_ns > self._guard.timeout_ns and command.position is not None:
            self.counts['late'] += 1
            self.refuse(
                f'joint_commands: it answers a sample of {age_ns / 1e6:.0f} ms ago, at most '
                f'{self._guard.timeout_ns / 1e6:.0f} ms (command_timeout) are accepted'
            )
            return False
        self._obey(command, now_ns)
        return False

    def tick(self, now_ns: int) -> bool:
        """
        Real time: step physics up to the clock, after looking for a sender that fell silent.

        :return: True if there is a new state.
        """
        if self.paused or self.in_lockstep:
            return False
        if self._guard.expired(now_ns):
            seconds = self._guard.timeout_ns / SECOND
            self.counts['timeouts'] += 1
            self._damp_because(f'no command for {seconds:g} s')
        steps = self._pacer.due(now_ns)
        if steps:
            self._advance(steps)
        return steps > 0

    def resend_due(self, now_ns: int) -> bool:
        """
        Lockstep: tell whether the last sample has to be sent again; ends lockstep after 5 s.

        Neither the first sample nor its answer is sure to arrive: discovery may still be running.
        """
        if not self.in_lockstep or self.paused:
            return False
        if self._commanded and now_ns - self._answered_ns >= LOCKSTEP_TIMEOUT_NS:
            self.counts['timeouts'] += 1
            seconds = LOCKSTEP_TIMEOUT_NS // SECOND
            self._damp_because(f'no command for {seconds} s: lockstep ended')
            self._end_lockstep(now_ns)
            return False
        if now_ns - self._sent_ns < RESEND_NS * 0.9:
            return False
        self._sent_ns = now_ns
        return True

    def set_gains(
        self,
        names: Sequence[str],
        gains: tuple[Float64, Float64, Float64],
        session: str = '',
    ) -> bool:
        """
        Take kp, kd and torque limits for the named joints; an empty array leaves its values.

        :param session: the sender, where it says who it is; while a session holds the robot, gains
            are taken from that one only.
        :return: False if they were refused, which is said.
        """
        if not self._guard.admits(session):
            self._reject(session)
            return False
        try:
            index = self._map.indices(names)
            merged = self.robot.gains()
            for what, whole, values in zip(
                ('kp', 'kd', 'torque limit'), merged, gains, strict=True
            ):
                if len(values):
                    whole[index] = checked(what, values, names)
            self.robot.set_gains(*merged)
        except BridgeError as error:
            self.refuse(f'joint_gains: {error}')
            return False
        self.gains_version += 1
        return True

    def enable(self, on: bool) -> None:
        """Take commands and hold the present pose, or damp and take none."""
        if not on:
            self.robot.damp()
            self._enter(DISABLED, 'by request')
            return
        self._guard.pardon()
        if self.state != ENABLED:
            self._hold_present_pose()
            self._enter(ENABLED)

    def stop(self) -> None:
        """Damp and disable, because the bridge ends."""
        self.robot.damp()
        self._enter(DISABLED, 'the bridge has ended')

    def reset(self) -> None:
        """At the next physics step: back to the start, base held; time goes on."""
        self._pending.append(self._reset)

    def push(self, velocity: ArrayLike) -> None:
        """At the next physics step: add a velocity (world, m/s [3]) to the base."""
        self._pending.append(lambda: self._push(velocity))

    def pause(self, on: bool, now_ns: int) -> bool:
        """
        Stop or go on; what was missed meanwhile is not caught up.

        :return: True if a command that lockstep had kept waiting was obeyed: a new state.
        """
        if self.paused == on:
            return False
        self.paused = on
        if on:
            return False
        self._pacer.start()
        self._guard.touch(now_ns)
        self._answered_ns = now_ns
        command, self._held_back = self._held_back, None
        return command is not None and self.command(command, now_ns)

    # Commands ----------------------------------------------------------------------------

    def _lockstep_command(self, command: Command, now_ns: int) -> bool:
        """Obey the answer to the present sample, and step; sort out everything else."""
        if command.mode == INACTIVE:
            if self._guard.holder:
                self._obey(command, now_ns)
                self._end_lockstep(now_ns)
            return False
        if command.stamp_ns != self.stamp_ns:
            self.counts['stale'] += 1
            if command.position is None:
                self._obey(command, now_ns)
            return False
        if self.paused:
            self._held_back = command
            return False
        if not self._obey(command, now_ns):
            return False
        self._commanded = True
        self._answered_ns = self._sent_ns = now_ns
        self._advance(self._substeps)
        return True

    def _obey(self, command: Command, now_ns: int) -> bool:
        """Do what a command asks; False if it is refused, and then nothing of it is done."""
        try:
            target = self._target(command)
        except BridgeError as error:
            self.refuse(f'joint_commands: {error}')
            return False
        self.counts['commands'] += 1
        self._guard.obeyed(command, now_ns)
        if self.state == DISABLED:
            return True  # time goes on and the sender is known, but nothing moves
        if target is None:
            self.robot.damp()
            return True
        if self.state == DAMPING:
            self._enter(ENABLED)
        self.robot.set_target(target)
        if command.mode == RUN:
            self.robot.hold_base(False)
        return True

    def _target(self, command: Command) -> Float64 | None:
        """Merge the named targets into those in force; joints that nobody names stay."""
        if command.position is None:
            return None
        index = self._map.indices(command.names)
        values = checked('target', command.position, command.names)
        target = self._present_pose() if self.robot.damped else self.robot.target()
        target[index] = values
        return target

    def _reject(self, session: str) -> None:
        self.counts['rejected'] += 1
        self._warn(f'session {session} rejected: {self._guard.rejection(session)}')

    def refuse(self, text: str) -> None:
        """Count a message that was refused, and say why."""
        self.counts['refused'] += 1
        self._warn(f'refused {text}')

    # State -------------------------------------------------------------------------------

    def _enter(self, state: str, reason: str = '') -> None:
        self.state = state
        self.state_text = f'{state} {reason}'.strip()

    def _damp_because(self, reason: str) -> None:
        self.robot.damp()
        if self.state != DISABLED:
            self._enter(DAMPING, reason)
        self._warn(f'damping: {reason}')

    def _end_lockstep(self, now_ns: int) -> None:
        """Go on in real time, without a sender."""
        self.in_lockstep = False
        self._guard.release()
        self._pacer.start()

    def _present_pose(self) -> Float64:
        size = len(self.robot.robot.joints)
        position = np.empty(size)
        self.robot.joint_state(position, np.empty(size), np.empty(size))
        return position

    def _hold_present_pose(self) -> None:
        robot = self.robot.robot
        self.robot.set_target(np.clip(self._present_pose(), robot.lower, robot.upper))

    # Physics -----------------------------------------------------------------------------

    def _advance(self, steps: int) -> None:
        if self._pending:
            for action in self._pending:
                action()
            self._pending.clear()
        self.robot.step(steps)

    def _reset(self) -> None:
        self.counts['resets'] += 1
        self.robot.reset()
        if self.state == DISABLED:
            self.robot.damp()
        else:
            self._enter(ENABLED)
        if not self._guard.holder:
            robot = self.robot.robot
            self.robot.set_gains(robot.kp, robot.kd, robot.torque_limit)
            self.gains_version += 1

    def _push(self, velocity: ArrayLike) -> None:
        if self.robot.push(velocity):
            self.counts['pushes'] += 1
        else:
            self._warn('push ignored: the base is held')
