"""A bridge never executes a command with the gains of another version: on a clock that waits."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.pendulum import write_robot
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.mujoco.bridge import LOCKSTEP_TIMEOUT_NS
from kinfer_ros.bridges.mujoco.bridge import MujocoBridgeCore
from kinfer_ros.bridges.mujoco.pacer import Timing
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot

MS = 1_000_000
PERIOD = 20 * MS
NAMES = ('hip', 'knee')
OLD, NEW = [30.0, 20.0], [10.0, 5.0]


class Rig:
    """A bridge whose session 'a' runs, and a steady clock that only moves when told."""

    def __init__(self, folder, lockstep):
        robot = MujocoRobot(load_robot(write_robot(folder)))
        self.now = 7_000 * MS
        self.warnings = []
        timing = Timing(PERIOD, 2 * MS, 250 * MS, lockstep)
        self.bridge = MujocoBridgeCore(robot, timing, self.now, self.warnings.append)
        self.send([0.1, 0.1])

    def send(self, position, version=0, mode='run', session='a'):
        values = None if position is None else np.array(position)
        command = Command(session, mode, self.bridge.stamp_ns, NAMES, values, version)
        return self.bridge.command(command, self.now)

    def gains(self, kp, version, names=NAMES, session='a'):
        """Send gains as the node hands them over; :return: whether they led to a new state."""
        none = np.empty(0)
        self.bridge.set_gains(names, (np.array(kp), none, none), session, version)
        return self.bridge.answer_waiting(self.now)

    def wait(self, milliseconds):
        for _ in range(milliseconds // 2):
            self.now += 2 * MS
            self.bridge.tick(self.now)

    @property
    def kp(self):
        return self.bridge.robot.gains()[0].tolist()

    @property
    def target(self):
        return self.bridge.robot.target().tolist()


@pytest.fixture
def real(tmp_path):
    return Rig(tmp_path, lockstep=False)


@pytest.fixture
def locked(tmp_path):
    return Rig(tmp_path, lockstep=True)


def test_gains_that_come_first_wait_for_their_command(real):
    """They come into force with its target, not before; the echo then names them."""
    real.gains(NEW, 1)
    real.wait(200)
    assert (real.kp, real.bridge.gains_frame_id) == (OLD, '')
    real.send([0.2, 0.2])
    assert real.kp == OLD
    real.send([0.5, 0.5], 1)
    assert (real.kp, real.target) == (NEW, [0.5, 0.5])
    assert real.bridge.gains_frame_id == 'a 1'


def test_a_command_that_comes_first_waits_for_its_gains(real):
    """The last target is held; then both come into force in the same instant."""
    real.send([0.5, 0.5], 1)
    real.wait(60)
    assert (real.kp, real.target) == (OLD, [0.1, 0.1])
    real.send([0.6, 0.6], 1)
    real.wait(20)
    real.gains(NEW, 1)
    assert (real.kp, real.target) == (NEW, [0.6, 0.6]), 'the newest command'
    real.wait(200)
    assert real.bridge.state_text == 'enabled'


def test_without_its_gains_the_robot_is_damped(real):
    """Held for 0.1 s, however many commands come; the session has gone on without the robot."""
    for _ in range(6):
        real.send([0.5, 0.5], 1)
        real.wait(20)
    expected = 'damping gains of version 1 are not in force 0.1 s after their command'
    assert real.bridge.state_text == expected
    assert real.bridge.robot.damped
    assert real.bridge.counts['timeouts'] == 1
    real.gains(NEW, 1)
    real.send([0.5, 0.5], 1)
    assert real.bridge.robot.damped, 'gains that come later do not stand it up again'
    real.send([0.2, 0.2], session='b')
    assert real.bridge.state_text == 'enabled'


def test_the_hold_is_at_most_a_tenth_of_a_second(real):
    """And not less: a message may be that late."""
    real.send([0.5, 0.5], 1)
    real.wait(98)
    assert real.bridge.state_text == 'enabled'
    real.wait(6)
    assert real.bridge.state_text.startswith('damping')


def test_a_bridge_that_was_stopped_reads_before_it_damps(real):
    """The gains that it missed are in the queue."""
    real.send([0.5, 0.5], 1)
    real.now += 150 * MS
    real.bridge.tick(real.now)
    real.gains(NEW, 1)
    real.wait(20)
    assert (real.bridge.state_text, real.kp) == ('enabled', NEW)


def test_gains_of_an_old_version_come_too_late(real):
    """They belong to a policy that does not act any more."""
    real.gains(NEW, 2)
    real.send([0.5, 0.5], 2)
    real.gains([1.0, 1.0], 1)
    real.gains([1.0, 1.0], 0)
    assert (real.kp, real.bridge.counts['refused']) == (NEW, 0)


def test_steps_within_a_version_come_into_force_at_once(real):
    """The operator's factors move in small steps, which no command waits for."""
    real.gains([25.0, 15.0], 0)
    assert real.kp == [25.0, 15.0]
    real.gains(NEW, 1)
    real.send([0.5, 0.5], 1)
    real.gains([9.0, 4.0], 1)
    assert real.kp == [9.0, 4.0]
    assert real.bridge.gains_frame_id == 'a 1'


