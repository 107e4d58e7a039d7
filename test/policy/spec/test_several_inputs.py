"""Networks with several inputs, stacked frames, counters: against plain loops and onnxruntime."""

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

GYRO = {'source': 'gyroscope', 'scale': 0.5}
SPEED = {'source': 'joint_velocities'}
ACTION = {'source': 'last_action', 'which': 'raw'}
TYPES = {
    'float32': TensorProto.FLOAT,
    'float64': TensorProto.DOUBLE,
    'int64': TensorProto.INT64,
    'int32': TensorProto.INT32,
    'bool': TensorProto.BOOL,
}


def network(shapes, kinds=None) -> bytes:
    """All inputs as float32 in one row times weights: an action of three numbers."""
    kinds = dict.fromkeys(shapes, 'float32') | (kinds or {})
    graph = models.Builder()
    rows = []
    for name in shapes:
        cast = graph.op('Cast', name, to=TensorProto.FLOAT)
        rows.append(graph.op('Reshape', cast, graph.const([1, -1], 'int64')))
    size = sum(int(np.prod([s for s in shape if isinstance(s, int)])) for shape in shapes.values())
    weights = np.random.default_rng(7).normal(size=(size, 3)) * 0.2
    product = graph.op('MatMul', graph.op('Concat', *rows, axis=1), graph.const(weights))
    graph.add(models.helper.make_node('Identity', [product], ['actions']))
    return graph.build(
        shapes, {'actions': (1, 3)}, dtypes={name: TYPES[kind] for name, kind in kinds.items()}
    )


def spec(*entries, **more):
    return flat_models.spec([], commands={}, **more) | {'observation': list(entries)}


def history(length, **more):
    default = {'layout': 'per_frame', 'order': 'oldest_first', 'first': 'repeat'}
    return {'length': length} | default | more


def observations(policy, count, seed=2):
    rng = np.random.default_rng(seed)
    return [
        {
            each.name: rng.normal(size=each.shape).astype(np.float32)
            for each in policy.contract.inputs
        }
        for _ in range(count)
    ]


def replays(policy, observed):
    """Run, then run each step again from its carry in reverse: every target to the bit."""
    steps = []
    for obs in observed:
        carry = policy.carry.copy()
        steps.append((obs, carry, policy.step(obs)))
    for obs, carry, target in reversed(steps):
        policy.set_carry(carry)
        assert policy.step(obs).tobytes() == target.tobytes()


def test_each_input_has_its_terms_history_and_clip(tmp_path):
    """One with whole frames, one with each term's frames, one newest alone and clipped."""
    model = network({'a': (1, 12), 'b': (1, 18), 'c': (1, 3)})
    content = spec(
        {'input': 'b', 'history': history(3), 'terms': [GYRO, ACTION]},
        {
            'input': 'a',
            'history': history(2, layout='per_term', order='newest_first', first='zero'),
            'terms': [SPEED, GYRO],
        },
        {'input': 'c', 'terms': [SPEED], 'clip': [-0.1, 0.1]},
    )
    policy = flat_models.load(tmp_path, model, content)
    session = ort.InferenceSession(model, providers=['CPUExecutionProvider'])
    pose = np.array(flat_models.POSE, np.float32)
    action = np.zeros(3, np.float32)
    frames, speeds, gyros = [], [np.zeros(3, np.float32)], [np.zeros(3, np.float32)]
    observed = observations(policy, 8)
    for obs in observed:
        gyro = obs['gyroscope'] * np.float32(0.5)
        speed = obs['joint_angular_velocities']
        frame = np.concatenate([gyro, action])
        frames = [*(frames or [frame] * 3)[-2:], frame]
        speeds.append(speed)
        gyros.append(gyro)
        fed = {
            'b': np.concatenate(frames)[None],
            'a': np.concatenate([speeds[-1], speeds[-2], gyros[-1], gyros[-2]])[None],
            'c': np.clip(speed, -0.1, 0.1)[None],
        }
        (raw,) = session.run(None, fed)
        expected = raw[0] * np.float32(0.5) + pose
        assert policy.step(obs).tobytes() == expected.tobytes()
        action = raw[0]
    assert policy.contract.carry_parts == {
        'frames_1': 12, 'filled_1': 1, 'frames_2': 6, 'actions': 3,
    }  # fmt: skip
    policy.reset()
    replays(policy, observed)


@pytest.mark.parametrize('shape', [(1, 3, 6), (3, 6), (1, 1, 3, 6), ('batch', 'time', 6)], ids=str)
@pytest.mark.parametrize('order', ['oldest_first', 'newest_first'])
def test_an_input_of_frames_as_rows(tmp_path, shape, order):
    """A convolution or an attention over time takes [history, frame]."""
    graph = models.Builder()
    flat = graph.op('Reshape', 'obs', graph.const([3, 6], 'int64'))
    row = graph.op('Slice', flat, graph.const([0], 'int64'), graph.const([1], 'int64'))
    action = graph.op('Slice', row, *(graph.const([n], 'int64') for n in (0, 3, 1)))
    model = graph.build({'obs': shape}, {action: (1, 3)})
    content = flat_models.spec(
        [GYRO, SPEED],
        commands={},
        observation={'history': history(3, order=order)},
        action={'relative_to': 'zero', 'scale': 1.0},
    )
    policy = flat_models.load(tmp_path, model, content)
    seen = [policy.step(obs) for obs in observations(policy, 5)]
    gyros = [obs['gyroscope'] * np.float32(0.5) for obs in observations(policy, 5)]
    back = [0, 0, 0, 1, 2] if order == 'oldest_first' else range(5)
    np.testing.assert_array_equal(seen, [gyros[at] for at in back])


