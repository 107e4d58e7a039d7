"""Faults in what the sensors say, one run in lockstep each.

In lockstep every run is the same, so that the tick of the fault is known to the tick.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_lockstep import COMMAND
from fault_lockstep import SECONDS
from fault_lockstep import SINCE_NS
from fault_lockstep import LockstepRun
from fault_lockstep import events
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from helpers.walking import walk


def nan_gyro(message: Imu) -> Imu:
    message.angular_velocity.x = math.nan
    return message


def nan_orientation(message: Imu) -> Imu:
    message.orientation.x = math.nan
    return message


def no_orientation(message: Imu) -> Imu:
    message.orientation_covariance[0] = -1.0
    return message


def unnormalised(message: Imu) -> Imu:
    message.orientation.w *= 2.0
    return message


def upside_down(message: Imu) -> Imu:
    q = message.orientation
    # Half a turn around x: the quaternion times (0, 1, 0, 0).
    q.w, q.x, q.y, q.z = -q.x, q.w, q.z, -q.y
    return message


def degrees(message: JointState) -> JointState:
    message.position = [math.degrees(angle) for angle in message.position]
    return message


def malformed(message: JointState) -> JointState:
    message.position = message.position[:-1]
    return message


MANY = [f'j{index}' for index in range(1_000_000)]


def a_million_names(message: JointState) -> JointState:
    message.name = MANY
    return message


def nan_joint(message: JointState) -> JointState:
    message.velocity[3] = math.nan
    return message


def too_large(message: JointState) -> JointState:
    message.velocity[3] = 1e200
    return message


def beyond_float32(message: JointState) -> JointState:
    message.velocity[3] = 1e39
    return message


def runaway(message: JointState) -> JointState:
    message.velocity[3] = 40.0
    return message


def reordered(message: JointState) -> JointState:
    for values in (message.name, message.position, message.velocity, message.effort):
        values.reverse()
    return message


class Frozen:
    """Repeats the numbers of the first message under the stamps of the later ones."""

    def __init__(self) -> None:
        self._kept: Any = None

    def __call__(self, message: Any) -> Any:
        """Hand on the first message under this one's stamp."""
        if self._kept is None:
            self._kept = message
        self._kept.header.stamp = message.header.stamp
        return self._kept


def seized(message: JointState) -> JointState:
    """The left knee stays where it is, whatever is asked of it; all else goes on."""
    message.position[message.name.index('left_knee')] = 1.6
    return message


CASES = [
    ('imu', nan_gyro, 'finite', 'gyro x is nan', 0),
    ('imu', nan_orientation, 'sample', 'not a unit quaternion', 0),
    ('imu', no_orientation, 'sample', 'no orientation (covariance[0] is -1', 0),
    ('imu', unnormalised, 'sample', 'not a unit quaternion', 0),
    ('imu', upside_down, 'tilt', 'fell: the base is tilted by 17', 0),
    ('imu', Frozen, 'frozen', 'imu/data is frozen', 26),
    ('joints', degrees, 'position', 'does the driver publish degrees?', 0),
    ('joints', malformed, 'sample', '12 names with 11 positions', 0),
    ('joints', a_million_names, 'sample', '1000000 joints, expected at most 1024', 0),
    ('joints', nan_joint, 'finite', 'velocity of left_knee is nan', 0),
    ('joints', too_large, 'finite', 'too large to be measured', 0),
    ('joints', beyond_float32, 'finite', 'too large to be measured', 0),
    ('joints', Frozen, 'frozen', 'joint_states is frozen', 26),
    ('joints', runaway, 'speed', 'left_knee moves at 40.0 rad/s', 2),
    ('joints', seized, 'tracking', 'left_knee does not follow', 25),
]


@pytest.mark.parametrize(
    ('wire', 'change', 'guard', 'words', 'ticks'),
    CASES,
    ids=[f'{case[0]}-{case[1].__name__}' for case in CASES],
)
def test_a_broken_sensor(
    tmp_path: Path, wire: str, change: Callable[..., Any], guard: str, words: str, ticks: int
) -> None:
    """The guard that is meant for it says why, in the tick in which it must (`ticks` later)."""
    made = change() if isinstance(change, type) else change
    # By default a joint may be off by more than the seized one here is.
    run = LockstepRun(
        tmp_path,
        lambda relay: getattr(relay, wire).tamper(made, SINCE_NS),
        tracking_error=0.3,
        tracking_time=0.5,
    )
    fault = run.fault()
    assert words in fault.reason, run.output
    assert fault.header['guards'][guard]['faults'] == 1
    assert fault.before[-1]['mode'] == 'run'
    assert fault.ticks_since(SINCE_NS) == ticks


def test_joints_in_another_order_while_walking(tmp_path: Path) -> None:
    """They are matched by name: a warning, and the very same walk as if nothing had happened."""
    run = LockstepRun(tmp_path, lambda relay: relay.joints.tamper(reordered, SINCE_NS))
    steps = run.walked()
    assert sum('warning joints' in event for event in events(steps)) == 1
    _, expected = walk(SECONDS, COMMAND)
    found = np.array([step['target'] for step in steps], dtype=np.float32)
    assert found.tobytes() == expected.tobytes()
