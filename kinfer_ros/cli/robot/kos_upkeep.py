"""`kos zero`, `calibrate`, `parameters` and `sim`: rare calls, each confirmed and checked."""

import asyncio
import json
import math
import sys
import time
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.kos.upkeep import KosUpkeep
from kinfer_ros.cli.robot.confirm import confirmed
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.text import printable
from kinfer_ros.yaml_file import did_you_mean

IMU, ALL = 'imu', 'all'
NEAR_ZERO = 2.0
"""Degrees of an actuator that has been zeroed: it is limp, and may give way a little."""
SETTLE_S = 3.0
"""s until a zeroed actuator reports its new position."""
MAX_ZERO_S = 60.0
MIN_HEIGHT, MAX_HEIGHT = 0.0, 10.0
MAX_STEPS = 100_000

Work = Callable[[KosUpkeep], Awaitable[int]]


def run(connection: Connection, work: Work) -> int:
    """Connect, work, and close; :return: the exit code."""

    async def connected() -> int:
        server = KosUpkeep(connection)
        try:
            return await work(server)
        finally:
            await server.close()

    return asyncio.run(connected())


def zero(
    connection: Connection, robot: Robot, parts: list[str], seconds: float, sure: bool
) -> int:
    """Zero the IMU, or joints; :return: 1 where the server did not do it."""
    if not 0.1 <= seconds <= MAX_ZERO_S:
        raise ConfigError(f'--duration: found {seconds:g}, expected 0.1 to {MAX_ZERO_S:g} s')
    if parts == [IMU]:
        return run(connection, lambda server: _zero_imu(server, seconds, sure))
    joints = joint_ids(robot, parts)
    return run(connection, lambda server: _zero_joints(server, robot, joints, sure))


def calibrate(connection: Connection, robot: Robot, part: str, sure: bool) -> int:
    """Calibrate the IMU or a joint; :return: 1 where the server did nothing."""
    if part == IMU:
        return run(connection, lambda server: _calibrate_imu(server, sure))
    if part == ALL:
        raise ConfigError(f'calibrate: found {ALL}, expected {IMU} or one joint')
    ((name, number),) = joint_ids(robot, [part]).items()
    return run(connection, lambda server: _calibrate_joint(server, name, number, sure))


def parameters(connection: Connection, robot: Robot, parts: list[str], as_json: bool) -> int:
    """Print what the actuators have in their registers; :return: 1 where one does not answer."""
    joints = joint_ids(robot, parts or [ALL])
    return run(connection, lambda server: _parameters(server, joints, as_json))


def simulate(connection: Connection, action: str, height: float, steps: int) -> int:
    """Reset, pause, resume or step the simulation of a kos-sim."""
    if not MIN_HEIGHT < height <= MAX_HEIGHT:
        raise ConfigError(f'--height: found {height:g}, expected over 0 and at most 10 m')
    if not 1 <= steps <= MAX_STEPS:
        raise ConfigError(f'--steps: found {steps}, expected 1 to {MAX_STEPS}')

    async def work(server: KosUpkeep) -> int:
        if action == 'reset':
            await server.reset_simulation(height)
        elif action == 'step':
            await server.step_simulation(steps)
        else:
            await server.pause_simulation(action == 'pause')
            print('note: kos-sim 0.0.14 says so and does nothing', file=sys.stderr)
        print(f'{action}: done, as the server says')
        return 0

    return run(connection, work)


def joint_ids(robot: Robot, parts: Sequence[str]) -> dict[str, int]:
    """
    Return the actuator ids of joints, by name.

    :param parts: names or ids of joints, or `all`.
    :raises ConfigError: none of the robot's.
    """
    units = JointUnits(robot)
    known = dict(zip(units.names, units.ids, strict=True))
    if list(parts) == [ALL]:
        return known
    by_id = {str(number): name for name, number in known.items()}
    names = [by_id.get(part, part) for part in parts]
    wrong = [part for part, name in zip(parts, names, strict=True) if name not in known]
    if wrong:
        raise ConfigError(
            f'found {wrong[0]!r}{did_you_mean(wrong[0], list(known))}, expected {IMU} alone, '
            f'{ALL} alone, or joints of {robot.path} by name or id'
        )
    return {name: known[name] for name in names}


