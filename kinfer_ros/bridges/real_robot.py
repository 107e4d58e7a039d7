"""What the bridges of real robots do alike: limits, lost robots, time-outs, the end."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.samples import find_outside
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

NOT_ENABLED = 'not enabled yet (call ~/enable)'
ENDED = 'the bridge has ended'


@dataclass(frozen=True)
class Timeouts:
    """Time-outs of a robot, and the duration of the ramp down."""

    command_timeout_ns: int
    """ns without a command after which the robot is damped."""
    lost_timeout_ns: int
    """ns without a new, complete sample after which the robot counts as lost."""
    ramp_ns: int
    """ns in which the stiffness is ramped down before the motors go off."""


class RealRobot(BridgeCore):
    """
    A robot with motors, disabled at first; every `now_ns` is of the steady clock.

    :param warn: takes one line on each thing that was refused or went wrong.
    :param on_change: called after `state_text` or the gains may have changed.
    """

    def __init__(
        self,
        robot: Robot,
        timeouts: Timeouts,
        warn: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(robot, timeouts.command_timeout_ns, warn, on_change)
        self.robot = robot
        self._timeouts = timeouts
        self._problem = ''

    def command(self, command: Command, now_ns: int, age_ns: int = 0) -> None:
        """
        Obey or refuse a command.

        :param age_ns: age of the sample that it answers. A target that is older than the command
            time-out is refused; damping is obeyed whatever its stamp.
        """
        if self._admit(command.session):
            self._obey(command, now_ns, age_ns)

    def note_end(self) -> None:
        """Say that the bridge has ended, as a state."""
        if self.state == DISABLED:
            self._enter(DISABLED, ENDED)

    @abstractmethod
    def _stay_damped(self) -> str:
        """Return why no target may end damping now, or ''."""

    def _check_target(self, target: Float64) -> Float64:
        problem = self._stay_damped()
        if problem and self.state == DAMPING:
            raise BridgeError(f'the robot is damped: {problem}')
        limited = self._limit(target)
        self.counts['clamped'] += bool((limited != target).any())
        return limited

    def _limit(self, pose: Float64) -> Float64:
        """Return a pose [N] rad within the joint limits."""
        return np.clip(pose, self.robot.lower, self.robot.upper)

    def _note_problem(self, problem: str) -> None:
        """Take why the robot must not be moved now, or '': damp, or say it as the state."""
        if problem == self._problem:
            return
        self._problem = problem
        if self.state == ENABLED and problem:
            self._give_up(problem, 'lost')
        elif self.state == DISABLED:
            self._enter(DISABLED, problem or NOT_ENABLED)

    def _give_up(self, reason: str, counter: str) -> None:
        """Damp; the session has to be activated anew, since its next target would be a jump."""
        self._guard.block(self._guard.holder)
        self._damp_because(reason, counter)


class TickedRobot(RealRobot):
    """
    A robot whose motors go on and off in `tick`, which the subclass adds.

    :ivar gains: requested, and in force with each command.
    """

    def __init__(
        self,
        robot: Robot,
        timeouts: Timeouts,
        warn: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(robot, timeouts, warn, on_change)
        self.gains = Gains(robot.kp.copy(), robot.kd.copy(), robot.torque_limit.copy())
        self._target = robot.home.copy()
        self._damped = True
        self._off_begin_ns: int | None = None
        self._off_reason = ''

    @abstractmethod
    def _measured(self) -> Float64 | None:
        """Return the pose [N] rad that was measured last; None before the first sample."""

    @abstractmethod
    def _find_problem(self, now_ns: int) -> str:
        """Return why the robot must not be moved now, or ''."""

    def check_can_enable(self, now_ns: int) -> None:
        """:raises BridgeError: the robot must not be moved."""
        problem, pose = self._find_problem(now_ns), self._measured()
        if pose is not None:
            problem = problem or find_outside(pose, self.robot)
        if self._off_begin_ns is not None:
            problem = problem or 'it is being switched off'
        if problem:
            raise BridgeError(f'not enabled: {problem}')

    def enable(self, now_ns: int) -> None:
        """
        Hold the present pose and obey commands; admits every session again.

        :raises BridgeError: the robot must not be moved.
        """
        self.check_can_enable(now_ns)
        self._guard.unblock_all()
        if self.state == ENABLED and not self._damped:
            return
        self._move(self._present_pose(), '', None)
        self._enter(ENABLED)

    def disable(self, reason: str, now_ns: int) -> None:
        """Ramp down, then switch off; `tick` goes on."""
        if self.state == DISABLED or self._off_begin_ns is not None:
            return
        self._off_begin_ns, self._off_reason = now_ns, reason
        self._guard.release()
        self._enter(DAMPING, f'ramping down: {reason}')

    def _end_switching_off(self) -> None:
        self._off_begin_ns, self._damped = None, True
        self._enter(DISABLED, self._off_reason)

    def _current_target(self) -> Float64:
        return self._present_pose() if self._damped else self._target.copy()

    def _can_move(self) -> bool:
        return self.state != DISABLED and self._off_begin_ns is None

    def _requested_gains(self) -> Gains:
        return self.gains

    def _present_pose(self) -> Float64:
        """Return the pose [N] rad that was measured last, limited."""
        pose = self._measured()
        return self._limit(self._target if pose is None else pose)
