"""Policies with a spec: recorded targets of real policies, the carry, states, and errors."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime as ort
import pytest

from helpers.policies import flat_models
from helpers.policies import models
from helpers.policies.flat_policies import FLAT
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy.policy import load_model

TICKS = 150
HERE = [flat for flat in FLAT if flat.path is not None]
real = pytest.mark.skipif(not HERE, reason='the shared flat policies are not here')
HISTORY = {'length': 3, 'layout': 'per_term', 'order': 'oldest_first', 'first': 'repeat'}
TERMS = [
    {'source': 'gyroscope'},
    {'source': 'joint_positions', 'relative': True},
    {'source': 'last_action', 'which': 'raw'},
    {'source': 'phase', 'encoding': ['sin']},
]
SPEC = flat_models.spec(
    TERMS, observation={'history': HISTORY}, phase={'frequency': 1.5, 'start': [0.0]}
)
SIZE = 30


def observations(policy, count, seed=1):
    rng = np.random.default_rng(seed)
    return [
        {each.name: rng.normal(size=each.shape) for each in policy.contract.inputs}
        for _ in range(count)
    ]


@real
@pytest.mark.parametrize('flat', HERE, ids=lambda flat: flat.name)
def test_golden_targets(flat):
    """Equal targets for equal sensors."""
    policy = load_model(flat.path, spec=flat.spec)
    golden = flat.golden()
    for tick in range(TICKS):
        target = policy.step(flat.inputs(golden, tick))
        np.testing.assert_allclose(target, golden['target'][tick], atol=1e-5, rtol=0)
        np.testing.assert_allclose(policy._session.flat, golden['obs'][tick], atol=1e-5, rtol=0)


@real
@pytest.mark.parametrize('flat', HERE, ids=lambda flat: flat.name)
def test_golden_targets_from_the_flat_vector(flat):
    """Flat and named inputs can be mixed at any tick."""
    policy = load_model(flat.path, spec=flat.spec)
    golden = flat.golden()
    for tick in range(TICKS):
        obs = golden['obs'][tick] if tick % 3 else flat.inputs(golden, tick)
        np.testing.assert_allclose(policy.step(obs), golden['target'][tick], atol=1e-5, rtol=0)


def test_the_carry_replays_any_step(tmp_path):
    """Recorded inputs and carry give the same bits."""
    policy = flat_models.load(tmp_path, flat_models.linear(SIZE)[0], SPEC)
    assert policy.contract.carry_parts == {
        'frames': 20, 'filled': 1, 'actions': 3, 'phase': 1, 'phase_low': 1,
    }  # fmt: skip
    assert policy.contract.carry_shape == policy.carry.shape == (26,)
    steps = []
    for obs in observations(policy, 10):
        carry = policy.carry.copy()
        steps.append((obs, carry, policy.step(obs)))
    for obs, carry, target in reversed(steps):
        policy.set_carry(carry)
        assert policy.step(obs).tobytes() == target.tobytes()


def test_reset_starts_afresh(tmp_path):
    """A second run equals the first."""
    policy = flat_models.load(tmp_path, flat_models.linear(SIZE)[0], SPEC)
    obs = observations(policy, 5)
    first = [policy.step(each) for each in obs]
    policy.reset()
    second = [policy.step(each) for each in obs]
    assert np.array(first).tobytes() == np.array(second).tobytes()


def test_a_refused_step_leaves_history_action_and_clock(tmp_path):
    """A NaN must not enter the history."""
    policy = flat_models.load(tmp_path, flat_models.linear(SIZE)[0], SPEC)
    good, bad, last = observations(policy, 3)
    policy.step(good)
    carry = policy.carry.copy()
    bad['gyroscope'][1] = np.nan
    with pytest.raises(NonFiniteError, match='gyroscope'):
        policy.step(bad)
    with pytest.raises(NonFiniteError, match='observation'):
        policy.step(np.full(SIZE, np.inf))
    with pytest.raises(ContractError):
        policy.step(np.zeros(SIZE + 1))
    assert policy.carry.tobytes() == carry.tobytes()
    # The lower half of the interface: infer without accept.
    for name, array in policy.inputs.items():
        array[:] = last[name]
    policy.infer()
    assert policy.carry.tobytes() == carry.tobytes()
    policy.accept()
    assert policy.carry.tobytes() != carry.tobytes()


@pytest.mark.filterwarnings('ignore:overflow')
def test_a_non_finite_output_is_refused_and_never_clipped(tmp_path):
    """A clip would turn an infinity into a bound."""
    content = flat_models.spec(
        [{'source': 'gyroscope', 'scale': 3.0e38}],
        action={'relative_to': 'zero', 'scale': 0.1, 'clip': [-1.0, 1.0]},
        commands={},
    )
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    with pytest.raises(NonFiniteError):
        policy.step({'gyroscope': [100.0, 100.0, 100.0]})


@pytest.mark.parametrize(
    ('action', 'expected'),
    [
        ({'relative_to': 'default_pose', 'scale': 0.5}, [0.6, 0.3, -0.2]),
        ({'relative_to': 'zero', 'scale': 0.5, 'offset': 0.1}, [0.6, 0.6, -0.4]),
        ({'relative_to': 'joint_positions', 'scale': 0.5}, [1.5, 1.5, 0.5]),
        ({'relative_to': 'last_target', 'scale': 0.5}, [0.6, 0.3, -0.2]),
        ({'relative_to': 'zero', 'scale': [1.0, 2.0, 3.0]}, [1.0, 2.0, -3.0]),
        ({'relative_to': 'zero', 'scale': 2.0, 'clip': [-0.5, 0.5]}, [1.0, 1.0, -1.0]),
        ({'relative_to': 'zero', 'scale': 2.0, 'target_clip': [-0.5, 1.5]}, [1.5, 1.5, -0.5]),
        (
            {'relative_to': 'zero', 'scale': 1.0, 'joints': ['ankle', 'hip', 'knee']},
            [1.0, -1.0, 1.0],
        ),
    ],
)
def test_targets(tmp_path, action, expected):
    """Position or residual, scaled, offset and clipped; action (1, 1, -1)."""
    graph = models.Builder()
    zeros = graph.op('Mul', 'obs', graph.const(np.zeros((1, 3))))
    out = graph.op('Add', zeros, graph.const([[1.0, 1.0, -1.0]]))
    model = graph.build({'obs': (1, 3)}, {out: (1, 3)})
    terms = [{'source': 'joint_velocities'}]
    policy = flat_models.load(tmp_path, model, flat_models.spec(terms, action=action, commands={}))
    obs = {'joint_angular_velocities': np.zeros(3)}
    if action['relative_to'] == 'joint_positions':
        obs['joint_angles'] = np.ones(3)
        with pytest.raises(ContractError, match='measured joint positions'):
            policy.step(np.zeros(3))
    np.testing.assert_allclose(policy.step(obs), expected, atol=1e-6)
    if action['relative_to'] == 'last_target':
        np.testing.assert_allclose(policy.step(obs), [1.1, 0.8, -0.7], atol=1e-6)


def test_joints_without_an_action_stay_at_the_default_pose(tmp_path):
    """A policy may observe joints that it does not move."""
    action = {'relative_to': 'default_pose', 'scale': 1.0, 'joints': ['knee']}
    terms = [{'source': 'joint_positions', 'relative': False}]
    content = flat_models.spec(terms, action=action, commands={})
    policy = flat_models.load(tmp_path, flat_models.linear(3, joints=1)[0], content)
    target = policy.step({'joint_angles': [1.0, 1.0, 1.0]})
    np.testing.assert_allclose(target[[0, 2]], [0.1, 0.3], atol=1e-7)
    assert abs(target[1] + 0.2) > 1e-3
    assert any('hip, ankle' in line for line in policy.contract.assumptions)


@pytest.mark.parametrize(
    'pair', ['by_name', 'by_position', {'h_in': 'h_out', 'c_in': 'c_out'}], ids=str
)
def test_recurrent_states(tmp_path, pair):
    """An LSTM's two states against onnxruntime, also with a non-zero start."""
    start = np.linspace(-1, 1, 8).tolist()
    states = {'pair': pair, 'initial': {'c_in': start, 'h_in': 0.25}}
    content = flat_models.spec(
        [{'source': 'gyroscope'}], observation={'input': 'obs'}, states=states, commands={}
    )
    content['action']['output'] = 'actions'
    model = flat_models.lstm(3)
    policy = flat_models.load(tmp_path, model, content)
    assert policy.contract.carry_parts == {'h_in': 8, 'c_in': 8}
    session = ort.InferenceSession(model, providers=['CPUExecutionProvider'])
    for _ in range(2):
        policy.reset()
        h = np.full((1, 1, 8), 0.25, np.float32)
        c = np.array(start, np.float32).reshape(1, 1, 8)
        for obs in observations(policy, 20):
            gyro = obs['gyroscope'].astype(np.float32)[None]
            action, h, c = session.run(None, {'obs': gyro, 'h_in': h, 'c_in': c})
            expected = np.array(flat_models.POSE, np.float32) + np.float32(0.5) * action[0]
            np.testing.assert_allclose(policy.step(obs), expected, atol=1e-6)
            np.testing.assert_array_equal(policy.carry, np.concatenate([h.ravel(), c.ravel()]))