def test_early_gains_of_some_joints_build_on_those_before(real):
    """A message may name a part of the joints."""
    real.gains([10.0], 1, names=('hip',))
    real.gains([5.0], 1, names=('knee',))
    real.send([0.5, 0.5], 1)
    assert real.kp == NEW


def test_early_gains_that_are_wrong_are_refused_at_once(real):
    """With the reason, and not when a robot needs them."""
    real.gains([np.nan, 1.0], 1)
    assert real.bridge.counts['refused'] == 1
    assert 'not finite' in real.warnings[-1]


def test_a_refused_command_brings_no_gains(real):
    """It is refused as a whole."""
    real.gains(NEW, 1)
    real.send([np.nan, 0.0], 1)
    assert real.kp == OLD


def test_damping_waits_for_nothing(real):
    """A stop in the middle of a switch."""
    real.send([0.5, 0.5], 1)
    real.send(None, 1, mode='damp')
    assert real.bridge.robot.damped
    real.wait(150)
    assert real.bridge.counts['timeouts'] == 0
    real.gains(NEW, 1)
    assert real.bridge.robot.damped, 'the command before the stop is forgotten'


def test_a_new_session_begins_without_a_version(real):
    """Gains of the session before stay in force, as its node has checked them."""
    real.gains(NEW, 1)
    real.send([0.5, 0.5], 1)
    real.send(None, 1, mode='inactive')
    real.send([0.2, 0.2], session='b')
    assert (real.target, real.kp) == ([0.2, 0.2], NEW)


def test_gains_of_others_change_nothing(real):
    """One session commands the robot."""
    real.gains(NEW, 1, session='b')
    real.send([0.5, 0.5], 1)
    real.wait(20)
    assert (real.kp, real.target) == (OLD, [0.1, 0.1])


def test_a_robot_that_was_disabled_waits_for_no_gains(real):
    """A command of before must not move it once it is enabled again."""
    real.send([0.5, 0.5], 1)
    real.bridge.enable(False)
    real.gains(NEW, 1)
    real.bridge.enable(True)
    assert not real.bridge.answer_waiting(real.now)


# Lockstep --------------------------------------------------------------------------------


def test_in_lockstep_time_waits_for_the_gains(locked):
    """However late they come: the run is the same."""
    stamp = locked.bridge.stamp_ns
    assert not locked.send([0.5, 0.5], 1)
    locked.now += 2_000 * MS
    assert locked.bridge.resend_due(locked.now)
    assert not locked.send([0.5, 0.5], 1), 'the answer to the repeated sample'
    assert (locked.bridge.stamp_ns, locked.kp) == (stamp, OLD)
    assert locked.gains(NEW, 1)
    assert locked.bridge.stamp_ns == stamp + PERIOD
    assert (locked.kp, locked.target) == (NEW, [0.5, 0.5])


def test_in_lockstep_early_gains_wait_as_well(locked):
    """Else the step before would depend on when they came."""
    assert not locked.gains(NEW, 1)
    assert locked.send([0.2, 0.2])
    assert locked.kp == OLD
    assert locked.send([0.5, 0.5], 1)
    assert locked.kp == NEW


def test_in_lockstep_it_waits_as_long_as_for_a_command(locked):
    """Then it says what was missing."""
    assert not locked.send([0.5, 0.5], 1)
    locked.now += LOCKSTEP_TIMEOUT_NS
    assert not locked.bridge.resend_due(locked.now)
    expected = 'damping no gains of version 1 for 5 s: lockstep ended'
    assert locked.bridge.state_text == expected
    assert not locked.bridge.in_lockstep
