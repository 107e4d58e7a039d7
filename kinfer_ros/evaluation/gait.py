"""Gait of a simulated run: strides, double support, forces, slip, heading, acceleration.

Definitions as in K-Scale's kinfer-evals, with the differences that docs/evaluation.md names.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.control.command import NEUTRAL
from kinfer_ros.evaluation.ground_contacts import GroundContacts
from kinfer_ros.evaluation.meter import SETTLE_S
from kinfer_ros.simulate import BaseMotion

SHORTEST_SWING_S = 0.04
"""s; a foot that leaves the ground for less has bounced, not stepped."""
FOOT_SHARE = 0.05
"""Share of the run that a body has to touch the ground in to be a part of a foot."""


class GaitMeter:
    """Measures once a tick while the robot runs; it reads the physics and changes nothing."""

    def __init__(self, robot: MujocoRobot, period: float) -> None:
        """:param period: of the ticks, s."""
        self._robot = robot
        self._period = period
        self._contacts = GroundContacts(robot.model, robot.data)
        self._velocities: list[tuple[float, float]] = []
        self._yaws: list[float] = []
        self._commands: list[tuple[float, float, float]] = []

    def measure(self, base: BaseMotion, command: tuple[float, float, float]) -> None:
        """
        Measure this tick.

        :param base: its motion in this tick.
        :param command: vx, vy, yaw rate of it.
        """
        self._contacts.measure()
        x, y, _ = base.linear.tolist()
        self._velocities.append((x, y))
        self._yaws.append(base.yaw)
        self._commands.append(command)

    def result(self) -> dict[str, Any]:
        """Return the figures; None where there is nothing to compute them from."""
        commands = np.array(self._commands).reshape(-1, 3)
        forces, slips = self._contacts.forces(), self._contacts.slips()
        moving: Bools = (np.abs(commands) > NEUTRAL).any(axis=1)
        moving[: round(SETTLE_S / self._period)] = False  # it lands and starts to walk
        feet = settle(self._feet(forces > 0.0), self._period)
        seconds, share = double_support(feet, moving, self._period)
        return {
            'slip_mps': float(slips.mean()) if slips.size else None,
            'heading_error_rad': heading_error(self._yaws, commands[:, 2], self._period),
            'acceleration_error': acceleration_error(
                np.array(self._velocities).reshape(-1, 2), commands[:, :2], self._period
            ),
            'gait_hz': gait_frequency(feet, moving, self._period),
            'double_support_s': seconds,
            'double_support': share,
            'forces_n': self._body_forces(forces),
        }

    def _feet(self, touching: Bools) -> Bools:
        """Return the contacts [n, feet]: the bodies of one leg are one foot."""
        model = self._robot.model
        if not len(touching):
            return np.zeros((0, 0), bool)
        found = np.flatnonzero(touching.mean(axis=0) >= FOOT_SHARE).tolist()
        legs = legs_of(model.body_parentid.tolist(), found)
        feet = [touching[:, bodies].any(axis=1) for bodies in legs.values()]
        return np.stack(feet, axis=1) if feet else np.zeros((len(touching), 0), bool)

    def _body_forces(self, forces: Float64) -> dict[str, dict[str, float]]:
        """Return mean and maximum of the force on each body that touched the ground, N."""
        model = self._robot.model
        return {
            model.body(body).name or f'body {body}': {
                'mean': float(forces[:, body].mean()),
                'max': float(forces[:, body].max()),
            }
            for body in np.flatnonzero((forces > 0.0).any(axis=0)).tolist()
        }


def legs_of(parents: Sequence[int], bodies: Sequence[int]) -> dict[int, list[int]]:
    """
    Group bodies by the limb that they are a part of.

    A limb begins where the paths of the bodies to the world part.

    :return: bodies by the first body of their limb.
    """
    paths = {body: _path(parents, body) for body in bodies}
    shared = 0
    while paths and len({path[shared : shared + 1] for path in paths.values()}) == 1:
        if min(map(len, paths.values())) == shared:
            break
        shared += 1
    legs: dict[int, list[int]] = {}
    for body, path in paths.items():
        legs.setdefault(path[shared] if len(path) > shared else body, []).append(body)
    return legs


def _path(parents: Sequence[int], body: int) -> tuple[int, ...]:
    path = [body]
    while path[-1]:
        path.append(parents[path[-1]])
    return tuple(path[::-1])


def settle(contacts: Bools, period: float) -> Bools:
    """Return contacts [n, feet] without breaks that are too short for a step."""
    longest = round(SHORTEST_SWING_S / period)
    settled = contacts.copy()
    for foot in settled.T:
        down = np.flatnonzero(foot)
        for before, after in pairwise(down.tolist()):
            if 1 < after - before <= longest + 1:
                foot[before:after] = True
    return settled


def gait_frequency(contacts: Bools, moving: Bools, period: float) -> float | None:
    """
    Return strides per second: the mean over all strides of 1 / duration.

    A stride goes from one touch-down of a foot to the next of the same foot; those that begin
    while the command is neutral do not count.

    :param contacts: [n, feet]; `moving` [n]: the command is not neutral.
    """
    rates: list[float] = []
    for foot in contacts.T:
        strikes = np.flatnonzero(foot[1:] & ~foot[:-1]) + 1
        lengths = np.diff(strikes) * period
        rates += (1.0 / lengths[moving[strikes[:-1]]]).tolist()
    return float(np.mean(rates)) if rates else None


def double_support(
    contacts: Bools, moving: Bools, period: float
) -> tuple[float | None, float | None]:
    """
    Return the mean duration, s, of spans with exactly two feet down, and their share of the time.

    Only while the command is not neutral; a span counts once it has ended in a step.
    """
    if not moving.any():
        return None, None
    both = (contacts.sum(axis=1) == 2) & moving
    spans, length = [], 0
    for index, down in enumerate(both.tolist()):
        if down:
            length += 1
            continue
        if length and moving[index]:
            spans.append(length * period)
        length = 0
    share = float(both.sum() / moving.sum())
    return (float(np.mean(spans)) if spans else None), share


def heading_error(yaws: Sequence[float], rates: Float64, period: float) -> float | None:
    """Return the root mean square of heading minus the integral of the commanded rate, rad."""
    if not len(yaws):
        return None
    turned = np.unwrap(yaws) - yaws[0]
    wanted = np.concatenate([[0.0], np.cumsum(rates[:-1]) * period])
    return float(np.sqrt(np.square(turned - wanted).mean()))


def acceleration_error(
    velocities: Float64, commands: Float64, period: float
) -> Mapping[str, float | None]:
    """Return the root mean square of acceleration minus that of the command, m/s^2, by axis."""
    if len(velocities) < 2:
        return {'ax': None, 'ay': None}
    error = np.diff(velocities - commands, axis=0) / period
    ax, ay = np.sqrt(np.square(error).mean(axis=0)).tolist()
    return {'ax': ax, 'ay': ay}