def test_sizes_that_are_left_open(tmp_path):
    """Torch exports an open batch size; here it is 1."""
    graph = models.Builder()
    out = graph.op('Mul', 'obs', graph.const(2.0))
    model = graph.build({'obs': ('batch', 3)}, {out: ('batch', 3)})
    terms = [{'source': 'gyroscope'}]
    policy = flat_models.load(tmp_path, model, flat_models.spec(terms, commands={}))
    target = policy.step({'gyroscope': [1.0, 0.0, 0.0]})
    np.testing.assert_allclose(target, [1.1, -0.2, 0.3], atol=1e-6)


def refusal(tmp_path, model, content):
    with pytest.raises(ModelError) as caught:
        flat_models.load(tmp_path, model, content)
    return str(caught.value)


def test_what_does_not_fit_is_refused(tmp_path):
    """Each error says what was found and what to write instead."""
    gyro = [{'source': 'gyroscope'}]
    said = refusal(tmp_path, flat_models.linear(4)[0], flat_models.spec(gyro))
    assert 'shape [1, 4]; expected 3 numbers' in said
    said = refusal(tmp_path, flat_models.linear(3, joints=2)[0], flat_models.spec(gyro))
    assert 'expected 3 numbers, one for each of action.joints' in said
    said = refusal(tmp_path, flat_models.lstm(3), flat_models.spec(gyro))
    assert 'observation.input' in said
    assert 'action.output' in said
    content = flat_models.spec(gyro, observation={'input': 'obs'})
    content['action']['output'] = 'actions'
    said = refusal(tmp_path, flat_models.lstm(3), content)
    assert '{pair: by_name} would give h_in: h_out, c_in: c_out' in said
    content['states'] = {'pair': {'h_in': 'h_out', 'c_in': 'h_out'}}
    assert 'a different output' in refusal(tmp_path, flat_models.lstm(3), content)
    content['states'] = {'pair': 'by_name', 'initial': {'h_in': [1.0, 2.0], 'x': 0.0}}
    said = refusal(tmp_path, flat_models.lstm(3), content)
    assert '2 numbers; expected 1 or 8' in said
    assert "found ['x']" in said


