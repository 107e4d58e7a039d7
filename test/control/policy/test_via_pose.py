"""A transition via a pose, tick by tick on a fake clock: damping, a line, the policy."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.falls import SetRig
from helpers.robots import small_robot
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import ContractError

SET = """enter: walk
policies:
  walk: {{model: level_0.1.kinfer, max_tilt: 0.8}}
  high: {{model: level_0.5.kinfer, kp_factor: 0.5, max_tilt: 0.4}}
  stand: {{model: level_0.2.kinfer}}
transitions:
  - {{from: walk, to: high, via_pose: {{{via}}}}}
  - {{from: high, to: stand}}
"""
LINE = 'duration_s: 1.0'


def rig_of(folder, via: str = LINE, **more) -> SetRig:
    """A rig in mode run; `walk` asks for 0.1 rad, `high` for 0.5."""
    rig = SetRig(folder, SET.format(via=via), **more)
    rig.run()
    return rig


def events(rig) -> list[str]:
    return [event for event in rig.outcome.events if event.startswith('policy ')]


def test_the_pose_is_reached_with_the_gains_of_the_policy_that_follows(tmp_path):
    """A straight line from the measured pose; gains and targets in one tick, then fresh state."""
    rig = rig_of(tmp_path, 'duration_s: 1.0, pose: {joint_1: 0.6}')
    rig.set_pose(0.2)
    rig.frame.velocity[:] = 0.0
    kp = rig.controller.gains.policy.kp
    assert rig.ask('high') == ''
    rig.tick()
    assert events(rig) == [
        'policy high is asked for', 'policy high is entered via a pose',
        'policy high follows in 1 s, from its pose',
    ]  # fmt: skip
    assert rig.mode == 'run: policy high: moving to its pose'
    assert (rig.running, rig.outcome.ran, rig.outcome.gains_version) == ('high', False, 1)
    np.testing.assert_allclose(rig.controller.gains.policy.kp, 0.5 * kp)
    np.testing.assert_allclose(rig.controller.target, 0.2)
    for tick in range(1, 50):
        rig.tick()
        assert not rig.outcome.ran
        share = tick / 50
        np.testing.assert_allclose(
            rig.controller.target, [0.2 - 0.1 * share, 0.2 + 0.4 * share], atol=1e-12
        )
    carry = rig.controller.policies.members['high'].policy.carry
    rig.tick()
    assert events(rig) == ['policy high has taken over']
    assert (rig.mode, rig.outcome.ran, rig.outcome.gains_version) == ('run: policy high', True, 1)
    assert float(rig.controller.policies.members['high'].policy.carry[0]) == 1.0, carry
    np.testing.assert_allclose(rig.controller.target, 0.5, atol=1e-6)
    assert rig.runner.began_ns == rig.now


def test_without_a_pose_it_is_the_start_pose(tmp_path):
    """0.1 rad here."""
    rig = rig_of(tmp_path)
    rig.set_pose(0.4)
    rig.ask('high')
    rig.tick(50)
    np.testing.assert_allclose(rig.controller.target, 0.4 - 0.3 * 49 / 50)


def test_damping_comes_first(tmp_path):
    """For its time; the line begins where the joints are after it, not where they were sent."""
    rig = rig_of(tmp_path, f'{LINE}, damp_s: 0.5')
    rig.ask('high')
    for _ in range(25):
        assert rig.tick() is Mode.RUN
        assert rig.controller.send is Send.DAMPING
        assert rig.mode == 'run: policy high: damping before its pose'
        assert rig.outcome.gains_version == 0
    rig.tune(target_slew=0.5)
    rig.set_pose(-0.9)
    rig.tick()
    assert (rig.controller.send, rig.outcome.gains_version) == (Send.POSITION, 1)
    np.testing.assert_allclose(rig.controller.target, -0.9)
    rig.tick(49)
    assert not rig.outcome.ran
    rig.tick()
    assert rig.outcome.ran


def test_the_guards_of_the_policy_that_is_left_hold_on_the_way(tmp_path):
    """From a handstand to a walk: the walk's tilt cannot hold before it walks."""
    rig = rig_of(tmp_path)
    rig.ask('high')
    rig.tick(10)
    assert rig.controller.live.max_tilt == 0.8
    rig.tune(max_tilt=0.7)
    rig.tick()
    assert rig.controller.live.max_tilt == 0.7
    rig.tick(40)
    assert rig.outcome.ran
    assert rig.controller.live.max_tilt == 0.4


