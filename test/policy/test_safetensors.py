"""A .safetensors file: exact values, or one error, whatever its bytes are."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies.safetensors import write_safetensors
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.safetensors import read_safetensors

TENSORS = {
    'net/h_in': np.arange(6, dtype=np.float32).reshape(1, 2, 3) / 4,
    'net/count': np.array([-7, 1 << 40], np.int64),
    'net/half': np.array(0.5, np.float16),
    'net/flag': np.array([True, False]),
}


def test_every_number_is_read(tmp_path):
    """Shape, type and value of each tensor."""
    path = write_safetensors(tmp_path / 'a.safetensors', TENSORS, {'by': 'hand'})
    found = read_safetensors(path)
    assert found.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def raw(tmp_path, header, body=b'', length=None):
    """A file of these parts."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / 'b.safetensors'
    path.write_bytes(struct.pack('<Q', len(text) if length is None else length) + text + body)
    return path


def entry(dtype='F32', shape=(1,), offsets=(0, 4)):
    return {'dtype': dtype, 'shape': list(shape), 'data_offsets': list(offsets)}


@pytest.mark.parametrize(
    ('header', 'body', 'length', 'words'),
    [
        ({}, b'', 1 << 62, 'header of 4611686018427387904 bytes'),
        (b'{', b'', None, 'not JSON'),
        (b'[' * 100_000, b'', None, 'not JSON'),
        ([1], b'', None, 'without names'),
        ({'a': 5}, b'', None, 'tensor a: found the dtype None'),
        ({'a': entry('F8_E4M3')}, b'1234', None, "found the dtype 'F8_E4M3'"),
        ({'a': entry(['F32'])}, b'1234', None, 'found the dtype'),
        ({'a': entry(shape=(-1,))}, b'1234', None, 'expected whole numbers'),
        ({'a': entry(shape=(1,) * 99)}, b'1234', None, 'expected whole numbers'),
        ({'a': entry(offsets=(0, 8))}, b'1234', None, 'expected two from 0 to 4'),
        ({'a': entry(offsets=(4, 0))}, b'1234', None, 'expected two from 0 to 4'),
        ({'a': entry(shape=(1 << 39, 1 << 39))}, b'1234', None, 'found 4 bytes, expected'),
        ({'a': entry(), 'b': entry()}, b'1234', None, 'found a tensor at byte 0, expected it at'),
        ({'a': entry()}, b'12345', None, 'found 5 bytes of tensors, expected 4'),
        (b'{"a": 1, "a": 2}', b'', None, 'a name twice'),
        ({'a\n': entry()}, b'1234', None, 'expected printable'),
        ({'a': entry('BOOL', (1,), (0, 1))}, b'\x02', None, 'neither 0 nor 1'),
    ],
)
def test_what_is_wrong_is_said(tmp_path, header, body, length, words):
    """Sizes are compared before anything is allocated."""
    with pytest.raises(ModelError, match=words):
        read_safetensors(raw(tmp_path, header, body, length))


@pytest.mark.parametrize('data', [b'', b'1234567'])
def test_a_short_file(tmp_path, data):
    """Cut off while it was copied."""
    path = tmp_path / 'c.safetensors'
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r'expected a \.safetensors file'):
        read_safetensors(path)


def test_a_pointer(tmp_path):
    """As for every other file."""
    path = tmp_path / 'd.safetensors'
    path.write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(ModelError, match='git lfs pull'):
        read_safetensors(path)


@given(st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_damaged_bytes(tmp_path_factory, data):
    """Some bytes changed, or cut off: used or one error."""
    folder = tmp_path_factory.mktemp('s')
    path = write_safetensors(folder / 'a.safetensors', TENSORS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_safetensors(path)
    except ModelError:
        return
