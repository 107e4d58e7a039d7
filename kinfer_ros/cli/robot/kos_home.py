"""`kos home`: move slowly to the home pose, hold it until Ctrl-C, then switch the torque off."""

import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.loop import KosLoop
from kinfer_ros.bridges.kos.loop import ReadSchedule
from kinfer_ros.bridges.kos.options import GYRO_UNITS
from kinfer_ros.bridges.kos.options import Connection
from kinfer_ros.bridges.kos.options import backend_of
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.cli.robot.confirm import confirmed
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot

SPEED = 0.3
"""rad/s of the joint with the longest way."""
MAX_SPEED = 1.0
PERIOD = 0.02
TIMEOUT = Timeouts(SECOND // 2, SECOND // 2, ramp_ns=2 * SECOND)
SWITCH_TIMEOUT = 10.0
FIRST_SAMPLE = 5.0


def home(
    connection: Connection, robot: str, backend: str, speed: float, *, zero: bool, sure: bool
) -> int:
    """
    Move home, hold, and switch off at Ctrl-C.

    :param speed: rad/s of the fastest joint.
    :param zero: move every joint to 0 rad instead.
    :param sure: do not ask for confirmation.
    :return: exit code: 0, or 1 if the robot stopped on its own or its torque may be on.
    :raises KinferRosError: a bad argument, or a robot that cannot be reached or enabled.
    """
    if not 0.0 < speed <= MAX_SPEED:
        raise ConfigError(
            f'found --speed {speed:g}, expected more than 0 and at most {MAX_SPEED:g}'
        )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    loaded = load_robot(robot)
    if zero:
        loaded = _at_zero(loaded)
    loop = KosLoop(
        lambda: _robot(loaded, connection, backend),
        ReadSchedule(round(PERIOD * SECOND)),
        lambda *_: None,
    )
    driven = loop.start()
    try:
        pose = _pose(driven, stopped)
        if not sure and not _confirmed(loaded, pose, speed, connection.address):
            return 0
        code = _go(loop, driven, pose, speed, stopped)
    finally:
        loop.run_and_wait(driven.stop(), SWITCH_TIMEOUT)
        print(driven.state_text, file=sys.stderr)
        loop.stop()
    return 1 if driven.torque_is_unknown else code


def _at_zero(robot: Robot) -> Robot:
    """
    Return the robot with all joints at home at 0 rad.

    :raises ConfigError: a joint whose limits leave out zero.
    """
    beyond = [joint.name for joint in robot.joints if not joint.lower <= 0.0 <= joint.upper]
    if beyond:
        raise ConfigError(f'--zero: 0 rad is outside the limits of {", ".join(beyond)}')
    return replace(robot, joints=tuple(replace(joint, home=0.0) for joint in robot.joints))


def _robot(robot: Robot, connection: Connection, backend: str) -> KosRobot:
    return KosRobot(
        robot,
        KosClient(connection, JointUnits(robot).ids),
        backend_of(backend, robot.name),
        GYRO_UNITS[robot.gyro_unit],
        TIMEOUT,
        lambda text: print(text, file=sys.stderr),
        lambda: None,
    )


def _pose(driven: KosRobot, stopped: threading.Event) -> Float64:
    """Wait for a complete sample; :return: [N] rad."""
    deadline = time.monotonic() + FIRST_SAMPLE
    while driven.watch.problem or driven.watch.sample is None:
        if stopped.is_set() or time.monotonic() > deadline:
            raise BridgeError(driven.watch.problem)
        time.sleep(PERIOD)
    return driven.watch.sample.position


def _confirmed(robot: Robot, pose: Float64, speed: float, address: str) -> bool:
    width = max(len(name) for name in robot.joint_names)
    print(f'{"joint":{width}}  now rad  then rad')
    for name, now, then in zip(robot.joint_names, pose, robot.home, strict=True):
        print(f'{name:{width}} {now:8.3f} {then:9.3f}')
    seconds = float(np.abs(robot.home - pose).max()) / speed
    print(f'{robot.name} at {address} switches its torque on and moves for {seconds:.1f} s.')
    question = 'Is the robot secured, and the emergency stop in your hand?'
    return confirmed('the robot will move', question)


def _go(
    loop: KosLoop,
    driven: KosRobot,
    start: Float64,
    speed: float,
    stopped: threading.Event,
) -> int:
    """Move and hold; :return: the exit code."""
    done, text = loop.run_and_wait(driven.enable(True), SWITCH_TIMEOUT)
    if not done:
        raise BridgeError(text)
    robot, session = driven.robot, f'home{time.monotonic_ns()}'
    seconds = max(float(np.abs(robot.home - start).max()) / speed, PERIOD)
    begin, arrived = time.monotonic(), False
    while not stopped.wait(PERIOD):
        share = min((time.monotonic() - begin) / seconds, 1.0)
        target = start + share * (robot.home - start)
        command = Command(session, 'ramp', 0, robot.joint_names, target)
        loop.hand_over(driven.command, command, time.monotonic_ns())
        if driven.state != ENABLED:
            return 1
        if share == 1.0 and not arrived:
            arrived = True
            print('arrived; Ctrl-C ramps the stiffness down', file=sys.stderr)
    return 0
