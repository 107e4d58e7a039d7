"""Policy sets are read strictly: all problems with their lines; and routes through them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.robots import level_policy
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import load_policy_set

SET = """enter: walk
policies:
  walk: {model: walk.onnx, spec: walk.yaml, command_limit: [0.5, 0, 1]}
  dance: {model: dance.kinfer, action_scale: 0.8, kp_factor: 0.9, max_tilt: 0.6}
  stand: {model: stand.kinfer, button: 3}
transitions:
  - {from: walk, to: dance, blend_s: 0.2, conditions: {max_tilt: 0.3, command_neutral: true}}
  - {from: dance, to: walk, automatic: motion_ended}
  - from: [walk, dance]
    to: stand
    conditions:
      {pose_within: 0.5, max_joint_speed: 0.3, gravity: {direction: [0, 0, -2], within: 0.2}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / 'set.yaml'
    path.write_text(text)
    return path


def test_it_is_read_as_written(tmp_path):
    """Every key; paths are relative to the file."""
    found = load_policy_set(written(tmp_path, SET))
    assert found.entry == 'walk'
    assert list(found.members) == ['walk', 'dance', 'stand']
    walk, dance = found.members['walk'], found.members['dance']
    assert (walk.model, walk.spec) == (tmp_path / 'walk.onnx', tmp_path / 'walk.yaml')
    assert walk.command_limit == (0.5, 0.0, 1.0)
    assert not walk.has_factors
    assert (dance.spec, dance.action_scale, dance.kp_factor, dance.kd_factor) == (
        None,
        0.8,
        0.9,
        1,
    )
    assert dance.stricter == {'max_tilt': 0.6}
    assert found.buttons == {'stand': 3}
    first = found.between('walk', 'dance')
    assert first is not None
    assert (first.blend_s, first.automatic, first.conditions.neutral) == (0.2, 'no', True)
    assert first.conditions.max_tilt == 0.3
    ended = found.between('dance', 'walk')
    assert ended is not None
    assert ended.automatic == 'motion_ended'
    stand = found.between('dance', 'stand')
    assert stand is not None
    assert stand.conditions.gravity is not None
    assert stand.conditions.gravity.axis == (0.0, 0.0, -1.0)
    assert stand.conditions.pose_within == 0.5
    assert stand.conditions.max_joint_speed == 0.3


def test_a_route_has_the_fewest_transitions(tmp_path):
    """And there may be none: nothing leads out of `stand`."""
    text = SET + '  - {from: stand, to: sit}\n'
    text = text.replace('  stand: {', '  sit: {model: sit.kinfer}\n  stand: {')
    found = load_policy_set(written(tmp_path, text))
    assert [each.target for each in found.route('dance', 'sit')] == ['stand', 'sit']
    assert [each.target for each in found.route('walk', 'dance')] == ['dance']
    assert found.route('sit', 'walk') == []


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('enter: walk', 'enter: wlak', "line 1: enter: found wlak (did you mean 'walk'?)"),
        ('enter: walk\n', '', "missing key 'enter'"),
        ('model: walk.onnx, ', '', "policies.walk: missing key 'model'"),
        ('to: stand', 'to: sit', 'to: found sit, expected one of walk, dance, stand'),
        ('from: [walk, dance]', 'from: [walk, jump]', 'found jump'),
        ('from: [walk, dance]', 'froom: walk', "missing key 'from'"),
        ('button: 3', 'button: 256', 'found 256, expected a whole number from 0 to 255'),
        ('button: 3', 'button: true', 'expected a whole number from 0 to 255'),
        ('max_tilt: 0.6', 'button: 3', 'policies.stand.button: found 3, which dance has'),
        ('blend_s: 0.2', 'blend_s: 1.0', 'found 1.0, expected a number from 0 to 0.3 (s)'),
        ('blend_s: 0.2', 'blend_s: .nan', 'expected a number from 0 to 0.3'),
        ('max_tilt: 0.6', 'max_speed: 0.6', "unknown key 'max_speed'"),
        ('kp_factor: 0.9', 'kp_factor: 3', 'expected a number from 0 to 2'),
        ('command_limit: [0.5, 0, 1]', 'command_limit: [-1, 0, 0]', 'expected 0 (none) or more'),
        ('direction: [0, 0, -2]', 'direction: [0, 0, 0]', 'found no length'),
        (
            'automatic: motion_ended',
            'automatic: sometimes',
            'one of no, motion_ended, upright, fallen',
        ),
        ('to: stand', 'to: walk', 'dance to walk is there twice'),
        ('policies:', 'policies: {}\nold:', 'found 0, expected 1 to 32 policies'),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, expected):
    """A set decides what a robot does next: nothing in it is guessed."""
    assert old in SET
    with pytest.raises(ConfigError) as error:
        load_policy_set(written(tmp_path, SET.replace(old, new)))
    assert expected in str(error.value)
    assert 'line' in str(error.value)