@pytest.mark.parametrize('ticks', [5, 40])
@pytest.mark.parametrize('reason', ['stop', 'fault', 'tilt', 'nan', 'stale'])
def test_what_goes_wrong_on_the_way_damps(tmp_path, ticks, reason):
    """While damping and while moving; the next session begins with its own gains."""
    rig = rig_of(tmp_path, f'{LINE}, damp_s: 0.5')
    rig.ask('high')
    rig.tick(ticks)
    if reason == 'stop':
        rig.controller.request_stop('enough')
    elif reason == 'fault':
        rig.controller.request_fault('a cause')
    elif reason == 'tilt':
        rig.lie()
    elif reason == 'nan':
        rig.frame.position[0] = np.nan
    rig.tick(14 if reason == 'stale' else 1, fresh=reason != 'stale')
    expected = Mode.DAMP if reason == 'stop' else Mode.FAULT
    assert (rig.controller.mode, rig.controller.send) == (expected, Send.DAMPING)
    rig.set_pose(0.1)
    rig.tilt(0.0)
    for _ in range(100):
        rig.tick()
        assert rig.controller.send is Send.DAMPING
    rig.controller.request_fade()
    rig.tick(10)
    rig.run()
    assert rig.mode == 'run: policy walk'
    walk = rig.controller.policies.members['walk']
    assert rig.controller.gains.policy is walk.gains
    assert rig.controller.live.max_tilt == 0.8


def test_a_session_that_ends_while_damping_begins_with_its_own_gains(tmp_path):
    """Back to the first policy, whose gains were not there yet."""
    text = SET.format(via=LINE).replace('high, to: stand', 'high, to: walk, via_pose: {%s}')
    rig = SetRig(tmp_path, text % f'{LINE}, damp_s: 0.5')
    rig.run()
    rig.ask('high')
    rig.tick(60)
    rig.ask('walk')
    rig.tick(5)
    rig.controller.request_fade()
    rig.tick()
    assert rig.controller.send is Send.DAMPING, 'it was damped: a fade would push it'
    rig.tick(5)
    rig.run()
    assert rig.controller.gains.policy is rig.controller.policies.members['walk'].gains
    assert rig.controller.live.max_tilt == 0.8


def test_a_first_output_that_is_refused_holds_the_pose_then_faults(tmp_path):
    """The old policy is far: nobody goes back to it."""
    rig = rig_of(tmp_path)
    rig.ask('high')
    rig.tick(49)
    rig.command(-1.0)
    rig.tick(2)
    assert (rig.mode, rig.outcome.ran) == ('run: policy high', False)
    np.testing.assert_allclose(rig.controller.target, 0.1, atol=0.01)
    rig.tick(3)
    assert rig.controller.mode is Mode.FAULT


def test_a_chain_leads_through_the_pose(tmp_path):
    """Stand is asked for in walk: high comes between, via its pose."""
    rig = rig_of(tmp_path)
    assert rig.ask('stand') == ''
    rig.tick(50)
    assert rig.running == 'high'
    rig.tick(2)
    assert rig.running == 'stand'


def test_a_request_on_the_way_is_followed_after_it(tmp_path):
    """The way itself is not broken off, except by a stop."""
    rig = rig_of(tmp_path)
    rig.ask('high')
    rig.tick(20)
    assert rig.ask('stand') == ''
    assert 'no transition leads from high to walk' in rig.ask('walk')
    rig.tick(30)
    assert rig.running == 'high'
    rig.tick(2)
    assert rig.running == 'stand'


def test_joints_of_another_node_are_its_own_on_the_way(tmp_path):
    """As in hold."""
    rig = rig_of(tmp_path, overrides=OverrideSettings(('joint_1',), time_s=0.02))
    inbox = rig.controller.inputs.overrides.inbox
    rig.ask('high')
    for _ in range(10):
        inbox.take(Sender(1, '/arm'), ['joint_1'], np.array([-0.3]), rig.now, rig.now, rig.now)
        rig.tick()
    assert rig.controller.target[1] == pytest.approx(-0.3)
    assert rig.controller.target[0] != pytest.approx(-0.3)


@pytest.mark.parametrize(
    ('via', 'error', 'expected'),
    [
        ('', ConfigError, "missing key 'duration_s'"),
        ('damp_s: 0.5', ConfigError, "missing key 'duration_s'"),
        ('duration_s: 0', ConfigError, 'expected a number from 0.1 to 30 (s)'),
        (f'{LINE}, damp_s: -1', ConfigError, 'expected a number from 0 to 10 (s)'),
        (f'{LINE}, pose: {{}}', ConfigError, 'found no joint'),
        (f'{LINE}, pose: {{joint_0: 90}}', ConfigError, 'expected a number from -7 to 7 (rad)'),
        (f'{LINE}, pose: {{joint_0: .nan}}', ConfigError, 'expected a number from -7 to 7'),
        (
            f'{LINE}, pose: {{jiont_0: 0.1}}',
            ConfigError,
            "no joint jiont_0 (did you mean 'joint_0'",
        ),
        (f'{LINE}, pose: {{joint_0: 1.5}}', ContractError, 'found 1.5 rad, expected -1 to 1'),
        (f'{LINE}, speed: 1', ConfigError, "unknown key 'speed'"),
        (f'{LINE}}}, blend_s: 0.1, conditions: {{', ConfigError, 'expected none beside via_pose'),
    ],
)
def test_a_pose_that_cannot_be_is_refused(tmp_path, via, error, expected):
    """At load, with the joint or the key."""
    with pytest.raises(error) as caught:
        SetRig(tmp_path, SET.format(via=via), small_robot(tmp_path), LiveSettings())
    assert expected in str(caught.value)
