"""Networks that run before the policy: against a plain loop of onnxruntime, and their refusals."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto

from helpers.policies import flat_models
from helpers.policies import models
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy import archive as archive_module

GYRO = {'source': 'gyroscope'}
SPEED = {'source': 'joint_velocities'}
FRAMES = {'length': 3, 'layout': 'per_frame', 'order': 'oldest_first', 'first': 'repeat'}
POSE = np.array(flat_models.POSE, np.float32)


def encoder(size: int, width: int, seed: int = 1, kind: str = 'float32') -> bytes:
    """History [1, size] -> latent [1, width] and twice of it."""
    weights = np.random.default_rng(seed).normal(size=(size, width)) * 0.3
    graph = models.Builder()
    latent = graph.op('Tanh', graph.op('MatMul', 'history', graph.const(weights, kind)))
    graph.add(models.helper.make_node('Identity', [latent], ['latent']))
    graph.add(models.helper.make_node('Add', [latent, latent], ['twice']))
    types = dict.fromkeys(
        ('history', 'latent', 'twice'),
        TensorProto.DOUBLE if kind == 'float64' else TensorProto.FLOAT,
    )
    shapes = {'latent': (1, width), 'twice': (1, width)}
    return graph.build({'history': (1, size)}, shapes, dtypes=types)


def numbers(graph: models.Builder, *values: int) -> list[str]:
    """Start, end and axis of a slice."""
    return [graph.const([value], 'int64') for value in values]


def leaky() -> bytes:
    """An encoder with a state: h_out = 0.5 h_in + x, which it also answers."""
    graph = models.Builder()
    half = graph.op('Mul', 'h_in', graph.const(0.5))
    graph.add(models.helper.make_node('Add', [half, 'x'], ['h_out']))
    graph.add(models.helper.make_node('Identity', ['h_out'], ['latent']))
    shapes = {'x': (1, 3), 'h_in': (1, 3)}
    return graph.build(shapes, {'latent': (1, 3), 'h_out': (1, 3)})


def content(**networks):
    """A policy of the gyroscope and two numbers of each network."""
    read = [
        {'source': 'network', 'name': name, 'output': 'latent', 'count': 2} for name in networks
    ]
    named = {
        name: {'file': f'{name}.onnx', 'observation': {'history': FRAMES, 'terms': [SPEED]}} | more
        for name, more in networks.items()
    }
    return flat_models.spec([GYRO, *read], commands={}) | {'networks': named}


def load(folder: Path, spec, files, size: int):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return flat_models.load(folder, flat_models.linear(size)[0], spec)


def session(model: bytes) -> ort.InferenceSession:
    return ort.InferenceSession(model, providers=['CPUExecutionProvider'])


def observations(policy, count):
    rng = np.random.default_rng(5)
    return [
        {
            each.name: rng.normal(size=each.shape).astype(np.float32)
            for each in policy.contract.inputs
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize('kind', ['float32', 'float64'])
def test_an_encoder_of_the_history(tmp_path, kind):
    """Its output stands in the policy's flat vector, in the same step, and replays."""
    model = encoder(9, 2, kind=kind)
    policy = load(tmp_path, content(encoder={}), {'encoder.onnx': model}, 5)
    first, second = session(model), session(flat_models.linear(5)[0])
    frames, steps = [], []
    for obs in observations(policy, 8):
        speed = obs['joint_angular_velocities']
        frames = [*(frames or [speed] * 3)[-2:], speed]
        latent = first.run(['latent'], {'history': np.concatenate(frames)[None].astype(kind)})[0]
        flat = np.concatenate([obs['gyroscope'], latent[0].astype(np.float32)])
        expected = second.run(None, {'obs': flat[None]})[0][0] * np.float32(0.5) + POSE
        carry = policy.carry.copy()
        target = policy.step(obs)
        assert target.tobytes() == expected.tobytes()
        steps.append((obs, carry, target))
    assert policy.contract.carry_parts == {'frames_1': 6, 'filled_1': 1}
    for obs, carry, target in reversed(steps):
        policy.set_carry(carry)
        assert policy.step(obs).tobytes() == target.tobytes()
    assert any('unused output: twice' in line for line in policy.contract.assumptions)


