"""The conditions of an evaluation: ranges and probabilities, drawn once for each seed."""

import math
from dataclasses import dataclass
from dataclasses import fields

import numpy as np

from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.imu_noise import ImuNoise
from kinfer_ros.parameters import declared

Range = tuple[float, float]
"""Lowest and highest value."""

ROBOT, PUSHES = 11, 12
"""Kinds of random numbers, besides those of bridges/mujoco/disturbance.py."""


@dataclass(frozen=True)
class Condition:
    """
    One condition; a value is drawn from each range once per run.

    Names and units are those of the parameters of the MuJoCo bridge.
    """

    friction: Range = (1.0, 1.0)
    payload: Range = (0.0, 0.0)
    torque: Range = (1.0, 1.0)
    gain_error: float = 0.0
    joint_zero_error: float = 0.0
    joint_position_noise: float = 0.0
    joint_velocity_noise: float = 0.0
    imu_orientation_noise: float = 0.0
    imu_gyro_noise: float = 0.0
    imu_accel_noise: float = 0.0
    command_delay: Range = (0.0, 0.0)
    command_drop: float = 0.0
    armature_error: float = 0.0
    damping_error: float = 0.0
    inertia_error: float = 0.0
    com_error: float = 0.0
    imu_alignment_error: float = 0.0
    push_speed: float = 0.0
    """m/s that a push adds to the base, in a random direction."""
    push_every: float = 3.0
    """s between two pushes, times a random factor from 0.7 to 1.3."""

    @property
    def draws(self) -> bool:
        """Whether runs of different seeds differ."""
        ranges = [getattr(self, name) for name in RANGES]
        sizes = [getattr(self, name) for name in NAMES if name not in (*RANGES, 'push_every')]
        return any(low != high for low, high in ranges) or any(sizes)

    def disturbance(self, seed: int) -> Disturbance:
        """Draw the disturbance of this seed."""
        rng = np.random.default_rng((seed, ROBOT))
        values = {field.name: getattr(self, field.name) for field in fields(Disturbance)}
        for name in ('friction', 'payload', 'torque'):
            values[name] = float(rng.uniform(*values[name]))
        return Disturbance(**values)

    def imu_noise(self) -> ImuNoise:
        """Return the noise of the IMU."""
        return ImuNoise(**{field.name: getattr(self, field.name) for field in fields(ImuNoise)})


NAMES = tuple(field.name for field in fields(Condition))
RANGES = ('friction', 'payload', 'torque', 'command_delay')

MAX_VALUE = {
    **{each.name: each.high or 0.0 for each in declared(Disturbance) + declared(ImuNoise)},
    'command_delay': 1.0, 'push_speed': 100.0, 'push_every': 1e6,
}  # fmt: skip
"""Largest value of each entry; the smallest is 0."""


class Pushes:
    """Times and velocities of the pushes of one seed."""

    def __init__(self, condition: Condition, seed: int) -> None:
        self._speed = condition.push_speed
        self._every = condition.push_every
        self._rng = np.random.default_rng((seed, PUSHES))
        self._next_s = self._draw_pause()

    def _draw_pause(self) -> float:
        return self._every * float(self._rng.uniform(0.7, 1.3)) if self._speed else math.inf

    def due(self, run_s: float) -> tuple[float, float, float] | None:
        """Return the velocity (world, m/s) that a push adds now, or None; call once a tick."""
        if run_s < self._next_s:
            return None
        self._next_s = run_s + self._draw_pause()
        angle = float(self._rng.uniform(-math.pi, math.pi))
        return self._speed * math.cos(angle), self._speed * math.sin(angle), 0.0


CALM = 'calm'

CONDITIONS: dict[str, Condition] = {
    CALM: Condition(),
    'pushes': Condition(push_speed=0.5),
    'slippery': Condition(friction=(0.2, 0.6)),
    'noise': Condition(
        joint_position_noise=0.01, joint_velocity_noise=0.3, imu_orientation_noise=0.02,
        imu_gyro_noise=0.1, imu_accel_noise=0.3,
    ),
    'delay': Condition(command_delay=(0.0, 0.04)),
    'drops': Condition(command_drop=0.2),
    'robot': Condition(
        payload=(0.0, 0.15), torque=(0.8, 1.0), gain_error=0.15, joint_zero_error=0.02,
    ),
    'body': Condition(
        armature_error=0.3, damping_error=0.3, inertia_error=0.15, com_error=0.01,
        imu_alignment_error=0.02,
    ),
    'rough': Condition(
        friction=(0.5, 1.0), payload=(0.0, 0.1), torque=(0.9, 1.0), gain_error=0.1,
        joint_zero_error=0.01, joint_position_noise=0.005, joint_velocity_noise=0.2,
        imu_orientation_noise=0.01, imu_gyro_noise=0.05, imu_accel_noise=0.2,
        command_delay=(0.0, 0.02), command_drop=0.1, push_speed=0.4,
    ),
}  # fmt: skip
"""The default conditions of an evaluation."""
