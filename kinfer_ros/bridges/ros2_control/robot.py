"""The decisions of the ros2_control bridge, without ROS, with the time passed in.

Sessions, command checks and states are those of all bridges (bridges/core.py). Here: what damping
and gains are for a controller that forwards positions. It has neither: its drives have gains of
their own, and it keeps the last position for ever.
"""

from collections.abc import Callable

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.real_robot import TickedRobot
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.ros2_control.controller import Controller
from kinfer_ros.bridges.ros2_control.watch import BroadcasterWatch
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot

FOLLOW = 'follow'
"""Damping: the target follows the measured pose, so that the joints yield slowly."""
KEEPS = 'keeps the last pose until it is deactivated'
HOLD = 'hold'
"""Damping: the pose measured when it begins is held."""


def check_robot(robot: Robot, *, gains_set_outside: bool, damping: str) -> None:
    """:raises ConfigError: the robot file or a parameter does not go with ros2_control."""
    if damping not in (FOLLOW, HOLD):
        raise ConfigError(f'found damping {damping!r}, expected {FOLLOW} or {HOLD}')
    turned = [j.name for j in robot.joints if j.sign != 1 or j.offset]
    if turned:
        raise ConfigError(
            f'robot file {robot.path}: found sign or offset of {", ".join(turned)}, expected '
            'none: ros2_control has the joints of the URDF already'
        )
    if not gains_set_outside:
        raise ConfigError(
            'a forward_command_controller takes no gains: set kp and kd of the robot file '
            f'{robot.path} in the drives of the robot, then say gains_set_outside:=true'
        )


class Ros2ControlRobot(TickedRobot):
    """
    One robot behind a forward_command_controller; every `now_ns` is of the steady clock.

    :ivar gains: those of the robot file, which the drives have.
    :param damping: FOLLOW or HOLD.
    :param send: takes targets [N] rad in the controller's order.
    :param warn: takes one line on each thing that was refused or went wrong.
    :param on_change: called after `state_text` or the gains may have changed.
    """

    COUNTERS = ('commands', 'refused', 'rejected', 'late', 'timeouts', 'lost', 'clamped')

    def __init__(
        self,
        robot: Robot,
        controller: Controller,
        watch: BroadcasterWatch,
        timeouts: Timeouts,
        damping: str,
        send: Callable[[Float64], None],
        warn: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(robot, timeouts, warn, on_change)
        self.controller = controller
        self.watch = watch
        self._damping = damping
        self._send_positions = send
        self.sent = 0
        self._note_problem(watch.problem(0))

    # What comes in -----------------------------------------------------------------------

    def on_joints(self) -> None:
        """Follow the newest sample of `watch` where the robot is damped."""
        if self._damped and self.state != DISABLED and self._damping == FOLLOW:
            self._send(self._present_pose())

    def tick(self, now_ns: int) -> None:
        """Check time-outs and go on switching off; call it at least every 10 ms."""
        self._check_command_timeout(now_ns)
        self._note_problem(self._find_problem(now_ns))
        if self._off_begin_ns is not None:
            ramp_ns = self._timeouts.ramp_ns if self._damping == FOLLOW else 0
            if now_ns - self._off_begin_ns >= ramp_ns:
                self._end_switching_off()

    def _measured(self) -> Float64 | None:
        return None if self.watch.sample is None else self.watch.sample.position

    def _find_problem(self, now_ns: int) -> str:
        return self.watch.problem(now_ns) or self.controller.problem(now_ns)

    # Commands ----------------------------------------------------------------------------

    def _stay_damped(self) -> str:
        return self._problem

    def _move(self, target: Float64, mode: str, velocity: Float64 | None = None) -> None:
        self._damped = False
        self._send(target)

    def _damp(self) -> None:
        if self.state != DISABLED and not self._damped:
            self._damped = True
            self._send(self._present_pose())

    def _send(self, target: Float64) -> None:
        self._target = target
        self.sent += 1
        if self.controller.is_known:
            self._send_positions(self.controller.in_order(target))

    # Gains -------------------------------------------------------------------------------

    def _check_gains(self, gains: Gains) -> Gains:
        asked, have = gains.rows(), self.gains.rows()
        wrong = ~np.isclose(asked, have, rtol=1e-4, atol=1e-6)
        if not wrong.any():
            return gains
        row, joint = np.argwhere(wrong)[0]
        what = ('kp', 'kd', 'torque limit')[row]
        raise BridgeError(
            f'found {what} {asked[row, joint]:g} of {self.robot.joint_names[joint]}, expected '
            f'{have[row, joint]:g} as in the robot file {self.robot.path}: the drives have their '
            'gains, and a forward_command_controller cannot change them'
        )

    def _apply_gains(self, gains: Gains) -> None:
        """Say them again: they are those that the drives have."""
        self.gains = Gains(*self.gains.rows())
        self._on_change()

    def disable(self, reason: str, now_ns: int) -> None:
        """Damp for the ramp time, then send nothing; `tick` goes on."""
        if self._can_move():
            self._damp()
        super().disable(f'{reason}; {self.controller.name} {KEEPS}', now_ns)