def test_one_may_read_another_and_have_states(tmp_path):
    """A chain of two, the first with a state; the policy takes the latent as a second input."""
    spec = {
        'networks': {
            'memory': {
                'file': 'parts/memory.onnx',
                'observation': {'input': 'x', 'terms': [GYRO]},
                'states': {'pair': 'by_name', 'initial': {'h_in': 1.0}},
            },
            'encoder': {
                'file': 'encoder.onnx',
                'observation': {
                    'terms': [
                        SPEED,
                        {'source': 'network', 'name': 'memory', 'output': 'latent', 'count': 3},
                    ]
                },
            },
        },
        'observation': [
            {'input': 'obs', 'terms': [GYRO]},
            {
                'input': 'z',
                'clip': [-0.9, 0.9],
                'terms': [
                    {'source': 'network', 'name': 'encoder', 'output': 'twice', 'count': 2,
                     'scale': 0.5}
                ],
            },
        ],
    }  # fmt: skip
    graph = models.Builder()
    row = graph.op('Concat', 'obs', 'z', axis=1)
    out = graph.op('MatMul', row, graph.const(np.random.default_rng(3).normal(size=(5, 3))))
    model = graph.build({'obs': (1, 3), 'z': (1, 2)}, {out: (1, 3)})
    (tmp_path / 'parts').mkdir()
    (tmp_path / 'parts' / 'memory.onnx').write_bytes(leaky())
    (tmp_path / 'encoder.onnx').write_bytes(encoder(6, 2))
    policy = flat_models.load(tmp_path, model, flat_models.spec([], commands={}) | spec)
    assert policy.contract.carry_parts == {'memory.h_in': 3}
    middle, last = session(encoder(6, 2)), session(model)
    for _ in range(2):
        policy.reset()
        h = np.ones(3, np.float32)
        for obs in observations(policy, 5):
            h = np.float32(0.5) * h + obs['gyroscope']
            history = np.concatenate([obs['joint_angular_velocities'], h])
            (twice,) = middle.run(['twice'], {'history': history[None]})
            z = np.clip(twice * np.float32(0.5), -0.9, 0.9)
            (raw,) = last.run(None, {'obs': obs['gyroscope'][None], 'z': z})
            expected = raw[0] * np.float32(0.5) + POSE
            assert policy.step(obs).tobytes() == expected.tobytes()
            assert policy.carry.tolist() == h.tolist()


def test_an_infinity_between_networks_is_refused(tmp_path):
    """The policy may hide it: the second network squashes what the first answers."""
    graph = models.Builder()
    out = graph.op('Div', 'history', graph.const([[1.0] * 8 + [0.0]]))
    two = graph.op('Slice', out, *numbers(graph, 7, 9, 1))
    graph.add(models.helper.make_node('Identity', [two], ['latent']))
    first = graph.build({'history': (1, 9)}, {'latent': (1, 2)})
    graph = models.Builder()
    squashed = graph.op('Tanh', graph.op('Slice', 'obs', *numbers(graph, 2, 5, 1)))
    (tmp_path / 'encoder.onnx').write_bytes(first)
    spec = content(encoder={})
    spec['networks']['encoder']['observation']['terms'] = [SPEED | {'offset': 1.0}]
    with pytest.raises(ModelError, match=r'stands still: .*latent of .*encoder\.onnx: found inf'):
        flat_models.load(tmp_path, graph.build({'obs': (1, 5)}, {squashed: (1, 3)}), spec)


def test_the_hash_covers_all(tmp_path):
    """A run names the policy by it: another encoder is another policy."""
    spec = content(encoder={})
    first = load(tmp_path, spec, {'encoder.onnx': encoder(9, 2)}, 5).contract.sha256
    same = load(tmp_path, spec, {'encoder.onnx': encoder(9, 2)}, 5).contract.sha256
    other = load(tmp_path, spec, {'encoder.onnx': encoder(9, 2, seed=2)}, 5).contract.sha256
    plain = flat_models.spec([GYRO, {'source': 'constant', 'values': [0, 0]}], commands={})
    alone = flat_models.load(tmp_path, flat_models.linear(5)[0], plain).contract.sha256
    assert first == same
    assert len({first, other, alone}) == 3


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('/etc/encoder.onnx', 'expected a file in its own folder'),
        ('../encoder.onnx', 'expected a file in its own folder'),
        ('a/../../encoder.onnx', 'expected a file in its own folder'),
        ('link.onnx', 'a link to another folder'),
        ('missing.onnx', 'no such file beside it: copy it there'),
        ('text.onnx', 'is in|text.onnx'),
        ('archive.kinfer', 'expected a bare .onnx file'),
    ],
)
def test_only_files_of_its_own_folder(tmp_path, name, said):
    """A spec from elsewhere must not make this process read other files."""
    folder = tmp_path / 'model'
    folder.mkdir()
    (tmp_path / 'encoder.onnx').write_bytes(encoder(9, 2))
    (folder / 'link.onnx').symlink_to(tmp_path / 'encoder.onnx')
    (folder / 'text.onnx').write_text('no network')
    models.write_kinfer(
        folder / 'archive.kinfer', models.init_fn([0, 0]), models.leaky_step(), models.metadata(2)
    )
    with pytest.raises(ModelError, match=said):
        load(folder, content(encoder={'file': name}), {}, 5)


def test_their_size_is_bounded_together(tmp_path, monkeypatch):
    """Eight files of half a gigabyte would be too much."""
    monkeypatch.setattr(archive_module, 'MAX_FILE_BYTES', 600)
    spec = content(a={}, b={}, c={}, d={})
    files = {f'{name}.onnx': encoder(9, 2) for name in 'abcd'}
    with pytest.raises(ModelError, match='larger than 600 bytes'):
        load(tmp_path, spec, files, 11)


