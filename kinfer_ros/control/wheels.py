"""Joints that are driven by velocity: wheels.

One array of targets [N] holds both kinds: rad, and for a wheel rad/s. It is split into positions
and velocities where it leaves the controller.
"""

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.policy.contract import Contract
from kinfer_ros.robot.robot import Robot


def find_wheels(contract: Contract, robot: Robot) -> Bools | None:
    """Return which joints [N] the policy drives by velocity; None where it does so with none."""
    names = contract.velocity_joints
    return np.array([name in names for name in robot.joint_names]) if names else None


class SentTargets:
    """
    Targets as they are sent.

    :ivar position: [N] rad; of a wheel the measured one, so that nothing turns it to an angle.
    :ivar velocity: [N] rad/s, 0 for a joint that is no wheel; None without wheels.
    """

    def __init__(self, target: Float64, wheels: Bools | None) -> None:
        """:param target: [N] rad and rad/s; without wheels it is `position` itself."""
        self._target = target
        self._wheels = wheels
        self.position = target if wheels is None else np.zeros(target.size)
        self.velocity: Float64 | None = None if wheels is None else np.zeros(target.size)

    def update(self, measured: Float64) -> None:
        """Split the targets; `measured` are the positions [N] rad of the sample they answer."""
        if self._wheels is None or self.velocity is None:
            return
        self.position[:] = self._target
        np.copyto(self.position, measured, where=self._wheels)
        np.copyto(self.velocity, self._target, where=self._wheels)


def with_rest(values: Float64, wheels: Bools | None) -> Float64:
    """Return positions [N] rad as targets: those of wheels are 0 rad/s."""
    return values if wheels is None else np.where(wheels, 0.0, values)


def farthest_joint(position: Float64, pose: Float64, wheels: Bools | None) -> tuple[int, float]:
    """
    Return the joint that is farthest from a start pose, and how far; a wheel is at rest anywhere.

    :param position: [N] rad, measured.
    :param pose: [N] rad, of a wheel 0.
    """
    away = np.abs(with_rest(position, wheels) - pose)
    worst = int(away.argmax())
    return worst, float(away[worst])
