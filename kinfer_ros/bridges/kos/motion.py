"""What the actuators of a KOS robot are told: targets, gains, damping and the way down.

KOS has no damping mode, and a command without a position is taken as position 0. Damping is made
of what there is: the stiffness goes to 0 where the server takes gains quickly, and the targets
follow the measured pose everywhere. Without this module each place that stops would do it anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.kos.drive import Gains
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.options import BY_GAINS
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.sample import JointSample
from kinfer_ros.bridges.mujoco.pacer import SECOND
from kinfer_ros.bridges.session import Command
from kinfer_ros.bridges.session import JointMap
from kinfer_ros.bridges.session import checked
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

GAIN_TOLERANCE = 1e-3
"""Relative; a server may keep gains as float32, or in steps of its own."""
SETTLE_NS = SECOND // 2
"""After a configuration, until what is read back has to be what was configured."""
RAMP_STEP = 0.05
"""s between two steps of the stiffness on its way down."""
FOLLOW_STEP = 0.01
"""s between two targets that follow the pose on the way down."""


class KosMotion:
    """
    Targets and gains of one robot; lives on the asyncio loop of its drive.

    :param warn: takes one line on what could not be done.
    """

    def __init__(
        self, robot: Robot, drive: KosDrive, backend: Backend, warn: Callable[[str], None]
    ) -> None:
        self.robot = robot
        self.drive = drive
        self.backend = backend
        self._warn = warn
        self._map = JointMap(robot.joint_names)
        self.asked = Gains(robot.kp.copy(), robot.kd.copy(), robot.torque_limit.copy())
        """Gains that position commands are to have."""
        self.in_force: Gains | None = None
        """Gains that position commands do have; None before they were ever configured."""
        self.sample: JointSample | None = None
        """The newest sample of the joints, whole or not."""
        self.damped = True
        """No target is in force that pushes."""
        self.clamped = 0
        """Commands with a target outside the joint limits."""
        self._target = np.zeros(len(robot.joints))

    # Targets -----------------------------------------------------------------------------

    def present_pose(self) -> Float64:
        """Measured pose [N] rad within the limits; the last target where a joint is silent."""
        if self.sample is None:
            return self._target.copy()
        measured = self.sample.position
        pose = np.where(np.isfinite(measured), measured, self._target)
        return np.clip(pose, self.robot.lower, self.robot.upper)

    def target_of(self, command: Command) -> Float64 | None:
        """
        Merge the named targets into those in force, within the limits of the joints.

        :return: [N] rad, or None where damping is asked for.
        :raises BridgeError: unknown joints, or a target that is not finite.
        """
        if command.position is None:
            return None
        index = self._map.indices(command.names)
        values = checked('target', command.position, command.names)
        target = self.present_pose() if self.damped else self._target.copy()
        target[index] = values
        limited = np.clip(target, self.robot.lower, self.robot.upper)
        if (limited != target).any():
            self.clamped += 1
        return limited

    def move(self, target: Float64) -> bool:
        """Send a target [N] rad; :return: True if that ends damping: the gains have to follow."""
        ends_damping, self.damped = self.damped, False
        self._target = target
        self.drive.send(target)
        return ends_damping

    def holds(self, target: Float64) -> None:
        """Note that this target [N] rad is in force, with the gains asked for."""
        self._target, self.damped, self.in_force = target, False, self.asked

    def damp(self) -> bool:
        """Stop pushing; :return: True if that is new: the gains have to follow."""
        begins, self.damped = not self.damped, True
        self.follow()
        return begins

    def follow(self) -> None:
        """While damped: let the target be where the joints are."""
        if self.damped:
            self.drive.send(self.present_pose())

    # Gains -------------------------------------------------------------------------------

    def wanted(self) -> Gains:
        """Gains that the actuators should have now."""
        by_gains = self.damped and self.backend.damping == BY_GAINS
        return self.asked.softened(0.0) if by_gains else self.asked

    def ask(self, names: Sequence[str], gains: tuple[Float64, Float64, Float64]) -> None:
        """
        Take kp, kd and torque limits, brought within the hard limits of the robot YAML.

        :raises BridgeError: unknown joints, or a number that cannot be.
        """
        merged = self.asked.rows()
        index = self._map.indices(names)
        for row, what, values in zip(merged, ('kp', 'kd', 'torque limit'), gains, strict=True):
            if len(values):
                row[index] = checked(what, values, names)
                if (row < 0.0).any():
                    raise BridgeError(f'found a negative {what}')
        hard = np.stack((self.robot.kp_max, self.robot.kd_max, self.robot.torque_limit))
        self.asked = Gains(*np.minimum(merged, hard))

    async def configure(self) -> None:
        """
        Bring the wanted gains into force.

        :raises BridgeError: an actuator refused or did not answer.
        """
        asked = self.asked
        await self.drive.configure(self.wanted())
        self.in_force = asked

    def read_back(self, health: Health | None) -> None:
        """Hold the gains that the robot says it has against those that were configured."""
        if health is None or self.in_force is None:
            return
        settled = health.sent_ns >= self.drive.changed_ns + SETTLE_NS
        if self.damped or not settled or not self.drive.has(self.asked):
            return
        told = np.stack((health.kp, health.kd, health.max_torque))
        if not self.backend.torque_limit:
            told[2] = np.nan
        asked = self.asked.rows()
        wrong = np.abs(told - asked) > GAIN_TOLERANCE * np.maximum(1.0, asked)
        found = Gains(*np.where(wrong, told, asked))
        if np.array_equal(found.rows(), self.in_force.rows()):
            return
        self.in_force = found
        if wrong.any():
            names = [self.robot.joint_names[i] for i in np.flatnonzero(wrong.any(axis=0))]
            self._warn(f'the robot has other gains than were configured: {", ".join(names)}')

    # The way down ------------------------------------------------------------------------

    async def ramp_down(self, seconds: float) -> None:
        """Take the stiffness away softly; what fails is said: the torque still has to go off."""
        try:
            if self.backend.damping == BY_GAINS:
                await self._ramp_gains(seconds)
            else:
                await self._follow_down(seconds)
        except BridgeError as error:
            self._warn(f'no soft ramp down: {error}')

    async def _ramp_gains(self, seconds: float) -> None:
        """From the stiffness there is to none, at the target in force."""
        begin = time.monotonic()
        while not self.damped and (elapsed := time.monotonic() - begin) < seconds:
            await self.drive.configure(self.asked.softened(1.0 - elapsed / seconds))
            await asyncio.sleep(min(RAMP_STEP, seconds / 4))
        await self.drive.configure(self.asked.softened(0.0))
        await self.drive.send_now(self.present_pose())

    async def _follow_down(self, seconds: float) -> None:
        """Give way for as long as the ramp takes, without touching the gains."""
        begin = time.monotonic()
        while True:
            await self.drive.send_now(self.present_pose())
            if time.monotonic() - begin >= seconds:
                return
            await asyncio.sleep(FOLLOW_STEP)
