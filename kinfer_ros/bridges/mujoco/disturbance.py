"""What a robot does worse than its drawing: friction, load, motors, encoders, commands.

Without this module a policy would be judged on the one robot that nobody has. Everything that is
drawn comes from the seed: the same seed and the same calls give the same bits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64

MOTORS, ENCODERS, NOISE, COMMANDS = 1, 2, 3, 4
"""Each kind of draw has a generator of its own: more of one changes nothing of the others."""


@dataclass(frozen=True)
class Disturbance:
    """What is not as it should be; by default all is well."""

    friction: float = 1.0
    """Factor on the sliding friction of everything that touches."""
    payload: float = 0.0
    """Share of the robot's mass that is added to the base, in its centre of mass."""
    torque: float = 1.0
    """Share of its torque limit that a joint can give."""
    gain_error: float = 0.0
    """Share by which kp and kd of each joint are off, at most, either way."""
    joint_zero_error: float = 0.0
    """rad by which each encoder is off, at most, either way; its servo obeys the same encoder."""
    joint_position_noise: float = 0.0
    """rad, standard deviation of white noise on each joint's position."""
    joint_velocity_noise: float = 0.0
    """rad/s"""
    command_delay: tuple[float, float] = (0.0, 0.0)
    """s from a command to the motors: shortest and longest, drawn for each; none overtakes."""
    command_drop: float = 0.0
    """Probability that a command is lost."""


UNDISTURBED = Disturbance()


@dataclass(frozen=True, eq=False)
class Motors:
    """Factors [N] on what the joints' motors are asked for."""

    kp: Float64
    kd: Float64
    torque: Float64


class Disturbed:
    """
    The draws of one robot.

    :ivar motors: what the motors make of their gains.
    :ivar zero_error: [N] rad, reading less truth of each encoder.
    :ivar line: the commands on their way, or None where they arrive at once.
    """

    def __init__(self, disturbance: Disturbance, seed: int, joints: int, timestep: float) -> None:
        """:param timestep: of the physics, s."""

        def spread(kind: int, most: float, rows: int) -> Float64:
            return np.random.default_rng((seed, kind)).uniform(-most, most, (rows, joints))

        kp, kd = 1.0 + spread(MOTORS, disturbance.gain_error, 2)
        self.motors = Motors(kp, kd, np.full(joints, disturbance.torque))
        (self.zero_error,) = spread(ENCODERS, disturbance.joint_zero_error, 1)
        self._noise = (disturbance.joint_position_noise, disturbance.joint_velocity_noise)
        self._rng = np.random.default_rng((seed, NOISE))
        self.line: CommandLine | None = None
        if disturbance.command_drop > 0.0 or max(disturbance.command_delay) > 0.0:
            self.line = CommandLine(disturbance, seed, timestep)

    def measure(self, position: Float64, velocity: Float64) -> None:
        """Turn true joint positions and velocities [N] into what the encoders read, in place."""
        position += self.zero_error
        for values, deviation in zip((position, velocity), self._noise, strict=True):
            if deviation > 0.0:
                values += self._rng.normal(0.0, deviation, values.shape)


class CommandLine:
    """Targets on their way to the motors; some are lost."""

    def __init__(self, disturbance: Disturbance, seed: int, timestep: float) -> None:
        self._shortest, self._longest = disturbance.command_delay
        self._drop = disturbance.command_drop
        self._timestep = timestep
        self._rng = np.random.default_rng((seed, COMMANDS))
        self._waiting: deque[tuple[int, Float64]] = deque()

    def send(self, target: Float64, step: int) -> None:
        """Send a target [N] rad in front of this physics step."""
        lost = self._rng.random() < self._drop
        delay = self._rng.uniform(self._shortest, self._longest)
        if lost:
            return
        due = step + round(delay / self._timestep)
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, target.copy()))

    def due(self, step: int) -> Float64 | None:
        """Take the newest target that is there in front of this physics step, or None."""
        target = None
        while self._waiting and self._waiting[0][0] <= step:
            target = self._waiting.popleft()[1]
        return target

    def clear(self) -> None:
        """Forget what is on its way."""
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
