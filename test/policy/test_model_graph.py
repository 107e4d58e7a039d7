"""Graphs that do not match their metadata, or are not graphs, are refused at load."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from helpers.policies import models
from helpers.policies.policy_cases import INIT
from helpers.policies.policy_cases import INPUTS
from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import STEP
from helpers.policies.policy_cases import load
from helpers.policies.policy_cases import refusal_of
from helpers.policies.policy_cases import step_with
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import load_model


@pytest.mark.parametrize(
    ('inputs', 'outputs', 'words'),
    [
        (
            INPUTS | {'joint_angels': (2,)},
            None,
            "input 'joint_angels': found an unknown name; expected one of joint_angles,",
        ),
        (INPUTS | {'joint_angels': (2,)}, None, '(did you mean joint_angles?)'),
        ({'obs': (1, 48)}, None, "input 'obs': found an unknown name"),
        ({'obs': (1, 48)}, None, 'a model with other inputs needs a policy spec'),
        (
            INPUTS | {'joint_angles': (1, 2)},
            None,
            'input joint_angles: found shape (1, 2); expected (2), one a joint',
        ),
        (
            INPUTS | {'joint_angles': ('n',)},
            None,
            'input joint_angles: found shape (n); expected (2)',
        ),
        (
            INPUTS | {'projected_gravity': (4,)},
            None,
            'input projected_gravity: found shape (4); expected (3)',
        ),
        (
            INPUTS | {'carry': (3,)},
            None,
            'input carry: found shape (3); expected (2), as init_fn gives it',
        ),
        (
            INPUTS | {'carry': (None,)},
            None,
            'input carry: found shape (?); expected (2)',
        ),
        (
            INPUTS,
            {'action': (2,)},
            'outputs: found action(2); expected exactly two: the action, the next carry',
        ),
        (
            INPUTS,
            {'action': (2,), 'next': (2,), 'value': (1,)},
            'outputs: found action(2), next(2), value(1); expected exactly two',
        ),
        (
            INPUTS,
            {'action': (3,), 'next': (2,)},
            "first output 'action' (the action): found shape (3); expected (2), one a joint",
        ),
        (
            INPUTS,
            {'action': (2,), 'next': (1, 2)},
            "second output 'next' (the next carry): found shape (1, 2); expected (2)",
        ),
    ],
)
def test_wrong_graph(tmp_path, inputs, outputs, words):
    """Each error names the file, the input, what was found and what was expected."""
    text = refusal_of(tmp_path, step=step_with(inputs, outputs))
    assert words in text
    assert 'step_fn.onnx' in text


@pytest.mark.parametrize('name', ['joint_angles', 'carry', 'action', 'next'])
def test_wrong_dtype(tmp_path, name):
    """Only float32 is supported."""
    step = step_with(INPUTS, dtypes={name: TensorProto.DOUBLE})
    assert 'found tensor(double); expected tensor(float) (float32)' in refusal_of(
        tmp_path, step=step
    )


def test_swapped_graphs(tmp_path):
    """The two ONNX files are swapped."""
    text = refusal_of(tmp_path, init=STEP, step=INIT)
    assert 'init_fn.onnx: found 3 inputs and 2 outputs; expected no inputs, one output' in text


def test_init_fn_of_the_wrong_type(tmp_path):
    """The carry must be float32."""
    graph = models.Builder()
    out = graph.op('Identity', graph.const([1], 'int64'))
    init = graph.build({}, {out: (1,)}, dtypes={out: TensorProto.INT64})
    assert 'found tensor(int64); expected tensor(float)' in refusal_of(tmp_path, init=init)


def test_init_fn_that_is_not_finite(tmp_path):
    """A NaN in the carry would stay."""
    text = refusal_of(tmp_path, init=models.init_fn([0.0, np.nan]))
    assert 'init_fn.onnx: the initial carry is not finite: nan at [1] (1 of 2 not finite)' in text


def test_step_fn_that_is_not_finite_at_rest(tmp_path):
    """A model that gives NaN for a robot at rest is refused at load."""
    graph = models.Builder()
    zero = graph.op('Mul', 'joint_angles', graph.const(0.0))
    action = graph.op('Div', zero, zero)
    following = graph.op('Identity', 'carry')
    step = graph.build({'joint_angles': (2,), 'carry': (2,)}, {action: (2,), following: (2,)})
    text = refusal_of(tmp_path, step=step)
    assert 'for a robot that stands still: model output action: found nan at [0]' in text


def test_gravity_may_be_divided_by_at_load(tmp_path):
    """A model may normalise gravity: the first run does not use zeros."""
    graph = models.Builder()
    norm = graph.op('ReduceL2', 'projected_gravity', axes=[0])
    unit = graph.op('Div', 'projected_gravity', norm)
    following = graph.op('Identity', 'carry')
    shapes = {'projected_gravity': (3,), 'carry': (1,)}
    step = graph.build(shapes, {unit: (3,), following: (1,)})
    meta = models.metadata(3)
    policy = load(tmp_path, models.init_fn([0.0]), step, meta)
    assert policy.step({'projected_gravity': [0, 0, -9.81]}).tolist() == [0.0, 0.0, -1.0]


@pytest.mark.parametrize('which', ['init', 'step'])
@pytest.mark.parametrize('data', [b'nonsense', b'\0' * 99, b'ORTMORTM' + b'\0' * 90])
def test_entry_that_is_no_onnx(tmp_path, capfd, which, data):
    """Onnxruntime's error becomes one short line; nothing is printed."""
    text = refusal_of(tmp_path, **{which: data})
    assert f'{which}_fn.onnx: onnxruntime cannot load it: ' in text
    assert '\n' not in text
    assert 'ONNXRuntimeError' not in text
    assert len(text) < 500
    assert capfd.readouterr() == ('', '')


