"""What a robot behind ros2_control obeys and is sent, with a clock of the test and no ROS."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.ros2_control.controller import TOLD_NS
from kinfer_ros.bridges.ros2_control.controller import Controller
from kinfer_ros.bridges.ros2_control.robot import FOLLOW
from kinfer_ros.bridges.ros2_control.robot import HOLD
from kinfer_ros.bridges.ros2_control.robot import Ros2ControlRobot
from kinfer_ros.bridges.ros2_control.robot import check_robot
from kinfer_ros.bridges.ros2_control.watch import BroadcasterWatch
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot

MS = 1_000_000
TICK = 5 * MS
LOST_NS, COMMAND_NS, RAMP_NS = 100 * MS, 50 * MS, 200 * MS
BIPED = load_robot('biped')
NAMES = BIPED.joint_names
ORDER = NAMES[::-1]


class Rig:
    """A robot core, and a robot that moves as told."""

    def __init__(self, damping: str = FOLLOW, *, check_active: bool = True) -> None:
        self.now_ns = 1_000_000_000
        self.sent: list[np.ndarray] = []
        self.warnings: list[str] = []
        self.pose = BIPED.home.copy()
        self.names = ('gripper', *ORDER)
        self.sending = True
        self.state = 'active'
        self.controller = Controller('/c', NAMES, check_active=check_active)
        self.controller.listeners = 1
        self.controller.on_parameters(ORDER, 'position')
        self.watch = BroadcasterWatch('/joint_states', NAMES, LOST_NS)
        self.core = Ros2ControlRobot(
            BIPED,
            self.controller,
            self.watch,
            Timeouts(COMMAND_NS, LOST_NS, RAMP_NS),
            damping,
            self.sent.append,
            self.warnings.append,
            lambda: None,
        )

    def run(self, ns: int, target: np.ndarray | None = None) -> None:
        """Send samples and ticks every 5 ms; with a target, a command every 10."""
        for step in range(ns // TICK):
            self.now_ns += TICK
            if self.state:
                self.controller.on_state(self.state, self.now_ns)
            if target is not None and step % 2 == 0:
                self.command(target)
            if self.sending:
                self.send_joints()
            self.core.tick(self.now_ns)

    def send_joints(self) -> None:
        by_name = dict(zip(NAMES, self.pose, strict=True))
        position = np.array([by_name.get(name, 0.5) for name in self.names])
        if self.watch.take(self.names, position, 0 * position, self.now_ns):
            self.core.on_joints()

    def command(self, target: np.ndarray | None, session: str = 'a') -> None:
        self.core.command(Command(session, 'run', 0, NAMES, target), self.now_ns)

    def enable(self) -> None:
        self.run(50 * MS)
        self.core.enable(self.now_ns)

    @property
    def told(self) -> np.ndarray:
        """The last positions, in the robot file's order."""
        return self.sent[-1][::-1]


@pytest.fixture
def rig():
    return Rig()


def test_nothing_is_sent_until_it_is_enabled(rig):
    """Another program may command the controller."""
    rig.run(100 * MS, BIPED.home + 0.1)
    assert not rig.sent
    assert rig.core.state_text == 'disabled not enabled yet (call ~/enable)'


def test_enabling_holds_the_measured_pose_in_the_controllers_order(rig):
    """Found by name in a message with more joints, in another order."""
    rig.pose = BIPED.home + np.linspace(0.0, 0.05, len(NAMES))
    rig.enable()
    np.testing.assert_allclose(rig.sent[-1], rig.pose[::-1])
    assert rig.core.state == 'enabled'


def test_targets_are_limited(rig):
    """To the joint limits of the robot file; each is sent once, the controller keeps it."""
    rig.enable()
    before = len(rig.sent)
    rig.command(np.full(len(NAMES), 9.0))
    np.testing.assert_allclose(rig.told, BIPED.upper)
    assert rig.core.counts['clamped'] == 1
    rig.run(20 * MS)
    assert len(rig.sent) == before + 1


def test_silence_follows_the_measured_pose(rig):
    """A policy that was killed: no target pushes any more, the joints yield."""
    rig.enable()
    rig.run(100 * MS, BIPED.home + 0.1)
    rig.run(COMMAND_NS + 3 * TICK)
    assert rig.core.state_text == 'damping no command for 0.05 s'
    rig.pose = BIPED.home + 0.03
    rig.run(TICK)
    np.testing.assert_allclose(rig.told, rig.pose)


