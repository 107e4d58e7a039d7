"""Targets, gains, damping and ramp down of a KOS robot.

KOS has no damping mode, and takes a command without a position as position 0. Damping therefore
means: the targets follow the measured pose and, if the server takes gains quickly, kp is 0.
"""

import asyncio
import time
from collections.abc import Callable

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.options import BY_GAINS
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

GAIN_TOLERANCE = 1e-3
"""Relative; a server may store gains as float32, or in steps of its own."""
SETTLE_NS = SECOND // 2
"""Time after a configuration before the gains that are read back are compared."""
RAMP_STEP = 0.05
"""s between two steps of the stiffness during the ramp down."""
FOLLOW_STEP = 0.01
"""s between two targets that follow the pose during the ramp down."""


class KosMotion:
    """
    Targets and gains of one robot, on the asyncio loop of its drive.

    :param warn: takes one line on each thing that could not be done.
    """

    def __init__(
        self, robot: Robot, drive: KosDrive, backend: Backend, warn: Callable[[str], None]
    ) -> None:
        self.robot = robot
        self.drive = drive
        self.backend = backend
        self._warn = warn
        self.requested = Gains(robot.kp.copy(), robot.kd.copy(), robot.torque_limit.copy())
        """Gains requested for position commands."""
        self.in_force: Gains | None = None
        """Gains in force for position commands; None before the first configuration."""
        self.sample: JointSample | None = None
        """The newest sample of the joints, complete or not."""
        self.damped = True
        """No target pushes the joints."""
        self._target = np.zeros(len(robot.joints))

    # Targets -----------------------------------------------------------------------------

    def present_pose(self) -> Float64:
        """Return the measured pose [N] rad, limited; a silent joint keeps its last target."""
        if self.sample is None:
            return self._target.copy()
        measured = self.sample.position
        pose = np.where(np.isfinite(measured), measured, self._target)
        return np.clip(pose, self.robot.lower, self.robot.upper)

    def current_target(self) -> Float64:
        """Return a copy of the targets [N] rad in force; while damped, the measured pose."""
        return self.present_pose() if self.damped else self._target.copy()

    def move(self, target: Float64) -> bool:
        """Send a target [N] rad; :return: True if that ends damping: gains have to change."""
        ends_damping, self.damped = self.damped, False
        self._target = target
        self.drive.send(target)
        return ends_damping

    def note_in_force(self, target: Float64) -> None:
        """Note that this target [N] rad is in force, with the requested gains."""
        self._target, self.damped, self.in_force = target, False, self.requested

    def damp(self) -> bool:
        """Stop pushing; :return: True if damping begins: gains have to change."""
        begins, self.damped = not self.damped, True
        self.follow_pose()
        return begins

    def follow_pose(self) -> None:
        """While damped, send the measured pose as target."""
        if self.damped:
            self.drive.send(self.present_pose())

    # Gains -------------------------------------------------------------------------------

    def wanted_gains(self) -> Gains:
        """Return the gains that the actuators should have now."""
        by_gains = self.damped and self.backend.damping == BY_GAINS
        return self.requested.softened(0.0) if by_gains else self.requested

    async def configure(self) -> None:
        """
        Bring the wanted gains into force.

        :raises BridgeError: an actuator refused or did not answer.
        """
        requested = self.requested
        await self.drive.configure(self.wanted_gains())
        self.in_force = requested

    def read_back(self, health: Health | None) -> None:
        """Compare the gains that the robot reports with those that were configured."""
        if health is None or self.in_force is None:
            return
        settled = health.sent_ns >= self.drive.changed_ns + SETTLE_NS
        if self.damped or not settled or not self.drive.has(self.requested):
            return
        reported = np.stack((health.kp, health.kd, health.max_torque))
        if not self.backend.torque_limit:
            reported[2] = np.nan
        requested = self.requested.rows()
        wrong = np.abs(reported - requested) > GAIN_TOLERANCE * np.maximum(1.0, requested)
        found = Gains(*np.where(wrong, reported, requested))
        if np.array_equal(found.rows(), self.in_force.rows()):
            return
        self.in_force = found
        if wrong.any():
            names = [self.robot.joint_names[i] for i in np.flatnonzero(wrong.any(axis=0))]
            self._warn(f'the robot has other gains than were configured: {", ".join(names)}')

    # Ramp down ---------------------------------------------------------------------------

    async def ramp_down(self, seconds: float) -> None:
        """Ramp the stiffness down; a failure is a warning: the torque is still switched off."""
        try:
            if self.backend.damping == BY_GAINS:
                await self._ramp_gains(seconds)
            else:
                await self._follow_down(seconds)
        except BridgeError as error:
            self._warn(f'no soft ramp down: {error}')

    async def _ramp_gains(self, seconds: float) -> None:
        """Ramp kp to 0 at the target in force."""
        begin = time.monotonic()
        while not self.damped and (elapsed := time.monotonic() - begin) < seconds:
            await self.drive.configure(self.requested.softened(1.0 - elapsed / seconds))
            await asyncio.sleep(min(RAMP_STEP, seconds / 4))
        await self.drive.configure(self.requested.softened(0.0))
        await self.drive.send_now(self.present_pose())

    async def _follow_down(self, seconds: float) -> None:
        """Send the measured pose for as long as the ramp takes, without changing gains."""
        begin = time.monotonic()
        while True:
            await self.drive.send_now(self.present_pose())
            if time.monotonic() - begin >= seconds:
                return
            await asyncio.sleep(FOLLOW_STEP)
