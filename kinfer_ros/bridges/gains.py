"""Gains as bridges take them: merged by joint name, checked, held to the robot's limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.command import JointMap
from kinfer_ros.robot.robot import Robot


@dataclass(frozen=True, eq=False)
class Gains:
    """Stiffness (Nm/rad), damping (Nms/rad) and torque limit (Nm), each [N]."""

    kp: Float64
    kd: Float64
    torque_limit: Float64

    def softened(self, share: float) -> 'Gains':
        """Return the same with only a share of the stiffness; 0 is damping."""
        return Gains(self.kp * share, self.kd, self.torque_limit)

    def rows(self) -> Float64:
        """Return [3, N], a copy."""
        return np.stack((self.kp, self.kd, self.torque_limit))


def merge_gains(
    gains: Gains,
    joints: JointMap,
    names: Sequence[str],
    values: tuple[Float64, Float64, Float64],
) -> Gains:
    """
    Replace kp, kd and torque limits of the named joints; an empty array leaves its values.

    :raises BridgeError: unknown joints, or a value that is negative or not finite.
    """
    joints.indices(names)  # wrong names are refused even if there are no values
    rows = gains.rows()
    for row, what, column in zip(rows, ('kp', 'kd', 'torque limit'), values, strict=True):
        if len(column):
            joints.assign(row, what, names, column, minimum=0.0)
    return Gains(*rows)


def limit_gains(gains: Gains, robot: Robot) -> Gains:
    """Reduce gains to the hard limits of the robot YAML."""
    hard = np.stack((robot.kp_max, robot.kd_max, robot.torque_limit))
    return Gains(*np.minimum(gains.rows(), hard))
