"""Errors of a simulated robot's body against its model, drawn once from the seed.

Armature, damping, inertia, centre of mass and the mounting of the IMU: what a model is made of
and nobody has measured.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.model import FittedModel

ARMATURE, DAMPING, INERTIA, COM, MOUNTING = 21, 22, 23, 24, 25
"""Kinds of random numbers, each with a generator of its own, as in disturbance.py."""


@dataclass(frozen=True, eq=False)
class BodyErrors:
    """
    What was drawn for one robot.

    :ivar armature: [N] factors, robot joint order; `damping` likewise.
    :ivar inertia: [B] factors, by body of the robot.
    :ivar com: [3] m, added to the base's centre of mass, in the base frame.
    :ivar imu: [3] rad, rotation vector of the IMU in its frame.
    """

    armature: Float64
    damping: Float64
    inertia: Float64
    com: Float64
    imu: Float64
    bodies: tuple[int, ...]

    @classmethod
    def draw(cls, disturbance: Disturbance, seed: int, fitted: FittedModel) -> 'BodyErrors':
        """Draw the errors of a robot."""
        root = fitted.model.body_rootid[fitted.base]
        bodies = tuple(np.flatnonzero(fitted.model.body_rootid == root).tolist())

        def uniform(kind: int, largest: float, count: int) -> Float64:
            return np.random.default_rng((seed, kind)).uniform(-largest, largest, count)

        joints = len(fitted.dof)
        return cls(
            armature=1.0 + uniform(ARMATURE, disturbance.armature_error, joints),
            damping=1.0 + uniform(DAMPING, disturbance.damping_error, joints),
            inertia=1.0 + uniform(INERTIA, disturbance.inertia_error, len(bodies)),
            com=uniform(COM, disturbance.com_error, 3),
            imu=_within_ball(uniform(MOUNTING, 1.0, 3), disturbance.imu_alignment_error),
            bodies=bodies,
        )

    def apply(self, fitted: FittedModel) -> None:
        """Write the errors into a compiled model; without any, no bit of it changes."""
        model: Any = fitted.model
        if (self.armature != 1.0).any():
            model.dof_armature[fitted.dof] *= self.armature
        if (self.damping != 1.0).any():
            model.dof_damping[fitted.dof] *= self.damping
        if (self.inertia == 1.0).all() and not self.com.any() and (self.armature == 1.0).all():
            return
        model.body_inertia[list(self.bodies)] *= self.inertia[:, None]
        model.body_ipos[fitted.base] += self.com
        mujoco.mj_setConst(model, mujoco.MjData(model))

    def turn_imu(self, quat_wxyz: Float64, gyro: Float64, accel: Float64) -> None:
        """Turn a reading in place as an IMU does that is mounted askew."""
        x, y, z = self.imu.tolist()
        if not (x or y or z):
            return
        turn, back = np.array([1.0, 0.0, 0.0, 0.0]), np.empty(4)
        mujoco.mju_quatIntegrate(turn, self.imu, 1.0)
        mujoco.mju_negQuat(back, turn)
        mujoco.mju_mulQuat(quat_wxyz, quat_wxyz.copy(), turn)
        for vector in (gyro, accel):
            mujoco.mju_rotVecQuat(vector, vector.copy(), back)

    def drawn(self, joints: tuple[str, ...], model: Any) -> dict[str, Any]:
        """Return what was drawn, as plain data; nothing of what is exact."""
        found: dict[str, Any] = {}
        for name, factors in (('armature', self.armature), ('damping', self.damping)):
            if (factors != 1.0).any():
                found[name] = dict(zip(joints, factors.tolist(), strict=True))
        if (self.inertia != 1.0).any():
            names = [model.body(body).name or f'body {body}' for body in self.bodies]
            found['inertia'] = dict(zip(names, self.inertia.tolist(), strict=True))
        for name, vector in (('com_m', self.com), ('imu_alignment_rad', self.imu)):
            if vector.any():
                found[name] = dict(zip('xyz', vector.tolist(), strict=True))
        return found


def _within_ball(direction: Float64, largest: float) -> Float64:
    """Return a vector of this direction, as long as its largest component tells."""
    length = float(np.linalg.norm(direction))
    return direction / length * largest * float(np.abs(direction).max()) if length else direction
