"""Faults in what the sensors say and in what the policy does, one run in lockstep each.

In lockstep every run is the same, so that the tick of the fault is known to the tick.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_log import Fault
from fault_log import facts_of
from fault_log import read_fault
from fault_log import steps_of
from fault_policies import broken_at
from fault_policies import forgetful_at
from fault_relay import REMAPS
from fault_relay import Change
from fault_relay import Relay
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL

PERIOD_NS = 20_000_000
SINCE_NS = 600_000_000
"""Simulated time from which samples are tampered with: the robot has been walking for 0.5 s."""


class LockstepRun:
    """One walk, from the start to its end: by a fault, or after `duration`."""

    def __init__(self, folder: Path, wire: str, change: Change | None, **more: object) -> None:
        """:param wire: which samples `change` is applied to, `joints` or `imu`."""
        environment = domain_environment()
        policy = {
            'robot': 'biped',
            'model': MODEL,
            'runs_dir': folder / 'runs',
            'use_sim_time': True,
            'lockstep': True,
            'autostart': True,
            'auto_run': True,
            'duration': 3.0,
            'sensor_timeout': 30.0,
            'default_command': [0.2, 0.0, 0.0],
            'fade_time': 0.1,
        }
        bridge = {'robot': 'biped', 'lockstep': True}
        with (
            Relay(int(environment['ROS_DOMAIN_ID']), reliable=True) as relay,
            node('mujoco_bridge', folder, environment, bridge, remaps=REMAPS) as robot,
        ):
            if change is not None:
                getattr(relay, wire).tamper(change, SINCE_NS)
            # Two that begin at once may miss each other for the 3 s between two announcements.
            robot.wait_for('is up', 30)
            with node('policy_node', folder, environment, policy | more) as process:
                self.code = process.wait(60)
                self.output = process.output
            robot.send(signal.SIGINT)
            robot.wait(5)
            self.commands = relay.commands
        self.path = folder / 'runs' / 'latest'
        self.facts = facts_of(self.path)

    def fault(self) -> Fault:
        """The fault it ended by, checked; all that was sent from its tick on was damping."""
        fault = read_fault(self.path)
        assert self.facts['counters']['faults'] == 1
        assert self.facts['counters']['log']['dropped'] == 0
        assert self.facts['reason'] == f'fault: {fault.reason}'
        assert fault.after, 'damping goes on after the first frame'
        last = fault.before[-1]['stamp_ns']
        safe = [sent for sent in self.commands if sent.mode in ('fault', 'fade', 'inactive')]
        assert safe
        assert all(sent.damping for sent in safe)
        assert max(sent.stamp for sent in self.commands if not sent.damping) <= last
        return fault


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


def half_of_the_joints(message: JointState) -> JointState:
    message.name = message.name[:6]
    message.position = message.position[:6]
    message.velocity = message.velocity[:6]
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


def runaway(message: JointState) -> JointState:
    message.velocity[3] = 40.0
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
    ('joints', half_of_the_joints, 'sample', "lacks ['right_hip_yaw'", 0),
    ('joints', degrees, 'position', 'does the driver publish degrees?', 0),
    ('joints', malformed, 'sample', '12 names with 11 positions', 0),
    ('joints', a_million_names, 'sample', '1000000 joints, expected at most 1024', 0),
    ('joints', nan_joint, 'finite', 'velocity of left_knee is nan', 0),
    ('joints', too_large, 'finite', 'too large to be measured', 0),
    ('joints', runaway, 'speed', 'left_knee moves at 40.0 rad/s', 2),
    ('joints', seized, 'tracking', 'left_knee does not follow', 25),
]


@pytest.mark.parametrize(
    ('wire', 'change', 'guard', 'words', 'ticks'), CASES, ids=[case[1].__name__ for case in CASES]
)
def test_a_broken_sensor(
    tmp_path: Path, wire: str, change: Callable[..., Any], guard: str, words: str, ticks: int
) -> None:
    """The guard that is meant for it says why, in the tick in which it must (`ticks` later)."""
    made = change() if isinstance(change, type) else change
    run = LockstepRun(tmp_path, wire, made, tracking_error=0.3)
    fault = run.fault()
    assert words in fault.reason, run.output
    assert fault.header['guards'][guard]['faults'] == 1
    assert fault.before[-1]['mode'] == 'run'
    assert fault.ticks_since(SINCE_NS) == ticks
