"""One KOS robot in the graph: what is obeyed, when it is damped, and when its torque is on.

Everything that the KOS bridge decides is decided here, on one asyncio loop, without ROS. KOS has
no watchdog and no damping mode: a target stays in force until the next one, whoever sent it and
whatever became of him. So this is what ends a movement when a policy falls silent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.bridges.kos_client import KosClient
from kinfer_ros.bridges.kos_client import Reading
from kinfer_ros.bridges.kos_drive import Gains
from kinfer_ros.bridges.kos_drive import KosDrive
from kinfer_ros.bridges.kos_options import BY_GAINS
from kinfer_ros.bridges.kos_options import Backend
from kinfer_ros.bridges.kos_power import enable_problem
from kinfer_ros.bridges.kos_power import power_off
from kinfer_ros.bridges.kos_power import power_on
from kinfer_ros.bridges.kos_sample import Health
from kinfer_ros.bridges.kos_sample import ImuSample
from kinfer_ros.bridges.kos_sample import JointSample
from kinfer_ros.bridges.kos_sample import SampleReader
from kinfer_ros.bridges.kos_units import JointUnits
from kinfer_ros.bridges.session import DAMPING
from kinfer_ros.bridges.session import DISABLED
from kinfer_ros.bridges.session import ENABLED
from kinfer_ros.bridges.session import Command
from kinfer_ros.bridges.session import JointMap
from kinfer_ros.bridges.session import SessionGuard
from kinfer_ros.bridges.session import checked
from kinfer_ros.control.robot import Robot
from kinfer_ros.errors import BridgeError

Float64Array = NDArray[np.float64]

SECOND = 1_000_000_000

RETRY_NS = SECOND // 5
"""Between two attempts to bring gains into force."""
HEALTH_NS = SECOND // 2
"""Between two looks at temperatures, voltages and faults."""
GAIN_TOLERANCE = 1e-3
"""Relative; a server may keep gains as float32, or in steps of its own."""


@dataclass(frozen=True)
class Patience:
    """How long what may last; ns, except where it says s."""

    command_timeout_ns: int
    """Silence of a sender after which the robot is damped."""
    lost_timeout_ns: int
    """Time without a whole sample after which the robot counts as lost."""
    ramp_time: float
    """s, in which the stiffness is taken away before the torque goes off."""


class KosRobot:
    """
    One robot behind a KOS server; every `now_ns` is of the steady clock.

    :param warn: takes one line on whatever was refused or went wrong.
    :param changed: called after `state_text` or `in_force` may have changed.
    """

    def __init__(
        self,
        robot: Robot,
        client: KosClient,
        backend: Backend,
        gyro_factor: float,
        patience: Patience,
        warn: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.robot = robot
        self.backend = backend
        self.patience = patience
        self._warn = warn
        self._changed = changed
        self.units = JointUnits(robot)
        self.client = client
        self.drive = KosDrive(client, self.units, self._on_unsent)
        self._reader = SampleReader(self.units, backend, gyro_factor)
        self._map = JointMap(robot.joint_names)
        self._guard = SessionGuard(patience.command_timeout_ns)
        self._order = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked = Gains(robot.kp.copy(), robot.kd.copy(), robot.torque_limit.copy())
        self.in_force: Gains | None = None
        """Gains that position commands have; None before they were ever configured."""
        self.state = DISABLED
        """enabled, disabled or damping; with a reason in `state_text`."""
        self.state_text = f'{DISABLED} not connected to {client.connection.address} yet'
        self.connected = False
        self.problem = 'nothing was read yet'
        """Why the newest reading has no whole joint sample, or ''."""
        self.imu_problem = 'nothing was read yet'
        """Why the newest reading has no IMU sample, or ''."""
        self.health: Health | None = None
        self.counts = dict.fromkeys(
            ('commands', 'refused', 'rejected', 'late', 'timeouts', 'lost', 'clamped', 'unsent'), 0
        )
        self.reads = 0
        self.failed_reads = 0
        self._sample: JointSample | None = None
        self._target = np.zeros(len(robot.joints))
        self._damped = True
        self._torque_on = False
        self._busy = False
        self._owed = ''
        self._whole_ns = time.monotonic_ns()
        self._health_ns = 0
        self._retry_ns = 0

    @property
    def torque_is_unknown(self) -> bool:
        """Whether the torque should be off, but could not be switched off."""
        return bool(self._owed)

    @property
    def holder(self) -> str:
        """The session that is obeyed, or empty."""
        return self._guard.holder

    def set_timeout(self, timeout_ns: int) -> None:
        """Change how long a session may be silent."""
        self._guard.timeout_ns = timeout_ns

    # Readings ----------------------------------------------------------------------------

    def took(
        self, reading: Reading, now_ns: int
    ) -> tuple[JointSample | None, ImuSample | str]:
        """
        Take in a reading: watch over the link, the joints and the sender; damp where needed.

        :return: the joint sample where it is whole, and the IMU's or why there is none.
        """
        self.reads += 1
        sample = self._reader.joints(reading, torque_on=self._torque_on and not self._busy)
        if sample is None:
            self._failed(reading.states_problem, now_ns)
        else:
            self._answered(sample, now_ns)
        imu = self._reader.imu(reading)
        self._note_imu(imu if isinstance(imu, str) else '')
        if reading.states is not None and now_ns - self._health_ns >= HEALTH_NS:
            self._health_ns = now_ns
            self._note_health(self._reader.health(reading))
        if self._guard.expired(now_ns) and self.state == ENABLED:
            self.counts['timeouts'] += 1
            self._damp_because(f'no command for {self._guard.timeout_ns / SECOND:g} s')
        self._keep_up(now_ns)
        return (None if self.problem else sample), imu

    def _failed(self, problem: str, now_ns: int) -> None:
        """The call failed: after a while the robot is lost, and what it does is unknown."""
        self.failed_reads += 1
        if not self.problem:
            self._warn(problem)
        self.problem = problem
        if now_ns - self._whole_ns < self.patience.lost_timeout_ns:
            return
        if self.connected:
            self.counts['lost'] += 1
            self.drive.forget()
            if self.state != DISABLED and not self._busy:
                self._owed = 'after the link was lost, as soon as it was back'
                self._torque_on = False
                self._damped = True
                self._guard.release()
        self.connected = False
        if not self._busy:
            self._enter(DISABLED, f'lost the robot: {problem}' if self.in_force else problem)

    def _answered(self, sample: JointSample, now_ns: int) -> None:
        if not self.connected:
            self.connected = True
            self._whole_ns = now_ns
            if not self._busy and self.state == DISABLED:
                again = 'connected again, ' if self.in_force else ''
                self._enter(DISABLED, f'{again}not enabled yet (call ~/enable)')
        if sample.problem:
            if sample.problem != self.problem:
                self._warn(sample.problem)
            self.failed_reads += 1
            if now_ns - self._whole_ns >= self.patience.lost_timeout_ns and self.state == ENABLED:
                self.counts['lost'] += 1
                self._damp_because(sample.problem)
        else:
            self._whole_ns = now_ns
        self.problem = sample.problem
        self._sample = sample

    def _note_imu(self, problem: str) -> None:
        if problem and problem != self.imu_problem and self.connected:
            self._warn(problem)
        self.imu_problem = problem

    def _note_health(self, health: Health) -> None:
        before = self.health.faults if self.health else {}
        for name, faults in health.faults.items():
            if before.get(name) != faults:
                self._warn(f'{name} reports {", ".join(faults)}')
        self.health = health
        if self.in_force is not None and not self._damped and not self._busy:
            self._read_back(health)

    def _read_back(self, health: Health) -> None:
        """Hold the gains that the robot says it has against those that were configured."""
        if not self.drive.has(self._asked):
            return
        told = Gains(health.kp, health.kd, health.max_torque)
        if not self.backend.torque_limit:
            told = Gains(health.kp, health.kd, np.full_like(health.max_torque, np.nan))
        asked = self._asked.rows()
        wrong = np.abs(told.rows() - asked) > GAIN_TOLERANCE * np.maximum(1.0, asked)
        found = Gains(*np.where(wrong, told.rows(), asked))
        if self.in_force is not None and not np.array_equal(found.rows(), self.in_force.rows()):
            differing = np.flatnonzero(wrong.any(axis=0))
            if len(differing):
                names = ', '.join(self.units.names[i] for i in differing)
                self._warn(f'the robot has other gains than were configured: {names}')
            self._now_in_force(found)

    def _keep_up(self, now_ns: int) -> None:
        """What has to be said again and again: a damped target follows, wrong gains are mended."""
        if not self.connected or self._busy:
            return
        if self._owed:
            if now_ns >= self._retry_ns and not self.problem:
                self._retry_ns = now_ns + SECOND
                self._spawn(self._settle_owed())
        elif self.state != DISABLED:
            if self._damped:
                self.drive.send(self._present_pose())
            if not self.drive.has(self._wanted()) and now_ns >= self._retry_ns:
                self._retry_ns = now_ns + RETRY_NS
                self._spawn(self._configure())

    # Commands ----------------------------------------------------------------------------

    def command(self, command: Command, now_ns: int, age_ns: int = 0) -> None:
        """
        Obey or refuse a command.

        :param age_ns: how old the sample is that it answers. A target that is older than the
            command time-out is refused; damping is obeyed whatever its stamp.
        """
        if not self._guard.admits(command.session):
            self._reject(command.session)
            return
        if age_ns > self._guard.timeout_ns and command.position is not None:
            self.counts['late'] += 1
            self.refuse(
                f'joint_commands: it answers a sample of {age_ns / 1e6:.0f} ms ago, at most '
                f'{self._guard.timeout_ns / 1e6:.0f} ms (command_timeout) are accepted'
            )
            return
        try:
            target = self._target_of(command)
        except BridgeError as error:
            self.refuse(f'joint_commands: {error}')
            return
        self.counts['commands'] += 1
        self._guard.obeyed(command, now_ns)
        if self.state == DISABLED or self._busy:
            return  # the sender is known, but nothing moves
        if target is None:
            self._damp()
            return
        if self.state == DAMPING:
            self._enter(ENABLED)
        self._target = target
        self.drive.send(target)
        if self._damped:
            self._damped = False
            self._spawn(self._configure())

    def _target_of(self, command: Command) -> Float64Array | None:
        """Merge the named targets into those in force, within the limits of the joints."""
        if command.position is None:
            return None
        index = self._map.indices(command.names)
        values = checked('target', command.position, command.names)
        if self.problem and self.state == DAMPING:
            raise BridgeError(f'the robot is damped: {self.problem}')
        target = self._present_pose() if self._damped else self._target.copy()
        target[index] = values
        limited = np.clip(target, self.robot.lower, self.robot.upper)
        if (limited != target).any():
            self.counts['clamped'] += 1
        return limited

    def set_gains(
        self,
        names: Sequence[str],
        gains: tuple[Float64Array, Float64Array, Float64Array],
        session: str = '',
    ) -> bool:
        """
        Take kp, kd and torque limits for the named joints; an empty array leaves its values.

        They are brought within the hard limits of the robot YAML. While the bridge is disabled
        they are only kept: the robot may be in the hands of somebody else.

        :return: False if they were refused, which is said.
        """
        if not self._guard.admits(session):
            self._reject(session)
            return False
        merged = self._asked.rows()
        hard = np.stack((self.robot.kp_max, self.robot.kd_max, self.robot.torque_limit))
        try:
            index = self._map.indices(names)
            for row, what, values in zip(merged, ('kp', 'kd', 'torque limit'), gains, strict=True):
                if len(values):
                    row[index] = checked(what, values, names)
                    if (row < 0.0).any():
                        raise BridgeError(f'found a negative {what}')
        except BridgeError as error:
            self.refuse(f'joint_gains: {error}')
            return False
        self._asked = Gains(*np.minimum(merged, hard))
        if self.state != DISABLED and not self._busy:
            self._spawn(self._configure())
        return True

    def _reject(self, session: str) -> None:
        self.counts['rejected'] += 1
        self._warn(f'session {session} rejected: session {self.holder} commands this robot')

    def refuse(self, text: str) -> None:
        """Count a message that was refused, and say why."""
        self.counts['refused'] += 1
        self._warn(f'refused {text}')

    # Gains, damping ----------------------------------------------------------------------

    def _wanted(self) -> Gains:
        """Gains that the actuators should have now."""
        by_gains = self._damped and self.backend.damping == BY_GAINS
        return self._asked.softened(0.0) if by_gains else self._asked

    async def _configure(self) -> None:
        """Bring the wanted gains into force; what fails is tried again from `_keep_up`."""
        wanted, asked = self._wanted(), self._asked
        try:
            await self.drive.configure(wanted)
        except BridgeError as error:
            self._warn(str(error))
            return
        self._now_in_force(asked)

    def _now_in_force(self, gains: Gains) -> None:
        self.in_force = gains
        self._changed()

    def _damp(self) -> None:
        """Stop pushing: targets follow the measured pose, and the stiffness goes where it can."""
        if self._damped:
            return
        self._damped = True
        self.drive.send(self._present_pose())
        self._spawn(self._configure())

    def _damp_because(self, reason: str) -> None:
        self._damp()
        self._guard.release()
        self._enter(DAMPING, reason)
        self._warn(f'damping: {reason}')

    def _present_pose(self) -> Float64Array:
        """Measured pose within the limits; the last target where a joint does not answer."""
        if self._sample is None:
            return self._target.copy()
        measured = self._sample.position
        pose = np.where(np.isfinite(measured), measured, self._target)
        return np.clip(pose, self.robot.lower, self.robot.upper)

    # Torque ------------------------------------------------------------------------------

    async def enable(self, on: bool) -> tuple[bool, str]:
        """
        Switch the torque on and hold the present pose, or damp and switch it off.

        :return: whether that is so now, and the state or what went wrong.
        """
        try:
            async with self._order:
                await (self._enable() if on else self._disable('by request'))
        except BridgeError as error:
            return False, str(error)
        return True, self.state_text

    def enable_at_start(self) -> None:
        """Switch the torque on without being asked, trying until it was on once."""
        self._spawn(self._enable_at_start())

    async def _enable_at_start(self) -> None:
        while self.in_force is None:
            done, text = await self.enable(True)
            if not done:
                self._warn(text)
                await asyncio.sleep(1.0)

    async def _enable(self) -> None:
        if self.state == ENABLED and not self._damped:
            return
        age_ns = time.monotonic_ns() - self._whole_ns
        problem = self.problem or enable_problem(
            self._sample, self.health, self.robot, age_ns, self.patience.lost_timeout_ns
        )
        if problem:
            raise BridgeError(f'not enabled: {problem}')
        hold = self._present_pose()
        self._busy = True
        try:
            await power_on(self.client, self.drive, self.backend, self._asked, hold)
        except BridgeError as error:
            await self._power_off_after(error)
            raise BridgeError(f'not enabled: {error}') from None
        finally:
            self._busy = False
        self._owed = ''
        self._target, self._damped, self._torque_on = hold, False, True
        self._now_in_force(self._asked)
        self._enter(ENABLED)

    async def _power_off_after(self, error: BridgeError) -> None:
        """What was switched on before it failed goes off again."""
        reason = f'not enabled: {error}'
        try:
            await power_off(self.drive, self.backend, self._asked)
        except BridgeError as second:
            self._owed = reason
            self._warn(f'the torque may be on: {second}')
        self._torque_on = False
        self._enter(DISABLED, reason)

    async def _disable(self, reason: str) -> None:
        """Take the stiffness away, then the torque; afterwards nothing is sent any more."""
        if self.state == DISABLED and not self._owed:
            return
        self._busy = True
        self._enter(DAMPING, f'ramping down: {reason}')
        try:
            await self._ramp_down()
            await power_off(self.drive, self.backend, self._asked)
            self._owed = ''
        except BridgeError as error:
            self._owed = reason
            reason = f'{reason}; its torque may be on: {error}'
        finally:
            self._busy = False
            self._damped, self._torque_on = True, False
            self._enter(DISABLED, reason)

    async def _ramp_down(self) -> None:
        """Take the stiffness away softly; if that fails, the torque still has to go off."""
        try:
            if self.backend.damping == BY_GAINS:
                await self._ramp_gains()
            else:
                await self._follow_down()
        except BridgeError as error:
            self._warn(f'no soft ramp down: {error}')

    async def _ramp_gains(self) -> None:
        """From the stiffness there is to none, at the target in force."""
        begin, ramp = time.monotonic(), self.patience.ramp_time
        while not self._damped and (elapsed := time.monotonic() - begin) < ramp:
            await self.drive.configure(self._asked.softened(1.0 - elapsed / ramp))
            await asyncio.sleep(min(0.05, ramp / 4))
        await self.drive.configure(self._asked.softened(0.0))
        await self.drive.send_now(self._present_pose())

    async def _follow_down(self) -> None:
        """Give way for as long as the ramp takes, without touching the gains."""
        begin = time.monotonic()
        while True:
            await self.drive.send_now(self._present_pose())
            if time.monotonic() - begin >= self.patience.ramp_time:
                return
            await asyncio.sleep(0.01)

    async def _settle_owed(self) -> None:
        """After a lost link the robot may still hold its last target: take it down."""
        async with self._order:
            if self._owed:
                self._damped = True
                await self._disable(self._owed)

    async def stop(self) -> None:
        """Damp and disable, because the bridge ends."""
        async with self._order:
            await self._disable('the bridge has ended')
        if not self._owed:
            self._enter(DISABLED, 'the bridge has ended')

    # State -------------------------------------------------------------------------------

    def _enter(self, state: str, reason: str = '') -> None:
        text = f'{state} {reason}'.strip()
        if text != self.state_text:
            self.state, self.state_text = state, text
            self._changed()

    def _on_unsent(self, text: str) -> None:
        self.counts['unsent'] += 1
        self._warn(text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the readings; asyncio itself keeps only weak references."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