FALLEN = """enter: walk
policies:
  walk: {model: walk.kinfer}
  stand: {model: stand.kinfer}
  getup: {model: getup.kinfer}
transitions:
  - {from: any, to: getup, automatic: fallen, timeout_s: 6, conditions: {command_neutral: true}}
  - {from: getup, to: stand, automatic: upright, conditions: {max_tilt: 0.3}}
  - {from: stand, to: walk, via_pose: {duration_s: 2.0, damp_s: 0.5, pose: {knee: 0.4}}}
"""


def test_the_way_after_a_fall_is_no_way_for_the_operator(tmp_path):
    """It leaves every policy but the get-up itself, and no route leads over it."""
    found = load_policy_set(written(tmp_path, FALLEN))
    for name in ('walk', 'stand'):
        after = found.after_fall(name)
        assert after is not None
        assert (after.target, after.timeout_s, after.conditions.neutral) == ('getup', 6.0, True)
        assert found.route(name, 'getup') == []
    assert found.after_fall('getup') is None
    assert found.recovers
    assert [each.target for each in found.route('getup', 'walk')] == ['stand', 'walk']
    assert [each.automatic for each in found.automatic['getup']] == ['upright']
    assert found.automatic['walk'] == []
    default = load_policy_set(written(tmp_path, FALLEN.replace('timeout_s: 6, ', '')))
    assert default.after_fall('walk').timeout_s == 10.0
    via = found.between('stand', 'walk').via
    assert (via.duration_s, via.damp_s, via.pose) == (2.0, 0.5, {'knee': 0.4})


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('timeout_s: 6', 'timeout_s: 0', 'expected a number from 0.5 to 120 (s)'),
        ('timeout_s: 6', 'blend_s: 0.1', 'blend_s: expected none: a robot that has fallen'),
        ('timeout_s: 6', 'via_pose: {duration_s: 1}', 'via_pose: expected none: a robot that'),
        ('command_neutral: true', 'max_tilt: 0.3', 'max_tilt does not hold of a robot that has'),
        ('command_neutral', 'motion_ended', 'motion_ended does not hold of a robot that has'),
        ('automatic: fallen, ', '', 'timeout_s: expected none: only automatic: fallen'),
        ('upright, conditions: {max_tilt: 0.3}', 'upright', 'upright needs conditions: {max_tilt'),
        (
            'from: getup, to: stand',
            'from: stand, to: getup',
            'no transition that leads on from getup',
        ),
        (
            '  - {from: getup',
            '  - {from: walk, to: stand, automatic: fallen}\n  - {from: getup',
            'walk has two automatic transitions for fallen, expected one',
        ),
    ],
)
def test_a_way_after_a_fall_that_cannot_be_is_refused(tmp_path, old, new, expected):
    """At load, not when the robot lies there."""
    assert old in FALLEN
    with pytest.raises(ConfigError) as error:
        load_policy_set(written(tmp_path, FALLEN.replace(old, new, 1)))
    assert expected in str(error.value)
    assert 'line' in str(error.value)


def test_policies_that_cannot_follow_each_other_are_refused(tmp_path):
    """Before the robot moves, with every reason."""
    level_policy(tmp_path, 0.1)
    level_policy(tmp_path, 0.2, control_rate=25.0)
    text = """enter: a
policies:
  a: {model: level_0.1.kinfer}
  b: {model: level_0.2.kinfer}
transitions:
  - {from: a, to: b, automatic: motion_ended}
"""
    with pytest.raises(ConfigError) as error:
        load_set(written(tmp_path, text))
    assert 'a to b: waits for the end of a motion; a has none' in str(error.value)


def test_a_missing_file_names_it(tmp_path):
    """All of a set is loaded at once: a switch waits for nothing."""
    with pytest.raises(KinferRosError, match=r'walk\.yaml|walk\.onnx'):
        load_set(written(tmp_path, SET))


@given(text=st.text(max_size=300))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    """A set is untrusted input: one error, or a set."""
    path = tmp_path_factory.mktemp('set') / 'set.yaml'
    path.write_text(text, encoding='utf-8', errors='replace')
    with contextlib.suppress(ConfigError):
        load_policy_set(path)
