"""`python -m kinfer_ros kos`: look at a robot that KOS runs, or bring it to its home pose slowly.

For a robot on the bench, without a graph: nothing of ROS is needed. Torque is never switched here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfer_ros.bridges.kos_client import KosClient
from kinfer_ros.bridges.kos_options import AUTO
from kinfer_ros.bridges.kos_options import BACKENDS
from kinfer_ros.bridges.kos_options import GYRO_UNITS
from kinfer_ros.bridges.kos_options import Connection
from kinfer_ros.bridges.kos_options import backend_of
from kinfer_ros.bridges.kos_sample import Health
from kinfer_ros.bridges.kos_sample import JointSample
from kinfer_ros.bridges.kos_sample import SampleReader
from kinfer_ros.bridges.kos_units import JointUnits
from kinfer_ros.cli.common import run_command
from kinfer_ros.control.robot import Robot
from kinfer_ros.control.robot import load_robot
from kinfer_ros.errors import BridgeError

PERIOD = 0.02
"""s, between two targets on the way home."""
REFRESH = 0.5
"""s, between two tables."""
CLEAR = '\x1b[H\x1b[J'
TRACKING = 0.5
"""rad; a joint that is further behind its target stops the ramp."""


def main(argv: Sequence[str] | None = None) -> int:
    """:return: the exit code: 0, 2 after a mistake that is explained on stderr, 130 at Ctrl-C."""
    return run_command(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    bench = Bench(arguments)
    try:
        return asyncio.run(_state(bench) if arguments.action == 'state' else _home(bench))
    except KeyboardInterrupt:
        print()
        return 0 if arguments.action == 'state' else 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m kinfer_ros kos', description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--robot', default='kbot', help='name or YAML of the robot (kbot)')
    common.add_argument('--host', default='127.0.0.1', help='host of the KOS server (127.0.0.1)')
    common.add_argument('--port', type=int, default=50051, help='its port (50051)')
    common.add_argument('--timeout', type=float, default=0.5, help='s, deadline of a call (0.5)')
    common.add_argument('--backend', default=AUTO, choices=(AUTO, *BACKENDS))
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    state = actions.add_parser('state', parents=[common], help='a live table of the actuators')
    state.add_argument('--once', action='store_true', help='print one table and end')
    home = actions.add_parser(
        'home', parents=[common], help='a slow ramp to the home pose; the torque must be on'
    )
    home.add_argument('--speed', type=float, default=0.3, help='rad/s of the fastest joint (0.3)')
    home.add_argument('--yes', action='store_true', help='do not ask before moving')
    return parser


class Bench:
    """One robot and what was asked for it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.robot: Robot = load_robot(arguments.robot)
        self.units = JointUnits(self.robot)
        backend = backend_of(arguments.backend, self.robot.name)
        self.reader = SampleReader(self.units, backend, GYRO_UNITS[self.robot.gyro_unit])
        self.connection = Connection(
            arguments.host, arguments.port, arguments.timeout, arguments.timeout
        )

    def connect(self) -> KosClient:
        """Make the client; on the loop it is used on."""
        return KosClient(self.connection, self.units.ids)

    async def read(self, client: KosClient) -> tuple[JointSample, Health, str]:
        """
        Read once: joints, health, what is wrong with the IMU.

        :raises BridgeError: the actuators cannot be read.
        """
        reading = await client.read()
        sample = self.reader.joints(reading, torque_on=False)
        if sample is None:
            raise BridgeError(reading.states_problem)
        imu = self.reader.imu(reading)
        return sample, self.reader.health(reading), imu if isinstance(imu, str) else ''


async def _state(bench: Bench) -> int:
    client = bench.connect()
    try:
        while True:
            sample, health, imu_problem = await bench.read(client)
            tty = sys.stdout.isatty() and not bench.arguments.once
            print((CLEAR if tty else '') + _table(bench, sample, health, imu_problem), flush=True)
            if bench.arguments.once:
                return 0
            await asyncio.sleep(REFRESH)
    finally:
        await client.close()


