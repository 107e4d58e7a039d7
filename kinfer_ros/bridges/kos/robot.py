"""One KOS robot in the graph: what is obeyed, when it is damped, and when its torque is on.

Everything that the KOS bridge decides is decided here, on one asyncio loop, without ROS. KOS has
no watchdog: a target stays in force until the next one, whoever sent it and whatever became of
him. So this is the only place that ends a movement when a policy falls silent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Sequence
from typing import Any

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.client import Reading
from kinfer_ros.bridges.kos.drive import Gains
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.motion import KosMotion
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.options import Timeouts
from kinfer_ros.bridges.kos.power import enable_problem
from kinfer_ros.bridges.kos.power import power_off
from kinfer_ros.bridges.kos.power import power_on
from kinfer_ros.bridges.kos.sample import ImuSample
from kinfer_ros.bridges.kos.sample import JointSample
from kinfer_ros.bridges.kos.sample import SampleReader
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.kos.watch import Event
from kinfer_ros.bridges.kos.watch import KosWatch
from kinfer_ros.bridges.mujoco.pacer import SECOND
from kinfer_ros.bridges.session import DAMPING
from kinfer_ros.bridges.session import DISABLED
from kinfer_ros.bridges.session import ENABLED
from kinfer_ros.bridges.session import Command
from kinfer_ros.bridges.session import SessionGuard
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

RETRY_NS = SECOND // 5
"""Between two attempts to bring gains into force."""
OWED_RETRY_NS = SECOND
"""Between two attempts to switch off a robot that could not be switched off."""
STILL_HELD = 'it holds its last target: KOS has no watchdog'


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
        patience: Timeouts,
        warn: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self.robot = robot
        self.client = client
        self.backend = backend
        self._patience = patience
        self._warn = warn
        self._changed = changed
        units = JointUnits(robot)
        reader = SampleReader(units, backend, gyro_factor)
        self.watch = KosWatch(reader, patience.lost_timeout_ns, warn)
        self.drive = KosDrive(client, units, self._on_unsent)
        self._motion = KosMotion(robot, self.drive, backend, warn)
        self._guard = SessionGuard(patience.command_timeout_ns)
        self._order = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.state = DISABLED
        """enabled, disabled or damping; with a reason in `state_text`."""
        self.state_text = f'{DISABLED} not connected to {client.connection.address} yet'
        self._counts = dict.fromkeys(
            ('commands', 'refused', 'rejected', 'late', 'timeouts', 'lost', 'unsent'), 0
        )
        self._torque_on = False
        self._busy = False  # the torque is being switched: nobody else sends anything
        self._owed = ''  # why the torque should be off, where it could not be switched off
        self._retry_ns = 0
        self._read_back = self.watch.health

    @property
    def holder(self) -> str:
        """The session that is obeyed, or empty."""
        return self._guard.holder

    @property
    def torque_is_unknown(self) -> bool:
        """Whether the torque should be off, but could not be switched off."""
        return bool(self._owed)

    @property
    def in_force(self) -> Gains | None:
        """Gains that position commands have; None before they were ever configured."""
        return self._motion.in_force

    @property
    def counts(self) -> dict[str, int]:
        """What happened how often."""
        return {**self._counts, 'clamped': self._motion.clamped}

    def set_timeout(self, timeout_ns: int) -> None:
        """Change how long a session may be silent."""
        self._guard.timeout_ns = timeout_ns

    # Readings ----------------------------------------------------------------------------

    def took(self, reading: Reading, now_ns: int) -> tuple[JointSample | None, ImuSample | str]:
        """
        Take in a reading: watch over the link, the joints and the sender; damp where needed.

        :return: the joint sample where it is whole, and the IMU's or why there is none.
        """
        was_connected = self.watch.connected
        torque_on = self._torque_on and not self._busy
        sample, imu, event = self.watch.take(reading, now_ns, torque_on=torque_on)
        self._motion.sample = self.watch.sample
        if event is Event.UNREACHED:
            self._lose(was_connected)
        elif event is Event.CONNECTED:
            if self.state == DISABLED and not self._busy:
                self._enter(DISABLED, 'not enabled yet (call ~/enable)')
        elif event is Event.INCOMPLETE and self.state == ENABLED:
            self._counts['lost'] += 1
            self._damp_because(self.watch.problem)
        if self._guard.expired(now_ns) and self.state == ENABLED:
            self._counts['timeouts'] += 1
            self._damp_because(f'no command for {self._guard.timeout_ns / SECOND:g} s')
        self._keep_up(now_ns)
        return sample, imu

    def _lose(self, was_connected: bool) -> None:
        """What the robot does is unknown; when it is back, it has to be switched off."""
        if was_connected:
            self._counts['lost'] += 1
            self.drive.forget()
            self._guard.release()
        if self._busy:
            return
        if self.state != DISABLED:
            self._owed = 'after the link to the robot was lost'
            self._torque_on = False
        problem = self.watch.problem
        self._enter(DISABLED, f'{problem}; {STILL_HELD}' if self._owed else problem)

    def _keep_up(self, now_ns: int) -> None:
        """What has to be done again and again: a damped target follows, gains are mended."""
        if not self.watch.connected or self._busy:
            return
        if self._owed:
            if now_ns >= self._retry_ns:
                self._retry_ns = now_ns + OWED_RETRY_NS
                self._spawn(self._settle_owed())
        elif self.state != DISABLED:
            self._motion.follow()
            if self.watch.health is not self._read_back:
                self._read_back = self.watch.health
                self._motion.read_back(self._read_back)
                self._changed()
            if not self.drive.has(self._motion.wanted()) and now_ns >= self._retry_ns:
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
        try:
            target = self._motion.target_of(command)
            self._check(command, age_ns)
        except BridgeError as error:
            self.refuse(f'joint_commands: {error}')
            return
        self._counts['commands'] += 1
        self._guard.obeyed(command, now_ns)
        if self.state == DISABLED or self._busy:
            return  # the sender is known, but nothing moves
        if target is None:
            if self._motion.damp():
                self._spawn(self._configure())
            return
        if self.state == DAMPING:
            self._enter(ENABLED)
        if self._motion.move(target):
            self._spawn(self._configure())

    def _check(self, command: Command, age_ns: int) -> None:
        """:raises BridgeError: a target comes too late, or the joints are not all there."""
        if command.position is None:
            return
        if age_ns > self._guard.timeout_ns:
            self._counts['late'] += 1
            raise BridgeError(
                f'it answers a sample of {age_ns / 1e6:.0f} ms ago, at most '
                f'{self._guard.timeout_ns / 1e6:.0f} ms (command_timeout) are accepted'
            )
        if self.watch.problem and self.state == DAMPING:
            raise BridgeError(f'the robot is damped: {self.watch.problem}')

    def set_gains(
        self,
        names: Sequence[str],
        gains: tuple[Float64, Float64, Float64],
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
        try:
            self._motion.ask(names, gains)
        except BridgeError as error:
            self.refuse(f'joint_gains: {error}')
            return False
        self._spawn(self._configure())
        return True

    def _reject(self, session: str) -> None:
        self._counts['rejected'] += 1
        self._warn(f'session {session} rejected: {self._guard.rejection(session)}')

    def refuse(self, text: str) -> None:
        """Count a message that was refused, and say why."""
        self._counts['refused'] += 1
        self._warn(f'refused {text}')

    async def _configure(self) -> None:
        """Bring the wanted gains into force; what fails is tried again from `_keep_up`."""
        if self.state == DISABLED or self._busy:
            return
        try:
            await self._motion.configure()
        except BridgeError as error:
            self._warn(str(error))
        self._changed()

    def _damp_because(self, reason: str) -> None:
        if self._motion.damp():
            self._spawn(self._configure())
        self._guard.release()
        self._enter(DAMPING, reason)
        self._warn(f'damping: {reason}')

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
        return not self._owed, self.state_text

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
        self._guard.pardon()
        if self.state == ENABLED and not self._motion.damped:
            return
        watch = self.watch
        age_ns = time.monotonic_ns() - watch.whole_ns
        problem = watch.problem or enable_problem(
            watch.sample, watch.health, self.robot, age_ns, self._patience.lost_timeout_ns
        )
        if problem:
            raise BridgeError(f'not enabled: {problem}')
        asked, hold = self._motion.asked, self._motion.present_pose()
        self._busy, self._owed = True, 'switching the torque on was broken off'
        try:
            await power_on(self.client, self.drive, self.backend, asked, hold)
        except BridgeError as error:
            await self._power_off_after(error)
            raise BridgeError(f'not enabled: {error}') from None
        finally:
            self._busy = False
        self._owed, self._torque_on = '', True
        self._motion.holds(hold)
        self._enter(ENABLED)

    async def _power_off_after(self, error: BridgeError) -> None:
        """What was switched on before it failed goes off again."""
        reason = f'not enabled: {error}'
        try:
            await power_off(self.drive, self.backend, self._motion.asked)
            self._owed = ''
        except BridgeError as second:
            self._owed = reason
            self._warn(f'the torque may be on: {second}')
        self._motion.damped, self._torque_on = True, False
        self._enter(DISABLED, reason)

    async def _disable(self, reason: str) -> None:
        """Take the stiffness away, then the torque; afterwards nothing is sent any more."""
        if self.state == DISABLED and not self._owed:
            return
        self._busy = True
        self._owed = self._owed or reason
        self._enter(DAMPING, f'ramping down: {reason}')
        try:
            await self._motion.ramp_down(self._patience.ramp_time)
            await power_off(self.drive, self.backend, self._motion.asked)
            self._owed = ''
        except BridgeError as error:
            reason = f'{reason}; its torque may be on: {error}'
        finally:
            self._busy = False
            self._motion.damped, self._torque_on = True, False
            self._enter(DISABLED, reason)

    async def _settle_owed(self) -> None:
        """A robot that could not be switched off may hold its last target: take it down."""
        async with self._order:
            if self._owed:
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
        self._counts['unsent'] += 1
        self._warn(text)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the readings; asyncio itself keeps only weak references."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._warn(f'this is a bug of kinfer_ros: {error!r}')
