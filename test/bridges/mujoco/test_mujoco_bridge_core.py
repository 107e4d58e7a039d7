"""The robot side of the graph, without ROS: states, sessions, lockstep, on a clock that waits."""

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
NOTHING = object()


class Rig:
    """A bridge and a steady clock that only moves when told."""

    def __init__(self, folder, lockstep):
        robot = MujocoRobot(load_robot(write_robot(folder)))
        self.now = 7_000 * MS
        self.warnings = []
        timing = Timing(PERIOD, 2 * MS, 250 * MS, lockstep)
        self.bridge = MujocoBridgeCore(robot, timing, self.now, self.warnings.append)

    def send(self, position, mode='hold', session='a', stamp=None, names=NAMES):
        """Send a command; None asks for damping."""
        values = None if position is None else np.array(position)
        stamp = self.bridge.stamp_ns if stamp is None else stamp
        return self.bridge.command(Command(session, mode, stamp, names, values), self.now)

    def run(self, seconds, every=NOTHING, **kwargs):
        """Let real time go by, with a command every 20 ms if there is one to repeat."""
        for step in range(round(seconds * 500)):
            self.now += 2 * MS
            if every is not NOTHING and step % 10 == 0:
                self.send(every, **kwargs)
            self.bridge.tick(self.now)


@pytest.fixture
def real(tmp_path):
    return Rig(tmp_path, lockstep=False)


@pytest.fixture
def locked(tmp_path):
    return Rig(tmp_path, lockstep=True)


def test_time_follows_the_clock(real):
    """Stamps begin at one control period: zero would mean "no time yet"."""
    assert real.bridge.stamp_ns == PERIOD
    real.run(0.5)
    assert real.bridge.stamp_ns == PERIOD + 500 * MS


def test_base_is_held_until_run_and_then_never_again(real):
    """The robot must not fall while the policy ramps, nor be caught when it stops."""
    bridge = real.bridge
    real.run(0.1, [0.2, -0.4], mode='ramp')
    real.run(0.1, [0.2, -0.4], mode='hold')
    assert bridge.robot.base_is_held
    real.run(0.1, [0.2, -0.4], mode='run')
    assert not bridge.robot.base_is_held
    real.run(0.1, None, mode='damp')
    real.send(None, 'inactive')
    assert not bridge.robot.base_is_held
    bridge.reset()
    real.run(0.01)
    assert bridge.robot.base_is_held


def test_one_session_at_a_time(real):
    """A second policy node is rejected until the first has taken its leave."""
    real.send([0.1, 0.1])
    real.send([0.5, 0.5], session='b')
    np.testing.assert_array_equal(real.bridge.robot.target(), [0.1, 0.1])
    assert real.bridge.counts['rejected'] == 1
    assert 'session b rejected: session a' in real.warnings[0]
    real.send(None, 'inactive')
    real.send([0.5, 0.5], session='c')
    np.testing.assert_array_equal(real.bridge.robot.target(), [0.5, 0.5])


def test_a_rejected_session_never_begins_in_the_middle(real):
    """Its policy ran on without the robot: when that is free, its next target would be a leap."""
    real.send([0.1, 0.1])
    real.send([0.5, 0.5], 'run', session='b')
    real.send(None, 'inactive')
    real.send([0.5, 0.5], 'run', session='b')
    np.testing.assert_array_equal(real.bridge.robot.target(), [0.1, 0.1])
    assert 'activate its sender anew' in real.warnings[-1]
    real.bridge.enable(True)
    real.send([0.5, 0.5], 'run', session='b')
    np.testing.assert_array_equal(real.bridge.robot.target(), [0.5, 0.5])


def test_a_session_that_fell_silent_never_comes_back(real):
    """The bridge has damped: its target of a second later must not stand the robot up again."""
    real.run(0.1, [0.3, 0.3], mode='run')
    real.run(0.3)
    assert real.bridge.robot.damped
    real.send([0.3, 0.3], 'run')
    assert real.bridge.robot.damped
    assert real.bridge.state_text.startswith('damping')


def test_silence_is_damping_and_a_fresh_command_ends_it(real):
    """A dead policy node must not leave its last target in force."""
    real.run(0.1, [0.3, 0.3], mode='run')
    real.run(0.3)
    assert real.bridge.robot.damped
    assert real.bridge.state_text == 'damping no command for 0.25 s'
    assert real.bridge.counts['timeouts'] == 1
    real.send([0.3, 0.3], session='b')
    assert real.bridge.state_text == 'enabled'
    assert not real.bridge.robot.damped


def test_a_damped_session_may_fall_silent(real):
    """After a soft stop there is nothing that could go on."""
    real.run(0.1, None, mode='damp')
    real.run(0.4)
    assert real.bridge.state_text == 'enabled'
    assert real.bridge.robot.damped
    assert real.bridge.holder == ''


def test_nobody_has_to_command(real):
    """Before the first session the robot holds its home pose, for any time."""
    real.run(1.0)
    assert real.bridge.state_text == 'enabled'
    np.testing.assert_array_equal(real.bridge.robot.target(), real.bridge.robot.robot.home)


