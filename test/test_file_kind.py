"""Pointers, web pages and PyTorch files in place of a policy or a robot are named as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.shared import shared_path
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import RobotError
from kinfer_ros.file_kind import no_model
from kinfer_ros.file_kind import stand_in
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.untrusted import check_mjcf

LFS = b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2000000\n'
PAGE = b'\n<!DOCTYPE html><html>404</html>'
ANNEX = b'/annex/objects/SHA256E-s2000--00.onnx\n'


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (LFS, 'git lfs pull'), (b'\xef\xbb\xbf' + LFS, 'git lfs pull'), (PAGE, 'HTML page'),
        (b'<HTML><head>', 'HTML page'), (ANNEX, 'git annex get'),
    ],
)  # fmt: skip
@pytest.mark.parametrize('name', ['policy.onnx', 'walk.kinfer', 'policy'])
def test_a_stand_in_for_a_policy(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """Cloned without LFS, or saved from the page of the file: the commonest two of all."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words):
        read_archive(path)


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (b'PK\x03\x04 archive/data.pkl', 'torch.onnx.export'), (b'\x80\x02}q', 'PyTorch'),
        (b'<mujoco model="x">', 'MJCF'), (b'<?xml version="1.0"?>\n<robot name="x">', 'URDF'),
        (b'\x89HDF\r\n', 'HDF5'),
    ],
)  # fmt: skip
def test_another_kind_of_file_for_a_policy(tmp_path: Path, data: bytes, words: str) -> None:
    """A .pt is what training writes; the error says how to make an ONNX file of it."""
    path = tmp_path / 'policy.onnx'
    path.write_bytes(data)
    with pytest.raises(ModelError, match=words):
        read_archive(path)
    assert not stand_in(data), 'readers of robots take XML'


@pytest.mark.parametrize(
    'data', [b'', b'\x08\x0a\x12\x07pytorch', b'\x1f\x8b', b'a: 1\n', b'\x08\npolicies: 1']
)
def test_others_are_not_judged(data: bytes) -> None:
    """An ONNX file begins with a protobuf field, an archive with gzip's magic."""
    assert no_model(data) == ''


@pytest.mark.parametrize('data', [LFS, PAGE, ANNEX])
def test_a_stand_in_for_a_spec_a_robot_or_an_mjcf(tmp_path: Path, data: bytes) -> None:
    """The LFS pointer is even a YAML mapping."""
    path = tmp_path / 'file.yaml'
    path.write_bytes(data)
    with pytest.raises(ModelError, match='not the file itself'):
        load_spec(path)
    with pytest.raises(RobotError, match='not the file itself'):
        load_robot(str(path))
    with pytest.raises(RobotError, match='not the file itself'):
        check_mjcf(path, RobotError)


@pytest.mark.parametrize(
    ('compiler', 'place'),
    [('', 'part.stl'), ('<compiler meshdir="meshes"/>', 'meshes/part.stl'),
     ('<compiler assetdir="assets"/>', 'assets/part.stl')],
)  # fmt: skip
def test_a_pointer_in_place_of_a_mesh(tmp_path: Path, compiler: str, place: str) -> None:
    """MuJoCo says only that the mesh has no faces."""
    path, mesh = tmp_path / 'robot.xml', tmp_path / place
    mesh.parent.mkdir(exist_ok=True)
    mesh.write_bytes(LFS)
    path.write_text(
        f'<mujoco>{compiler}<asset><mesh name="part" file="part.stl"/></asset></mujoco>'
    )
    with pytest.raises(RobotError, match=r'mesh .*part.stl is a git-LFS pointer'):
        check_mjcf(path, RobotError)
    mesh.write_bytes(b'solid part')
    check_mjcf(path, RobotError)


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
@pytest.mark.parametrize(
    ('name', 'words'),
    [('policy.onnx', 'git lfs pull'), ('walk.kinfer', 'git lfs pull'), ('page.onnx', 'HTML page'),
     ('empty.onnx', 'is empty'), ('robot.xml', 'MJCF')],
)  # fmt: skip
def test_the_shared_cases(name: str, words: str) -> None:
    """Each was "not a gzip file", or a failure of protobuf."""
    with pytest.raises(ModelError, match=words):
        load_model(shared_path(f'cases/lfs/{name}'))
