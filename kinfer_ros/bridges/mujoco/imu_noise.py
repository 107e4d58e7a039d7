"""Noise on the simulated IMU: its size, and how it is added to a reading."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64


@dataclass(frozen=True)
class ImuNoise:
    """Standard deviations of white noise on each reading; 0 is none."""

    orientation: float = 0.0
    """rad"""
    gyro: float = 0.0
    """rad/s"""
    accel: float = 0.0
    """m/s^2"""

    def add(
        self, rng: np.random.Generator, quat_wxyz: Float64, gyro: Float64, accel: Float64
    ) -> None:
        """Add noise in place to an orientation [4], angular velocity [3], specific force [3]."""
        if self.orientation > 0.0:
            mujoco.mju_quatIntegrate(quat_wxyz, rng.normal(0.0, self.orientation, 3), 1.0)
        if self.gyro > 0.0:
            gyro += rng.normal(0.0, self.gyro, 3)
        if self.accel > 0.0:
            accel += rng.normal(0.0, self.accel, 3)
