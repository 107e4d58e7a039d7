"""The asyncio loop of a KOS robot, in a thread of its own, and the schedule of its reads.

gRPC calls run on one loop, ROS callbacks on an executor. Callbacks hand their work over to the
loop, so that only one thread uses the robot's state.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any
from typing import TypeVar

from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.errors import BridgeError

Result = TypeVar('Result')
OnSample = Callable[[JointSample | None, ImuSample | str, int], None]
"""Takes the complete joint sample or None, the IMU sample or its problem, the request time."""

BACKOFF = (0.1, 2.0)
"""s; first and longest pause between reads of a server that does not answer."""


class ReadSchedule:
    """
    Times of the reads: an absolute schedule, aligned with the commands.

    :param period_ns: 0 reads as fast as the server answers.
    :param lead_ns: time from a read to the next command; 0 does not align.
    """

    SMOOTHING = 8
    """Divisor of a phase correction: commands have jitter."""

    def __init__(self, period_ns: int, lead_ns: int = 0) -> None:
        self.period_ns = period_ns
        self._lead_ns = lead_ns
        self._due_ns: int | None = None
        self.skipped = 0
        """Reads that were skipped because the previous one took too long."""

    def next_read(self, now_ns: int) -> int:
        """Return the time of the next read; missed reads are skipped."""
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

    def on_command(self, now_ns: int) -> None:
        """Move the reads towards `lead_ns` before the next command."""
        if not self._lead_ns or not self.period_ns or self._due_ns is None:
            return
        error = (now_ns - self._lead_ns - self._due_ns) % self.period_ns
        if error > self.period_ns // 2:
            error -= self.period_ns
        self._due_ns += error // self.SMOOTHING


class KosLoop:
    """
    Reads one robot continuously, and runs the work that other threads hand over.

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
        """The exception that ended the reads, or None."""

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

    def run_and_wait(self, work: Coroutine[Any, Any, Result], timeout: float) -> Result:
        """
        Run a coroutine on the loop and wait for it.

        :raises BridgeError: it took longer than `timeout` s and was cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise BridgeError(f'the robot took longer than {timeout:g} s') from None

    def stop(self) -> None:
        """Stop reading, close the connection and end the thread; call once."""
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
        self._reader = self._loop.create_task(self._read_continuously(robot))
        self._reader.add_done_callback(self._on_reader_end)
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

    def _on_reader_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.crash = task.exception()

    async def _read_continuously(self, robot: KosRobot) -> None:
        pause = BACKOFF[0]
        while True:
            reading = await robot.client.read()
            now_ns = time.monotonic_ns()
            sample, imu = robot.on_reading(reading, now_ns)
            self._on_sample(sample, imu, reading.sent_ns)
            due_ns = self._schedule.next_read(now_ns)
            if robot.watch.connected:
                pause = BACKOFF[0]
                await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            else:
                await asyncio.sleep(pause)
                pause = min(2.0 * pause, BACKOFF[1])