@pytest.mark.parametrize(
    ('position', 'names'),
    [
        ([0.1, float('nan')], NAMES),
        ([0.1], NAMES),
        ([0.1, 0.1], ('hip', 'kne')),
        ([0.1, 0.1], ('hip', 'hip')),
        ([0.1, 0.1], ()),
    ],
)
def test_bad_commands_are_refused_whole(real, position, names):
    """Half a command would leave the robot in a pose that nobody asked for."""
    before = real.bridge.robot.target()
    real.send(position, names=names)
    np.testing.assert_array_equal(real.bridge.robot.target(), before)
    assert real.bridge.counts['refused'] == 1
    assert real.bridge.holder == '', 'a refused command gives no claim on the robot'


def test_a_subset_of_joints(real):
    """A policy for the legs leaves the arms where they are."""
    real.send([0.5], names=('knee',))
    np.testing.assert_array_equal(real.bridge.robot.target(), [0.2, 0.5])


def test_gains(real):
    """Merged by name, limited, and refused whole when one is wrong."""
    bridge = real.bridge
    none = np.empty(0)
    assert bridge.set_gains(('knee',), (np.array([100.0]), np.array([1.0]), none))
    kp, kd, torque = bridge.robot.gains()
    np.testing.assert_array_equal(kp, [30.0, 40.0])
    np.testing.assert_array_equal(kd, [1.0, 1.0])
    np.testing.assert_array_equal(torque, [10.0, 8.0])
    assert bridge.gains_version == 1
    assert not bridge.set_gains(('hip',), (np.array([np.nan]), none, none))
    assert not bridge.set_gains(('hip',), (np.array([-1.0]), none, none))
    assert not bridge.set_gains(('hop',), (np.array([1.0]), none, none))
    np.testing.assert_array_equal(bridge.robot.gains()[0], kp)
    real.send([0.1, 0.1])
    assert not bridge.set_gains(('hip',), (np.array([1.0]), none, none), session='b')
    assert not bridge.set_gains(('hip',), (np.array([1.0]), none, none)), 'nobody in particular'
    assert bridge.set_gains(('hip',), (np.array([1.0]), none, none), session='a')


def test_disable_and_enable(real):
    """Disabled means damped whatever comes; enabled again means: stay as you are."""
    real.bridge.enable(False)
    assert real.bridge.state_text == 'disabled by request'
    real.run(0.1, [0.5, 0.5], mode='run')
    assert real.bridge.robot.damped
    assert real.bridge.robot.base_is_held
    real.send(None, 'inactive')
    real.bridge.enable(True)
    assert real.bridge.state_text == 'enabled'
    pose = np.empty(2)
    real.bridge.robot.joint_state(pose, np.empty(2), np.empty(2))
    np.testing.assert_array_equal(real.bridge.robot.target(), pose)


def test_pause(real):
    """While time stands still nobody is late, and nothing is caught up afterwards."""
    real.run(0.1, [0.1, 0.1])
    stamp = real.bridge.stamp_ns
    real.bridge.pause(True, real.now)
    real.run(1.0)
    assert real.bridge.stamp_ns == stamp
    real.bridge.pause(False, real.now)
    real.run(0.1)
    assert real.bridge.stamp_ns == stamp + 100 * MS
    assert real.bridge.state_text == 'enabled'
    assert real.bridge.dropped_ns == 0


def test_a_step_of_a_pause(real):
    """One control period each time, and the pause goes on."""
    real.run(0.1, [0.1, 0.1])
    stamp = real.bridge.stamp_ns
    assert not real.bridge.step(real.now), 'it is not paused'
    real.bridge.pause(True, real.now)
    for k in (1, 2):
        assert real.bridge.step(real.now)
        assert real.bridge.stamp_ns == stamp + k * PERIOD
    real.run(1.0)
    assert real.bridge.stamp_ns == stamp + 2 * PERIOD


def test_push_and_reset_wait_for_the_next_step(real):
    """A sample that is out may not be changed afterwards."""
    real.run(0.1, [0.2, -0.4], mode='run')
    before = real.bridge.robot.data.qvel.copy()
    real.bridge.push([1.0, 0.0, 0.0])
    np.testing.assert_array_equal(real.bridge.robot.data.qvel, before)
    real.run(0.002)
    assert real.bridge.robot.data.qvel[0] > before[0] + 0.5
    assert real.bridge.counts['pushes'] == 1


def test_reset_gives_the_robots_own_gains_back(real):
    """A session's gains end with it; a reset robot is as at the start."""
    real.bridge.set_gains(('hip',), (np.array([1.0]), np.empty(0), np.empty(0)))
    real.bridge.reset()
    real.run(0.01)
    np.testing.assert_array_equal(real.bridge.robot.gains()[0], [30.0, 20.0])


# Lockstep --------------------------------------------------------------------------------


