"""Bare ONNX files, with and without names in their custom metadata."""

from __future__ import annotations

import json

import pytest

from helpers.policies import models
from helpers.policies.policy_cases import INPUTS
from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import step_with
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import load_model


def bare(tmp_path, custom: dict[str, str], step: bytes | None = None):
    path = tmp_path / 'policy.onnx'
    path.write_bytes(models.leaky_step(custom=custom) if step is None else step)
    return load_model(path)


@pytest.mark.parametrize(
    'custom',
    [
        {'kinfer_metadata': json.dumps(META)},
        {'joint_names': '["joint_0", "joint_1"]'},
        {'joint_names': 'joint_0, joint_1', 'author': 'x'},
        {'joint_names': 'joint_0,joint_1', 'command_names': 'xvel,yvel,yawrate'},
    ],
)
def test_bare_onnx_with_names(tmp_path, custom):
    """It loads where its custom metadata has joint names; its carry starts at zero."""
    policy = bare(tmp_path, custom)
    assert policy.contract.kind == 'onnx'
    assert policy.contract.joint_names == ('joint_0', 'joint_1')
    assert policy.contract.command_names == models.COMMANDS_3
    assert policy.contract.carry_shape == (2,)
    assert policy.carry.tolist() == [0.0, 0.0]
    obs = {'joint_angles': [1.0, 2.0], 'command': [0.5, 0.0, 0.0]}
    assert policy.step(obs).tolist() == [1.5, 2.5]
    assert policy.step(obs).tolist() == [2.25, 3.75]


def test_bare_onnx_without_carry(tmp_path):
    """One output is enough for a policy without state."""
    graph = models.Builder()
    action = graph.op('Identity', 'joint_angles')
    custom = {'joint_names': 'a,b'}
    step = graph.build({'joint_angles': (2,)}, {action: (2,)}, custom=custom)
    policy = bare(tmp_path, custom, step)
    assert policy.contract.carry_shape is None
    assert policy.step({'joint_angles': [1.0, 2.0]}).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ('custom', 'words'),
    [
        ({}, 'custom metadata: found nothing; expected the key kinfer_metadata (JSON)'),
        ({'author': 'x'}, 'found author; expected the key kinfer_metadata'),
        ({}, '(inputs: joint_angles(2), command(3), carry(2)) needs a policy spec'),
        ({'kinfer_metadata': '{'}, 'custom metadata: kinfer_metadata: not JSON'),
        ({'joint_names': '["a"'}, 'custom metadata: joint_names: not JSON'),
        ({'joint_names': 'a,a'}, 'duplicate'),
        ({'joint_names': 'a'}, 'input joint_angles: found shape (2); expected (1), one a joint'),
    ],
)
def test_bare_onnx_that_does_not_say_enough(tmp_path, custom, words):
    """Without joint names it is refused; nothing is guessed."""
    with pytest.raises(ModelError) as caught:
        bare(tmp_path, custom)
    assert str(tmp_path / 'policy.onnx') in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ('inputs', 'outputs', 'words'),
    [
        ({'joint_angles': (2,), 'carry': ('n',)}, None, 'input carry: found shape (n); expected'),
        (INPUTS, {'action': (2,)}, 'outputs: found action(2); expected the action, and the'),
        (INPUTS, {'action': (2,), 'next': (3,)}, 'found shape (3); expected (2), as the'),
        ({'carry': (2**40,)}, {'action': (2,), 'next': (2,)}, 'expected at most'),
        ({'command': (2**40,)}, {'action': (2,), 'next': (2,)}, 'input command: found shape'),
    ],
)
def test_bare_onnx_with_wrong_graph(tmp_path, inputs, outputs, words):
    """Without init_fn the carry's shape comes from the graph, and must be fixed and bounded."""
    step = step_with(inputs, outputs, custom={'joint_names': 'a,b'})
    with pytest.raises(ModelError) as caught:
        bare(tmp_path, {}, step)
    assert words in str(caught.value)
