"""The tar inside an archive: tricks that mislead other readers."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from helpers.policies.policy_cases import GOOD
from helpers.policies.policy_cases import INIT
from helpers.policies.policy_cases import fix_checksums
from helpers.policies.policy_cases import refusal_of_bytes


def tar_of(*members: tuple[tarfile.TarInfo, bytes], tail: bytes = b'') -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return gzip.compress(buffer.getvalue() + tail)


def test_tar_truncated_inside_the_gzip(tmp_path):
    """An entry that claims more bytes than there are."""
    whole = gzip.decompress(GOOD)
    text = refusal_of_bytes(tmp_path, gzip.compress(whole[:560]))
    assert 'truncated: the entry at byte 0 claims' in text


def test_half_a_header(tmp_path):
    """The data end inside a header."""
    whole = gzip.decompress(GOOD)
    first = 512 + -(-len(INIT) // 512) * 512
    text = refusal_of_bytes(tmp_path, gzip.compress(whole[: first + 100]))
    assert f'truncated: half a header at byte {first}' in text


def test_no_entry_at_all(tmp_path):
    """An empty tar is a valid tar."""
    text = refusal_of_bytes(tmp_path, tar_of())
    assert 'missing init_fn.onnx, step_fn.onnx, metadata.json (found nothing)' in text


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        (tarfile.SYMTYPE, 'symbolic link'),
        (tarfile.LNKTYPE, 'hard link'),
        (tarfile.DIRTYPE, 'directory'),
        (tarfile.FIFOTYPE, 'FIFO'),
        (tarfile.CHRTYPE, 'character device'),
        (tarfile.GNUTYPE_SPARSE, 'sparse file'),
    ],
)
def test_only_regular_files(tmp_path, kind, words):
    """A link to /etc/passwd under the name of an entry is not followed."""
    info = tarfile.TarInfo('init_fn.onnx')
    info.linkname = '/etc/passwd'
    data = bytearray(gzip.decompress(tar_of((info, b''))))
    data[156:157] = kind
    fix_checksums(data)
    text = refusal_of_bytes(tmp_path, gzip.compress(bytes(data)))
    assert f'init_fn.onnx is a {words}; expected regular files' in text


@pytest.mark.parametrize('key', ['path', 'size', 'linkpath', 'GNU.sparse.realsize'])
def test_pax_overrides_are_refused(tmp_path, key):
    """A pax header could rename an entry or change its size after the checks."""
    record = f' {key}=1\n'
    record = f'{len(record) + 2}{record}'
    info = tarfile.TarInfo('x')
    info.type = tarfile.XHDTYPE
    text = refusal_of_bytes(tmp_path, tar_of((info, record.encode())))
    assert f"the pax header at byte 0 overrides b'{key}'" in text


@pytest.mark.parametrize('body', [b'nonsense', b'0 a=b\n', b'9999999', b'-5 a=b\n'])
def test_damaged_pax_header(tmp_path, body):
    """A record length of 0 would loop forever."""
    info = tarfile.TarInfo('x')
    info.type = tarfile.XHDTYPE
    assert 'damaged pax header at byte 0' in refusal_of_bytes(tmp_path, tar_of((info, body)))


def test_data_behind_the_end_mark(tmp_path):
    """Other readers could see a second archive."""
    text = refusal_of_bytes(tmp_path, gzip.compress(gzip.decompress(GOOD) * 2))
    assert 'data after the end-of-archive mark' in text


@pytest.mark.parametrize('size', [b'-0000000001\0', b'\xff' * 12, b'\x80' + b'\xff' * 11])
def test_negative_and_enormous_sizes(tmp_path, size):
    """Negative sizes have sent tar readers into endless loops."""
    data = bytearray(gzip.decompress(GOOD))
    data[124:136] = size
    fix_checksums(data)
    text = refusal_of_bytes(tmp_path, gzip.compress(bytes(data)))
    assert 'not a tar: the size of the header at byte 0' in text