def edited(change):
    spec = copy.deepcopy(content(encoder={}))
    change(spec)
    return spec


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda s: s['observation']['terms'].pop(), 'expected a term that reads it'),
        (lambda s: s['observation']['terms'][1].update(name='encder'), "did you mean 'encoder'"),
        (lambda s: s['observation']['terms'][1].pop('count'), "missing key 'count'"),
        (lambda s: s['observation']['terms'][1].update(count=3), '3 numbers, as the count'),
        (lambda s: s['observation']['terms'][1].update(output='x'), 'one of the outputs: latent'),
        (lambda s: s['observation']['terms'][1].pop('output'), 'to say which it is: output of'),
        (lambda s: s['observation']['terms'].append(
            {'source': 'network', 'name': 'encoder', 'output': 'latent', 'count': 3}),
         'found counts 2 and 3'),
        (lambda s: s['observation']['terms'].append(
            {'source': 'network', 'name': 'encoder', 'count': 2}), 'with and without an output'),
        (lambda s: s['networks']['encoder']['observation']['terms'].append(
            {'source': 'network', 'name': 'encoder', 'output': 'latent', 'count': 2}),
         'a network that runs before this one: none'),
        (lambda s: s['networks']['encoder']['observation'].pop('history'),
         r"encoder.onnx with the spec .*input 'history': found shape \[1, 9\]; expected 3"),
        (lambda s: s['networks']['encoder'].update(input='x'), "unknown key 'input'"),
        (lambda s: s['networks'].clear(), 'networks'),
        (lambda s: s.update(networks=['encoder.onnx']), 'networks: found'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, change, said):
    """One error that says where and what to write."""
    with pytest.raises(ModelError, match=said):
        load(tmp_path, edited(change), {'encoder.onnx': encoder(9, 2)}, 5)


def test_a_refused_step_leaves_every_state(tmp_path):
    """Of the encoders as well."""
    spec = content(memory={'file': 'memory.onnx', 'states': {'pair': 'by_name'}})
    spec['networks']['memory']['observation'] = {'input': 'x', 'terms': [GYRO]}
    spec['observation']['terms'][1]['count'] = 3
    policy = load(tmp_path, spec, {'memory.onnx': leaky()}, 6)
    policy.step({'gyroscope': np.ones(3)})
    carry = policy.carry.copy()
    with pytest.raises(NonFiniteError):
        policy.step({'gyroscope': [np.nan, 0.0, 0.0]})
    assert policy.carry.tobytes() == carry.tobytes()
    assert policy.carry.tolist() == [1.0, 1.0, 1.0]


def test_each_of_them_can_be_abandoned(tmp_path):
    """A tick ends an inference that does not, whichever network it is in."""
    policy = load(tmp_path, content(encoder={}), {'encoder.onnx': encoder(9, 2)}, 5)
    inputs = {each.name: np.zeros(each.shape) for each in policy.contract.inputs}
    expected = policy.step(inputs)
    policy.abandon(on=True)
    with pytest.raises(ModelError, match=r'encoder\.onnx: cannot be run'):
        policy.step(inputs)
    policy.abandon(on=False)
    policy.reset()
    assert policy.step(inputs).tobytes() == expected.tobytes()


def test_a_motion_inside_the_policy_itself(tmp_path):
    """As motion trackers export it: outputs of a counter, observed by the same file."""
    table = np.arange(15).reshape(5, 3) * 0.1
    graph = models.Builder()
    at = graph.op('Reshape', graph.op('Cast', 'time_step', to=7), graph.const([1], 'int64'))
    row = graph.op('Gather', graph.const(table), at, axis=0)
    graph.add(models.helper.make_node('Identity', [row], ['joint_pos']))
    weights = np.random.default_rng(9).normal(size=(6, 3))
    graph.add(models.helper.make_node('MatMul', ['obs', graph.const(weights)], ['actions']))
    model = graph.build(
        {'obs': (1, 6), 'time_step': (1, 1)}, {'actions': (1, 3), 'joint_pos': (1, 3)}
    )
    counter = {'input': 'time_step', 'terms': [{'source': 'step', 'last': 4, 'then': 'hold'}]}
    motion = {'source': 'network', 'name': 'motion', 'output': 'joint_pos', 'count': 3}
    unused = {'input': 'obs', 'terms': [{'source': 'constant', 'values': 0.0, 'count': 6}]}
    content = flat_models.spec([], commands={}, action={
        'relative_to': 'zero', 'scale': 1.0, 'output': 'actions',
    }) | {
        'networks': {'motion': {'file': 'policy.onnx', 'observation': [unused, counter]}},
        'observation': [{'input': 'obs', 'terms': [motion, GYRO]}, counter],
    }  # fmt: skip
    policy = flat_models.load(tmp_path, model, content)
    for step in range(8):
        target = policy.step({'gyroscope': [1.0, 2.0, 3.0]})
        expected = np.array([*table[min(step, 4)], 1.0, 2.0, 3.0]) @ weights
        np.testing.assert_allclose(target, expected, atol=1e-5)
