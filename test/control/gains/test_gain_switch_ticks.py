"""Another policy's gains, from the controller to the link: with its first command."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers.fake_link import FakeClock
from helpers.fake_link import FakeLink
from helpers.fake_link import FakeOperator
from helpers.fake_link import FakeRecord
from helpers.fake_link import FakeTimer
from helpers.robots import PERIOD_NS
from helpers.robots import START_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.loop import ControlLoop
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.time_base import RealTime


def rig_of(folder, blend_ns=0, **live) -> Rig:
    settings = SessionSettings(PERIOD_NS, blend_ns=blend_ns, real_time=True)
    return Rig(
        level_policy(folder, 0.1),
        small_robot(folder),
        settings,
        LiveSettings(frozen_timeout=0.0, **live),
    )


@pytest.mark.parametrize('blend_ns', [0, 5 * PERIOD_NS])
def test_gains_change_in_the_first_tick_of_the_new_policy(tmp_path, blend_ns):
    """At once, and with a blend of the targets at its first tick."""
    rig = rig_of(tmp_path, blend_ns)
    rig.run()
    assert rig.outcome.gains_version == 0
    answers = rig.swap(level_policy(tmp_path, 0.2, joint_kp=[30.0, 10.0]))
    rig.tick()
    assert rig.outcome.gains_version == 1
    assert rig.controller.gains.now().kp.tolist() == [30.0, 10.0]
    rig.tick(6)
    assert answers == ['']
    assert (rig.outcome.gains_version, rig.controller.gains.changes) == (1, 1)


def test_a_swap_that_is_rolled_back_restores_the_gains(tmp_path):
    """Under a new version, in the very tick in which the old policy acts again."""
    rig = rig_of(tmp_path, 20 * PERIOD_NS)
    rig.run()
    answers = rig.swap(level_policy(tmp_path, 0.2, breakable=True, joint_kp=[30.0, 10.0]))
    versions, kps = [], []
    for tick in range(8):
        if tick == 4:
            rig.command(-1.0)
        rig.tick()
        versions.append(rig.outcome.gains_version)
        kps.append(rig.controller.gains.now().kp[0])
    assert 'non-finite' in answers[0]
    assert versions == [1] * versions.count(1) + [2] * versions.count(2)
    assert versions[-1] == 2
    assert kps == [30.0 if version == 1 else 20.0 for version in versions]


def test_a_stop_within_the_blend_restores_the_gains(tmp_path):
    """The damping of the policy that continues."""
    rig = rig_of(tmp_path, 20 * PERIOD_NS)
    rig.run()
    answers = rig.swap(level_policy(tmp_path, 0.2, joint_kd=[2.0, 2.0]))
    rig.tick(2)
    rig.controller.request_stop('stop')
    assert rig.tick() is Mode.DAMP
    assert answers == ['the run ended in damp']
    assert rig.outcome.gains_version == 2
    assert rig.controller.gains.now().kd.tolist() == [1.0, 1.0]


def test_the_torque_band_is_that_of_the_gains_of_the_tick(tmp_path):
    """A target is limited for the stiffness that it will meet."""
    rig = rig_of(tmp_path, torque_band=1.0, target_slew=1e6, max_action=100.0)
    rig.run()
    rig.swap(level_policy(tmp_path, 0.9, joint_kp=[40.0, 20.0], joint_torque_limits=[8.0, 10.0]))
    rig.tick()
    expected = np.array([8.0 / 40.0, 10.0 / 20.0]) + rig.frame.position
    np.testing.assert_allclose(rig.outcome.target, expected)
    assert not math.isclose(expected[0], expected[1])


def test_gains_go_out_before_the_command_of_their_version(tmp_path):
    """And in no other tick."""
    settings = SessionSettings(PERIOD_NS, auto_run=True, ramp_speed=100.0, real_time=True)
    rig = Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path), settings)
    clock = FakeClock(START_NS)
    link, timer = FakeLink(clock), FakeTimer(clock, PERIOD_NS)
    link.gains.set_target(rig.robot.joint_names, rig.controller.gains)
    time_base = RealTime(clock, link, rig.frame, PERIOD_NS, sleep=clock.sleep)
    loop = ControlLoop(
        rig.controller, time_base, link, FakeRecord(), FakeOperator(), timer, lambda text: None
    )
    link.gains.begin_session('a')
    loop.start(clock.now_ns)
    timer.fire(4)
    rig.swap(level_policy(tmp_path, 0.2, joint_kp=[30.0, 10.0]))
    timer.fire(3)
    assert [call for call in link.calls if call in ('gains', 'send')][-4:] == [
        'gains', 'send', 'send', 'send',
    ]  # fmt: skip
    assert link.versions[-4:] == [0, 1, 1, 1]
    ((version, sent),) = link.sent_gains
    assert (version, sent.kp.tolist()) == (1, [30.0, 10.0])
