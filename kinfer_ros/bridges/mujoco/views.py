"""Arrays of MuJoCo's data that are read in every tick, looked up once: they follow the data."""

from typing import Any

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.model import FittedModel


class Views:
    """
    Arrays of one robot.

    :ivar gyro: of the IMU, [3] rad/s; `accel` [3] m/s^2, `quat` [4] w x y z.
    :ivar base_position: [3] m, in the world; `base_quat` [4] w x y z.
    :ivar base_matrix: [3, 3] from the base into the world.
    :ivar base_linear: [3] m/s, in the world; `base_angular` [3] rad/s, in the base. Both None
        where the base is fixed to the world.
    """

    def __init__(self, fitted: FittedModel, data: Any) -> None:
        self.qpos: Float64 = data.qpos
        self.qvel: Float64 = data.qvel
        self.torque: Float64 = data.qfrc_actuator
        self.gyro: Float64 = data.sensordata[fitted.gyro]
        self.accel: Float64 = data.sensordata[fitted.accel]
        self.quat: Float64 = data.sensordata[fitted.quat]
        self.base_position: Float64 = data.xpos[fitted.base]
        self.base_quat: Float64 = data.xquat[fitted.base]
        self.base_matrix: Float64 = data.xmat[fitted.base].reshape(3, 3)
        start = fitted.free_dof
        free = start >= 0
        self.base_linear: Float64 | None = self.qvel[start : start + 3] if free else None
        self.base_angular: Float64 | None = self.qvel[start + 3 : start + 6] if free else None
