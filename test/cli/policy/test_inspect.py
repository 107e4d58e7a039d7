"""`inspect`: the description of a policy file as text and JSON, also if it cannot run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.policies import flat_models
from helpers.policies import models
from helpers.processes import REPOSITORY
from kinfer_ros.__main__ import main
from kinfer_ros.policy.onnx_header import external_locations
from kinfer_ros.policy.onnx_header import read_opset

MODEL = REPOSITORY / 'robots' / 'biped' / 'walk.kinfer'


def inspected(capsys, *words, code=0):
    assert main(['inspect', *map(str, words)]) == code
    return capsys.readouterr().out


def test_an_archive(capsys):
    """It contains everything one asks about an unknown file."""
    facts = json.loads(inspected(capsys, MODEL, '--json'))
    assert facts['kind'] == 'kinfer archive'
    assert facts['opset'] == models.OPSET
    assert facts['size_bytes'] == MODEL.stat().st_size
    assert len(facts['sha256']) == 64
    assert len(facts['joints']) == 12
    assert list(facts['commands']) == ['xvel', 'yvel', 'yawrate']
    assert facts['control_rate_hz'] == 50.0
    assert 0.0 < facts['latency_us']['p50'] <= facts['latency_us']['p99']
    gravity = next(e for e in facts['inputs'] if e['name'] == 'projected_gravity')
    assert gravity['unit'] == 'm/s^2'


def test_as_text(capsys):
    """One fact per line, no JSON."""
    out = inspected(capsys, MODEL)
    for words in ('sha256', 'opset', 'left_hip_yaw', 'latency us', 'gyroscope[3] rad/s'):
        assert words in out
    assert '{' not in out.split('metadata')[0]


def test_with_a_spec(tmp_path, capsys):
    """The terms with their frames, the parts of the carry, the assumptions."""
    history = {'length': 3, 'layout': 'per_frame', 'order': 'oldest_first', 'first': 'zero'}
    content = flat_models.spec(
        [{'source': 'gyroscope', 'scale': 0.25}, {'source': 'last_action', 'which': 'raw'}],
        observation={'history': history},
    )
    policy = flat_models.load(tmp_path, flat_models.linear(18)[0], content)
    words = [policy.contract.path, '--spec', tmp_path / 'policy.yaml']
    facts = json.loads(inspected(capsys, *words, '--json'))
    assert [(t['source'], t['numbers'], t['frames']) for t in facts['observation']] == [
        ('gyroscope', 3, 3), ('last_action', 3, 3),
    ]  # fmt: skip
    assert facts['carry_parts'] == {'frames': 12, 'actions': 3}
    assert any('whole frames, oldest first' in line for line in facts['assumptions'])
    out = inspected(capsys, *words)
    assert 'gyroscope           3 x 3 frame(s), scale 0.25' in out


def test_a_network_without_a_contract_is_described_as_far_as_possible(tmp_path, capsys):
    """This is needed to write the spec; the exit code says that it cannot run."""
    path = tmp_path / 'flat.onnx'
    path.write_bytes(flat_models.lstm(5))
    facts = json.loads(inspected(capsys, path, '--json', code=1))
    assert [each['name'] for each in facts['network_inputs']] == ['obs', 'h_in', 'c_in']
    assert 'needs a policy spec' in facts['not_runnable']


def test_a_file_that_is_not_a_policy_is_an_error(tmp_path, capsys):
    """Exit code 2 and one line."""
    path = tmp_path / 'x.onnx'
    path.write_bytes(b'not a model')
    assert main(['inspect', str(path)]) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize('opset', [11, 17, 21])
def test_opset(opset):
    """Of the default domain, as the onnx package reads it."""
    onnx = pytest.importorskip('onnx')
    model = onnx.load_from_string(flat_models.linear(3)[0])
    model.opset_import[0].version = opset
    model.opset_import.insert(0, onnx.helper.make_opsetid('ai.onnx.ml', 3))
    assert read_opset(model.SerializeToString()) == opset


@given(st.binary(max_size=200), st.integers(0, 200))
def test_opset_of_anything(data, cut):
    """A damaged file has no opset, and raises nothing."""
    good = flat_models.linear(3)[0]
    for each in (data, good[:cut], good[:cut] + data):
        assert read_opset(each) is None or np.isreal(read_opset(each))
        assert all(isinstance(name, str) for name in external_locations(each))
