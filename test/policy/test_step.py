"""Policy.step: inputs, outputs, and the state after a refusal."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import onnxruntime as ort
import pytest

import kinfer_ros
from helpers.policies import models
from helpers.policies.policy_cases import OBS
from helpers.policies.policy_cases import write
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy.policy import load_model


def test_the_package_says_what_it_is_for(tmp_path):
    """The API of the README."""
    path = write(tmp_path, models.init_fn([4.0, -4.0]), models.leaky_step())
    policy = kinfer_ros.load_model(str(path))
    policy.reset()
    assert policy.step(OBS).tolist() == [3.5, 0.5]
    assert isinstance(policy.contract, kinfer_ros.Contract)


def test_carry_comes_from_init_fn_and_goes_on(leaky):
    """The first step reads init_fn's carry, each next one that of the step before."""
    assert leaky.carry.tolist() == [4.0, -4.0]
    assert leaky.step(OBS).tolist() == [3.5, 0.5]
    assert leaky.carry.tolist() == [3.5, 0.5]
    assert leaky.step(OBS).tolist() == [3.25, 2.75]
    assert leaky.step(OBS).tolist() == [3.125, 3.875]


def test_reset_starts_from_init_fn_again(leaky):
    """After an odd and an even number of steps: the two carries swap at each step."""
    for steps in (1, 2, 3):
        leaky.reset()
        assert leaky.carry.tolist() == [4.0, -4.0]
        for _ in range(steps):
            leaky.step(OBS)
    leaky.reset()
    assert leaky.step(OBS).tolist() == [3.5, 0.5]


