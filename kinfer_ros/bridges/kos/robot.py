"""The decisions of the KOS bridge on one asyncio loop, without ROS.

Sessions, command checks and states are those of all bridges (bridges/core.py). Here: the torque,
the link to the robot, and damping. KOS has no watchdog: a target stays in force until the next
one, so only this bridge ends a movement when a policy falls silent.
"""

import asyncio
import time
from collections.abc import Callable
from collections.abc import Coroutine
from typing import Any

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.client import Reading
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.motion import KosMotion
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.power import find_enable_problem
from kinfer_ros.bridges.kos.power import power_off
from kinfer_ros.bridges.kos.power import power_on
from kinfer_ros.bridges.kos.sample import SampleReader
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.kos.watch import Event
from kinfer_ros.bridges.kos.watch import KosWatch
from kinfer_ros.bridges.real_robot import ENDED
from kinfer_ros.bridges.real_robot import NOT_ENABLED
from kinfer_ros.bridges.real_robot import RealRobot
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

GAINS_RETRY_NS = SECOND // 5
"""Between two attempts to bring gains into force."""
POWER_OFF_RETRY_NS = SECOND
"""Between two attempts to switch off a robot that could not be switched off."""
STILL_HELD = 'it holds its last target: KOS has no watchdog'


class KosRobot(RealRobot):
    """
    One robot behind a KOS server; every `now_ns` is of the steady clock.

    :param warn: takes one line on each thing that was refused or went wrong.
    :param on_change: called after `state_text` or `in_force` may have changed.
    """

    COUNTERS = (
        'commands', 'refused', 'rejected', 'late', 'timeouts', 'lost', 'unsent', 'clamped',
    )  # fmt: skip
    NO_WHEELS = (
        'found target velocities (wheels), expected positions alone: KOS has no watchdog, so a '
        'wheel would turn on for ever if this bridge died'
    )

    def __init__(
        self,
        robot: Robot,
        client: KosClient,
        backend: Backend,
        gyro_factor: float,
        timeouts: Timeouts,
        warn: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(robot, timeouts, warn, on_change)
        self.client = client
        self.backend = backend
        units = JointUnits(robot)
        reader = SampleReader(units, backend, gyro_factor)
        self.watch = KosWatch(reader, timeouts.lost_timeout_ns, warn)
        self.drive = KosDrive(client, units, self._on_unsent)
        self._motion = KosMotion(robot, self.drive, backend, warn)
        self._order = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.state_text = f'{DISABLED} not connected to {client.connection.address} yet'
        self._torque_on = False
        self._switching = False  # the torque is being switched: nothing else is sent
        self._off_reason = ''  # why the torque should be off, while it could not be switched off
        self._retry_ns = 0
        self._read_back = self.watch.health
        self.in_force_frame_id = ''
        """Session and version of the gains in force."""
        self._settled_frame_id = ''

    @property
    def torque_is_unknown(self) -> bool:
        """Whether the torque should be off, but could not be switched off."""
        return bool(self._off_reason)

    @property
    def in_force(self) -> Gains | None:
        """Gains in force for position commands; None before the first configuration."""
        return self._motion.in_force

    # Readings ----------------------------------------------------------------------------

    def on_reading(
        self, reading: Reading, now_ns: int
    ) -> tuple[JointSample | None, ImuSample | str]:
        """
        Take a reading: check the link, the joints and the command time-out; damp if needed.

        :return: the joint sample if it is complete, and the IMU's or why there is none.
        """
        was_connected = self.watch.connected
        torque_on = self._torque_on and not self._switching
        sample, imu, event = self.watch.take(reading, now_ns, torque_on=torque_on)
        self._motion.sample = self.watch.sample
        if event is Event.UNREACHED:
            self._on_lost(was_connected)
        elif event is Event.CONNECTED:
            if self.state == DISABLED and not self._switching:
                self._enter(DISABLED, NOT_ENABLED)
        elif event is Event.INCOMPLETE and self.state == ENABLED:
            self._damp_because(self.watch.problem, 'lost')
        self._check_command_timeout(now_ns)
        self._do_periodic_work(now_ns)
        return sample, imu

    def _on_lost(self, was_connected: bool) -> None:
        """Disable: the robot is out of reach, and is switched off once it is back."""
        if was_connected:
            self.counts['lost'] += 1
            self.drive.forget()
            self._guard.release()
        if self._switching:
            return
        if self.state != DISABLED:
            self._off_reason = 'after the link to the robot was lost'
            self._torque_on = False
        problem = self.watch.problem
        self._enter(DISABLED, f'{problem}; {STILL_HELD}' if self._off_reason else problem)

    def _do_periodic_work(self, now_ns: int) -> None:
        """Let a damped target follow the pose; retry gains and power off that failed."""
        if not self.watch.connected or self._switching:
            return
        if self._off_reason:
            if now_ns >= self._retry_ns:
                self._retry_ns = now_ns + POWER_OFF_RETRY_NS
                self._spawn(self._retry_power_off())
        elif self.state != DISABLED:
            self._motion.follow_pose()
            if self.watch.health is not self._read_back:
                self._read_back = self.watch.health
                self._motion.read_back(self._read_back)
                self._on_change()
            if not self.drive.has(self._motion.wanted_gains()) and now_ns >= self._retry_ns:
                self._retry_ns = now_ns + GAINS_RETRY_NS
                self._spawn(self._configure())

    # Commands ----------------------------------------------------------------------------

    def _current_target(self) -> Float64:
        return self._motion.current_target()

    def _stay_damped(self) -> str:
        return self.watch.problem

    def _can_move(self) -> bool:
        return self.state != DISABLED and not self._switching

    def _move(self, target: Float64, mode: str, velocity: Float64 | None) -> None:
        if self._motion.move(target):
            self._spawn(self._configure())

    def _damp(self) -> None:
        if self._motion.damp():
            self._spawn(self._configure())

    def _requested_gains(self) -> Gains:
        return self._motion.requested

    def _apply_gains(self, gains: Gains) -> None:
        """Bring gains into force; while disabled only keep them: others may use the robot."""
        self._motion.requested = gains
        self._spawn(self._configure())

    def _gains_settled(self) -> bool:
        """Every actuator has the gains of this version; the first ones are not waited for."""
        versions = self._versions
        if versions.frame_id != self._settled_frame_id:
            if versions.version and not self.drive.has(self._motion.wanted_gains()):
                return False
            self._settled_frame_id = versions.frame_id
        return True

    async def _configure(self) -> None:
        """Bring the wanted gains into force; `_do_periodic_work` retries after a failure."""
        if self.state == DISABLED or self._switching:
            return
        frame_id = self._versions.frame_id
        try:
            await self._motion.configure()
            self.in_force_frame_id = frame_id
        except BridgeError as error:
            self._warn(str(error))
        self._on_change()
        self.answer_waiting(time.monotonic_ns())

    # Torque ------------------------------------------------------------------------------

    async def enable(self, on: bool) -> tuple[bool, str]:
        """
        Switch the torque on and hold the present pose, or damp and switch it off.

        :return: whether it succeeded, and the state or the error.
        """
        try:
            async with self._order:
                await (self._enable() if on else self._disable('by request'))
        except BridgeError as error:
            return False, str(error)
        return not self._off_reason, self.state_text

    def enable_at_start(self) -> None:
        """Switch the torque on without ~/enable; retry until it has been on once."""
        self._spawn(self._enable_at_start())

    async def _enable_at_start(self) -> None:
        while self.in_force is None:
            done, text = await self.enable(True)
            if not done:
                self._warn(text)
                await asyncio.sleep(1.0)

    async def _enable(self) -> None:
        self._guard.unblock_all()
        if self.state == ENABLED and not self._motion.damped:
            return
        watch = self.watch
        age_ns = time.monotonic_ns() - watch.complete_ns
        problem = watch.problem or find_enable_problem(
            watch.sample, watch.health, self.robot, age_ns, self._timeouts.lost_timeout_ns
        )
        if problem:
            raise BridgeError(f'not enabled: {problem}')
        gains, hold = self._motion.requested, self._motion.present_pose()
        self._switching, self._off_reason = True, 'switching the torque on was broken off'
        try:
            await power_on(self.client, self.drive, self.backend, gains, hold)
        except BridgeError as error:
            await self._power_off_after(error)
            raise BridgeError(f'not enabled: {error}') from None
        finally:
            self._switching = False
        self._off_reason, self._torque_on = '', True
        self._motion.note_in_force(hold)
        self.in_force_frame_id = self._versions.frame_id
        self._enter(ENABLED)

    async def _power_off_after(self, error: BridgeError) -> None:
        """Switch off the joints that were switched on before the failure."""
        reason = f'not enabled: {error}'
        try:
            await power_off(self.drive, self.backend, self._motion.requested)
            self._off_reason = ''
        except BridgeError as second:
            self._off_reason = reason
            self._warn(f'the torque may be on: {second}')
        self._motion.damped, self._torque_on = True, False
        self._enter(DISABLED, reason)

    async def _disable(self, reason: str) -> None:
        """Ramp the stiffness down, then switch the torque off; then nothing more is sent."""
        if self.state == DISABLED and not self._off_reason:
            return
        self._switching = True
        self._off_reason = self._off_reason or reason
        self._enter(DAMPING, f'ramping down: {reason}')
        try:
            await self._motion.ramp_down(self._timeouts.ramp_ns / 1e9)
            await power_off(self.drive, self.backend, self._motion.requested)
            self._off_reason = ''
        except BridgeError as error:
            reason = f'{reason}; its torque may be on: {error}'
        finally:
            self._switching = False
            self._motion.damped, self._torque_on = True, False
            self._enter(DISABLED, reason)

    async def _retry_power_off(self) -> None:
        """Disable a robot that could not be switched off: it may hold its last target."""
        async with self._order:
            if self._off_reason:
                await self._disable(self._off_reason)

    async def stop(self) -> None:
        """Damp and disable, because the bridge ends."""
        async with self._order:
            await self._disable(ENDED)
        if not self._off_reason:
            self._enter(DISABLED, ENDED)

    # Tasks -------------------------------------------------------------------------------

    def _on_unsent(self, text: str) -> None:
        self.counts['unsent'] += 1
        self._warn(text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task beside the readings; asyncio itself keeps only weak references."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_end)

    def _on_task_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._warn(f'this is a bug of kinfer_ros: {error!r}')