@pytest.mark.parametrize(
    ('shape', 'given', 'said'),
    [
        ((1, 3, 6), {'history': history(3, layout='per_term')}, 'one frame a row'),
        ((1, 3, 6), {'history': history(2)}, 'expected 12 numbers'),
        ((1, 3, 6), {}, 'expected 6 numbers.* one frame a row'),
        ((1, 6, 3), {'history': history(3)}, 'frames as columns are not supported'),
        (('batch', 6), {'history': history(3)}, 'expected 18 numbers'),
    ],
    ids=str,
)
def test_other_stacks_are_refused(tmp_path, shape, given, said):
    """Never reshaped until it fits."""
    content = flat_models.spec([GYRO, SPEED], commands={}, observation=given)
    with pytest.raises(ModelError, match=said):
        flat_models.load(tmp_path, network({'obs': shape}), content)


def test_parts_of_one_input_stand_one_behind_the_other(tmp_path):
    """The newest frame, then whole past frames of some terms alone."""
    model = network({'obs': (1, 15)})
    entry = {'history': history(2, order='newest_first', first='zero'), 'terms': [SPEED]}
    content = spec({'terms': [GYRO, ACTION]}, entry, {'terms': [GYRO], 'clip': [0.0, 1.0]})
    policy = flat_models.load(tmp_path, model, content)
    session = ort.InferenceSession(model, providers=['CPUExecutionProvider'])
    pose = np.array(flat_models.POSE, np.float32)
    action = past = np.zeros(3, np.float32)
    for obs in observations(policy, 6):
        gyro, speed = obs['gyroscope'] * np.float32(0.5), obs['joint_angular_velocities']
        flat = np.concatenate([gyro, action, speed, past, np.clip(gyro, 0, 1)])
        (raw,) = session.run(None, {'obs': flat[None]})
        expected = raw[0] * np.float32(0.5) + pose
        assert policy.step(obs).tobytes() == expected.tobytes()
        action, past = raw[0], speed


@pytest.mark.parametrize('kind', ['float32', 'float64', 'int32', 'int64'])
@pytest.mark.parametrize('shape', [(1, 1), (1,), ()], ids=str)
def test_the_step_number(tmp_path, kind, shape):
    """0, 1, 2, ...: a refused step does not count, a reset begins again."""
    graph = models.Builder()
    number = graph.op('Cast', 'time_step', to=TensorProto.FLOAT)
    out = graph.op('Add', graph.op('Mul', 'obs', graph.const(0.0)), number)
    model = graph.build(
        {'obs': (1, 3), 'time_step': shape}, {out: (1, 3)}, dtypes={'time_step': TYPES[kind]}
    )
    content = spec(
        {'input': 'obs', 'terms': [GYRO]},
        {'input': 'time_step', 'terms': [{'source': 'step'}]},
        action={'relative_to': 'zero', 'scale': 1.0},
    )
    policy = flat_models.load(tmp_path, model, content)
    assert policy.contract.carry_parts == {'step': 1}
    for _ in range(2):
        policy.reset()
        for step in range(4):
            with pytest.raises(NonFiniteError):
                policy.step({'gyroscope': [np.nan, 0.0, 0.0]})
            assert policy.step({'gyroscope': np.zeros(3)}).tolist() == [step] * 3
    policy.set_carry([2.0**24])
    assert policy.step({'gyroscope': np.zeros(3)}).tolist() == [2.0**24] * 3
    assert policy.carry.tolist() == [2.0**24]


