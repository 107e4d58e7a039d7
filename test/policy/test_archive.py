"""Good archives: reading and writing."""

from __future__ import annotations

import subprocess
import sys
import tarfile

import pytest

from helpers.policies.policy_cases import ENTRIES
from helpers.policies.policy_cases import GOOD
from helpers.policies.policy_cases import INIT
from helpers.policies.policy_cases import META
from helpers.policies.policy_cases import STEP
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import archive_bytes
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import write_archive


def test_reads_what_it_writes(tmp_path):
    """The round trip keeps every byte and every metadata value, including unknown keys."""
    path = tmp_path / 'policy.kinfer'
    write_archive(path, INIT, STEP, META | {'extra': {'ä': [1, None]}})
    archive = read_archive(path)
    assert (archive.init_fn, archive.step_fn) == (INIT, STEP)
    assert archive.metadata == META | {'extra': {'ä': [1, None]}}
    assert archive.path == path
    assert len(archive.sha256) == 64


def test_writes_the_same_bytes_for_the_same_parts(tmp_path):
    """The file's hash is recorded in every run and must depend on contents only."""
    assert archive_bytes(INIT, STEP, META) == GOOD
    assert GOOD[4:8] == b'\0\0\0\0'
    write_archive(tmp_path / 'a.kinfer', INIT, STEP, META)
    write_archive(tmp_path / 'another_name.kinfer', INIT, STEP, META)
    assert (tmp_path / 'a.kinfer').read_bytes() == GOOD
    assert (tmp_path / 'another_name.kinfer').read_bytes() == GOOD


def test_write_replaces_at_once_and_leaves_nothing_else(tmp_path):
    """No incomplete file under the final name, no temporary file left."""
    path = tmp_path / 'policy.kinfer'
    path.write_bytes(b'old')
    write_archive(path, INIT, STEP, META)
    assert path.read_bytes() == GOOD
    assert [each.name for each in tmp_path.iterdir()] == ['policy.kinfer']


def test_write_into_missing_folder_is_refused(tmp_path):
    """A missing folder is a ModelError, not a traceback."""
    with pytest.raises(ModelError, match='cannot be written: No such file'):
        write_archive(tmp_path / 'none' / 'policy.kinfer', INIT, STEP, META)


@pytest.mark.parametrize('value', [float('nan'), object(), '\ud800'])
def test_write_refuses_metadata_that_is_no_json(tmp_path, value):
    """Metadata that cannot be read back is not written."""
    with pytest.raises(ModelError, match='cannot be written as JSON'):
        write_archive(tmp_path / 'policy.kinfer', INIT, STEP, META | {'x': value})
    assert not list(tmp_path.iterdir())


def test_reads_tars_of_other_writers(tmp_path):
    """Repacking with tar or Python adds times, owners and pax headers, which are ignored."""
    for name, body in ENTRIES:
        (tmp_path / name).write_bytes(body)
    for number, options in enumerate((['--format=gnu'], ['--format=pax'], ['--format=v7'])):
        path = tmp_path / f'{number}.kinfer'
        names = [name for name, _ in ENTRIES]
        command = ['tar', *options, '-czf', str(path), '-C', str(tmp_path), *names]
        subprocess.run(command, check=True, timeout=30)
        assert read_archive(path).step_fn == STEP
    path = tmp_path / 'python.kinfer'
    with tarfile.open(path, 'w:gz', format=tarfile.PAX_FORMAT) as tar:
        for name, _ in ENTRIES:
            tar.add(tmp_path / name, name)
    assert read_archive(path).step_fn == STEP


def test_bare_onnx_is_read_as_it_is(tmp_path):
    """A bare ONNX file is a policy file; its metadata is in the graph."""
    path = tmp_path / 'policy.onnx'
    path.write_bytes(STEP)
    archive = read_archive(path)
    assert (archive.init_fn, archive.step_fn, archive.metadata) == (None, STEP, {})


def test_archive_is_an_archive_by_its_content(tmp_path):
    """The first bytes decide, not the name."""
    (tmp_path / 'policy.onnx').write_bytes(GOOD)
    assert read_archive(tmp_path / 'policy.onnx').init_fn == INIT


def test_package_needs_no_onnx():
    """The onnx package is for tests and training only."""
    code = (
        'import sys; sys.modules["onnx"] = None; import kinfer_ros, kinfer_ros.cli.policy.pack;'
        'print(sorted(m for m in sys.modules if m.split(".")[0] in ("rclpy", "mujoco", "grpc")))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == '[]'
