"""Switches the torque of a KOS robot on and off, in an order that keeps it still.

Gains and target come before the torque: otherwise a joint would move with the gains of the last
user, to that user's last target or to 0.
"""

import asyncio
import time

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.options import ONLINE_TORQUE
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.bridges.samples import find_outside
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

CONFIRM_TIMEOUT = 0.5
"""s, within which the actuators must report that their torque is on."""


def find_enable_problem(
    sample: JointSample | None, health: Health | None, robot: Robot, age_ns: int, max_age_ns: int
) -> str:
    """Return why the torque must not be switched on, or ''."""
    if sample is None or age_ns > max_age_ns:
        return f'the last complete sample of the joints is {age_ns / 1e9:.1f} s old'
    if outside := find_outside(sample.position, robot):
        return outside
    if health is not None and health.faults:
        listed = '; '.join(f'{name}: {", ".join(f)}' for name, f in health.faults.items())
        return f'actuators report faults: {listed}'
    return ''


async def power_on(
    client: KosClient, drive: KosDrive, backend: Backend, gains: Gains, hold: Float64
) -> None:
    """
    Bring gains and limits into force, then the target `hold` [N] rad, then switch on the torque.

    :raises BridgeError: a step failed; some joints may have torque.
    """
    drive.forget()
    await drive.configure(gains)
    await drive.send_now(hold)
    if backend.torque_switch:
        await drive.configure(gains, torque=True)
        await drive.send_now(hold)
        await _confirm(client, drive, backend)


async def power_off(drive: KosDrive, backend: Backend, gains: Gains) -> None:
    """
    Switch the torque off; a backend that cannot is damped.

    :raises BridgeError: it failed; some joints may have torque.
    """
    soft = gains.softened(0.0) if backend.damping == 'gains' else gains
    await drive.configure(soft, torque=False if backend.torque_switch else None)


async def _confirm(client: KosClient, drive: KosDrive, backend: Backend) -> None:
    """
    Wait until every actuator that reports its torque reports that it is on.

    :raises BridgeError: some report that it is off.
    """
    deadline = time.monotonic() + CONFIRM_TIMEOUT
    while True:
        states = await client.states_of(drive.units.ids)
        off = [
            state.actuator_id
            for state in states
            if (state.HasField('torque_enabled') and not state.torque_enabled)
            or (backend.online == ONLINE_TORQUE and not state.online)
        ]
        if not off:
            return
        if time.monotonic() > deadline:
            raise BridgeError(
                f'the torque did not go on in {drive.units.format_names(off)}: check motor power, '
                'the emergency stop and the cable'
            )
        await asyncio.sleep(0.02)
