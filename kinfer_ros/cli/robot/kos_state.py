"""`kos state`: a live table of the actuators and the IMU of a KOS robot."""

import asyncio
import sys

import numpy as np

from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.options import GYRO_UNITS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import backend_of
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.sample import SampleReader
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.text import printable

PERIOD = 0.2
TOP = '\x1b[H\x1b[2J'


def state(connection: Connection, robot: str, backend: str, *, once: bool) -> int:
    """
    Show the table until Ctrl-C, or once.

    :return: exit code: 0, or 1 if something does not answer or reports a fault.
    :raises KinferRosError: an unusable robot file, or a server that does not answer.
    """
    return asyncio.run(_show(connection, load_robot(robot), backend, live=not once))


async def _show(connection: Connection, robot: Robot, backend: str, *, live: bool) -> int:
    units = JointUnits(robot)
    gyro_factor = GYRO_UNITS[robot.gyro_unit]
    reader = SampleReader(units, backend_of(backend, robot.name), gyro_factor)
    client = KosClient(connection, units.ids)
    on_screen = live and sys.stdout.isatty()
    try:
        while True:
            reading = await client.read()
            sample = reader.joints(reading, torque_on=False)
            if sample is None:
                if not live:
                    raise BridgeError(reading.states_problem)
                problem = printable(reading.states_problem)
                print(f'{TOP if on_screen else ""}{problem}', flush=True)
            else:
                health, imu = reader.health(reading), reader.imu(reading)
                lines = table(robot, units, sample, health, imu)
                print((TOP if on_screen else '') + printable('\n'.join(lines)), flush=True)
                if not live:
                    well = not sample.problem and not health.faults and isinstance(imu, ImuSample)
                    return 0 if well else 1
            await asyncio.sleep(PERIOD if on_screen else 5 * PERIOD)
    finally:
        await client.close()


def table(
    robot: Robot, units: JointUnits, sample: JointSample, health: Health, imu: ImuSample | str
) -> list[str]:
    """Return the lines of the table; positions in rad."""
    width = max(len(name) for name in robot.joint_names)
    lines = [
        f'{"joint":{width}}   id      rad    rad/s  torque Nm   deg C      V      A  torque'
        '  faults'
    ]
    for i, (name, number) in enumerate(zip(robot.joint_names, units.ids, strict=True)):
        effort = np.nan if sample.effort is None else sample.effort[i]
        switch = {1.0: 'on', 0.0: 'off'}.get(float(health.torque_on[i]), '-')
        faults = ', '.join(health.faults.get(units.name(number), ()))
        cells = (
            f'{name:{width}}  {number:3}',
            _cell(sample.position[i], 8, 3),
            _cell(sample.velocity[i], 8, 2),
            _cell(effort, 10, 2),
            _cell(health.temperature[i], 7, 1),
            _cell(health.voltage[i], 6, 1),
            _cell(health.current[i], 6, 2),
            f'{switch:>7}',
            f' {faults}',
        )
        lines.append(' '.join(cells).rstrip())
    if isinstance(imu, ImuSample):
        x, y, z, w = imu.quaternion
        lines.append(f'imu: x y z w {x:.3f} {y:.3f} {z:.3f} {w:.3f}')
        lines.append(f'     gyro {_three(imu.gyro)} rad/s, accel {_three(imu.accel)} m/s^2')
    else:
        lines.append(f'imu: {imu}')
    if sample.problem:
        lines.append(sample.problem)
    return lines


def _cell(value: float, width: int, digits: int) -> str:
    return f'{value:{width}.{digits}f}' if np.isfinite(value) else f'{"-":>{width}}'


def _three(values: tuple[float, float, float]) -> str:
    return ' '.join(f'{value:.2f}' for value in values)
