"""The asyncio loop of a KOS robot, in a thread of its own, and when it reads.

gRPC's calls live on one loop; ROS callbacks live on an executor. Here the two meet: whatever comes
from the executor is handed over, so that the robot's state is touched by one thread only.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any
from typing import TypeVar

from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.sample import ImuSample
from kinfer_ros.bridges.kos.sample import JointSample
from kinfer_ros.errors import BridgeError

Result = TypeVar('Result')
OnSample = Callable[[JointSample | None, ImuSample | str, int], None]
"""Takes the whole joint sample or None, the IMU sample or its problem, and when it was asked."""

BACKOFF = (0.1, 2.0)
"""s; first and longest pause before a server that does not answer is asked again."""


class ReadSchedule:
    """
    When to read: an absolute schedule that can be steered to the sender's ticks.

    :param period_ns: 0 reads as fast as the server answers.
    :param lead_ns: how long before a command is due a read should begin; 0 leaves the phase be.
    """

    GENTLY = 8
    """A phase error is mended by this share: commands come with jitter."""

    def __init__(self, period_ns: int, lead_ns: int = 0) -> None:
        self.period_ns = period_ns
        self._lead_ns = lead_ns
        self._due_ns: int | None = None
        self.skipped = 0
        """Reads that were never made, because the one before took too long."""

    def after(self, now_ns: int) -> int:
        """Return when the next read is due; what was missed is skipped, never made up for."""
        if not self.period_ns:
            return now_ns
        if self._due_ns is None:
            self._due_ns = now_ns
        self._due_ns += self.period_ns
        if self._due_ns < now_ns:
            missed = -(-(now_ns - self._due_ns) // self.period_ns)
            self.skipped += missed
            self._due_ns += missed * self.period_ns
        return self._due_ns

    def heard(self, now_ns: int) -> None:
        """Note that a command came: the reads move towards `lead_ns` before the next one."""
        if not self._lead_ns or not self.period_ns or self._due_ns is None:
            return
        error = (now_ns - self._lead_ns - self._due_ns) % self.period_ns
        if error > self.period_ns // 2:
            error -= self.period_ns
        self._due_ns += error // self.GENTLY


class KosLoop:
    """
    Reads one robot for ever, and runs what is handed over.

    :param make_robot: makes the robot and its client; called on the loop.
    :param on_sample: called on the loop after each reading.
    """

    def __init__(
        self, make_robot: Callable[[], KosRobot], schedule: ReadSchedule, on_sample: OnSample
    ) -> None:
        self._make_robot = make_robot
        self._schedule = schedule
        self._on_sample = on_sample
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name='kos', daemon=True)
        self._reader: asyncio.Task[None] | None = None
        self._made: Future[KosRobot] = Future()
        self.crash: BaseException | None = None
        """What ended the reading, where it should not have ended."""

    def start(self) -> KosRobot:
        """
        Start the thread.

        :raises KinferRosError: the robot or its client cannot be made.
        """
        self._thread.start()
        return self._made.result()

    def hand_over(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop, soon."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def ask(self, work: Coroutine[Any, Any, Result], patience: float) -> Result:
        """
        Run a coroutine on the loop and wait for it.

        :raises BridgeError: it took longer than `patience` s; it is cancelled.
        """
        asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return asked.result(patience)
        except TimeoutError:
            asked.cancel()
            raise BridgeError(f'the robot took longer than {patience:g} s') from None

    def stop(self) -> None:
        """End reading, close the connection and the thread; once started, once only."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            robot = self._loop.run_until_complete(self._make())
        except BaseException as error:
            self._made.set_exception(error)
            self._loop.close()
            return
        self._reader = self._loop.create_task(self._read_for_ever(robot))
        self._reader.add_done_callback(self._note_crash)
        self._made.set_result(robot)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._close(robot))
            self._loop.close()

    async def _make(self) -> KosRobot:
        return self._make_robot()

    async def _close(self, robot: KosRobot) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await robot.client.close()

    def _note_crash(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.crash = task.exception()

    async def _read_for_ever(self, robot: KosRobot) -> None:
        pause = BACKOFF[0]
        while True:
            reading = await robot.client.read()
            now_ns = time.monotonic_ns()
            sample, imu = robot.took(reading, now_ns)
            self._on_sample(sample, imu, reading.sent_ns)
            due_ns = self._schedule.after(now_ns)
            if robot.watch.connected:
                pause = BACKOFF[0]
                await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            else:
                await asyncio.sleep(pause)
                pause = min(2.0 * pause, BACKOFF[1])
