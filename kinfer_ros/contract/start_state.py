"""Checks of samples and commands before an activation.

A robot that has fallen, whose command is not neutral, or that is far from its start pose is
refused. What an activation waits for is in contract/activation.py.
"""

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.wheels import farthest_joint
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import told_apart

MAX_LIMIT_EXCESS = 0.05
"""rad outside its limits that a joint may have at activation."""


class ActivationChecks:
    """Checks the newest samples and commands; nothing is counted."""

    def __init__(
        self,
        frame: SensorFrame,
        command: CommandVector,
        guards: GuardSet,
        robot: Robot,
        start_pose: Float64,
        wheels: Bools | None = None,
    ) -> None:
        """:param wheels: [N] the joints whose targets are velocities; None: none of them."""
        self._frame = frame
        self._command = command
        self._guards = guards
        self._robot = robot
        self._start_pose = start_pose
        self._wheels = wheels

    def missing_samples(self, now_ns: int, stamp_now_ns: int) -> str:
        """Return which sensor has no fresh sample yet, or ''; the caller may wait for it."""
        self._guards.restart()
        return self._guards.stale(TickContext(now_ns, stamp_now_ns))

    def refusal(self, now_ns: int, stamp_now_ns: int, max_ramp: float) -> str:
        """
        Return why the robot must not be activated now, or ''.

        :param max_ramp: rad that a joint may be away from the start pose.
        """
        self._guards.restart()
        return self._guards.cause(TickContext(now_ns, stamp_now_ns)) or self.lying_refusal(
            now_ns, self._start_pose, max_ramp
        )

    def lying_refusal(self, now_ns: int, pose: Float64, max_ramp: float) -> str:
        """
        Return why a robot that lies must not be moved, or ''; the guards run by themselves.

        :param pose: [N] rad, the start pose of the policy that moves it.
        :param max_ramp: rad that a joint may be away from it.
        """
        return self._outside_limits() or self._pushed(now_ns) or self._far_from(pose, max_ramp)

    def _pushed(self, now_ns: int) -> str:
        pushed = self._command.not_neutral(now_ns)
        return f'{pushed}, expected a neutral command: let go of the stick' if pushed else ''

    def _outside_limits(self) -> str:
        """The target of a ramp starts within the limits: a joint outside them would jump."""
        position, robot = self._frame.position, self._robot
        beyond = np.maximum(robot.lower - position, position - robot.upper)
        worst = int(beyond.argmax())
        if beyond[worst] <= MAX_LIMIT_EXCESS:
            return ''
        return (
            f'{self._frame.joint_names[worst]} is {beyond[worst]:.2f} rad outside its limits, at '
            f'most {MAX_LIMIT_EXCESS:g} rad are accepted at the start: '
            'bring it within them by hand'
        )

    def _far_from(self, pose: Float64, max_ramp: float) -> str:
        worst, away = farthest_joint(self._frame.position, pose, self._wheels)
        if away <= max_ramp:
            return ''
        found, _ = told_apart(away, max_ramp, 2)
        return (
            f'{self._frame.joint_names[worst]} is {found} rad from the start pose, '
            f'at most {max_ramp:g} rad (max_ramp): bring the robot nearer to it by hand'
        )
