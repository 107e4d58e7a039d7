"""Networks in float16 and float64, and states that float32 cannot hold: against onnxruntime."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from helpers.policies import flat_models
from helpers.policies import models
from helpers.shared import shared_path
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy.policy import load_model

GYRO = [{'source': 'gyroscope'}]
TYPES = {
    'float16': TensorProto.FLOAT16,
    'float64': TensorProto.DOUBLE,
    'int64': TensorProto.INT64,
    'int32': TensorProto.INT32,
    'bool': TensorProto.BOOL,
}


def linear(kind: str) -> bytes:
    """From obs [1, 3] to tanh(obs @ W) [1, 3], all in one number type."""
    rng = np.random.default_rng(3)
    graph = models.Builder()
    product = graph.op('MatMul', 'obs', graph.const(rng.normal(size=(3, 3)), kind))
    out = graph.op('Tanh', product)
    return graph.build(
        {'obs': (1, 3)}, {out: (1, 3)}, dtypes={'obs': TYPES[kind], out: TYPES[kind]}
    )


def gathering(kind: str, one: float) -> bytes:
    """A state of three numbers that grows by `one` each step; the action is its sum with obs."""
    graph = models.Builder()
    nxt = graph.op('Add', 's_in', graph.const([[one] * 3], kind))
    action = graph.op('Add', 'obs', graph.op('Cast', nxt, to=TensorProto.FLOAT))
    graph.add(models.helper.make_node('Identity', [nxt], ['s_out']))
    graph.add(models.helper.make_node('Identity', [action], ['actions']))
    return graph.build(
        {'obs': (1, 3), 's_in': (1, 3)},
        {'actions': (1, 3), 's_out': (1, 3)},
        dtypes={'s_in': TYPES[kind], 's_out': TYPES[kind]},
    )


def stateful(**states):
    content = flat_models.spec(
        GYRO, observation={'input': 'obs'}, commands={}, states={'pair': 'by_name'} | states
    )
    content['action'] |= {'output': 'actions', 'relative_to': 'zero', 'scale': 1.0}
    return content


@pytest.mark.parametrize('kind', ['float16', 'float64'])
def test_it_runs_as_onnxruntime_does(tmp_path, kind):
    """The observation is computed in float32 and converted, the action converted back."""
    model = linear(kind)
    policy = flat_models.load(tmp_path, model, flat_models.spec(GYRO, commands={}))
    assert any(f'obs is {kind}' in line for line in policy.contract.assumptions)
    session = ort.InferenceSession(model, providers=['CPUExecutionProvider'])
    rng = np.random.default_rng(4)
    pose = np.array(flat_models.POSE, np.float32)
    for _ in range(20):
        gyro = rng.normal(size=3).astype(np.float32)
        (raw,) = session.run(None, {'obs': gyro[None].astype(kind)})
        expected = raw[0].astype(np.float32) * np.float32(0.5) + pose
        assert policy.step({'gyroscope': gyro}).tobytes() == expected.tobytes()


@pytest.mark.parametrize('value', [70000.0, -65520.0])
def test_more_than_float16_holds_is_refused(tmp_path, value):
    """Tanh would make a plausible action of the infinity."""
    content = flat_models.spec(GYRO, commands={})
    policy = flat_models.load(tmp_path, linear('float16'), content)
    policy.step({'gyroscope': [65504.0, 0.0, 0.0]})
    with pytest.raises(NonFiniteError, match=r'obs as float16: found -?inf at'):
        policy.step({'gyroscope': [value, 0.0, 0.0]})
    with pytest.raises(NonFiniteError, match='float16'):
        policy.step(np.array([value, 0.0, 0.0]))
    # A tick looks at the two halves.
    policy.inputs['gyroscope'][:] = [value, 0.0, 0.0]
    policy.infer()
    assert policy.inputs_finite()
    assert not policy.outputs_finite()
    assert 'float16' in policy.non_finite()


def test_more_than_float32_holds_is_refused(tmp_path):
    """A float64 network can answer what no joint target can be."""
    graph = models.Builder()
    out = graph.op('Mul', 'obs', graph.const([[1e300] * 3], 'float64'))
    types = {'obs': TYPES['float64'], out: TYPES['float64']}
    model = graph.build({'obs': (1, 3)}, {out: (1, 3)}, dtypes=types)
    policy = flat_models.load(tmp_path, model, flat_models.spec(GYRO, commands={}))
    with pytest.raises(NonFiniteError, match='model output'):
        policy.step({'gyroscope': [1.0, 0.0, 0.0]})


@pytest.mark.filterwarnings('ignore:overflow')
def test_an_infinite_observation_is_refused_in_a_tick(tmp_path):
    """Inputs are finite and the network answers something: only the vector says it."""
    graph = models.Builder()
    out = graph.op('Tanh', 'obs')
    content = flat_models.spec([GYRO[0] | {'scale': 3e38}], commands={})
    policy = flat_models.load(tmp_path, graph.build({'obs': (1, 3)}, {out: (1, 3)}), content)
    policy.inputs['gyroscope'][:] = [100.0, 0.0, 0.0]
    policy.infer()
    assert not policy.outputs_finite()
    assert policy.non_finite().startswith('observation: found inf at [0, 0]')


@pytest.mark.parametrize(
    ('kind', 'one', 'carried'),
    [
        ('float16', 0.1, 3),
        ('float64', 0.1 + 1e-13, 12),
        ('float64', 1e-300, 12),
        ('int64', 2**40 + 1, 12),
        ('int32', 2**24 + 1, 6),
    ],
)
def test_a_state_is_exact_in_the_carry(tmp_path, kind, one, carried):
    """Rounded once a step it would drift, and a replay would differ."""
    policy = flat_models.load(tmp_path, gathering(kind, one), stateful())
    assert policy.contract.carry_parts == {'s_in': carried}
    session = ort.InferenceSession(gathering(kind, one), providers=['CPUExecutionProvider'])
    state, steps = np.zeros((1, 3), kind), []
    gyro = np.zeros(3, np.float32)
    for _ in range(10):
        carry = policy.carry.copy()
        target = policy.step({'gyroscope': gyro})
        action, state = session.run(None, {'obs': gyro[None], 's_in': state})
        assert target.tobytes() == action.tobytes()
        steps.append((carry, target, state))
    exact = policy.carry.astype(np.uint16).view(kind) if carried > 3 else policy.carry.astype(kind)
    assert exact.tobytes() == state.tobytes()
    for carry, target, _ in reversed(steps):
        policy.set_carry(carry)
        assert policy.step({'gyroscope': gyro}).tobytes() == target.tobytes()


def test_the_initial_value_of_a_wide_state(tmp_path):
    """0.1 of a float64 state is not the 0.1 of float32."""
    content = stateful(initial={'s_in': 0.1})
    policy = flat_models.load(tmp_path, gathering('float64', 0.0), content)
    assert policy.carry.astype(np.uint16).view(np.float64).tolist() == [0.1] * 3
    with pytest.raises(ModelError, match=r'states\.initial\.s_in: found \[0\.5\]; .* int64'):
        flat_models.load(tmp_path, gathering('int64', 1), stateful(initial={'s_in': 0.5}))


def test_a_wide_state_that_is_not_finite_is_refused(tmp_path):
    """Its pieces are finite numbers whatever they mean."""
    content = stateful(initial={'s_in': 1.0})
    graph = models.Builder()
    nxt = graph.op('Mul', 's_in', graph.const([[1e200] * 3], 'float64'))
    graph.add(models.helper.make_node('Identity', [nxt], ['s_out']))
    graph.add(models.helper.make_node('Identity', ['obs'], ['actions']))
    model = graph.build(
        {'obs': (1, 3), 's_in': (1, 3)},
        {'actions': (1, 3), 's_out': (1, 3)},
        dtypes={'s_in': TYPES['float64'], 's_out': TYPES['float64']},
    )
    policy = flat_models.load(tmp_path, model, content)
    policy.step({'gyroscope': np.zeros(3)})
    carry = policy.carry.copy()
    with pytest.raises(NonFiniteError, match='s_out as float64: found inf'):
        policy.step({'gyroscope': np.zeros(3)})
    assert policy.carry.tobytes() == carry.tobytes()


def test_a_carry_that_can_be_no_state_is_refused(tmp_path):
    """A damaged record must not become some state."""
    policy = flat_models.load(tmp_path, gathering('float64', 1.0), stateful())
    for bad in (0.5, -1.0, 65536.0):
        carry = policy.carry.copy()
        carry[3] = bad
        with pytest.raises(ContractError, match='16-bit pieces'):
            policy.set_carry(carry)


def test_other_types_are_named(tmp_path):
    """The refusal lists what can be used."""
    graph = models.Builder()
    out = graph.op('Identity', 'obs')
    model = graph.build(
        {'obs': (1, 3)}, {out: (1, 3)}, dtypes={'obs': TYPES['int64'], out: TYPES['int64']}
    )
    with pytest.raises(ModelError, match='for gyroscope; expected terms with whole numbers') as e:
        flat_models.load(tmp_path, model, flat_models.spec(GYRO, commands={}))
    assert 'tensor(int64); expected one of tensor(float), tensor(float16), tensor(double)' in str(
        e.value
    )


CASES = shared_path('cases')


@pytest.mark.skipif(CASES is None, reason='the shared cases are not here')
@pytest.mark.parametrize('case', ['float16', 'float64'])
def test_the_shared_cases(case):
    """Files as exporters write them."""
    assert CASES is not None
    policy = load_model(CASES / case / 'policy.onnx', spec=CASES / 'flat.spec.yaml')
    target = policy.step({each.name: np.ones(each.shape) for each in policy.contract.inputs})
    weight = float(np.array(0.01, 'float16' if case == 'float16' else 'float64'))
    total = 3 + 3 / 9.81 + 3 + 2
    np.testing.assert_allclose(target, 0.25 * weight * total, rtol=2e-3)
