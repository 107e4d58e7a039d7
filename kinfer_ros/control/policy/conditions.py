"""Conditions of a transition between two policies of a set, checked on the newest samples."""

import math

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.policy.runner import TickPolicy
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.wheels import farthest_joint
from kinfer_ros.policy.sets.transition import Conditions
from kinfer_ros.text import told_apart

DOWN = (0.0, 0.0, -1.0)


class ConditionCheck:
    """Says which condition does not hold."""

    def __init__(
        self, frame: SensorFrame, command: CommandVector, wheels: Bools | None = None
    ) -> None:
        """:param wheels: [N] the joints whose targets are velocities; None: none of them."""
        self._frame = frame
        self._command = command
        self._wheels = wheels

    def unmet(
        self, conditions: Conditions, running: TickPolicy, start_pose: Float64, now_ns: int
    ) -> str:
        """
        Return the first condition that does not hold, or ''.

        :param running: the policy that runs.
        :param start_pose: [N] rad, of the policy that is to be entered.
        """
        if conditions.max_tilt is not None:
            tilt = self._angle_to(DOWN)
            if not tilt <= conditions.max_tilt:
                return (
                    f'the base is tilted by {_beyond(tilt, conditions.max_tilt)} rad, '
                    f'expected at most {conditions.max_tilt:g} (max_tilt)'
                )
        if conditions.gravity is not None:
            angle = self._angle_to(conditions.gravity.axis)
            within = conditions.gravity.within
            if not angle <= within:
                x, y, z = conditions.gravity.axis
                return (
                    f'gravity is {_beyond(angle, within)} rad from [{x:.2g}, {y:.2g}, {z:.2g}], '
                    f'expected at most {within:g} (gravity)'
                )
        if conditions.neutral and (pushed := self._command.not_neutral(now_ns)):
            return f'{pushed}, expected a neutral command (command_neutral)'
        if conditions.motion_ended and not running.motion_ended():
            return 'the motion has not ended (motion_ended)'
        pose, speed = conditions.pose_within, conditions.max_joint_speed
        if pose is not None and (far := self._far_from(start_pose, pose)):
            return far
        return '' if speed is None else self._faster_than(speed)

    def _angle_to(self, axis: tuple[float, float, float]) -> float:
        """Return the angle between gravity and a unit vector of the base frame, rad."""
        x, y, z = self._frame.gravity.tolist()
        norm = math.sqrt(x * x + y * y + z * z)
        cosine = (x * axis[0] + y * axis[1] + z * axis[2]) / norm if norm > 0.0 else math.nan
        # NaN must not pass: min and max would drop it.
        return math.acos(max(-1.0, min(1.0, cosine))) if math.isfinite(cosine) else math.nan

    def _far_from(self, pose: Float64, limit: float) -> str:
        worst, away = farthest_joint(self._frame.position, pose, self._wheels)
        if away <= limit:
            return ''
        return (
            f'{self._frame.joint_names[worst]} is {_beyond(away, limit)} rad from the start pose, '
            f'expected at most {limit:g} (pose_within)'
        )

    def _faster_than(self, limit: float) -> str:
        velocity = self._frame.velocity
        fastest, speed = farthest_joint(velocity, np.zeros_like(velocity), self._wheels)
        if speed <= limit:
            return ''
        return (
            f'{self._frame.joint_names[fastest]} moves with {_beyond(speed, limit)} rad/s, '
            f'expected at most {limit:g} (max_joint_speed)'
        )


def _beyond(found: float, limit: float) -> str:
    """Return a number with the decimals that tell it from the limit it is beyond."""
    return told_apart(found, limit, 2)[0]
