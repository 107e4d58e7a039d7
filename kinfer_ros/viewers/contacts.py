"""Where a robot touches the ground, from its pose alone: for markers, live or from a bag.

The bridge's own contacts are inside its simulation; this sees the same from what it publishes, and
of a real robot as well as its odometry knows its height.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.robot.robot import Robot

MARGIN = 0.002
"""m above the ground that count as touching it: pose and joint angles are not of one instant."""


class Contacts:
    """
    The contacts of one robot with the fixed world of its MJCF.

    :raises RobotError: the robot has no MJCF that can be used.
    """

    def __init__(self, robot: Robot) -> None:
        self._fitted = fit_model(robot)
        self._model = self._fitted.model
        self._data = mujoco.MjData(self._model)
        self._model.geom_margin[:] = MARGIN
        self._names = {name: i for i, name in enumerate(robot.joint_names)}

    def points(self, position: Float64, quat: Float64, angles: Mapping[str, float]) -> Float64:
        """
        Give the contact points [N, 3] in the world, m.

        :param position: of the base in the world, m [3].
        :param quat: of the base, w x y z [4].
        :param angles: joint name to rad; joints that are not in it stay where they were.
        """
        fitted, model, data = self._fitted, self._model, self._data
        start = fitted.free_qpos
        if start >= 0:
            data.qpos[start : start + 3] = position
            data.qpos[start + 3 : start + 7] = quat
        for name, angle in angles.items():
            row = self._names.get(name)
            if row is not None:
                data.qpos[fitted.qpos[row]] = angle
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_collision(model, data)
        found = data.contact
        if not data.ncon:
            return np.empty((0, 3))
        bodies = model.geom_bodyid[found.geom]
        mine = model.body_rootid[bodies] == fitted.base
        fixed = model.body_weldid[bodies] == 0
        touching = mine.any(axis=1) & fixed.any(axis=1)
        return np.array(found.pos[touching])
