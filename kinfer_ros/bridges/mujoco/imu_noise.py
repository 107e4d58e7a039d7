"""Noise on the simulated IMU: its size, and how it is added to a reading."""

from dataclasses import dataclass

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.parameters import fixed


@dataclass(frozen=True)
class ImuNoise:
    """White noise on each reading. Each field is a parameter of the bridge."""

    # fmt: off
    imu_orientation_noise: float = fixed(
        0.0, 'rad', 'Standard deviation of the noise on the orientation.',
        0.0, 1.0)
    imu_gyro_noise: float = fixed(
        0.0, 'rad/s', 'Standard deviation of the noise on the angular velocity.',
        0.0, 10.0)
    imu_accel_noise: float = fixed(
        0.0, 'm/s^2', 'Standard deviation of the noise on the specific force.',
        0.0, 100.0)
    # fmt: on

    def add(
        self, rng: np.random.Generator, quat_wxyz: Float64, gyro: Float64, accel: Float64
    ) -> None:
        """Add noise in place to an orientation [4], angular velocity [3], specific force [3]."""
        orientation = self.imu_orientation_noise
        if orientation > 0.0:
            mujoco.mju_quatIntegrate(quat_wxyz, rng.normal(0.0, orientation, 3), 1.0)
        if self.imu_gyro_noise > 0.0:
            gyro += rng.normal(0.0, self.imu_gyro_noise, 3)
        if self.imu_accel_noise > 0.0:
            accel += rng.normal(0.0, self.imu_accel_noise, 3)