def test_nothing_moves_before_the_first_command(locked):
    """Two runs are only equal if they begin with the same state, however long discovery took."""
    assert not locked.bridge.tick(locked.now + 1000 * MS)
    locked.now += 60_000 * MS
    assert locked.bridge.resend_due(locked.now)
    assert locked.bridge.stamp_ns == PERIOD
    assert locked.bridge.in_lockstep


def test_each_answer_is_one_period(locked):
    """The stamp is the handshake: only the answer to the present sample moves time."""
    assert locked.send([0.1, 0.1])
    assert locked.bridge.stamp_ns == 2 * PERIOD
    assert not locked.send([0.5, 0.5], stamp=PERIOD), 'a duplicate of an old answer'
    np.testing.assert_array_equal(locked.bridge.robot.target(), [0.1, 0.1])
    assert locked.bridge.counts['stale'] == 1
    assert locked.send(None, 'damp')
    assert locked.bridge.stamp_ns == 3 * PERIOD
    assert locked.bridge.robot.damped


def test_refused_answers_do_not_move_time(locked):
    """Time would run away from a controller that sends nonsense."""
    assert not locked.send([float('nan'), 0.0])
    assert not locked.send([0.0, 0.0, 0.0])
    assert locked.bridge.stamp_ns == PERIOD


def test_damping_is_obeyed_whatever_its_stamp(locked):
    """A stop that comes late is still a stop."""
    locked.send([0.1, 0.1])
    assert not locked.send(None, 'fault', stamp=12345)
    assert locked.bridge.robot.damped
    assert locked.bridge.stamp_ns == 2 * PERIOD


def test_resend_comes_every_50_ms(locked):
    """Often enough to find a lost sample, not so often that it floods a slow policy."""
    locked.send([0.1, 0.1])
    sent = []
    for _ in range(100):
        locked.now += 10 * MS
        if locked.bridge.resend_due(locked.now):
            sent.append(locked.now)
    assert 18 <= len(sent) <= 20


def test_five_seconds_of_silence_end_lockstep(locked):
    """A simulation that waits for a dead policy for ever hides the error."""
    locked.send([0.1, 0.1], 'run')
    locked.now += LOCKSTEP_TIMEOUT_NS
    assert not locked.bridge.resend_due(locked.now)
    assert not locked.bridge.in_lockstep
    assert locked.bridge.state_text == 'damping no command for 5 s: lockstep ended'
    assert locked.bridge.robot.damped
    stamp = locked.bridge.stamp_ns
    locked.run(0.1)
    assert locked.bridge.stamp_ns == stamp + 100 * MS


def test_inactive_ends_lockstep_without_an_error(locked):
    """The policy was deactivated: the robot lives on in real time."""
    locked.send([0.1, 0.1])
    assert not locked.send(None, 'inactive', session='b'), 'others cannot end it'
    assert locked.bridge.in_lockstep
    locked.send(None, 'inactive', stamp=0)
    assert not locked.bridge.in_lockstep
    assert locked.bridge.state_text == 'enabled'
    assert locked.bridge.robot.damped


def test_inactive_before_the_first_command_changes_nothing(locked):
    """A policy node whose activation failed says goodbye before it said anything."""
    locked.send(None, 'inactive')
    assert locked.bridge.in_lockstep
    assert not locked.bridge.robot.damped


def test_pause_keeps_the_answer(locked):
    """The policy does not answer twice; what it said during a pause has to count after it."""
    locked.bridge.pause(True, locked.now)
    assert not locked.send([0.1, 0.1])
    locked.now += 2 * LOCKSTEP_TIMEOUT_NS
    assert not locked.bridge.resend_due(locked.now)
    assert locked.bridge.pause(False, locked.now)
    assert locked.bridge.stamp_ns == 2 * PERIOD


def test_a_step_in_lockstep_obeys_the_answer(locked):
    """Without a command there is nothing to step with; with it the pause goes on after it."""
    locked.bridge.pause(True, locked.now)
    assert not locked.bridge.step(locked.now)
    assert not locked.send([0.1, 0.1])
    assert locked.bridge.step(locked.now)
    assert locked.bridge.stamp_ns == 2 * PERIOD
    assert locked.bridge.paused
    assert not locked.bridge.step(locked.now)


def test_disabled_lockstep_goes_on_damped(locked):
    """The policy learns of it in its next tick, which must come."""
    locked.send([0.1, 0.1])
    locked.bridge.enable(False)
    assert locked.send([0.5, 0.5], 'run')
    assert locked.bridge.robot.damped
    assert locked.bridge.robot.base_is_held


def test_equal_commands_give_equal_bits(tmp_path):
    """What lockstep is for."""

    def run():
        rig = Rig(tmp_path, lockstep=True)
        seen = []
        for k in range(100):
            if k == 60:
                rig.bridge.push([0.3, 0.0, 0.0])
            rig.send([0.2 * np.sin(k / 5), 0.1], 'run' if k > 20 else 'hold')
            seen.append(rig.bridge.robot.data.qpos.tobytes())
        return b''.join(seen)

    assert run() == run()
