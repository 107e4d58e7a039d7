"""Robots that stand still, in one process: sensors out, commands in, `python _robot.py --help`.

The benchmarks of the nodes need sensors at an exact rate that cost as little as they can: physics
would take half of a core that the node under test needs, and make every run another one.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import signal
import sys
import threading
import time
from array import array
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import ignore
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.qos import BEST_EFFORT
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.ros.qos import RELIABLE

VARIANTS = 256
"""Samples made in advance; a sensor that never changed would be taken for a frozen one."""
STAMP = slice(4, 12)
"""Where a serialised message that begins with a header has its stamp: int32 s, uint32 ns."""
PR_SET_TIMERSLACK = 29


class StandingRobot:
    """The topics of one robot: joints at 0.1 rad, upright, whatever is commanded."""

    def __init__(self, node: Node, joints: list[str], prefix: str, arrivals: list[int]) -> None:
        rng = np.random.default_rng(0)
        self._joints = [_joint_state(joints, rng) for _ in range(VARIANTS)]
        self._imus = [_imu(rng) for _ in range(VARIANTS)]
        publish = node.create_publisher
        self._joint_states = publish(JointState, f'{prefix}joint_states', BEST_EFFORT)
        self._imu = publish(Imu, f'{prefix}imu/data', BEST_EFFORT)
        self._in_force = publish(JointState, f'{prefix}joint_gains_in_force', LATCHED)
        self._state = publish(String, f'{prefix}bridge_state', LATCHED)
        self._state.publish(String(data='enabled'))
        self._arrivals = arrivals
        self._gains = node.create_subscription(
            JointState, f'{prefix}joint_gains', ignore, LATCHED, callback_group=PollOnlyGroup(node)
        )
        self._commands = node.create_subscription(
            JointState,
            f'{prefix}joint_commands',
            self._arrived,
            RELIABLE,
            raw=True,
            # Of many robots nobody asks when their commands came, and each callback costs.
            callback_group=None if prefix == '' else PollOnlyGroup(node),
        )

    def publish(self, count: int) -> None:
        """Publish one sample of each sensor, stamped now."""
        for publisher, samples in (
            (self._joint_states, self._joints),
            (self._imu, self._imus),
        ):
            sample = samples[count % VARIANTS]
            seconds, rest = divmod(time.time_ns(), 1_000_000_000)
            sample[STAMP] = seconds.to_bytes(4, 'little') + rest.to_bytes(4, 'little')
            publisher.publish(bytes(sample))

    def echo_gains(self) -> None:
        """Say that the gains asked for are in force."""
        asked = take_newest(self._gains)
        if asked is not None:
            self._in_force.publish(asked)

    def _arrived(self, command: bytes) -> None:
        """Note how old the sample was that this command answers."""
        now = time.time_ns()
        stamp = command[STAMP]
        seconds, rest = stamp[:4], stamp[4:]
        sampled = int.from_bytes(seconds, 'little') * 1_000_000_000 + int.from_bytes(
            rest, 'little'
        )
        self._arrivals.append(now - sampled)


def _joint_state(joints: list[str], rng: np.random.Generator) -> bytearray:
    n = len(joints)
    return bytearray(
        serialize_message(
            JointState(
                name=joints,
                position=array('d', 0.1 + 1e-3 * rng.standard_normal(n)),
                velocity=array('d', 1e-2 * rng.standard_normal(n)),
                effort=array('d', rng.standard_normal(n)),
            )
        )
    )


def _imu(rng: np.random.Generator) -> bytearray:
    imu = Imu()
    imu.orientation.w = 1.0
    imu.linear_acceleration.z = 9.81 + 1e-2 * rng.standard_normal()
    imu.angular_velocity.x = 1e-2 * rng.standard_normal()
    return bytearray(serialize_message(imu))


def main() -> None:
    """Publish until a signal comes, then print how old samples were when commands came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rate', type=float, default=500.0, help='Hz of both sensors')
    parser.add_argument('--joints', type=int, default=20)
    parser.add_argument('--robots', type=int, default=0, help='in /robot_0, /robot_1, ...')
    parser.add_argument('--report', action='store_true', help='say when a command comes')
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    node = Node('standing_robots', start_parameter_services=False)
    joints = [f'joint_{index}' for index in range(arguments.joints)]
    prefixes = [f'robot_{index}/' for index in range(arguments.robots)] or ['']
    arrivals: list[int] = []
    robots = [StandingRobot(node, joints, prefix, arrivals) for prefix in prefixes]
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, daemon=True).start()
    print('standing', flush=True)
    # Robots do not sample at the same instant: they take turns within a period.
    pause = 1.0 / (arguments.rate * len(robots))
    every = max(1, round(arguments.rate / 20.0))
    begin, count = time.monotonic(), 0
    while not stop.is_set():
        count += 1
        if arguments.report and arrivals:
            print('first command', flush=True)
            arguments.report = False
        time.sleep(max(0.0, begin + count * pause - time.monotonic()))
        sample, index = divmod(count, len(robots))
        robots[index].publish(sample)
        if (sample + index) % every == 0:
            robots[index].echo_gains()
    print(json.dumps({'samples': count // len(robots), 'arrivals_ns': arrivals}))


if __name__ == '__main__':
    main()
