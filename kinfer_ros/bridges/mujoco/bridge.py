"""The decisions of the MuJoCo bridge, without ROS and with the time passed in.

Sessions, command checks and states are those of all bridges (bridges/core.py). Here: simulated
time, lockstep, and the base that is held until the first command of mode `run`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.command import INACTIVE
from kinfer_ros.bridges.command import RUN
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.mujoco.pacer import Pacer
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED

LOCKSTEP_TIMEOUT_NS = 5 * SECOND
"""Time for which a simulation in lockstep waits for a command."""
RESEND_NS = SECOND // 20
"""Time after which an unanswered sample is sent again."""
MAX_BEHIND_NS = SECOND // 10
"""Time by which the simulation may fall behind the clock before the lost time is dropped."""


class MujocoBridgeCore(BridgeCore):
    """
    A simulated robot that obeys commands; every `now_ns` is of one steady clock.

    :param robot: the robot, at its start.
    :param warn: takes one line on each thing that was refused or went wrong.
    :raises ConfigError: the control period is not a whole number of physics steps.
    """

    NO_WHEELS = ''
    COUNTERS = (
        'commands', 'refused', 'rejected', 'late', 'stale', 'timeouts', 'resets', 'pushes',
    )  # fmt: skip

    def __init__(
        self, robot: MujocoRobot, timing: Timing, now_ns: int, warn: Callable[[str], None]
    ) -> None:
        super().__init__(robot.robot, timing.command_timeout_ns, warn)
        self.robot = robot
        self._timing = timing
        self._substeps = timing.substeps(robot.timestep_ns)
        self._pacer = Pacer(robot.timestep_ns, max(MAX_BEHIND_NS, 4 * timing.tick_ns))
        self._pacer.start()
        self._pending: list[Callable[[], object]] = []
        self._held_back: Command | None = None
        self._sent_ns = now_ns
        self._answered_ns = now_ns
        self._commanded = False
        self.in_lockstep = timing.lockstep
        """Whether simulated time waits for commands; once ended, lockstep stays off."""
        self.paused = False
        self.state = self.state_text = ENABLED
        self.gains_version = 0
        """Incremented when gains may have changed."""
        self._told: set[str] = set()

    @property
    def stamp_ns(self) -> int:
        """Simulated time of the present state: one control period at the start, never zero."""
        return self._timing.period_ns + self.robot.time_ns

    @property
    def dropped_ns(self) -> int:
        """Time that was dropped because the simulation was too slow."""
        return self._pacer.dropped_ns

    def new_warnings(self) -> list[str]:
        """List what is wrong with the simulated robot, with its gains now; a subject once."""
        found = self.robot.warnings()
        new = [text for subject, text in found.items() if subject not in self._told]
        self._told.update(found)
        return new

    def align_steps(self, first_ns: int) -> None:
        """Align the physics steps with the timer that calls `tick`, next at `first_ns`."""
        self._pacer.start(first_ns)

    def lag_ns(self, now_ns: int) -> int:
        """Real time: how long before `now_ns` the present state was due."""
        return self._pacer.lag_ns(now_ns)

    def command(self, command: Command, now_ns: int, age_ns: int = 0) -> bool:
        """
        Obey or refuse a command.

        :param age_ns: age of the sample that it answers. In real time a target that is older than
            the command time-out is refused; damping is obeyed whatever its stamp.
        :return: True if there is a new state: it was the answer that lockstep waited for.
        """
        if not self._admit(command.session):
            if command.position is None and not self.holder:
                self.robot.damp()  # damping is obeyed even from a blocked session
            return False
        if self.in_lockstep:
            return self._lockstep_command(command, now_ns)
        self._obey(command, now_ns, age_ns)
        return False

    def answer_waiting(self, now_ns: int) -> bool:
        """Obey a command whose gains have come by now; :return: True if there is a new state."""
        command = self.take_waiting()
        return command is not None and self.command(command, now_ns)

    def tick(self, now_ns: int) -> bool:
        """
        Real time: check the command time-out, then step physics up to the clock.

        :return: True if there is a new state.
        """
        if self.paused or self.in_lockstep:
            return False
        self._check_command_timeout(now_ns)
        steps = self._pacer.due(now_ns)
        if steps:
            self._advance(steps)
        return steps > 0

    def resend_due(self, now_ns: int) -> bool:
        """
        Lockstep: tell whether the last sample has to be sent again; ends lockstep after 5 s.

        During discovery the first sample or its answer may be lost.
        """
        if not self.in_lockstep or self.paused:
            return False
        if self._commanded and now_ns - self._answered_ns >= LOCKSTEP_TIMEOUT_NS:
            seconds = LOCKSTEP_TIMEOUT_NS // SECOND
            missing = self.lacking or 'command'
            self._damp_because(f'no {missing} for {seconds} s: lockstep ended', 'timeouts')
            self._end_lockstep()
            return False
        if now_ns - self._sent_ns < RESEND_NS * 0.9:
            return False
        self._sent_ns = now_ns
        return True

    def enable(self, on: bool) -> None:
        """Hold the present pose and obey commands, or damp and obey none."""
        if not on:
            self.robot.damp()
            self._enter(DISABLED, 'by request')
            return
        self._guard.unblock_all()
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
        Pause or continue; the time of the pause is not simulated afterwards.

        :return: True if there is a new state: a command held back by the pause was obeyed.
        """
        if self.paused == on:
            return False
        self.paused = on
        if on:
            return False
        self._pacer.start()
        self._guard.timeout.restart(now_ns)
        self._hold.restart(now_ns)
        self._answered_ns = now_ns
        command, self._held_back = self._held_back, None
        return command is not None and self.command(command, now_ns)

    def step(self, now_ns: int) -> bool:
        """
        Simulate one control period, although paused; the pause goes on.

        :return: True if there is a new state; in lockstep there is none before the command has
            come.
        """
        if not self.paused:
            return False
        if not self.in_lockstep:
            self._advance(self._substeps)
            return True
        command, self._held_back = self._held_back, None
        if command is None:
            return False
        self.paused = False
        stepped = self.command(command, now_ns)
        self.paused = True
        return stepped

    # Commands ----------------------------------------------------------------------------

    def _lockstep_command(self, command: Command, now_ns: int) -> bool:
        """
        Obey the answer to the present sample and step; of other commands only damping.

        Time stands still where the gains of the answer have not come: they bring it about.
        """
        if command.mode == INACTIVE:
            if self._guard.holder:
                self._obey(command, now_ns)
                self._end_lockstep()
            return False
        if command.stamp_ns != self.stamp_ns:
            self.counts['stale'] += 1
            if command.position is None:
                self._obey(command, now_ns)
            return False
        if self.paused:
            self._held_back = command
            return False
        if not self._obey(command, now_ns) or self.lacking:
            return False
        self._commanded = True
        self._answered_ns = self._sent_ns = now_ns
        self._advance(self._substeps)
        return True

    def _end_lockstep(self) -> None:
        """Continue in real time, without a sender."""
        self.in_lockstep = False
        self._guard.release()
        self._pacer.start()

    # The robot ---------------------------------------------------------------------------

    def _current_target(self) -> Float64:
        return self._present_pose() if self.robot.damped else self.robot.target()

    def _current_velocity(self) -> Float64 | None:
        return None if self.robot.damped else self.robot.target_velocity()

    def _move(self, target: Float64, mode: str, velocity: Float64 | None) -> None:
        self.robot.set_target(target, velocity)
        if mode == RUN:
            self.robot.hold_base(False)

    def _damp(self) -> None:
        self.robot.damp()

    def _requested_gains(self) -> Gains:
        return Gains(*self.robot.gains())

    def _apply_gains(self, gains: Gains) -> None:
        self.robot.set_gains(gains.kp, gains.kd, gains.torque_limit)
        self.gains_version += 1

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
            self._versions.note('', 0)
            self.gains_version += 1

    def _push(self, velocity: ArrayLike) -> None:
        if self.robot.push(velocity):
            self.counts['pushes'] += 1
        else:
            self._warn('push ignored: the base is held')
