"""Measures a simulated run from the ground truth: velocity, and the work of the joints."""

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.simulate import BaseMotion

AXES = ('vx', 'vy', 'wz')
"""Axes of the velocity in the base frame: m/s forward, m/s to the left, rad/s to the left."""
SETTLE_S = 1.0
"""s after which velocities count: the robot accelerates first."""
MEAN_OVER_S = 0.5
"""s over which a velocity is averaged: a body sways in each step."""
STEPS_AT_ONCE = 256
"""Physics steps whose work is computed together."""

Triple = tuple[float, float, float]


class Meter:
    """
    Measures once a tick while the robot runs, and adds up the work in every physics step.

    :ivar running: the run has begun; work counts from then on.
    """

    def __init__(self, robot: MujocoRobot, period: float) -> None:
        """:param period: of the ticks, s."""
        self._work_j = 0.0
        self.running = False
        self._dof = robot.fitted.dof
        self._timestep = robot.timestep_ns / 1e9
        self._torque, self._speed = robot.data.qfrc_actuator, robot.data.qvel
        self._torques = np.empty((STEPS_AT_ONCE, robot.model.nv))
        self._speeds = np.empty_like(self._torques)
        self._step = 0
        self._window = max(1, round(MEAN_OVER_S / period))
        self._velocities: list[Triple] = []
        self._commands: list[Triple] = []
        robot.after_step = self._after_step

    def _after_step(self) -> None:
        if self.running:
            if self._step == len(self._torques):
                self._add_work()
            self._torques[self._step] = self._torque
            self._speeds[self._step] = self._speed
            self._step += 1

    def _add_work(self) -> None:
        """Add the work of the steps that were copied: of many at once it takes less time."""
        torques, speeds = (
            each[: self._step].take(self._dof, axis=1) for each in (self._torques, self._speeds)
        )
        for power in np.abs(torques * speeds).sum(axis=1).tolist():
            self._work_j += power * self._timestep
        self._step = 0

    def work_j(self) -> float:
        """Return the joints' work, J: the sum of |torque x speed| x time; braking counts too."""
        self._add_work()
        return self._work_j

    def measure(self, run_s: float, base: BaseMotion, command: Triple | None = None) -> None:
        """
        Measure the velocity of this tick, at `run_s` of the run.

        :param base: its motion in this tick.
        :param command: of this tick, where it changes: by axis.
        """
        if run_s >= SETTLE_S:
            x, y, _ = base.linear.tolist()
            self._velocities.append((x, y, float(base.angular[2])))
            if command is not None:
                self._commands.append(command)

    def velocity(self) -> dict[str, float | None]:
        """Return the mean velocity by axis; None if the run was too short."""
        smooth = self._smooth(self._velocities)
        return _by_axis(smooth.mean(axis=0) if len(smooth) else None)

    def error(self, command: Triple) -> dict[str, float | None]:
        """
        Return the root mean square of averaged velocity minus command, by axis.

        :param command: of all ticks; those that were measured, averaged as well, come first.
        """
        smooth = self._smooth(self._velocities)
        if not len(smooth):
            return _by_axis(None)
        wanted = self._smooth(self._commands) if self._commands else np.array(command)
        return _by_axis(np.sqrt(np.square(smooth - wanted).mean(axis=0)))

    def _smooth(self, values: list[Triple]) -> Float64:
        """Return moving means [n, 3] over ticks; empty if the run was shorter than one."""
        if len(values) < self._window:
            return np.empty((0, 3))
        total = np.cumsum([(0.0, 0.0, 0.0), *values], axis=0)
        means: Float64 = (total[self._window :] - total[: -self._window]) / self._window
        return means


def _by_axis(values: Float64 | None) -> dict[str, float | None]:
    return dict(zip(AXES, [None] * 3 if values is None else values.tolist(), strict=True))
