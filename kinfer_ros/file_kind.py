"""Recognises files that stand where another one was meant: pointers, web pages, PyTorch files."""

import re

HEAD = 512
"""Bytes from the beginning that are looked at."""
SET_HEAD = 1 << 16
"""The same, for the keys of a policy set."""

_BINARY = re.compile(rb'[\x00-\x08\x0e-\x1f]')
_SET = re.compile(rb'^policies[ \t]*:', re.MULTILINE)
_GET = 'download the file itself'
_KINDS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    (
        (b'version https://git-lfs',),
        'is a git-LFS pointer, not the file itself: run `git lfs pull` in its repository',
    ),
    (
        (b'/annex/objects/', b'.git/annex/', b'../.git/annex/'),
        'is a git-annex pointer, not the file itself: run `git annex get` in its repository',
    ),
    (
        (b'<!doctype html', b'<html'),
        f'is an HTML page, not the file itself: {_GET} (on GitHub: Raw, or the download button)',
    ),
)
_TORCH = (
    'is a PyTorch file (TorchScript or a checkpoint), which cannot be run here: load it in Python '
    'with torch.jit.load or its training code, and write ONNX with torch.onnx.export(policy, '
    'example_observation, "policy.onnx")'
)
_MODELS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b'PK\x03\x04', b'\x80\x02', b'\x80\x04', b'\x80\x05'), _TORCH),
    ((b'\x89HDF',), 'is an HDF5 file (Keras); expected ONNX'),
    ((b'<mujoco',), 'is an MJCF, a robot and no policy'),
    ((b'<robot',), 'is a URDF, a robot and no policy'),
)


def stand_in(data: bytes) -> str:
    """Say of which kind a file is that stands for another one, and what to do; '' for none."""
    return _describe(data, _KINDS)


def no_model(data: bytes) -> str:
    """Say the same of a file that was taken for a policy."""
    if is_policy_set(data):
        return (
            'is a policy set, with several policies; expected one of its models. A set is for '
            '`check`, `inspect`, and, as policies:=, for `walk` and the launch files'
        )
    return _describe(data, (*_KINDS, *_MODELS))


def is_policy_set(data: bytes) -> bool:
    """Whether the text of a file is that of a policy set."""
    return not _BINARY.search(data[:HEAD]) and bool(_SET.search(data[:SET_HEAD]))


def _describe(data: bytes, kinds: tuple[tuple[tuple[bytes, ...], str], ...]) -> str:
    head = data[:HEAD].lstrip(b'\xef\xbb\xbf \t\r\n')
    lowered = head.lower()
    if lowered.startswith(b'<?xml'):
        lowered = lowered.partition(b'?>')[2].lstrip()
    for marks, text in kinds:
        if head.startswith(marks) or lowered.startswith(marks):
            return text
    return ''
