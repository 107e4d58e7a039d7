"""Damages messages of every type that a node reads, and reads them: `make fuzz` runs millions.

A process of its own, since what it looks for ends a process. Usage: fuzz_messages.py SEED SAMPLES.
What is read must be what rclpy reads, and must not change when the fast readers read it.
"""

from __future__ import annotations

import random
import sys
import time
from array import array
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import Twist
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Parameter
from rcl_interfaces.msg import ParameterEvent
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr import JointStateReader
from kinfer_ros.ros.cdr import read_imu_values
from kinfer_ros.ros.cdr_check import read_message

BIG_ENDIAN = (JointState, Imu, Odometry, Joy)
"""Types of which a big-endian message is made as well."""


def examples() -> list[Any]:
    """One message of each type that a node of this package reads."""
    numbers = array('d', [0.5, -1.0, 2.0])
    status = DiagnosticStatus(name='policy', values=[KeyValue(key='a', value='b')] * 3)
    joints = JointState(name=['hip', 'knee', 'ankle'], position=numbers, velocity=numbers)
    joints.effort = numbers
    joints.header.frame_id = 'ab12cd34 run'
    odometry = Odometry(child_frame_id='base')
    odometry.header.frame_id = 'odom'
    return [
        joints,
        Imu(),
        Image(height=2, width=1, encoding='32FC1', step=4, data=array('B', bytes(8))),
        odometry,
        Joy(axes=[0.0, 1.0], buttons=[1, 0, 1]),
        Twist(),
        TwistStamped(),
        BatteryState(percentage=0.5, cell_voltage=[3.7, 3.6], location='back'),
        String(data='enabled'),
        DiagnosticArray(status=[status, status]),
        ParameterEvent(node='/policy_node', changed_parameters=[Parameter(name='kp_factor')]),
        Clock(),
    ]


def swapped(data: bytes) -> bytes:
    """Mark a message as big-endian; its numbers become others, its lengths mostly huge."""
    return b'\x00\x00' + data[2:]


def damage(rng: random.Random, data: bytes) -> bytes:
    """Change, cut, repeat or lengthen a message in one to four places."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            found[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            found[at & ~3 : (at & ~3) + 4] = rng.choice(
                [b'\xff\xff\xff\xff', b'\x00\x00\x00\x80', b'\xff\xff\xff\x7f', bytes(4)]
            )
        elif kind == 2:
            del found[at:]
        elif kind == 3:
            del found[at : at + rng.randint(1, 8)]
        elif kind == 4:
            found[at:at] = rng.randbytes(rng.randint(1, 8))
        elif kind == 5:
            found[:4] = bytes([0, rng.randrange(12), rng.randrange(4), rng.randrange(256)])
        else:
            found[at & ~3 : (at & ~3) + 4] = rng.randrange(40).to_bytes(4, 'little')
    return bytes(found)


def check_fast_readers(data: bytes, message: Any) -> None:
    """Hold the readers of ros/cdr.py against what rclpy read."""
    if isinstance(message, JointState):
        sample = JointStateReader().read(data)
        if sample is not None:
            assert np.array_equal(sample.position, message.position, equal_nan=True)
            assert np.array_equal(sample.velocity, message.velocity, equal_nan=True)
    elif isinstance(message, Imu):
        found = read_imu_values(data)
        if found is not None:
            q = message.orientation
            assert np.array_equal(found[1][:4], [q.x, q.y, q.z, q.w], equal_nan=True)


def read_fast(data: bytes, kind: Any) -> None:
    """Give the readers of ros/cdr.py what was refused: they may refuse it, and nothing else."""
    try:
        if kind is JointState:
            JointStateReader().read(data)
        elif kind is Imu:
            read_imu_values(data)
    except KinferRosError:
        pass


def run(seed: int, samples: int) -> None:
    """Read `samples` damaged messages of each type; print how many were read."""
    rng = random.Random(seed)
    for message in examples():
        kind, good = type(message), serialize_message(message)
        assert read_message(good, kind) == message
        begin, accepted = time.monotonic(), 0
        for _ in range(samples):
            data = damage(rng, good if rng.random() < 0.8 else swapped(good))
            try:
                found = read_message(data, kind)
            except MessageError:
                read_fast(data, kind)
                continue
            accepted += 1
            check_fast_readers(data, found)
        seconds = time.monotonic() - begin
        print(f'{kind.__name__}: {samples} samples, {accepted} read, {seconds:.0f} s', flush=True)


if __name__ == '__main__':
    run(int(sys.argv[1]), int(sys.argv[2]))