def _table(bench: Bench, sample: JointSample, health: Health, imu_problem: str) -> str:
    robot = bench.robot
    width = max(len(name) for name in robot.joint_names)
    head = f'{"joint":{width}} {"id":>5} {"rad":>8} {"deg":>8} {"rad/s":>8} {"Nm":>7}'
    lines = [f'{robot.name} at {bench.connection.address}', '']
    lines.append(f'{head} {"deg C":>6} {"V":>6} {"kp":>7} {"kd":>7} torque  faults')
    effort = np.full(len(robot.joints), np.nan) if sample.effort is None else sample.effort
    for i, name in enumerate(robot.joint_names):
        torque = {1.0: 'on', 0.0: 'off'}.get(float(health.torque_on[i]), '-')
        faults = ', '.join(health.faults.get(bench.units.name(bench.units.ids[i]), []))
        silent = not np.isfinite(sample.position[i])
        lines.append(
            f'{name:{width}} {bench.units.ids[i]:5d} {_number(sample.position[i], 8, 3)}'
            f' {_number(np.degrees(sample.position[i]), 8, 1)}'
            f' {_number(sample.velocity[i], 8, 2)} {_number(effort[i], 7, 2)}'
            f' {_number(health.temperature[i], 6, 0)} {_number(health.voltage[i], 6, 1)}'
            f' {_number(health.kp[i], 7, 2)} {_number(health.kd[i], 7, 2)} {torque:6}'
            f'  {"no feedback" if silent else faults}'.rstrip()
        )
    problems = [text for text in (sample.problem, imu_problem) if text]
    return '\n'.join([*lines, '', *(f'problem: {text}' for text in problems)]).rstrip()


def _number(value: Any, width: int, digits: int) -> str:
    return f'{value:{width}.{digits}f}' if np.isfinite(value) else f'{"-":>{width}}'


async def _home(bench: Bench) -> int:
    """Move every joint from where it is to the home pose, the furthest one at `--speed`."""
    speed = bench.arguments.speed
    if not 0.0 < speed <= 2.0:
        raise BridgeError(f'found a speed of {speed:g} rad/s, expected more than 0, at most 2')
    client = bench.connect()
    try:
        begin = await _whole_pose(bench, client)
        way = bench.robot.home - begin
        seconds = float(np.abs(way).max()) / speed
        furthest = bench.robot.joint_names[int(np.abs(way).argmax())]
        print(f'{bench.robot.name}: {seconds:.1f} s to the home pose; {furthest} goes furthest, ')
        print(f'by {np.abs(way).max():.2f} rad. Whoever commands it now has to be stopped first.')
        if not bench.arguments.yes and not _confirmed():
            print('nothing was moved')
            return 1
        # The question may have stood for long: the way starts where the joints are now.
        begin = await _whole_pose(bench, client)
        return await _ramp(bench, client, begin, seconds)
    finally:
        await client.close()


async def _whole_pose(bench: Bench, client: KosClient) -> np.ndarray[Any, np.dtype[np.float64]]:
    """
    Read the pose [N] rad.

    :raises BridgeError: a joint does not answer, or its torque is off.
    """
    sample, health, _ = await bench.read(client)
    if sample.problem:
        raise BridgeError(sample.problem)
    off = [n for n, on in zip(bench.robot.joint_names, health.torque_on, strict=True) if on == 0]
    if off:
        raise BridgeError(
            f'the torque is off in {", ".join(off[:6])}: nothing would move. Switch it on first '
            '(~/enable of the KOS bridge, or the tools of the robot)'
        )
    return sample.position


def _confirmed() -> bool:
    try:
        return input('Is the robot held, and nobody in reach? Type yes: ').strip() == 'yes'
    except EOFError:
        return False


async def _ramp(bench: Bench, client: KosClient, begin: Any, seconds: float) -> int:
    started = time.monotonic()
    target = begin
    while True:
        share = 1.0 if seconds == 0.0 else min(1.0, (time.monotonic() - started) / seconds)
        target = begin + share * (bench.robot.home - begin)
        refused = await client.command(bench.units.to_degrees(target))
        if refused:
            each, reason = refused[0]
            raise BridgeError(f'{bench.units.name(each)} refused its target: {reason}')
        if share == 1.0:
            break
        await asyncio.sleep(PERIOD)
        sample, _, _ = await bench.read(client)
        behind = np.abs(sample.position - target)
        if not (behind <= TRACKING).all():
            pose = np.where(np.isfinite(sample.position), sample.position, target)
            await client.command(bench.units.to_degrees(pose))
            worst = bench.robot.joint_names[int(np.nan_to_num(behind, nan=np.inf).argmax())]
            raise BridgeError(
                f'{worst} does not follow by more than {TRACKING:g} rad: stopped where the joints '
                'are. Is it blocked, and are its torque and gains on?'
            )
    print('at the home pose; it is held until another target comes')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