@pytest.mark.parametrize(
    ('term', 'expected'),
    [
        ({'source': 'step', 'last': 2, 'then': 'hold'}, [0, 1, 2, 2, 2, 2, 2]),
        ({'source': 'step', 'last': 2, 'then': 'restart'}, [0, 1, 2, 0, 1, 2, 0]),
        ({'source': 'step', 'scale': 0.02, 'offset': 10}, np.arange(10, 17) * 0.02),
        ({'source': 'first_step'}, [1, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_counters_as_terms(tmp_path, term, expected):
    """Beside others in a flat vector, with and without an end."""
    content = flat_models.spec([GYRO, term], commands={})
    policy = flat_models.load(tmp_path, network({'obs': (1, 4)}), content)
    seen = []
    for _ in expected:
        policy.step({'gyroscope': np.zeros(3)})
        seen.append(policy._session.flat[3])
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    policy.reset()
    replays(policy, observations(policy, 7))


def test_a_flag_of_the_first_step_clears_a_state(tmp_path):
    """As an exporter of recurrent policies writes it: is_init, and a state beside it."""
    graph = models.Builder()
    kept = graph.op('Where', 'is_init', graph.const([[7.0] * 3]), 'hx')
    graph.add(models.helper.make_node('Add', ['obs', kept], ['next_hx']))
    graph.add(models.helper.make_node('Identity', [kept], ['actions']))
    model = graph.build(
        {'obs': (1, 3), 'is_init': (1,), 'hx': (1, 3)},
        {'actions': (1, 3), 'next_hx': (1, 3)},
        dtypes={'is_init': TYPES['bool']},
    )
    content = spec(
        {'input': 'obs', 'terms': [GYRO | {'scale': 1.0}]},
        {'input': 'is_init', 'terms': [{'source': 'first_step'}]},
        states={'pair': 'by_name'},
        action={'output': 'actions', 'relative_to': 'zero', 'scale': 1.0},
    )
    policy = flat_models.load(tmp_path, model, content)
    for _ in range(2):
        policy.reset()
        seen = [policy.step({'gyroscope': [1.0, 2.0, 3.0]}).tolist() for _ in range(3)]
        assert seen == [[7, 7, 7], [8, 9, 10], [9, 11, 13]]


def test_a_hidden_vector_is_no_flat_vector(tmp_path):
    """A single vector cannot fill two inputs."""
    content = spec({'input': 'a', 'terms': [GYRO]}, {'input': 'b', 'terms': [SPEED]})
    policy = flat_models.load(tmp_path, network({'a': (1, 3), 'b': (1, 3)}), content)
    with pytest.raises(ContractError, match=r'several parts \(a, b\)'):
        policy.step(np.zeros(6))


@pytest.mark.parametrize(
    ('entries', 'said'),
    [
        (
            ({'input': 'a', 'terms': [GYRO]},),
            r'found b beside a; expected an entry of observation',
        ),
        (({'input': 'x', 'terms': [GYRO]},), r"observation.input of the spec: found 'x'"),
        (({'input': 'a', 'terms': [GYRO]}, {'terms': [SPEED]}), 'expected the name of the input'),
        (
            ({'input': 'a', 'terms': [GYRO]}, {'input': 'b', 'terms': [SPEED, SPEED]}),
            r"input 'b': found shape \[1, 3\]; expected 6 numbers",
        ),
        (
            (
                {'input': 'a', 'terms': [GYRO]},
                {'input': 'b', 'terms': [{'source': 'step', 'last': 3}]},
            ),
            r"observation\[1\]\.terms\[0\]: missing key 'then'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, entries, said):
    """Each says what to write."""
    with pytest.raises(ModelError, match=said):
        flat_models.load(tmp_path, network({'a': (1, 3), 'b': (1, 3)}), spec(*entries))


@pytest.mark.parametrize(
    ('kind', 'term'),
    [
        ('int64', {'source': 'gyroscope', 'axes': ['x']}),
        ('int64', {'source': 'step', 'scale': 0.02}),
        ('int64', {'source': 'constant', 'values': 0.5}),
        ('bool', {'source': 'step'}),
    ],
)
def test_a_whole_number_is_never_made_of_another(tmp_path, kind, term):
    """A cast would cut it off in silence."""
    content = spec({'input': 'a', 'terms': [GYRO]}, {'input': 'n', 'terms': [term]})
    model = network({'a': (1, 3), 'n': (1, 1)}, {'n': kind})
    with pytest.raises(ModelError, match='terms with whole numbers alone'):
        flat_models.load(tmp_path, model, content)


CASES = shared_path('cases')
FLAG = {'input': 'is_init', 'terms': [{'source': 'first_step'}]}
COUNT = {'input': 'time_step', 'terms': [{'source': 'step'}]}
COMMAND = {'input': 'command', 'terms': [{'source': 'command'}]}


@pytest.mark.skipif(CASES is None, reason='the shared cases are not here')
@pytest.mark.parametrize(
    ('case', 'name', 'entry'),
    [
        ('stacked_2d', 'spec.yaml', None),
        ('two_groups', 'spec.yaml', COMMAND),
        ('time_step', 'spec.yaml', COUNT),
        ('is_init_bool', 'spec.yaml', FLAG),
        ('is_init_bool', 'spec_name.yaml', FLAG),
    ],
)
def test_the_shared_cases(tmp_path, case, name, entry):
    """Each attempt at a spec works once every input has its entry."""
    assert CASES is not None
    content = flat_models.yaml.safe_load((CASES / case / name).read_text())
    if entry is not None:
        content['observation'] = [content['observation'], entry]
    path = flat_models.write_spec(tmp_path / 'spec.yaml', content)
    policy = load_model(CASES / case / 'policy.onnx', spec=path)
    target = policy.step({each.name: np.ones(each.shape) for each in policy.contract.inputs})
    frames = 3 if case == 'stacked_2d' else 1
    np.testing.assert_allclose(target, 0.25 * 0.01 * frames * (8 + 3 / 9.81), rtol=1e-5)
