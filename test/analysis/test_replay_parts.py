"""A run of a policy of several parts replays to the bit, from any record that has a carry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orjson
import pytest
from onnx import TensorProto

from helpers.policies import flat_models
from helpers.policies import models
from helpers.recorded import record_run
from kinfer_ros.analysis.differences import Outcome
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.replay import Replay
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot

SECONDS = 1.0


def encoder(size: int, seed: int = 1) -> bytes:
    """A float64 encoder with a state that forgets slowly."""
    weights = np.random.default_rng(seed).normal(size=(size, 4)) * 0.01
    graph = models.Builder()
    new = graph.op('MatMul', 'x', graph.const(weights, 'float64'))
    old = graph.op('Mul', 'h_in', graph.const(0.9, 'float64'))
    graph.add(models.helper.make_node('Add', [old, new], ['h_out']))
    graph.add(models.helper.make_node('Tanh', ['h_out'], ['latent']))
    names = ('x', 'h_in', 'h_out', 'latent')
    return graph.build(
        {'x': (1, size), 'h_in': (1, 4)},
        {'latent': (1, 4), 'h_out': (1, 4)},
        dtypes=dict.fromkeys(names, TensorProto.DOUBLE),
    )


def network(frames: int, joints: int) -> bytes:
    """Frames as rows, the latent, a counter and a flag: small moves about the default pose."""
    rng = np.random.default_rng(2)
    graph = models.Builder()
    rows = graph.op('Reshape', 'obs', graph.const([1, -1], 'int64'))
    flag = graph.op('Reshape', graph.op('Cast', 'is_init', to=1), graph.const([1, 1], 'int64'))
    step = graph.op('Sin', graph.op('Cast', 'time_step', to=1))
    row = graph.op('Concat', rows, 'latent', flag, step, axis=1)
    weights = rng.normal(size=(frames + 6, joints)) * 0.01
    action = graph.op('MatMul', row, graph.const(weights))
    graph.add(models.helper.make_node('Identity', [action], ['actions']))
    return graph.build(
        {'obs': (1, 3, frames // 3), 'latent': (1, 4), 'is_init': (1,), 'time_step': (1, 1)},
        {'actions': (1, joints)},
        dtypes={'is_init': TensorProto.BOOL, 'time_step': TensorProto.INT64},
    )


@pytest.fixture(scope='module')
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run directory, its model and its spec."""
    folder = tmp_path_factory.mktemp('parts')
    robot = load_robot('biped')
    names = list(robot.joint_names)
    size = 3 + 2 * len(names)
    spec = {
        'name': 'parts',
        'control_rate': 50.0,
        'joints': names,
        'default_pose': [float(value) for value in robot.home],
        'commands': {'xvel': None, 'yvel': None, 'yawrate': None},
        'networks': {
            'encoder': {
                'file': 'encoder.onnx',
                'observation': {
                    'input': 'x',
                    'terms': [{'source': 'gyroscope'}, {'source': 'joint_velocities'}],
                },
                'states': {'pair': 'by_name'},
            }
        },
        'observation': [
            {
                'input': 'obs',
                'history': {
                    'length': 3, 'layout': 'per_frame', 'order': 'oldest_first', 'first': 'repeat',
                },
                'terms': [
                    {'source': 'gyroscope'},
                    {'source': 'joint_positions', 'relative': True},
                    {'source': 'last_action', 'which': 'target'},
                ],
            },
            {
                'input': 'latent',
                'terms': [
                    {'source': 'network', 'name': 'encoder', 'output': 'latent', 'count': 4}
                ],
            },
            {'input': 'is_init', 'terms': [{'source': 'first_step'}]},
            {'input': 'time_step', 'terms': [{'source': 'step'}]},
        ],
        'action': {'relative_to': 'default_pose', 'scale': 0.2},
    }  # fmt: skip
    (folder / 'encoder.onnx').write_bytes(encoder(3 + len(names)))
    model = folder / 'policy.onnx'
    model.write_bytes(network(3 * size, len(names)))
    path = flat_models.write_spec(folder / 'spec.yaml', spec)
    run = record_run(folder, SECONDS, model=str(model), spec=str(path), carry_every=7)
    return run, model, path


def replay(run: Path, model: Path, spec: Path) -> Outcome:
    recorded = RecordedRun.open(run)
    found = Replay(recorded, load_model(model, spec=spec), lambda name: load_model(name))
    for record in recorded.records():
        found.feed(record)
    return found.outcome


def test_it_replays_to_the_bit(recorded):
    """Every output, target and recorded carry, with states of float64 in it."""
    outcome = replay(*recorded)
    assert outcome.identical
    assert outcome.replayed == outcome.run_records == SECONDS * 50
    assert outcome.tensors['carry'].compared > 5
    policy = load_model(recorded[1], spec=recorded[2])
    assert policy.contract.carry_parts['encoder.h_in'] == 16
    assert policy.contract.carry_parts['step'] == 1


def test_it_replays_from_the_middle(recorded, tmp_path):
    """A record with a carry has all state: what was before it is not needed."""
    run, model, spec = recorded
    lines = (run / 'steps.ndjson').read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    begin = next(at for at, r in enumerate(records) if r['mode'] == 'run') + 20
    (tmp_path / 'run.json').write_bytes((run / 'run.json').read_bytes())
    (tmp_path / 'steps.ndjson').write_bytes(
        b''.join(orjson.dumps(r) + b'\n' for r in records[begin:])
    )
    outcome = replay(tmp_path, model, spec)
    assert outcome.identical
    assert 20 < outcome.replayed < 31


def test_another_encoder_is_another_model(recorded, tmp_path):
    """The run names the policy by a hash of both files."""
    run, model, spec = recorded
    fact = RecordedRun.open(run).fact('model_sha256')
    assert load_model(model, spec=spec).contract.sha256 == fact
    (tmp_path / 'policy.onnx').write_bytes(model.read_bytes())
    size = 3 + len(load_robot('biped').joint_names)
    (tmp_path / 'encoder.onnx').write_bytes(encoder(size, seed=3))
    assert load_model(tmp_path / 'policy.onnx', spec=spec).contract.sha256 != fact