def test_unknown_operator(tmp_path, capfd):
    """A custom operator is named, and onnxruntime prints nothing."""
    graph = models.Builder()
    action = graph.op('NoSuchOperator', 'joint_angles')
    following = graph.op('Identity', 'carry')
    step = graph.build(INPUTS, {action: (2,), following: (2,)})
    text = refusal_of(tmp_path, step=step)
    assert 'step_fn.onnx: it uses the operator NoSuchOperator' in text
    assert 'NoSuchOperator' in text
    assert capfd.readouterr() == ('', '')


def test_name_that_is_no_text(tmp_path, capfd):
    """Onnxruntime's wrapper would print and retry."""
    step = STEP.replace(b'joint_angles', b'joint_angle\xff')
    text = refusal_of(tmp_path, step=step)
    assert 'step_fn.onnx: onnxruntime cannot load it: ' in text
    assert capfd.readouterr() == ('', '')


def external(location: str) -> bytes:
    """A step_fn whose constant is in an external file."""
    tensor = TensorProto(name='w', data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value=location)
    graph = models.Builder()
    graph.add_constant(tensor)
    action = graph.op('Add', 'joint_angles', 'w')
    following = graph.op('Identity', 'carry')
    return graph.build(INPUTS, {action: (2,), following: (2,)})


@pytest.mark.parametrize(
    ('suffix', 'kind'),
    [('kinfer', kind) for kind in ('beside', 'absolute', 'upwards', 'memory')]
    + [('onnx', kind) for kind in ('absolute', 'upwards', 'memory')],
)
def test_other_files_are_never_read(tmp_path, monkeypatch, suffix, kind):
    """A model file must not read other files, in any working directory."""
    np.ones(2, np.float32).tofile(tmp_path / 'w.bin')
    monkeypatch.chdir(tmp_path)
    location = {
        'beside': 'w.bin',
        'absolute': str(tmp_path / 'w.bin'),
        'upwards': f'../{tmp_path.name}/w.bin',
        'memory': '*/_ORT_MEM_ADDR_/*',
    }[kind]
    path = tmp_path / f'policy.{suffix}'
    if suffix == 'onnx':
        path.write_bytes(external(location))
    else:
        models.write_kinfer(path, INIT, external(location), META)
    with pytest.raises(ModelError, match='its weights are in'):
        load_model(path)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (
            lambda m: (
                setattr(m.graph.node[0], 'domain', 'com.example'),
                m.opset_import.add(domain='com.example', version=1),
            ),
            'the operator com.example:Mul',
        ),
        (lambda m: setattr(m.graph.node[0], 'domain', 'com.example'), 'the operator com.example'),
        (lambda m: setattr(m.graph.node[0], 'op_type', 'NoSuchOp'), 'the operator .*NoSuchOp'),
        (lambda m: setattr(m.opset_import[0], 'version', 99), 'found opset 99.*opset_version'),
        (lambda m: setattr(m, 'ir_version', 99), r'IR version. 99, expected at most \d+'),
    ],
)
def test_an_operator_or_version_that_is_not_known_says_what_to_do(tmp_path, change, words):
    """In one line: what, found, and how to export it."""
    model = onnx.load_from_string(STEP)
    change(model)
    text = refusal_of(tmp_path, step=model.SerializeToString())
    assert re.search(words, text), text
    assert '\n' not in text