def test_same_steps_as_an_ordinary_session(tmp_path):
    """Bound buffers give exactly the results of onnxruntime's plain run."""
    init, step = models.gru_policy(layers=2, width=16)
    meta = models.metadata(20, [f'c{index}' for index in range(16)])
    policy = load_model(write(tmp_path, init, step, meta))
    plain = ort.InferenceSession(step, providers=['CPUExecutionProvider'])
    carry = ort.InferenceSession(init, providers=['CPUExecutionProvider']).run(None, {})[0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        obs = {
            each.name: rng.standard_normal(each.shape).astype(np.float32)
            for each in policy.contract.inputs
        }
        action, carry = plain.run(None, obs | {'carry': carry})
        np.testing.assert_allclose(policy.step(obs), action, rtol=0, atol=1e-6)
        np.testing.assert_allclose(policy.carry, carry, rtol=0, atol=1e-6)


def test_action_is_a_fresh_float32_array(leaky):
    """A caller may keep and change the returned array."""
    first = leaky.step(OBS)
    first_values = first.tolist()
    second = leaky.step(OBS)
    assert first.dtype == np.float32
    assert first.shape == (2,)
    assert not np.shares_memory(first, second)
    first[:] = 0
    assert second.tolist() == [3.25, 2.75]
    assert first_values == [3.5, 0.5]


@pytest.mark.parametrize(
    'order', list(itertools.permutations(['time', 'gyroscope', 'joint_angles']))
)
def test_inputs_are_matched_by_name(tmp_path, order):
    """The order of a mapping does not matter."""
    step = models.concat_step(order=order)
    policy = load_model(write(tmp_path, models.init_fn(np.zeros(6)), step))
    obs = {'gyroscope': [1.0, 2.0, 3.0], 'joint_angles': [4.0, 5.0], 'time': [6.0]}
    assert policy.step(obs).tolist() == [4.0, 5.0]
    assert policy.carry.tolist() == list(itertools.chain(*(obs[name] for name in order)))


@pytest.mark.parametrize('kind', [np.float64, np.float32, np.float16, np.int64, np.uint8, list])
def test_takes_what_numpy_takes(leaky, kind):
    """Lists and arrays of any real type, contiguous or not."""
    if kind is list:
        obs = {'joint_angles': [1, 2], 'command': (1, 0, 0)}
    else:
        strided = np.array([1, 9, 2, 9], kind)[::2]
        obs = {'joint_angles': strided, 'command': np.array([1, 0, 0], kind)}
    assert leaky.step(obs).tolist() == [4.0, 1.0]


@pytest.mark.parametrize(
    ('obs', 'words'),
    [
        ({'joint_angles': [1.0, 2.0]}, 'missing command, unknown none; expected joint_angles,'),
        ({}, 'missing joint_angles, command, unknown none'),
        (OBS | {'gyroscope': [0.0] * 3}, 'missing none, unknown gyroscope; expected'),
        (OBS | {'carry': [0.0] * 2}, 'unknown carry; expected joint_angles, command; the policy'),
        (
            {'joint_angels': [1.0, 2.0], 'command': [0.0] * 3},
            'missing joint_angles, unknown joint_',
        ),
        (
            OBS | {'command': [0.0] * 4},
            'input command: found float64 of shape (4,); expected real',
        ),
        (OBS | {'command': [[0.0] * 3]}, 'shape (1, 3); expected real numbers of shape (3,)'),
        (OBS | {'command': np.zeros((1, 3), np.float32)}, 'found float32 of shape (1, 3)'),
        (OBS | {'command': 1.0}, 'found float64 of shape (); expected'),
        (OBS | {'command': [0.0, [1.0], 2.0]}, 'input command: '),
        (OBS | {'command': ['1', '2', '3']}, 'found <U1 of shape (3,); expected real numbers'),
        (OBS | {'command': np.zeros(3, complex)}, 'found complex128 of shape (3,); expected real'),
        (OBS | {'command': np.zeros(3, bool)}, 'found bool of shape (3,); expected real numbers'),
        (OBS | {'command': None}, 'found object of shape (); expected real numbers'),
        ([1.0, 2.0], 'inputs: found a list; expected a mapping with the arrays joint_angles,'),
        (np.zeros(5), 'inputs: found a ndarray; expected a mapping'),
    ],
)
def test_wrong_observation(leaky, obs, words):
    """Each error names the input; the carry is unchanged."""
    with pytest.raises(ContractError) as caught:
        leaky.step(obs)
    assert words in str(caught.value)
    assert 'policy.kinfer' in str(caught.value)
    assert leaky.carry.tolist() == [4.0, -4.0]
    assert leaky.step(OBS).tolist() == [3.5, 0.5]


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('as_type', [np.float32, np.float64, list])
@pytest.mark.parametrize('name', ['joint_angles', 'command'])
def test_non_finite_input(leaky, bad, as_type, name):
    """The error names the input, index and value; the carry is unchanged."""
    values = np.array(OBS[name])
    values[1] = bad
    obs = OBS | {name: list(values) if as_type is list else values.astype(as_type)}
    with pytest.raises(NonFiniteError) as caught:
        leaky.step(obs)
    assert f'input {name}: found {bad} at [1] (1 of ' in str(caught.value)
    assert leaky.carry.tolist() == [4.0, -4.0]
    assert leaky.step(OBS).tolist() == [3.5, 0.5]


def test_input_that_no_float32_can_hold(leaky):
    """1e300 becomes an infinity and is refused."""
    obs = OBS | {'joint_angles': np.array([1e300, 0.0])}
    with (
        warnings.catch_warnings(action='ignore'),
        pytest.raises(NonFiniteError, match='input joint_angles: found inf'),
    ):
        leaky.step(obs)


def test_unused_input_is_checked_too(tmp_path):
    """A NaN that this graph ignores is refused as well."""
    graph = models.Builder()
    action = graph.op('Identity', 'joint_angles')
    following = graph.op('Identity', 'carry')
    shapes = {'joint_angles': (2,), 'gyroscope': (3,), 'carry': (1,)}
    step = graph.build(shapes, {action: (2,), following: (1,)})
    policy = load_model(write(tmp_path, models.init_fn([0.0]), step))
    with pytest.raises(NonFiniteError, match='input gyroscope: found nan at'):
        policy.step({'joint_angles': [0.0, 0.0], 'gyroscope': [0.0, np.nan, 0.0]})


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        ([-1.0, 0.0, 0.0], 'model output action: found nan at [0] (2 of 2 not finite)'),
        ([0.0, -1.0, 0.0], 'model output next carry: found nan at [0] (1 of 1 not finite)'),
    ],
)
@pytest.mark.parametrize('steps_before', [0, 1, 2])
def test_non_finite_output(sqrt, command, words, steps_before):
    """The error names the output, and the carry does not advance, whichever buffer it is in."""
    good = {'joint_angles': [1.0, 2.0], 'command': [4.0, 0.0, 0.0]}
    for _ in range(steps_before):
        sqrt.step(good)
    before = sqrt.carry.tolist()
    assert before == [10.0 + steps_before]
    for _ in range(2):
        with pytest.raises(NonFiniteError) as caught:
            sqrt.step(good | {'command': command})
        assert words in str(caught.value)
        assert 'the carry unchanged' in str(caught.value)
        assert sqrt.carry.tolist() == before
        with pytest.raises(RuntimeError, match='without an infer'):
            sqrt.accept()
    assert sqrt.step(good).tolist() == [3.0, 4.0]
    assert sqrt.carry.tolist() == [11.0 + steps_before]


@pytest.mark.filterwarnings('ignore:overflow encountered in dot')
def test_huge_but_finite_output_is_no_fault(tmp_path):
    """The quick check squares numbers, which may overflow."""
    policy = load_model(write(tmp_path, models.init_fn([0.0]), models.sqrt_step()))
    obs = {'joint_angles': [1e30, -1e30], 'command': [0.0, 1e38, 0.0]}
    assert policy.step(obs).tolist() == [np.float32(1e30), np.float32(-1e30)]
