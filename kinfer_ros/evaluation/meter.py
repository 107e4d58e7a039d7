"""Measures a simulated run from the ground truth: velocity, work of the joints, contact slip."""

from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.robot import MujocoRobot

AXES = ('vx', 'vy', 'wz')
"""Axes of the velocity in the base frame: m/s forward, m/s to the left, rad/s to the left."""
SETTLE_S = 1.0
"""s after which velocities count: the robot accelerates first."""
MEAN_OVER_S = 0.5
"""s over which a velocity is averaged: a body sways in each step."""


Triple = tuple[float, float, float]


class Meter:
    """
    Measures once a tick while the robot runs, and adds up the work in every physics step.

    :ivar work_j: mechanical work of the joints, the sum of |torque x speed| x time: braking counts
        as spent.
    """

    def __init__(self, robot: MujocoRobot, period: float) -> None:
        """:param period: of the ticks, s."""
        self.work_j = 0.0
        self.running = False
        self._robot = robot
        self._dof = robot.fitted.dof
        self._timestep = robot.timestep_ns / 1e9
        self._window = max(1, round(MEAN_OVER_S / period))
        self._velocities: list[Triple] = []
        self._commands: list[Triple] = []
        self._slips: list[float] = []
        self._arrays = np.empty(3), np.empty(4), np.empty(3), np.empty(3)
        robot.after_step = self._after_step

    def _after_step(self) -> None:
        if self.running:
            data = self._robot.data
            power = data.qfrc_actuator[self._dof] * data.qvel[self._dof]
            self.work_j += float(np.abs(power).sum()) * self._timestep

    def measure(self, run_s: float, command: Triple | None = None) -> None:
        """
        Measure velocity and slip of this tick, at `run_s` of the run.

        :param command: of this tick, where it changes: by axis.
        """
        slip = contact_slip(self._robot.model, self._robot.data)
        if slip is not None:
            self._slips.append(slip)
        if run_s >= SETTLE_S:
            self._robot.base(*self._arrays)
            linear, angular = self._arrays[2], self._arrays[3]
            self._velocities.append((float(linear[0]), float(linear[1]), float(angular[2])))
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

    def slip(self) -> float | None:
        """Return the mean of `contact_slip` over the ticks with a contact, m/s, or None."""
        return float(np.mean(self._slips)) if self._slips else None


def _by_axis(values: Float64 | None) -> dict[str, float | None]:
    return dict(zip(AXES, [None] * 3 if values is None else values.tolist(), strict=True))


def contact_slip(model: Any, data: Any) -> float | None:
    """
    Return the slip of the contacts with the fixed world.

    :return: mean tangential speed of the contact points, m/s; None without a contact.
    """
    count = data.ncon
    if not count:
        return None
    contact = data.contact
    bodies = model.geom_bodyid[np.maximum(contact.geom[:count], 0)]
    fixed = model.body_weldid[bodies] == 0
    touching = (contact.efc_address[:count] >= 0) & (fixed[:, 0] != fixed[:, 1])
    if not touching.any():
        return None
    moving = np.where(fixed[:, 0], bodies[:, 1], bodies[:, 0])[touching]
    spatial = data.cvel[moving]  # angular, linear; about the centre of mass of the whole tree
    arm = contact.pos[:count][touching] - data.subtree_com[model.body_rootid[moving]]
    speed = spatial[:, 3:] + np.cross(spatial[:, :3], arm)
    normal = contact.frame[:count][touching][:, :3]
    speed -= (speed * normal).sum(axis=1, keepdims=True) * normal
    return float(np.sqrt(np.square(speed).sum(axis=1)).mean())