def test_silence_holds_where_that_is_asked_for():
    """For drives that must not yield: the pose when damping begins, sent once."""
    rig = Rig(HOLD)
    rig.enable()
    rig.pose = BIPED.home + 0.03
    rig.run(100 * MS, BIPED.home + 0.1)
    rig.run(COMMAND_NS + 3 * TICK)
    assert rig.core.state == 'damping'
    np.testing.assert_allclose(rig.told, rig.pose)
    count, rig.pose = len(rig.sent), BIPED.home
    rig.run(50 * MS)
    assert len(rig.sent) == count


def test_a_damping_command_is_damping(rig):
    """And the next target of the same session ends it."""
    rig.enable()
    rig.pose = BIPED.home + 0.03
    rig.run(TICK)
    rig.command(None)
    np.testing.assert_allclose(rig.told, rig.pose)
    rig.pose = BIPED.home + 0.02
    rig.run(TICK)
    np.testing.assert_allclose(rig.told, rig.pose)
    rig.command(BIPED.home)
    np.testing.assert_allclose(rig.told, BIPED.home)


def test_disabled_it_yields_then_nothing_is_sent(rig):
    """The controller keeps the last pose, which the state says."""
    rig.enable()
    rig.run(50 * MS, BIPED.home)
    rig.core.disable('by request', rig.now_ns)
    rig.pose = BIPED.home + 0.02
    rig.run(RAMP_NS + TICK, BIPED.home + 0.1)
    np.testing.assert_allclose(rig.told, rig.pose)
    expected = 'disabled by request; /c keeps the last pose until it is deactivated'
    assert rig.core.state_text == expected
    count = len(rig.sent)
    rig.run(100 * MS, BIPED.home + 0.1)
    assert len(rig.sent) == count


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (lambda rig: setattr(rig, 'sending', False), 'no /joint_states for 0.1 s'),
        (lambda rig: setattr(rig, 'names', ('gripper', *ORDER[1:])), f'it lacks {ORDER[0]}'),
        (lambda rig: rig.pose.__setitem__(3, np.nan), f'of {NAMES[3]} is not finite'),
        (lambda rig: setattr(rig, 'state', 'inactive'), 'controller /c: it is inactive'),
        (lambda rig: setattr(rig.controller, 'listeners', 0), 'nobody listens to /c/commands'),
        (lambda rig: setattr(rig.controller, 'rivals', ['/x']), '/x publishes on /c/commands'),
        (lambda rig: rig.controller.on_silence(5.0), 'was not answered within 5 s'),
    ],
)
def test_what_is_wrong_damps_and_prevents_enabling(rig, spoil, said):
    """The session is over: its next target would be a jump."""
    rig.enable()
    rig.run(50 * MS, BIPED.home)
    spoil(rig)
    rig.run(LOST_NS + 2 * TICK, BIPED.home)
    assert rig.core.state == 'damping'
    assert said in rig.core.state_text
    assert rig.core.counts['lost'] == 1
    with pytest.raises(BridgeError, match='not enabled: '):
        rig.core.enable(rig.now_ns)
    assert np.isfinite(rig.told).all()


def test_a_problem_that_ends_leaves_it_damped(rig):
    """A controller that was activated again knows no command: it gets the measured pose."""
    rig.enable()
    rig.run(50 * MS, BIPED.home)
    rig.state = 'inactive'
    rig.run(20 * MS, BIPED.home)
    rig.state = 'active'
    rig.run(100 * MS, BIPED.home + 0.1)
    assert rig.core.state == 'damping'
    np.testing.assert_allclose(rig.told, rig.pose)
    rig.core.enable(rig.now_ns)
    assert rig.core.state == 'enabled'


def test_a_manager_that_says_nothing_is_not_trusted():
    """Unless check_active is false; and what it said once does not hold for ever."""
    rig = Rig()
    rig.state = ''
    rig.run(50 * MS)
    assert 'does not say on /diagnostics that it is active' in rig.core.state_text
    rig.controller.on_state('active', rig.now_ns)
    rig.run(50 * MS)
    rig.core.enable(rig.now_ns)
    rig.run(TOLD_NS + TICK)
    assert rig.core.state == 'damping'
    rig = Rig(check_active=False)
    rig.state = ''
    rig.enable()


