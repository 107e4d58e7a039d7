"""Deviations of a simulated robot from its model: friction, load, motors, encoders, commands.

All random numbers come from the seed: the same seed and the same calls give the same bits.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.parameters import fixed

MOTORS, ENCODERS, NOISE, COMMANDS = 1, 2, 3, 4
"""Kinds of random numbers, each with a generator of its own: they do not affect each other."""


@dataclass(frozen=True)
class Disturbance:
    """Deviations from the model; none by default. Each field is a parameter of the bridge."""

    # fmt: off
    friction: float = fixed(1.0, '', 'Factor on the sliding friction of all contacts.', 0.0, 10.0)
    payload: float = fixed(
        0.0, '', "Mass added to the base, as a share of the robot's mass.", 0.0, 10.0)
    torque: float = fixed(1.0, '', 'Share of its torque limit that a joint can reach.', 0.0, 10.0)
    gain_error: float = fixed(
        0.0, '', "Largest relative error of a joint's kp and kd, either way, drawn at random.",
        0.0, 1.0)
    joint_zero_error: float = fixed(
        0.0, 'rad', 'Largest offset of each encoder, either way, drawn at random.', 0.0, 1.0)
    joint_position_noise: float = fixed(
        0.0, 'rad', 'Standard deviation of the noise on the joint positions.', 0.0, 1.0)
    joint_velocity_noise: float = fixed(
        0.0, 'rad/s', 'Standard deviation of the noise on the joint velocities.', 0.0, 100.0)
    command_delay: tuple[float, float] = fixed(
        (0.0, 0.0), 's', 'Shortest and longest delay from a command to the motors, in simulated '
        'time; drawn at random for each command.')
    command_drop: float = fixed(
        0.0, '', 'Probability that a command is lost on its way to the motors.', 0.0, 1.0)
    armature_error: float = fixed(
        0.0, '', "Largest relative error of a joint's armature, either way, drawn at random.",
        0.0, 0.95)
    damping_error: float = fixed(
        0.0, '', "Largest relative error of a joint's own damping, either way, drawn at random; "
        'of none it stays none.', 0.0, 1.0)
    inertia_error: float = fixed(
        0.0, '', "Largest relative error of a body's inertia, either way, drawn at random; masses "
        'stay.', 0.0, 0.95)
    com_error: float = fixed(
        0.0, 'm', "Largest offset of the base's centre of mass along each axis, drawn at random.",
        0.0, 1.0)
    imu_alignment_error: float = fixed(
        0.0, 'rad', 'Largest rotation of the IMU against its mounting, about a random axis.',
        0.0, 1.0)
    # fmt: on


UNDISTURBED = Disturbance()


@dataclass(frozen=True, eq=False)
class MotorFactors:
    """Factors [N] on the gains and torques of the motors."""

    kp: Float64
    kd: Float64
    torque: Float64


class Disturbed:
    """
    The random numbers drawn for one robot.

    :ivar motors: factors on the gains and torques.
    :ivar zero_error: [N] rad, reading minus true position of each encoder.
    :ivar line: commands on their way to the motors, or None if they arrive at once.
    """

    def __init__(self, disturbance: Disturbance, seed: int, joints: int, timestep: float) -> None:
        """:param timestep: of the physics, s."""

        def draw(kind: int, largest: float, rows: int) -> Float64:
            return np.random.default_rng((seed, kind)).uniform(-largest, largest, (rows, joints))

        kp, kd = 1.0 + draw(MOTORS, disturbance.gain_error, 2)
        self.motors = MotorFactors(kp, kd, np.full(joints, disturbance.torque))
        (self.zero_error,) = draw(ENCODERS, disturbance.joint_zero_error, 1)
        self._noise = (disturbance.joint_position_noise, disturbance.joint_velocity_noise)
        self._rng = np.random.default_rng((seed, NOISE))
        self.line: CommandLine | None = None
        if disturbance.command_drop > 0.0 or max(disturbance.command_delay) > 0.0:
            self.line = CommandLine(disturbance, seed, timestep)

    def measure(self, position: Float64, velocity: Float64) -> None:
        """Turn true joint positions and velocities [N] into encoder readings, in place."""
        position += self.zero_error
        of_position, of_velocity = self._noise
        if of_position > 0.0:
            position += self._rng.normal(0.0, of_position, position.shape)
        if of_velocity > 0.0:
            velocity += self._rng.normal(0.0, of_velocity, velocity.shape)


class CommandLine:
    """
    Targets on their way to the motors; some are lost.

    :ivar velocity: [N] rad/s, of the target that arrived last; None without wheels.
    """

    def __init__(self, disturbance: Disturbance, seed: int, timestep: float) -> None:
        self._shortest, self._longest = disturbance.command_delay
        self._drop = disturbance.command_drop
        self._timestep = timestep
        self._rng = np.random.default_rng((seed, COMMANDS))
        self._waiting: deque[tuple[int, Float64, Float64 | None]] = deque()
        self.velocity: Float64 | None = None

    def send(self, target: Float64, step: int, velocity: Float64 | None = None) -> None:
        """Send targets [N] rad, and rad/s of wheels, before this physics step."""
        lost = self._rng.random() < self._drop
        delay = self._rng.uniform(self._shortest, self._longest)
        if lost:
            return
        due = step + round(delay / self._timestep)
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        speed = None if velocity is None else velocity.copy()
        self._waiting.append((due, target.copy(), speed))

    def due(self, step: int) -> Float64 | None:
        """Take the newest target that arrives before this physics step, or None."""
        target = None
        while self._waiting and self._waiting[0][0] <= step:
            _, target, self.velocity = self._waiting.popleft()
        return target

    def clear(self) -> None:
        """Drop the commands on their way."""
        self._waiting.clear()


def disturb_model(model: Any, base: int, disturbance: Disturbance) -> None:
    """
    Write friction and payload into a compiled model.

    :param base: body id of the base.
    """
    if disturbance.friction != 1.0:
        model.geom_friction[:, 0] *= disturbance.friction
        model.pair_friction[:, :2] *= disturbance.friction
    if disturbance.payload != 0.0:
        model.body_mass[base] += disturbance.payload * model.body_subtreemass[base]
        mujoco.mj_setConst(model, mujoco.MjData(model))
