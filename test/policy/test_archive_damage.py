"""Damaged, wrong or hostile policy files, and their error texts."""

from __future__ import annotations

import gzip
import os

import pytest

from helpers.policies import models
from helpers.policies.policy_cases import ENTRIES
from helpers.policies.policy_cases import GOOD
from helpers.policies.policy_cases import STEP
from helpers.policies.policy_cases import refusal
from helpers.policies.policy_cases import refusal_of_bytes
from kinfer_ros.policy import archive as archive_module


def test_missing_file(tmp_path):
    """The error names the file."""
    assert 'no such file; expected a .kinfer or .onnx file' in refusal(tmp_path / 'no.kinfer')


def test_directory(tmp_path):
    """A folder in place of a file."""
    assert 'is a directory; expected a .kinfer or .onnx file' in refusal(tmp_path)


def test_fifo_does_not_block(tmp_path):
    """Opening a FIFO would block."""
    os.mkfifo(tmp_path / 'pipe.kinfer')
    assert 'is not a regular file' in refusal(tmp_path / 'pipe.kinfer')


def test_name_that_no_file_can_have():
    """A NUL in a path is a ValueError in the standard library."""
    assert 'cannot be read' in refusal('bad\0name.kinfer')


def test_empty(tmp_path):
    """An empty download."""
    assert 'is empty' in refusal_of_bytes(tmp_path, b'')


@pytest.mark.parametrize('keep', [3, 12, 60, len(GOOD) // 2, len(GOOD) - 1])
def test_truncated(tmp_path, keep):
    """A truncated download."""
    assert 'truncated: the gzip data end too early' in refusal_of_bytes(tmp_path, GOOD[:keep])


def test_not_gzip(tmp_path):
    """The error shows the first bytes."""
    text = refusal_of_bytes(tmp_path, b'BZh9 a bzip2 file')
    assert 'not a gzip file (it starts with 42 5a 68 39)' in text
    assert 'a gzip tar of init_fn.onnx, step_fn.onnx, metadata.json' in text


def test_damaged_gzip(tmp_path):
    """A flipped bit is found by the checksum or earlier."""
    data = bytearray(GOOD)
    data[len(data) // 2] ^= 0x10
    assert 'damaged' in refusal_of_bytes(tmp_path, bytes(data))


def test_garbage_behind_the_gzip(tmp_path):
    """Bytes after the archive are refused."""
    assert 'damaged gzip data' in refusal_of_bytes(tmp_path, GOOD + b'garbage')


def test_gzip_of_something_else(tmp_path):
    """For example a compressed ONNX file."""
    assert 'damaged archive: not a tar' in refusal_of_bytes(tmp_path, gzip.compress(STEP))


def test_unexpected_entry(tmp_path):
    """Kinfer's loader refuses any other entry."""
    text = refusal_of_bytes(tmp_path, models.raw_archive([*ENTRIES, ('README.md', b'hello')]))
    assert "unexpected entry 'README.md'; expected exactly init_fn.onnx, step_fn.onnx," in text


@pytest.mark.parametrize(
    'name', ['./step_fn.onnx', '/step_fn.onnx', '../step_fn.onnx', 'a/b', '\x1b[31m', 'x' * 99]
)
def test_paths_are_refused_by_name(tmp_path, name):
    """A path in an archive is never used, and never printed unescaped."""
    text = refusal_of_bytes(tmp_path, models.raw_archive([(name, STEP)]))
    assert f'unexpected entry {name!r}' in text


def test_duplicate_entry(tmp_path):
    """A duplicate is ambiguous."""
    text = refusal_of_bytes(tmp_path, models.raw_archive([*ENTRIES, ENTRIES[1]]))
    assert "duplicate entry 'step_fn.onnx'" in text


@pytest.mark.parametrize('missing', [0, 1, 2])
def test_missing_entry(tmp_path, missing):
    """All three are required, as by kinfer, init_fn also for a policy without state."""
    rest = [entry for index, entry in enumerate(ENTRIES) if index != missing]
    text = refusal_of_bytes(tmp_path, models.raw_archive(rest))
    assert f'missing {ENTRIES[missing][0]} (found {rest[0][0]}, {rest[1][0]})' in text


def test_empty_entry(tmp_path):
    """Found before onnxruntime sees it."""
    entries = [('init_fn.onnx', b''), *ENTRIES[1:]]
    assert 'init_fn.onnx is empty' in refusal_of_bytes(tmp_path, models.raw_archive(entries))


def test_too_large_file(tmp_path, monkeypatch):
    """Reading is bounded."""
    monkeypatch.setattr(archive_module, 'MAX_FILE_BYTES', len(GOOD) - 1)
    text = refusal_of_bytes(tmp_path, GOOD)
    assert f'too large: at most {len(GOOD) - 1} bytes are read' in text


def test_gzip_bomb(tmp_path, monkeypatch):
    """Unpacking is bounded."""
    monkeypatch.setattr(archive_module, 'MAX_UNPACKED_BYTES', 100_000)
    data = gzip.compress(b'\0' * 10_000_000)
    assert len(data) < 100_000
    text = refusal_of_bytes(tmp_path, data)
    assert 'too large: unpacks to more than the 100000 bytes allowed' in text


def with_metadata(data: bytes) -> bytes:
    return models.raw_archive([*ENTRIES[:2], ('metadata.json', data)])


def test_too_large_metadata(tmp_path):
    """Parsed JSON takes many times its size in memory."""
    text = refusal_of_bytes(tmp_path, with_metadata(b' ' * 2_000_000))
    assert 'metadata.json: too large: 2000000 bytes' in text


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (b'{"joint_names": [', 'metadata.json: not JSON: '),
        (b'\xff\xfe', 'metadata.json: not JSON: '),
        (b'{"joint_names": ["a"], "joint_kp": [NaN]}', 'not JSON: NaN is not a JSON number'),
        (b'{"a": 1, "a": 2}', "not JSON: key 'a' appears twice"),
        (b'[' * 100_000, 'nested too deeply'),
        (b'["a"]', 'found a JSON list; expected a JSON object'),
        (b'null', 'found a JSON NoneType; expected a JSON object'),
        (b'{"a": ' + b'9' * 5000 + b'}', 'not JSON: '),
    ],
)
def test_metadata_that_is_no_json_object(tmp_path, data, words):
    """Each kind of wrong JSON has its own text."""
    assert words in refusal_of_bytes(tmp_path, with_metadata(data))
