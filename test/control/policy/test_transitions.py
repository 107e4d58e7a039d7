"""Transitions between the policies of a set, tick by tick, on a fake clock."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from helpers.robots import START_NS
from helpers.robots import Rig
from helpers.robots import level_policy
from helpers.robots import small_robot
from kinfer_ros.control.assembly import assemble_set
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.policy.sets.loaded_set import load_set

SET = """enter: low
policies:
  low: {{model: level_0.1.kinfer}}
  mid: {{model: level_0.2.kinfer, max_tilt: 0.5, command_limit: [0.2, 0, 0]}}
  high: {{model: level_0.5.kinfer, kp_factor: 0.5, action_scale: 0.5}}
transitions:
  - {{from: low, to: mid{low_mid}}}
  - {{from: mid, to: high{mid_high}}}
  - {{from: high, to: mid, blend_s: 0.1}}
"""


def rig_of(folder: Path, *, low_mid: str = '', mid_high: str = '') -> SimpleNamespace:
    """A rig whose policies ask for 0.1, 0.2 and 0.5 rad; the last can give NaN when told."""
    for level in (0.1, 0.2):
        level_policy(folder, level)
    level_policy(folder, 0.5, breakable=True)
    path = folder / 'set.yaml'
    path.write_text(SET.format(low_mid=low_mid, mid_high=mid_high))
    loaded, robot = load_set(path), small_robot(folder)
    live = LiveSettings(frozen_timeout=0.0)
    rig = Rig(loaded.entry, robot, tunables=live)
    rig.controller = assemble_set(loaded, robot, SessionSettings(20_000_000), live)
    rig.runner = rig.controller._parts.runner
    rig.frame = rig.controller.inputs.frame
    rig.set_pose(0.0)
    rig.now = START_NS
    rig.sense()
    rig.run()
    rig.ask = lambda name: rig.controller.policies.request(name, rig.controller.mode)
    return rig


def target(rig) -> float:
    return float(rig.controller.target[0])


def test_targets_gains_and_guards_change_in_one_tick(tmp_path):
    """A tick of one policy's target with the other's gains would be a torque nobody meant."""
    rig = rig_of(tmp_path)
    policies = rig.controller.policies
    assert (policies.running, target(rig)) == ('low', pytest.approx(0.1))
    assert rig.ask('mid') == ''
    assert policies.running == 'low'
    rig.tick()
    assert (policies.running, target(rig)) == ('mid', pytest.approx(0.2))
    assert rig.outcome.reason == 'policy mid'
    assert rig.outcome.gains_version == 0  # the same gains
    assert rig.controller.live.max_tilt == 0.5
    assert [e for e in rig.outcome.events if 'policy' in e] == [
        'policy mid is asked for', 'policy mid begins to take over', 'policy mid has taken over'
    ]  # fmt: skip
    before = rig.controller.gains.policy.kp
    assert rig.ask('high') == ''
    rig.tick()
    assert (policies.running, target(rig)) == ('high', pytest.approx(0.3))
    np.testing.assert_allclose(rig.controller.gains.policy.kp, before * 0.5)
    assert rig.outcome.gains_version == 1
    assert rig.controller.live.max_tilt == 1.0


def test_a_stricter_guard_holds_in_its_policy_alone(tmp_path):
    """And an operator's parameter is never raised by a set."""
    rig = rig_of(tmp_path)
    rig.ask('mid')
    rig.tick()
    rig.controller.request_live_settings(LiveSettings(frozen_timeout=0.0, max_tilt=0.3))
    rig.tick()
    assert rig.controller.live.max_tilt == 0.3
    rig.controller.request_live_settings(LiveSettings(frozen_timeout=0.0, max_tilt=2.0))
    rig.tick()
    assert rig.controller.live.max_tilt == 0.5
    rig.tilt(0.7)
    assert rig.tick() is Mode.FAULT


def test_the_way_may_lead_through_others(tmp_path):
    """There is no transition from low to high: mid comes between, for one tick."""
    rig = rig_of(tmp_path)
    assert rig.ask('high') == ''
    seen = []
    for _ in range(3):
        rig.tick()
        seen.append(rig.controller.policies.running)
    assert seen == ['mid', 'high', 'high']
    assert rig.controller.policies.goal == ''


def test_conditions_hold_or_nothing_happens(tmp_path):
    """The first step of the way is refused with the reason; a later one is waited for."""
    rig = rig_of(
        tmp_path,
        low_mid=', conditions: {max_tilt: 0.2, command_neutral: true}',
        mid_high=', conditions: {pose_within: 0.05}',
    )
    rig.tilt(0.3)
    rig.tick()
    assert 'low to mid: the base is tilted by 0.30 rad, expected at most 0.2' in rig.ask('high')
    rig.tilt(0.0)
    rig.command(0.3)
    assert 'expected a neutral command' in rig.ask('mid')
    rig.command(0.0)
    rig.set_pose(0.2)
    assert rig.ask('high') == ''
    rig.tick(3)
    assert rig.controller.policies.running == 'mid'
    assert rig.controller.policies.goal == 'high'
    rig.set_pose(0.1)  # the start pose
    rig.tick()
    assert rig.controller.policies.running == 'high'


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('mdi', "found no policy mdi (did you mean 'mid'?), expected low, mid, high")],
)
def test_an_unknown_policy_is_refused(tmp_path, name, expected):
    """By name, with what there is."""
    rig = rig_of(tmp_path)
    assert rig.ask(name) == expected
    rig.tick()
    assert rig.controller.policies.running == 'low'


