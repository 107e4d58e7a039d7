"""Switches the torque of a KOS robot on and off, in the order that keeps it still.

Torque before gains would move a joint with whatever gains the last user left, and torque before a
target would pull it to that user's last target, or to 0.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.drive import Gains
from kinfer_ros.bridges.kos.drive import KosDrive
from kinfer_ros.bridges.kos.options import ONLINE_TORQUE
from kinfer_ros.bridges.kos.options import Backend
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.sample import JointSample
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

OUTSIDE = 0.2
"""rad; how far outside its limits a joint may be measured when the torque goes on."""
CONFIRM_TIME = 0.5
"""s, within which the actuators have to say that their torque is on."""


def enable_problem(
    sample: JointSample | None, health: Health | None, robot: Robot, age_ns: int, oldest_ns: int
) -> str:
    """Say why the torque must not go on, or ''."""
    if sample is None or age_ns > oldest_ns:
        return f'the last whole sample of the joints is {age_ns / 1e9:.1f} s old'
    outside = np.maximum(robot.lower - sample.position, sample.position - robot.upper)
    far = [
        f'{name} at {at:.2f} rad'
        for name, at, by in zip(robot.joint_names, sample.position, outside, strict=True)
        if by > OUTSIDE
    ]
    if far:
        return (
            f'{", ".join(far)}: further outside the limits of the robot YAML than {OUTSIDE:g} '
            'rad, so that holding it would move it. Are offset, sign and the zero position right?'
        )
    if health is not None and health.faults:
        listed = '; '.join(f'{name}: {", ".join(f)}' for name, f in health.faults.items())
        return f'actuators report faults: {listed}'
    return ''


async def power_on(
    client: KosClient, drive: KosDrive, backend: Backend, gains: Gains, hold: Float64
) -> None:
    """
    Bring gains and limits into force, then the target `hold` [N] rad, then the torque.

    :raises BridgeError: a step failed; the torque may be on in some joints.
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
    Switch the torque off; where a backend cannot, only damping is left.

    :raises BridgeError: it failed; the torque may be on in some joints.
    """
    soft = gains.softened(0.0) if backend.damping == 'gains' else gains
    await drive.configure(soft, torque=False if backend.torque_switch else None)


async def _confirm(client: KosClient, drive: KosDrive, backend: Backend) -> None:
    """
    Wait until every actuator that tells says that its torque is on.

    :raises BridgeError: some do not.
    """
    deadline = time.monotonic() + CONFIRM_TIME
    while True:
        states = await client.states_of(drive.ids)
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
                f'the torque did not go on in {drive.say(off)}: check motor power, the emergency '
                'stop and the cable'
            )
        await asyncio.sleep(0.02)
