"""Weights in a second file: read from the model's own folder, bounded, and part of its hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import external_data_helper

from helpers.policies import flat_models
from helpers.shared import shared_path
from kinfer_ros.errors import ModelError
from kinfer_ros.policy import external_data
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.onnx_header import external_locations
from kinfer_ros.policy.policy import load_model

TERMS = [{'source': 'gyroscope'}]


def write(folder: Path, location: str = 'policy.onnx.data', seed: int = 0) -> Path:
    """A network with its weights beside it; :return: its path."""
    model = onnx.load_from_string(flat_models.linear(3, seed=seed)[0])
    external_data_helper.convert_model_to_external_data(
        model, all_tensors_to_one_file=True, location=location, size_threshold=0
    )
    path = folder / 'policy.onnx'
    onnx.save(model, path)
    return path


def targets(path: Path) -> np.ndarray:
    spec = flat_models.write_spec(path.parent / 'spec.yaml', flat_models.spec(TERMS))
    policy = load_model(path, spec=spec)
    return policy.step({each.name: np.ones(each.shape) for each in policy.contract.inputs})


@pytest.mark.parametrize('location', ['policy.onnx.data', 'weights/part.bin'])
def test_it_runs_as_with_its_weights_inside(tmp_path, location):
    """Torch 2.9 and later write them outside by default."""
    (tmp_path / 'weights').mkdir()
    (tmp_path / 'inside').mkdir()
    inside = tmp_path / 'inside' / 'policy.onnx'
    inside.write_bytes(flat_models.linear(3)[0])
    assert targets(write(tmp_path, location)).tolist() == targets(inside).tolist()


def test_the_hash_covers_both(tmp_path):
    """A run names the policy by it: other weights are another policy."""
    path = write(tmp_path)
    first = read_archive(path).sha256
    assert read_archive(path).sha256 == first
    data = path.with_name('policy.onnx.data')
    data.write_bytes(data.read_bytes()[:-1] + b'\x00')
    assert read_archive(path).sha256 != first


def test_a_missing_one_is_named(tmp_path):
    """Only the .onnx was copied to the robot."""
    path = write(tmp_path)
    path.with_name('policy.onnx.data').unlink()
    with pytest.raises(ModelError, match=r'weights are in policy.onnx.data, and there is no such'):
        read_archive(path)


def test_one_that_is_too_short_is_an_error(tmp_path):
    """A copy that broke off."""
    path = write(tmp_path)
    data = path.with_name('policy.onnx.data')
    data.write_bytes(data.read_bytes()[:8])
    with pytest.raises(ModelError, match='too short, or not there'):
        targets(path)


def test_a_pointer_in_its_place_is_named(tmp_path):
    """LFS tracks *.data where it tracks *.onnx."""
    path = write(tmp_path)
    path.with_name('policy.onnx.data').write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(ModelError, match='git lfs pull'):
        read_archive(path)


@pytest.mark.parametrize('location', ['../policy.onnx.data', '/etc/passwd', 'a/../../x', 'x\0y'])
def test_other_folders_are_out_of_reach(tmp_path, location):
    """A model must not read what its user did not give it."""
    path = write(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == 'location':
                entry.value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match='expected a file in its own folder'):
        read_archive(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    """Nor by a detour."""
    outside = tmp_path / 'outside'
    inside = tmp_path / 'inside'
    outside.mkdir()
    inside.mkdir()
    path = write(inside)
    data = path.with_name('policy.onnx.data')
    data.rename(outside / 'data')
    data.symlink_to(outside / 'data')
    with pytest.raises(ModelError, match='a link to another folder'):
        read_archive(path)


def test_its_size_is_bounded(tmp_path, monkeypatch):
    """Of all files together."""
    path = write(tmp_path)
    monkeypatch.setattr(external_data, 'MAX_EXTERNAL_BYTES', 8)
    with pytest.raises(ModelError, match='is larger than 8 bytes'):
        read_archive(path)


def test_constants_of_nodes_and_inner_graphs_are_found():
    """An If has its weights in its branches."""
    tensor = onnx.TensorProto(name='w', data_type=1, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value='inner.bin')
    inner = onnx.GraphProto(name='inner', initializer=[tensor])
    node = onnx.helper.make_node('If', ['c'], ['y'], then_branch=inner, else_branch=inner)
    constant = onnx.helper.make_node('Constant', [], ['k'])
    attribute = constant.attribute.add(name='value', type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(tensor)
    attribute.t.external_data[0].value = 'constant.bin'
    graph = onnx.GraphProto(name='g', node=[node, constant])
    model = onnx.ModelProto(graph=graph)
    assert external_locations(model.SerializeToString()) == ['inner.bin', 'constant.bin']
    assert external_locations(model.SerializeToString()[:-3]) in ([], ['inner.bin'])


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
def test_the_shared_case():
    """The file that was refused."""
    path = shared_path('cases/external_data/policy.onnx')
    policy = load_model(path, spec=shared_path('cases/flat.spec.yaml'))
    policy.step({each.name: np.ones(each.shape) for each in policy.contract.inputs})
