"""A LEAPP pipeline of two networks: the first runs before the policy, or one error."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from onnx import helper

from helpers.edits import edited
from helpers.edits import some_edits
from helpers.policies import models
from helpers.policies.leapp_bundle import BUNDLE
from helpers.policies.leapp_bundle import INITIAL
from helpers.policies.leapp_bundle import MJCF
from helpers.policies.leapp_bundle import network
from helpers.policies.leapp_bundle import tensor
from helpers.policies.leapp_bundle import write_bundle
from helpers.policies.safetensors import write_safetensors
from kinfer_ros.__main__ import main
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.leapp import read_leapp
from kinfer_ros.policy.policy import load_model
from kinfer_ros.yaml_file import YamlFile

INPUTS = ('models', 'walk', 'inputs')
NETWORK = network()


def encoder() -> bytes:
    """Latent [1, 2] = the sum of q, twice; count_out = count_in + 1."""
    graph = models.Builder()
    graph.add(helper.make_node('MatMul', ['joints', graph.const(np.ones((3, 2)))], ['latent']))
    graph.add(helper.make_node('Add', ['count_in', graph.const([[1.0]])], ['count_out']))
    return graph.build(
        {'joints': (1, 3), 'count_in': (1, 1)}, {'latent': (1, 2), 'count_out': (1, 1)}
    )


def two_models(*edits):
    """An encoder whose latent is what the velocities of the one network were."""
    inner = {
        'inputs': [tensor('joints', [1, 3], 'state/joint/position', ['hip', 'knee', 'ankle'],
                          'state:robot:joint_pos'), tensor('count_in', [1, 1])],
        'outputs': [tensor('latent', [1, 2]), tensor('count_out', [1, 1])],
        'parameters': {'model_path': 'encoder.onnx', 'backend': 'onnx'},
    }  # fmt: skip
    content = edited(
        BUNDLE, ((*INPUTS, 1), tensor('qd', [1, 2])),
        (('pipeline', 'data_flow'), {'encoder/latent': ['walk/qd']}),
        (('pipeline', 'feedback_flow', 'encoder/count_out'), ['encoder/count_in']),
        (('pipeline', 'inputs'), {'encoder': ['joints'], 'walk': ['q', 'quat', 'rate', 'twist']}),
    )  # fmt: skip
    content['models'] = {'encoder': inner, **content['models']}
    return edited(content, *edits)


def write_two(folder, *edits):
    """Both networks and the file; :return: that."""
    path = write_bundle(folder, two_models(*edits), NETWORK)
    (folder / 'encoder.onnx').write_bytes(encoder())
    start = INITIAL | {'encoder/count_in': np.full((1, 1), 7, np.float32)}
    write_safetensors(folder / 'gait_initial_values.safetensors', start)
    return path


def test_a_pipeline_of_two_networks(tmp_path, capsys):
    """The encoder runs before, with a state of its own; the policy takes what it puts out."""
    path, mjcf = write_two(tmp_path), tmp_path / 'robot.xml'
    mjcf.write_text(MJCF)
    assert main(['import', str(path), '--mjcf', str(mjcf), '--out', str(tmp_path / 'o')]) == 0
    spec = tmp_path / 'o/gait.spec.yaml'
    content = yaml.safe_load(spec.read_text())
    assert content['networks'] == {
        'encoder': {
            'file': 'encoder.onnx',
            'observation': [
                {'input': 'joints', 'terms': [{'source': 'joint_positions', 'relative': False}]}
            ],
            'states': {'pair': {'count_in': 'count_out'}, 'initial': {'count_in': 7.0}},
        }
    }
    assert content['observation'][1] == {
        'input': 'qd',
        'terms': [{'source': 'network', 'name': 'encoder', 'output': 'latent', 'count': 2}],
    }
    policy = load_model(tmp_path / 'walk.onnx', spec=spec)
    inputs = {
        'joint_angles': [0.1, 0.2, 0.3], 'quaternion': [0.5, 0.5, -0.5, -0.5],
        'gyroscope': [0.01, 0.02, 0.03], 'command': [0.5, 0.25, 0.0],
    }  # fmt: skip
    # As with one network, with the sum of the joint positions for each velocity.
    first = [0.1 + 0.5 + 0.25 + 1.0 + 0.6 + 0.5, 0.2 + 0.25 + 0.5 + 1.0 + 0.6 - 0.5, 0.25]
    np.testing.assert_allclose(policy.step(inputs), first, atol=1e-6)


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        (('pipeline', 'data_flow'), {'walk/last_out': ['encoder/joints']}, 'that runs before'),
        (('pipeline', 'feedback_flow', 'walk/last_out'), ['encoder/joints'], 'within one network'),
        (('models', 'encoder', 'parameters', 'model_path'), '../encoder.onnx', 'a file beside'),
        (('models', 'encoder', 'parameters', 'sha256sum'), '0', 'not the network that the bundle'),
    ],
)
def test_a_pipeline_that_cannot_be_said(tmp_path, path, value, words):
    """Loops between networks, and files that are not those of the bundle."""
    with pytest.raises(ModelError, match=words):
        read_leapp(YamlFile(write_two(tmp_path, (path, value)), 'file', ModelError, foreign=True))


@given(some_edits(two_models()))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_is_edited_of_two_networks(tmp_path_factory, edits):
    """As for one."""
    try:
        path = write_two(tmp_path_factory.mktemp('leapp'), *edits)
        read_leapp(YamlFile(path, 'file', ModelError, foreign=True)).spec()
    except KinferRosError:
        return