def test_a_joint_far_outside_its_limits_is_not_held(rig):
    """Limiting the held pose would move it."""
    rig.pose[3] = BIPED.upper[3] + 0.5
    rig.run(50 * MS)
    with pytest.raises(BridgeError, match=f'{NAMES[3]} at'):
        rig.core.enable(rig.now_ns)


def gains(**changes):
    found = dataclasses.replace(Rig().core.gains, **changes)
    return found.kp, found.kd, found.torque_limit


def test_gains_of_the_robot_file_are_acknowledged(rig):
    """With the sender's version, as the policy node expects it; in float32 as well."""
    rig.enable()
    rig.command(BIPED.home)
    asked = tuple(row.astype(np.float32).astype(float) for row in gains())
    assert rig.core.set_gains(NAMES, asked, 'a', 0)
    assert rig.core.gains_frame_id == 'a'
    assert rig.core.set_gains(NAMES, asked, 'a', 1)
    rig.core.command(Command('a', 'run', 0, NAMES, BIPED.home, 1), rig.now_ns)
    assert rig.core.gains_frame_id == 'a 1'
    np.testing.assert_array_equal(rig.core.gains.kp, BIPED.kp)


def test_other_gains_are_refused(rig):
    """Nothing can bring them into force; the policy node sees a mismatch."""
    rig.enable()
    before = rig.core.gains
    assert not rig.core.set_gains(NAMES, gains(kp=0.5 * BIPED.kp), 'a', 0)
    assert rig.core.gains is before
    expected = f'joint_gains: found kp {BIPED.kp[0] / 2:g} of {NAMES[0]}, expected {BIPED.kp[0]:g}'
    assert expected in rig.warnings[-1]
    assert not rig.core.set_gains(NAMES, gains(torque_limit=0.5 * BIPED.torque_limit), 'a', 0)


def test_a_policy_with_other_gains_is_damped(rig):
    """Its targets are right with these alone: 0.1 s after its first command, with the reason."""
    rig.enable()
    rig.command(BIPED.home)
    rig.core.set_gains(NAMES, gains(kp=0.5 * BIPED.kp), 'a', 1)
    for _ in range(8):
        rig.core.command(Command('a', 'run', 0, NAMES, BIPED.home, 1), rig.now_ns)
        rig.run(20 * MS)
    assert rig.core.state_text.startswith('damping gains of version 1 are not in force')


@pytest.mark.parametrize(
    ('joints', 'interface', 'said'),
    [
        (ORDER, 'effort', "forwards 'effort', expected interface_name position"),
        (ORDER[1:], 'position', f'lacks {ORDER[0]}'),
        ((*ORDER, 'gripper'), 'position', 'has gripper'),
        ((*ORDER, ORDER[0]), 'position', 'has a joint twice'),
        (None, 'position', 'it lacks one of the parameters joints'),
        (ORDER, None, 'and interface_name (text)'),
    ],
)
def test_a_controller_that_does_not_fit_is_refused(rig, joints, interface, said):
    """One message has all of its joints: there is nothing to send for one that is not ours."""
    rig.controller.on_parameters(joints, interface)
    rig.run(50 * MS)
    assert said in rig.core.state_text
    with pytest.raises(BridgeError, match='not enabled: controller /c: '):
        rig.core.enable(rig.now_ns)
    assert not rig.sent


def test_joints_of_others_are_passed_over(rig):
    """A gripper's driver may publish on /joint_states as well."""
    rig.run(50 * MS)
    assert rig.watch.take(('gripper',), np.zeros(1), np.zeros(1), rig.now_ns) is None
    assert rig.watch.bad_messages == 0
    assert rig.core.state_text == 'disabled not enabled yet (call ~/enable)'


def test_the_user_answers_for_the_gains():
    """Nothing here can see or change them."""
    with pytest.raises(ConfigError, match='gains_set_outside:=true'):
        check_robot(BIPED, gains_set_outside=False, damping=FOLLOW)
    with pytest.raises(ConfigError, match="found damping 'soft', expected follow or hold"):
        check_robot(BIPED, gains_set_outside=True, damping='soft')
    kbot = load_robot('kbot')
    turned = dataclasses.replace(
        kbot, joints=(dataclasses.replace(kbot.joints[0], sign=-1), *kbot.joints[1:])
    )
    with pytest.raises(ConfigError, match='found sign or offset of'):
        check_robot(turned, gains_set_outside=True, damping=FOLLOW)
