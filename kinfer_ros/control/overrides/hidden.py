"""Shows the policy the start pose in place of joints that another node moves."""

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.overrides.joint_overrides import JointOverrides


class HiddenJoints:
    """Those of one policy's joints that another node may move."""

    def __init__(self, overrides: JointOverrides, joints: Indices, pose: Float64) -> None:
        """
        :param joints: index of each of the policy's P joints in the robot's order.
        :param pose: the start pose [N] rad, robot order.
        """
        _, self._here, self._there = np.intersect1d(
            joints, overrides.places, assume_unique=True, return_indices=True
        )
        self._pose = pose[joints[self._here]]
        self._hiding = overrides.hiding

    def hide(self, position: Float64, velocity: Float64) -> None:
        """Change the policy's positions and velocities [P], rad and rad/s, in place."""
        share = self._hiding[self._there]
        if not share.any():
            return
        seen = position[self._here]
        position[self._here] = seen + share * (self._pose - seen)
        velocity[self._here] *= 1.0 - share
