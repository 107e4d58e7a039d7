"""The flat observation against a simple implementation with lists, for every layout."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies import flat_models
from helpers.policies.flat_models import JOINTS
from helpers.policies.flat_models import POSE
from kinfer_ros.errors import ModelError

G = 9.81
TERMS = [
    {'source': 'gyroscope', 'scale': 0.25, 'clip': [-0.5, 0.5]},
    {'source': 'gravity', 'unit': 'unit', 'scale': -1.0},
    {'source': 'joint_positions', 'relative': True, 'joints': ['ankle', 'hip'], 'offset': 0.5},
    {'source': 'joint_velocities', 'scale': [0.1, 0.2, 0.3], 'clip_scaled': [-0.1, 0.1]},
    {'source': 'command', 'entries': ['yawrate', 3.0, 'xvel'], 'scale': [0.25, 1.0, 2.0]},
    {'source': 'last_action', 'which': 'raw'},
    {'source': 'last_action', 'which': 'target', 'ago': 2, 'joints': ['knee']},
]


def plain_frame(obs, actions, targets):
    """One frame of TERMS, number by number."""
    clip = np.clip
    q = dict(zip(JOINTS, obs['joint_angles'] - np.array(POSE), strict=True))
    command = dict(zip(('xvel', 'yvel', 'yawrate'), obs['command'], strict=True))
    return [
        0.25 * clip(obs['gyroscope'], -0.5, 0.5),
        -obs['projected_gravity'] / G,
        np.array([q['ankle'] + 0.5, q['hip'] + 0.5]),
        clip(obs['joint_angular_velocities'] * [0.1, 0.2, 0.3], -0.1, 0.1),
        np.array([0.25 * command['yawrate'], 3.0, 2.0 * command['xvel']]),
        actions[-1],
        targets[-2][1:2],
    ]


def plain_flat(frames, length, per_frame, newest_first, zero_fill):
    """Stack frames (oldest first) as the options say."""
    first = [np.zeros_like(part) for part in frames[0]] if zero_fill else frames[0]
    window = ([first] * (length - 1) + frames)[-length:]
    if newest_first:
        window = window[::-1]
    if per_frame:
        return np.concatenate([part for frame in window for part in frame])
    return np.concatenate([frame[i] for i in range(len(window[0])) for frame in window])


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 5),
    per_frame=st.booleans(),
    newest_first=st.booleans(),
    zero_fill=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_it_equals_a_plain_one(length, per_frame, newest_first, zero_fill, seed):
    """Sixteen ways to stack frames."""
    history = {
        'length': length,
        'layout': 'per_frame' if per_frame else 'per_term',
        'order': 'newest_first' if newest_first else 'oldest_first',
        'first': 'zero' if zero_fill else 'repeat',
    }
    size = 18 * length
    content = flat_models.spec(TERMS, observation={'history': history})
    model, weights = flat_models.linear(size)
    with tempfile.TemporaryDirectory() as folder:
        policy = flat_models.load(Path(folder), model, content)
    rng = np.random.default_rng(seed)
    frames, actions = [], [np.zeros(3)]
    targets = [np.array(POSE), np.array(POSE)]
    for _ in range(7):
        obs = {each.name: rng.normal(size=each.shape) for each in policy.contract.inputs}
        frames.append(plain_frame(obs, actions, targets))
        flat = plain_flat(frames, length, per_frame, newest_first, zero_fill)
        target = policy.step(obs)
        np.testing.assert_allclose(policy._session.flat, flat, atol=1e-5)
        actions.append(flat @ weights)
        targets.append(POSE + 0.5 * actions[-1])
        np.testing.assert_allclose(target, targets[-1], atol=1e-5)


def test_lengths_of_their_own(tmp_path):
    """Three last actions and one frame of the rest, as in Open Duck Mini."""
    terms = [{'source': 'gyroscope', 'history': 1}, {'source': 'last_action', 'which': 'raw'}]
    history = {'length': 3, 'layout': 'per_term', 'order': 'newest_first', 'first': 'zero'}
    content = flat_models.spec(terms, observation={'history': history}, commands={})
    policy = flat_models.load(tmp_path, flat_models.linear(12)[0], content)
    for value in (1.0, 2.0, 3.0, 4.0):
        policy.step({'gyroscope': [value, 0.0, 0.0]})
    flat = policy._session.flat
    assert flat[:3].tolist() == [4.0, 0.0, 0.0]
    assert np.ptp(flat[3:].reshape(3, 3), axis=0).min() > 0


@pytest.mark.parametrize(
    ('terms', 'obs', 'expected'),
    [
        ([{'source': 'quaternion', 'order': 'xyzw'}], {'quaternion': [1, 2, 3, 4]}, [2, 3, 4, 1]),
        ([{'source': 'quaternion', 'order': 'wxyz'}], {'quaternion': [1, 2, 3, 4]}, [1, 2, 3, 4]),
        (
            [{'source': 'euler', 'angles': ['pitch', 'roll']}],
            {'quaternion': [math.cos(0.2), 0.0, math.sin(0.2), 0.0]},
            [0.4, 0.0],
        ),
        ([{'source': 'gravity', 'unit': 'm/s^2'}], {'projected_gravity': [0, 1, -9]}, [0, 1, -9]),
        ([{'source': 'gyroscope', 'axes': ['z', 'x']}], {'gyroscope': [1, 2, 3]}, [3, 1]),
        ([{'source': 'time', 'scale': 2.0}], {'time': [1.5]}, [3.0]),
        ([{'source': 'constant', 'values': [4.0, 5.0], 'scale': 2.0}], {}, [8.0, 10.0]),
        ([{'source': 'constant', 'values': 0.5, 'count': 4}], {}, [0.5] * 4),
        (
            [{'source': 'linear_velocity', 'frame': 'imu', 'scale': 2.0}],
            {'base_linear_velocity_imu': [1, 2, 3]},
            [2, 4, 6],
        ),
    ],
)  # fmt: skip
def test_sources(tmp_path, terms, obs, expected):
    """Each source has the unit and order of docs/policies.md."""
    content = flat_models.spec(terms, commands={})
    policy = flat_models.load(tmp_path, flat_models.linear(len(expected))[0], content)
    assert {each.name for each in policy.contract.inputs} == set(obs)
    policy.step(obs)
    np.testing.assert_allclose(policy._session.flat, expected, atol=1e-6)


def phase_policy(tmp_path, layout='grouped', **phase):
    content = flat_models.spec(
        [{'source': 'phase', 'encoding': ['cos', 'sin'], 'layout': layout}],
        phase={'frequency': 2.0, 'start': [0.0, math.pi]} | phase,
    )
    return flat_models.load(tmp_path, flat_models.linear(4)[0], content)


def phases(policy, commands):
    found = []
    for x in commands:
        policy.step({'command': [x, 0.0, 0.0]})
        found.append(policy._session.flat.copy())
    return np.array(found)


@pytest.mark.parametrize('layout', ['grouped', 'interleaved'])
def test_phase_advances_after_each_step(tmp_path, layout):
    """The first step sees the start; 2 Hz at 50 Hz is 0.08 pi per step, without drift."""
    seen = phases(phase_policy(tmp_path, layout), [1.0] * 2000)
    angles = np.arange(2000)[:, None] * 0.08 * math.pi + [0.0, math.pi]
    parts = np.stack([np.cos(angles), np.sin(angles)], axis=1 if layout == 'grouped' else 2)
    np.testing.assert_allclose(seen, parts.reshape(2000, 4), atol=2e-6)


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        ({'do': 'run'}, [0.24, 0.32, 0.40]),
        ({'do': 'hold'}, [0.24, 0.24, 0.24]),
        ({'do': 'reset'}, [0.24, 0.0, 0.0]),
        ({'do': 'set', 'value': math.pi}, [0.24, 1.0, 1.0]),
        ({'do': 'zero'}, None),
    ],
)
def test_phase_while_the_command_is_zero(tmp_path, rule, expected):
    """Trainings differ most in this rule."""
    policy = phase_policy(tmp_path, when_still={'below': 0.05} | rule)
    seen = phases(policy, [1.0, 1.0, 1.0, 0.01, 0.0, 0.0])[3:]
    if expected is None:
        assert not seen.any()
    else:
        np.testing.assert_allclose(seen[:, 0], np.cos(np.array(expected) * math.pi), atol=1e-6)


def test_frequency_from_the_command(tmp_path):
    """Walk-these-ways commands its gait frequency."""
    content = flat_models.spec(
        [{'source': 'phase', 'encoding': ['phase']}],
        commands={'xvel': None, 'frequency': [1.5, 4.0]},
        phase={'frequency': {'command': 'frequency'}, 'start': [0.0], 'wrap': 'two_pi'},
    )
    policy = flat_models.load(tmp_path, flat_models.linear(1)[0], content)
    seen = []
    for _ in range(4):
        policy.step({'command': [0.5, 3.0]})
        seen.append(float(policy._session.flat[0]))
    np.testing.assert_allclose(seen, np.arange(4) * math.tau * 3.0 / 50.0, atol=1e-6)


def test_frequency_from_the_norm_of_the_command(tmp_path):
    """As MuJoCo Playground deploys Apollo: the clock runs on where its angle is not shown."""
    rule = {'below': 0.01, 'do': 'show', 'value': math.pi}
    content = flat_models.spec(
        [{'source': 'phase', 'encoding': ['cos', 'sin'], 'layout': 'grouped'}],
        phase={
            'frequency': {'norm': [0.0, 1.5], 'hertz': [1.25, 1.75]},
            'start': [0.0, math.pi],
            'when_still': rule,
        },
    )
    policy = flat_models.load(tmp_path, flat_models.linear(4)[0], content)
    assert any('1.25 to 1.75 (norm' in line for line in policy.contract.assumptions)
    angle = np.array([0.0, math.pi])
    commands = [(0.9, 0, -1.2), (2.0, 0, 0), (0, 0, 0), (0, 0.005, 0), (0.3, 0.4, 0), (0, 0, 1)]
    for command in commands * 20:
        policy.step({'command': command})
        norm = np.linalg.norm(command)
        shown = angle if norm > 0.01 else np.full(2, math.pi)
        expected = [*np.cos(shown), *np.sin(shown)]
        np.testing.assert_allclose(policy._session.flat, expected, atol=2e-6)
        frequency = 1.25 + 0.5 * min(norm, 1.5) / 1.5
        angle = np.fmod(angle + math.tau * 0.02 * frequency + math.pi, math.tau) - math.pi


@pytest.mark.parametrize(
    ('frequency', 'said'),
    [
        ({'norm': [1.0, 0.5], 'hertz': [1.0, 2.0]}, r'found \[1.0, 0.5\], expected \[low, high\]'),
        ({'norm': [0.0, 0.5]}, "missing key 'hertz'"),
        ({'norm': [0.0, 0.5], 'hertz': [1.0, 2.0], 'x': 1}, "unknown key 'x'"),
        ({'hertz': [1.0, 2.0]}, r'or, with commands, \{norm:'),
    ],
)
def test_other_frequencies_are_refused(tmp_path, frequency, said):
    """Each says what may stand there."""
    with pytest.raises(ModelError, match=said):
        phase_policy(tmp_path, frequency=frequency)


def test_whole_vector_clip(tmp_path):
    """legged_gym clips the whole vector after scaling."""
    content = flat_models.spec(
        [{'source': 'gyroscope', 'scale': 10.0}], observation={'clip': [-5.0, 5.0]}
    )
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    policy.step({'gyroscope': [1.0, -1.0, 0.1], 'command': np.zeros(3)})
    assert policy._session.flat.tolist() == [5.0, -5.0, 1.0]
