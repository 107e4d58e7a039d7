"""Reads a .safetensors file: 8 bytes of header length, a JSON header, and the tensors' bytes.

The format is small and the file is not trusted, so it is read here, with every offset checked.
"""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import MAX_SAFETENSORS_BYTES
from kinfer_ros.untrusted import MAX_SAFETENSORS_HEADER
from kinfer_ros.untrusted import json_text
from kinfer_ros.untrusted import read_bytes
from kinfer_ros.yaml_vectors import format_value

DTYPES = {
    'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'I64': '<i8', 'I32': '<i4', 'I16': '<i2',
    'I8': '<i1', 'U8': '<u1', 'BOOL': '|b1',
}  # fmt: skip
LENGTH = struct.Struct('<Q')
METADATA = '__metadata__'
MAX_AXES = 16

Tensors = dict[str, npt.NDArray[Any]]


def read_safetensors(path: Path) -> Tensors:
    """
    Read all tensors of a file, by name.

    :raises ModelError: it cannot be read, is too large, or not what its header says.
    """

    def fail(text: str) -> KinferRosError:
        return ModelError(f'{path}: {text}')

    data = read_bytes(path, MAX_SAFETENSORS_BYTES, fail)
    try:
        return _parse(data)
    except _Wrong as wrong:
        raise fail(str(wrong)) from None


class _Wrong(Exception):
    """What is wrong with the file, in words."""


def _parse(data: bytes) -> Tensors:
    if len(data) < LENGTH.size:
        raise _Wrong(f'found {len(data)} bytes, expected a .safetensors file')
    (length,) = LENGTH.unpack_from(data)
    if length > min(len(data) - LENGTH.size, MAX_SAFETENSORS_HEADER):
        raise _Wrong(
            f'found a header of {length} bytes, expected at most {MAX_SAFETENSORS_HEADER}, and '
            'those of the file: a .safetensors file'
        )
    header = _read_header(data[LENGTH.size : LENGTH.size + length])
    body = memoryview(data)[LENGTH.size + length :]
    tensors, ranges = {}, []
    for name, entry in header.items():
        if name == METADATA:
            continue
        first, last, tensor = _read_tensor(name, entry, body)
        tensors[name] = tensor
        ranges.append((first, last))
    at = 0
    for first, last in sorted(ranges):
        if first != at:
            raise _Wrong(f'found a tensor at byte {first}, expected it at {at}, after the last')
        at = last
    if at != len(body):
        raise _Wrong(f'found {len(body)} bytes of tensors, expected {at}')
    return tensors


def _read_header(text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _Wrong('found a name twice in the header, expected each once')
        return found

    try:
        header = json.loads(json_text(text), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise _Wrong('found a header that is not JSON, expected a .safetensors file') from None
    if not isinstance(header, dict):
        raise _Wrong('found a header without names, expected {name: {dtype, shape, ...}}')
    return header


def _read_tensor(name: str, entry: Any, body: memoryview) -> tuple[int, int, npt.NDArray[Any]]:
    """:return: where it begins and ends, and its values."""
    if not is_name(name):
        raise _Wrong(f'found {name[:40]!a} as a name, expected printable characters')
    where = f'tensor {name}'
    entry = entry if isinstance(entry, dict) else {}
    dtype, shape, place = entry.get('dtype'), entry.get('shape'), entry.get('data_offsets')
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _Wrong(f'{where}: found the dtype {format_value(dtype)}, expected {_list(DTYPES)}')
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise _Wrong(f'{where}: found the shape {format_value(shape)}, expected whole numbers')
    if not _are_sizes(place) or len(place) != 2 or not place[0] <= place[1] <= len(body):
        raise _Wrong(
            f'{where}: found the data_offsets {format_value(place)}, expected two from 0 to '
            f'{len(body)}'
        )
    kind = np.dtype(DTYPES[dtype])
    wanted = math.prod(shape) * kind.itemsize
    if place[1] - place[0] != wanted:
        raise _Wrong(
            f'{where}: found {place[1] - place[0]} bytes, expected {wanted}: {dtype} {shape}'
        )
    raw = bytes(body[place[0] : place[1]])
    if dtype == 'BOOL' and set(raw) - {0, 1}:
        raise _Wrong(f'{where}: found bytes that are neither 0 nor 1, expected those of BOOL')
    return place[0], place[1], np.frombuffer(raw, kind).reshape(shape)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 40 for v in value)


def _list(words: Any) -> str:
    return ', '.join(words)