def test_there_is_no_way_back(tmp_path):
    """Nothing leads to low."""
    rig = rig_of(tmp_path)
    rig.ask('mid')
    rig.tick()
    assert rig.ask('low') == 'no transition leads from mid to low; there are ways to mid, high'


def test_only_in_mode_run(tmp_path):
    """In hold, in damp and in a fault the mode is named."""
    rig = rig_of(tmp_path)
    rig.controller.request_stop('enough')
    assert rig.tick() is Mode.DAMP
    assert rig.ask('mid') == 'policy mid is refused in mode damp: it needs mode run'


def test_a_first_output_that_is_refused_changes_nothing(tmp_path):
    """NaN in the entered policy's first output: targets, gains and guards of the old one stay."""
    rig = rig_of(tmp_path)
    rig.ask('mid')
    rig.tick()
    rig.command(-1.0)  # a negative command breaks this policy
    gains = rig.controller.gains.policy
    assert rig.ask('high') == ''
    rig.tick()
    assert (rig.controller.policies.running, rig.outcome.ran) == ('mid', True)
    assert target(rig) == pytest.approx(0.2)
    np.testing.assert_array_equal(rig.controller.gains.policy.kp, gains.kp)
    assert rig.controller.live.max_tilt == 0.5
    assert any('swap rolled back' in event for event in rig.outcome.events)
    rig.command(0.0)
    rig.tick(5)
    assert rig.controller.policies.running == 'mid'  # it is not tried again
    assert rig.controller.mode is Mode.RUN


def test_a_blend_ends_in_the_entered_policy(tmp_path):
    """Five ticks at 50 Hz; the gains are those of the entered policy from the first on."""
    rig = rig_of(tmp_path)
    for name in ('mid', 'high'):
        rig.ask(name)
        rig.tick()
    rig.ask('mid')
    seen = []
    for _ in range(7):
        rig.tick()
        seen.append(target(rig))
    assert seen[0] == pytest.approx(0.3)  # the scale of the set is blended as well
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == pytest.approx(0.2)
    assert rig.outcome.gains_version == 2


def test_a_stop_in_the_middle_of_a_blend_damps(tmp_path):
    """And the next session begins with the first policy, its gains and its guards."""
    rig = rig_of(tmp_path)
    for name in ('mid', 'high', 'mid'):
        rig.ask(name)
        rig.tick()
    rig.controller.request_stop('enough')
    assert rig.tick() is Mode.DAMP
    assert not rig.runner.swapping
    rig.controller.request_fade()
    rig.tick_until(Mode.INACTIVE)
    rig.run()
    assert rig.controller.policies.running == 'low'
    assert target(rig) == pytest.approx(0.1)
    assert rig.controller.live.max_tilt == 1.0
    assert rig.outcome.gains_version == 0


def test_a_limit_of_the_set_holds_for_the_command(tmp_path):
    """In its policy alone."""
    rig = rig_of(tmp_path)
    rig.command(0.4)
    rig.tick()
    assert rig.controller.inputs.command.value[0] == pytest.approx(0.4)
    rig.ask('mid')
    rig.tick()
    assert rig.controller.inputs.command.value[0] == pytest.approx(0.2)


def test_a_policy_alone_has_no_other(tmp_path):
    """The parameter `policy` without a set."""
    rig = Rig(level_policy(tmp_path, 0.1), small_robot(tmp_path))
    rig.run()
    assert 'without a set' in rig.controller.policies.request('walk', rig.controller.mode)


def test_a_session_begins_with_the_gains_of_the_first_policy(tmp_path):
    """Also where the last one ended in another policy: they are asked for before it begins."""
    rig = rig_of(tmp_path)
    first = rig.controller.gains.policy
    rig.ask('high')
    rig.tick(3)
    assert not rig.controller.gains.policy.equals(first)
    rig.controller.request_fade()
    rig.tick_until(Mode.INACTIVE)
    rig.controller.prepare()
    assert rig.controller.gains.policy.equals(first)
    assert rig.controller.policies.running == 'low'


def test_a_switch_opens_no_file_and_no_session(tmp_path, monkeypatch):
    """All was loaded at configure: a switch waits for nothing."""
    rig = rig_of(tmp_path)
    opened: list[str] = []
    watching = [True]
    sys.addaudithook(
        lambda event, _: opened.append(event) if watching[0] and event == 'open' else None
    )
    monkeypatch.setattr(ort, 'InferenceSession', lambda *_, **__: opened.append('session'))
    for name in ('mid', 'high', 'mid'):
        assert rig.ask(name) == ''
        rig.tick(8)
        assert rig.controller.policies.running == name
    watching[0] = False
    assert opened == []
