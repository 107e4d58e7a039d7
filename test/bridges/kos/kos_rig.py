"""A KOS robot on a server, read by the test itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.options import BACKENDS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.robot.robot import load_robot

if TYPE_CHECKING:
    from helpers.peers.kos_server import KosServer

KBOT = load_robot('kbot')
IDS = JointUnits(KBOT).ids
SECOND = 1_000_000_000
CONFIGURE_TIMEOUT = 2.0
"""s; a busy machine does not run this process, and the server in it, for half a second."""


class Rig:
    """A robot on a server, read by the test itself."""

    def __init__(
        self,
        server: KosServer,
        backend: str = 'kos-kbot',
        gyro: float = 1.0,
        ramp_time: float = 0.1,
        timeout: float = 0.25,
        lost_timeout: float = 10.0,
    ) -> None:
        """:param lost_timeout: s; long where no loss is tested: a busy machine stalls."""
        self.server = server
        self.said: list[str] = []
        client = KosClient(Connection('127.0.0.1', server.port, timeout, CONFIGURE_TIMEOUT), IDS)
        timeouts = Timeouts(SECOND, round(lost_timeout * SECOND), round(ramp_time * SECOND))
        self.robot = KosRobot(
            KBOT, client, BACKENDS[backend], gyro, timeouts, self.said.append, lambda: None
        )
        self.sample = None
        self.imu: ImuSample | str = ''

    async def read(self, times: int = 1) -> None:
        """Read as the bridge's loop does."""
        for _ in range(times):
            reading = await self.robot.client.read()
            self.sample, self.imu = self.robot.on_reading(reading, time.monotonic_ns())
            await asyncio.sleep(0.005)

    async def until(self, condition, patience: float = 30.0) -> None:
        """Read on until a condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, (self.robot.state_text, self.said)
            await self.read()

    def send(
        self, position, mode: str = 'run', session: str = 'aaaa', age_ns: int = 0, version: int = 0
    ) -> None:
        """Command as a policy node does; None asks for damping."""
        names = KBOT.joint_names
        command = Command(session, mode, 0, names, position, version)
        self.robot.command(command, time.monotonic_ns(), age_ns)

    async def enable(self) -> None:
        """Switch the torque on once there is a sample."""
        await self.until(lambda: self.robot.watch.connected and not self.robot.watch.problem)
        done, text = await self.robot.enable(True)
        assert done, text


def on(server: KosServer, work, **options) -> None:
    """Run a test's coroutine with a rig, and close its connection."""

    async def run() -> None:
        rig = Rig(server, **options)
        try:
            await work(rig)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await rig.robot.client.close()

    asyncio.run(run())
