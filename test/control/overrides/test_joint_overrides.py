"""Joints move over to another node's targets and back, under all limits, in hold and run alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.robots import PERIOD_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.settings import SessionSettings

JOINTS = ('joint_0', 'joint_1', 'left_wrist')
"""The policy has the first two, and asks for LEVEL of each."""
LEVEL, HOME = 0.3, 0.1
WAVE, OTHER = Sender(1, '/wave'), Sender(2, '/other')
DEFAULT = OverrideSettings(('left_wrist', 'joint_1'), time_s=0.2, return_speed=1.0)
STEP = 1.0 * PERIOD_NS / 1e9
"""rad that a joint goes back in a tick."""


@pytest.fixture
def rig(tmp_path):
    def make(overrides=DEFAULT, *, running=True, breakable=False, **tunables):
        settings = SessionSettings(period_ns=PERIOD_NS, overrides=overrides)
        policy = level_policy(tmp_path, LEVEL, breakable=breakable)
        made = Rig(policy, small_robot(tmp_path, JOINTS, HOME), settings)
        made.tune(frozen_timeout=0.0, **tunables)
        made.set_pose(HOME)
        if running:
            made.run()
        return made

    return make


def send(rig, sender=WAVE, **targets):
    """One message, stamped as the next tick."""
    now = rig.now + PERIOD_NS
    inbox = rig.controller.inputs.overrides.inbox
    values = np.array(list(targets.values()), float)
    return inbox.take(sender, list(targets), values, now, now, now)


def follow(rig, ticks, **targets):
    """Send in each tick; :return: the targets sent [ticks, 3], and all events."""
    sent, events = [], []
    for _ in range(ticks):
        if targets:
            send(rig, **targets)
        rig.tick()
        sent.append(rig.outcome.target.copy())
        events += rig.outcome.events
    return np.array(sent), events


def test_joints_move_over_within_the_time(rig):
    """Evenly, from the policy's target or the start pose; the others stay the policy's."""
    made = rig()
    sent, events = follow(made, 12, joint_1=-0.5, left_wrist=0.6)
    share = np.minimum(np.arange(1, 13) / 10, 1.0)
    np.testing.assert_allclose(sent[:, 0], LEVEL, atol=1e-6)
    np.testing.assert_allclose(sent[:, 1], LEVEL + share * (-0.5 - LEVEL), atol=1e-6)
    np.testing.assert_allclose(sent[:, 2], HOME + share * (0.6 - HOME), atol=1e-6)
    assert events == ['override: /wave moves left_wrist, joint_1']


def test_a_name_that_is_known_late_is_said(rig):
    """DDS may tell the name of a node after its first messages."""
    made, events = rig(), []
    for sender in (Sender(1, 'a node of unknown name'), WAVE, WAVE):
        send(made, sender, joint_1=-0.5)
        made.tick()
        events += made.outcome.events
    assert events[-1] == 'override: /wave moves joint_1'
    assert made.controller.inputs.overrides.describe() == '/wave moves joint_1'


def test_they_go_back_slowly_when_it_is_silent(rig):
    """Five ticks of silence are borne; then at the speed of the parameter, and it is said."""
    made = rig()
    follow(made, 60, joint_1=-0.5, left_wrist=0.6)
    sent, events = follow(made, 80)
    assert (sent[:5, 1] == sent[0, 1]).all()
    back = np.arange(1, 51) * STEP
    np.testing.assert_allclose(sent[5:55, 1], np.minimum(-0.5 + back, LEVEL), atol=1e-6)
    np.testing.assert_allclose(sent[5:55, 2], np.maximum(0.6 - back, HOME), atol=1e-6)
    np.testing.assert_allclose(sent[-1], [LEVEL, LEVEL, HOME], atol=1e-6)
    assert events == [
        'override: /wave is silent: its joints go back',
        'override: all joints are back',
    ]


def test_an_empty_message_gives_them_back_at_once(rig):
    """Without waiting for silence."""
    made = rig()
    follow(made, 20, left_wrist=0.6)
    send(made)
    made.tick()
    assert made.outcome.target[2] == pytest.approx(0.6 - STEP)


def test_one_that_comes_back_on_the_way_is_followed_again(rig):
    """From where the joint is, without a jump."""
    made = rig()
    follow(made, 20, left_wrist=0.9)
    back, _ = follow(made, 20)
    again, _ = follow(made, 20, left_wrist=0.9)
    path = np.concatenate([back, again])[:, 2]
    assert np.abs(np.diff(path)).max() < 0.1
    assert path[-1] == pytest.approx(0.9)


def test_hold_as_well_as_run_and_nothing_else(rig):
    """A ramp brings the robot to its start pose, whoever talks; run goes on where hold was."""
    made = rig(running=False)
    made.activate()
    while made.controller.mode is not Mode.HOLD:
        send(made, left_wrist=0.9)
        made.tick()
        if made.controller.mode is Mode.RAMP:
            assert made.outcome.target[2] == pytest.approx(HOME)
    sent, _ = follow(made, 12, left_wrist=0.9)
    assert sent[-1, 2] == pytest.approx(0.9)
    made.controller.request_run()
    sent, _ = follow(made, 3, left_wrist=0.9)
    assert made.controller.mode is Mode.RUN
    np.testing.assert_allclose(sent[:, 2], 0.9)


@pytest.mark.parametrize('how', ['stop', 'fault', 'fade'])
def test_stop_fault_and_fade_win(rig, how):
    """In the same tick, and the joints are free at the next activation."""
    made = rig()
    follow(made, 20, left_wrist=0.9)
    if how == 'stop':
        made.controller.request_stop('test')
    elif how == 'fault':
        made.controller.request_fault('test')
    else:
        made.controller.request_fade()
    send(made, left_wrist=0.9)
    made.tick()
    assert made.controller.inputs.overrides.describe() == ''
    if how == 'fade':
        assert made.controller.mode is Mode.FADE
    else:
        assert made.outcome.send is Send.DAMPING
    made.controller.request_fade()
    made.tick_until(Mode.INACTIVE)
    made.run()
    assert made.outcome.target[2] == pytest.approx(HOME)


def test_a_jump_is_limited_by_the_slew_and_counted(rig):
    """As a jump of the policy is."""
    made = rig(target_slew=5.0)
    follow(made, 20, left_wrist=-0.9)
    sent, events = follow(made, 20, left_wrist=0.9)
    assert np.abs(np.diff(sent[:, 2])).max() <= 5.0 * PERIOD_NS / 1e9 + 1e-9
    assert 'slew limit' in events
    assert sent[-1, 2] == pytest.approx(0.9)


def test_targets_beyond_the_limits_are_limited_and_counted(rig):
    """The way there is as slow as ever, however far beyond they are."""
    made = rig()
    sent, events = follow(made, 12, left_wrist=57.0)
    assert sent[0, 2] == pytest.approx(HOME + 0.1 * (1.0 - HOME))
    assert sent[-1, 2] == 1.0
    assert events.count('limit limit') == 12
    assert made.controller.mode is Mode.RUN


def test_a_refused_message_is_a_warning(rig):
    """One event as long as they come, and a guard that diagnostics show."""
    made = rig()
    _, events = follow(made, 30, left_wrist=float('nan'))
    assert [e for e in events if 'override' in e] == [
        'warning override: joint_overrides: a message of /wave is refused: the position of '
        'left_wrist is not finite, or absurd'
    ]
    assert made.count('override', Level.WARN) == 30
    assert made.controller.mode is Mode.RUN
    assert made.outcome.target[2] == pytest.approx(HOME)


def test_who_takes_over_is_said(rig):
    """The first has been silent by then."""
    made = rig()
    follow(made, 60, left_wrist=0.5)
    follow(made, 60)
    events = []
    for _ in range(60):
        send(made, OTHER, left_wrist=0.5)
        made.tick()
        events += made.outcome.events
    assert events == ['override: /other moves left_wrist']


def test_one_that_comes_and_goes_does_not_flood_the_log(rig):
    """Four events at once, then one a second."""
    made = rig()
    events = []
    for _ in range(50):
        events += follow(made, 1, left_wrist=0.5)[1]
        events += follow(made, 7)[1]
    assert 8 < len(events) <= 12


def test_the_held_target_of_a_refused_output_is_held_for_all(rig):
    """The override goes on from there."""
    made = rig(breakable=True)
    follow(made, 20, left_wrist=0.9)
    made.command(-1.0)
    send(made, left_wrist=0.9)
    made.tick()
    assert not made.outcome.ran
    assert made.outcome.target[2] == pytest.approx(0.9)
    made.command(0.0)
    sent, _ = follow(made, 2, left_wrist=0.9)
    np.testing.assert_allclose(sent[:, 2], 0.9)


@pytest.mark.parametrize('hidden', [False, True])
def test_what_the_policy_sees(tmp_path, hidden):
    """The joint as measured; or at rest in the start pose, to which the view moves over."""
    terms = [{'source': 'joint_positions', 'relative': False}, {'source': 'joint_velocities'}]
    policy = flat_models.load(tmp_path, flat_models.linear(6)[0], flat_models.spec(terms))
    overrides = replace(DEFAULT, joints=('ankle',), hidden=hidden)
    settings = SessionSettings(period_ns=PERIOD_NS, overrides=overrides)
    made = Rig(policy, small_robot(tmp_path, tuple(flat_models.JOINTS)), settings)
    made.tune(frozen_timeout=0.0)
    made.run()
    made.frame.position[2], made.frame.velocity[2] = 0.8, 2.0
    follow(made, 12, ankle=0.8)
    inputs = made.policy.inputs
    expected = (flat_models.POSE[2], 0.0) if hidden else (0.8, 2.0)
    assert inputs['joint_angles'][2] == pytest.approx(expected[0])
    assert inputs['joint_angular_velocities'][2] == pytest.approx(expected[1])
    assert inputs['joint_angles'][0] == 0.0
    follow(made, 80)
    assert inputs['joint_angles'][2] == pytest.approx(0.8)


def test_without_the_parameter_there_is_nothing(rig):
    """No inbox, no events, no arrays in the tick."""
    assert rig(OverrideSettings()).controller.inputs.overrides is None