async def _zero_joints(server: KosUpkeep, robot: Robot, joints: dict[str, int], sure: bool) -> int:
    states = await server.states(list(joints.values()))
    _refuse_unready(joints, states)
    for name, number in joints.items():
        doubt = '' if states[number].online else '  (not online: where it is is not known)'
        print(f'{name} (id {number})  {states[number].position:8.2f} deg{doubt}')
    question = (
        'The torque of these joints goes off, and where they are becomes 0 rad, for good: every '
        'policy and limit counts from there. Are they in the zero pose, and the robot on a hoist?'
    )
    if not sure and not confirmed('zeros of the robot will be written', question):
        return 0
    for number in joints.values():
        await server.zero_actuator(number)
    return await _report_zeroed(server, joints)


def _refuse_unready(joints: dict[str, int], states: dict[int, Any]) -> None:
    """:raises BridgeError: a joint that does not answer, or holds something up."""
    silent = [f'{name} (id {number})' for name, number in joints.items() if number not in states]
    if silent:
        raise BridgeError(f'no feedback from {", ".join(silent)}: nothing is written')
    driven = [
        f'{name} (id {number})'
        for name, number in joints.items()
        if states[number].HasField('torque_enabled') and states[number].torque_enabled
    ]
    if driven:
        raise BridgeError(
            f'the torque is on at {", ".join(driven)}: nothing is written. Switch it off first '
            '(~/enable false); something else may control the robot'
        )


async def _report_zeroed(server: KosUpkeep, joints: dict[str, int]) -> int:
    """Wait until all are near zero; :return: 1 where one is not."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        states = await server.states(list(joints.values()))
        off = {
            name: states[number].position if number in states else math.nan
            for name, number in joints.items()
            if number not in states or not abs(states[number].position) <= NEAR_ZERO
        }
        if not off or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    for name, position in off.items():
        print(f'{name} is at {position:.2f} deg: the server took the zero, and did not do it')
    print(f'zeroed {len(joints) - len(off)} of {len(joints)} joints')
    return 1 if off else 0


async def _zero_imu(server: KosUpkeep, seconds: float, sure: bool) -> int:
    before = await server.quaternion()
    if not sure and not confirmed(
        'the zero of the IMU will be written', 'Is the robot upright, and still?'
    ):
        return 0
    await server.zero_imu(seconds)
    after = await server.quaternion()
    print(f'w x y z before {_four(before)}\n        after  {_four(after)}')
    print(
        'the server says that it is done. kos-zbot, and kos-kbot with a Hiwonder IMU, say so '
        'and do nothing: compare the two lines'
    )
    return 0


async def _calibrate_imu(server: KosUpkeep, sure: bool) -> int:
    await server.quaternion()  # a server that is not there is an error
    if not sure and not confirmed('the IMU will be calibrated', 'Is the robot still?'):
        return 0
    failed = False
    try:
        said = await server.calibrate_imu()
    except BridgeError as error:  # kos-zbot has the state alone
        said, failed = str(error), True
    print(printable(said))
    try:
        state = await server.calibration_state()
    except BridgeError as error:
        print(printable(f'how far it is: {error}'))
    else:
        print('\n'.join(f'{printable(name)[:40]}: {level}' for name, level in state.items()))
    return 1 if failed or said.startswith('failed') else 0


async def _calibrate_joint(server: KosUpkeep, name: str, number: int, sure: bool) -> int:
    states = await server.states([number])
    _refuse_unready({name: number}, states)
    question = (
        f'{name} (id {number}) may move to both of its ends by itself. Is the robot on a hoist, '
        'the joint free, and the emergency stop in your hand?'
    )
    if not sure and not confirmed('the joint may move to its ends', question):
        return 0
    said = await server.calibrate_actuator(number)
    print(printable(f'{name}: {said}'))
    return 1 if said.startswith(('failed', 'the server started nothing')) else 0


async def _parameters(server: KosUpkeep, joints: dict[str, int], as_json: bool) -> int:
    found = await server.parameters(list(joints.values()))
    silent = [name for name, number in joints.items() if number not in found]
    by_name = {name: found[number] for name, number in joints.items() if number in found}
    if as_json:
        print(json.dumps(by_name, indent=2))
    for name, values in () if as_json else by_name.items():
        print(f'{name} (id {joints[name]})')
        for key, value in values.items():
            print(printable(f'  {key}: {value}'[:200]))
    for name in silent:
        print(f'{name} (id {joints[name]}): no answer', file=sys.stderr)
    return 1 if silent else 0


def _four(quaternion: tuple[float, float, float, float]) -> str:
    return ' '.join(f'{value:.4f}' for value in quaternion)