def test_a_spec_is_never_guessed(tmp_path):
    """A spec beside the model is used only where it is named."""
    content = flat_models.spec([{'source': 'gyroscope'}])
    policy = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    with pytest.raises(ModelError, match='spec='):
        load_model(policy.contract.path)


def test_an_archive_needs_no_spec(tmp_path):
    """A kinfer file has its own contract; a second one is refused."""
    path = models.write_kinfer(
        tmp_path / 'a.kinfer', models.init_fn([0, 0]), models.leaky_step(), models.metadata(2)
    )
    spec = flat_models.write_spec(
        tmp_path / 'spec.yaml', flat_models.spec([{'source': 'gyroscope'}])
    )
    with pytest.raises(ModelError, match='kinfer archive'):
        load_model(path, spec=spec)


def test_the_contract_says_what_it_takes(tmp_path):
    """The contract has the same fields as that of a kinfer file."""
    gains = {'kp': 20.0, 'kd': [1.0, 2.0, 3.0]}
    content = SPEC | {'gains': gains, 'start_pose': [0.0, 0.0, 0.0]}
    contract = flat_models.load(tmp_path, flat_models.linear(SIZE)[0], content).contract
    assert contract.kind == 'spec'
    assert contract.joint_names == ('hip', 'knee', 'ankle')
    assert contract.command_names == ('xvel', 'yvel', 'yawrate')
    assert contract.command_ranges == {'xvel': (-1.0, 1.0), 'yawrate': (-2.0, 2.0)}
    assert contract.control_rate_hz == 50.0
    assert contract.joint_biases == (0.0, 0.0, 0.0)
    assert contract.joint_kd == (1.0, 2.0, 3.0)
    assert contract.joint_torque_limits is None
    assert {each.name: each.shape for each in contract.inputs} == {
        'joint_angles': (3,), 'gyroscope': (3,), 'command': (3,),
    }  # fmt: skip
    assert math.prod(contract.carry_shape) == sum(contract.carry_parts.values())
