"""Computes a robot's ground contacts from its pose, for markers, live or from a bag.

This needs only the published pose, so it also works for a real robot, as far as its odometry gives
the height.
"""

from collections.abc import Mapping

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.robot.robot import Robot

CONTACT_MARGIN = 0.002
"""m above the ground that count as contact: pose and joint angles differ slightly in time."""


class Contacts:
    """
    Contacts of a robot with the fixed world of its MJCF.

    :raises RobotError: the robot has no usable MJCF.
    """

    def __init__(self, robot: Robot) -> None:
        self._bound = fit_model(robot)
        self._model = self._bound.model
        self._data = mujoco.MjData(self._model)
        self._model.geom_margin[:] = CONTACT_MARGIN
        self._names = {name: i for i, name in enumerate(robot.joint_names)}

    def points(self, position: Float64, quat: Float64, angles: Mapping[str, float]) -> Float64:
        """
        Return the contact points [N, 3] in the world, m.

        :param position: of the base in the world, m [3].
        :param quat: of the base, w x y z [4].
        :param angles: rad by joint name; other joints keep their last angle.
        """
        bound, model, data = self._bound, self._model, self._data
        start = bound.free_qpos
        if start >= 0:
            data.qpos[start : start + 3] = position
            data.qpos[start + 3 : start + 7] = quat
        for name, angle in angles.items():
            row = self._names.get(name)
            if row is not None:
                data.qpos[bound.qpos[row]] = angle
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_collision(model, data)
        contacts = data.contact
        if not data.ncon:
            return np.empty((0, 3))
        bodies = model.geom_bodyid[contacts.geom]
        own = model.body_rootid[bodies] == bound.base
        fixed = model.body_weldid[bodies] == 0
        touching = own.any(axis=1) & fixed.any(axis=1)
        return np.array(contacts.pos[touching])
