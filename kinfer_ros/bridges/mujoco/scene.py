"""How a simulation starts: on the ground or on a gantry, how high, turned how, with gravity."""

from dataclasses import dataclass

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.parameters import fixed
from kinfer_ros.robot.changes import read_quaternion

FOOT_CLEARANCE = 0.005
"""m between the lowest point of the robot and the ground at the start, without a keyframe."""
GANTRY_CLEARANCE = 0.3
"""m, the same of a robot whose base stays held: its legs swing free."""
STILL_NOISE = ImuNoise(imu_gyro_noise=1e-4, imu_accel_noise=1e-3)
"""Noise of an IMU that cannot move: without any, it repeats itself like a driver that has died.
It is less than the resolution of the IMUs in use (about 1e-3 rad/s and 5e-3 m/s^2)."""
STILL_VELOCITY_NOISE = 1e-4
"""rad/s, of the joints of such a robot, for the same reason: they may come to rest to the bit."""


@dataclass(frozen=True)
class Scene:
    """The start of a simulation, and gravity. Each field is a parameter of the bridge."""

    # fmt: off
    fixed_base: bool = fixed(
        False, '', 'Hold the base where it starts, for the whole run: a robot on a gantry.')
    start_height: float = fixed(
        0.0, 'm', 'Height of the base at the start, in the world; 0: the feet are just above the '
        'ground, with fixed_base 0.3 m above it.',
        0.0, 100.0)
    initial_orientation: tuple[float, float, float, float] = fixed(
        (0.0, 0.0, 0.0, 0.0), '', 'Orientation of the base at the start: a unit quaternion '
        "w x y z; four zeros: the MuJoCo model's own.")
    gravity: bool = fixed(True, '', 'Simulate gravity.')
    # fmt: on

    @property
    def orientation(self) -> Float64 | None:
        """The orientation that was asked for, w x y z; None: the model's own."""
        if not any(self.initial_orientation):
            return None
        return read_quaternion('initial_orientation', self.initial_orientation)

    @property
    def clearance(self) -> float:
        """Height (m) of the feet above the ground, where no height was asked for."""
        return GANTRY_CLEARANCE if self.fixed_base else FOOT_CLEARANCE


ON_THE_GROUND = Scene()
