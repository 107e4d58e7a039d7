"""Sends targets, gains and torque switches to KOS actuators.

Targets: one call at a time, the newest wins, so that a slow server never gets a queue of old
poses. Gains: only joints whose gains differ are configured, all of them concurrently. The gains
in force are unknown before a joint was configured and after the link was lost.
"""

import asyncio
import time
from collections.abc import Callable

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.units import MAX_NAMED
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.errors import BridgeError


class KosDrive:
    """
    The way from the bridge to the actuators, on the asyncio loop of its client.

    :param on_problem: takes one line on each thing that could not be sent.
    """

    def __init__(
        self, client: KosClient, units: JointUnits, on_problem: Callable[[str], None]
    ) -> None:
        self._client = client
        self.units = units
        self._on_problem = on_problem
        self._in_force = np.full((3, len(units.ids)), np.nan)
        self._lock = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._waiting: Float64 | None = None
        self._sender: asyncio.Task[None] | None = None
        self.changed_ns = 0
        """Steady clock at the last configuration of an actuator."""
        self.sent = 0
        """Calls that sent a target."""
        self.replaced = 0
        """Targets that newer ones replaced before they were sent."""

    def send(self, target: Float64) -> None:
        """Send a target [N] rad when the previous call has ended; the newest wins."""
        if self._waiting is not None:
            self.replaced += 1
        self._waiting = target
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._waiting is not None:
                target, self._waiting = self._waiting, None
                try:
                    await self.send_now(target)
                except BridgeError as error:
                    self._on_problem(str(error))
        finally:
            self._sender = None

    async def send_now(self, target: Float64) -> None:
        """
        Send a target [N] rad and wait for the answer.

        :raises BridgeError: it is not finite, or the call failed.
        """
        if not np.isfinite(target).all():
            raise BridgeError('a target is not finite: it is not sent')
        async with self._sending:
            refused = await self._client.command(self.units.to_degrees(target))
        self.sent += 1
        if refused:
            self._on_problem(f'targets refused by {self._format_reasons(dict(refused))}')

    def forget(self) -> None:
        """Forget the gains in force: the robot may have been restarted."""
        self._in_force[:] = np.nan

    def has(self, gains: Gains) -> bool:
        """Tell whether these gains are in force in every joint."""
        return bool(np.array_equal(self._in_force, gains.rows()))

    async def configure(self, gains: Gains, torque: bool | None = None) -> None:
        """
        Bring gains into force, and switch the torque if `torque` is not None.

        :raises BridgeError: an actuator refused or did not answer; those that did are set.
        """
        async with self._lock:
            rows = gains.rows()
            same = (rows == self._in_force).all(axis=0)
            joints = [i for i in range(rows.shape[1]) if torque is not None or not same[i]]
            outcome = await asyncio.gather(
                *(self._configure_one(i, rows[:, i], torque) for i in joints)
            )
        answers = zip(joints, outcome, strict=True)
        failed = {self.units.ids[i]: text for i, text in answers if text}
        if failed:
            raise BridgeError(f'cannot configure {self._format_reasons(failed)}')

    async def _configure_one(self, index: int, row: Float64, torque: bool | None) -> str:
        """Configure one actuator; return the error, or ''."""
        self._in_force[:, index] = np.nan
        kp, kd, limit = row.tolist()
        try:
            await self._client.configure(self.units.ids[index], kp, kd, limit, torque)
        except BridgeError as error:
            return str(error)
        self._in_force[:, index] = row
        self.changed_ns = time.monotonic_ns()
        return ''

    def _format_reasons(self, reasons: dict[int, str]) -> str:
        """Return the joints with their reasons; a reason that all share is given once."""
        texts = set(reasons.values())
        if len(texts) == 1:
            return f'{self.units.format_names(list(reasons))}: {texts.pop()}'
        pairs = [f'{self.units.name(each)}: {text}' for each, text in reasons.items()]
        more = f'; and {len(pairs) - MAX_NAMED} more' if len(pairs) > MAX_NAMED else ''
        return '; '.join(pairs[:MAX_NAMED]) + more
