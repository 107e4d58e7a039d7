"""Writes .safetensors files, after the description of the format."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

NAMES = {
    'float64': 'F64', 'float32': 'F32', 'float16': 'F16', 'int64': 'I64', 'int32': 'I32',
    'bool': 'BOOL',
}  # fmt: skip


def write_safetensors(
    path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write tensors one behind the other; :return: the path."""
    header: dict[str, object] = {} if metadata is None else {'__metadata__': dict(metadata)}
    body = b''
    for name, tensor in tensors.items():
        data = tensor.tobytes()
        place = [len(body), len(body) + len(data)]
        header[name] = {
            'dtype': NAMES[str(tensor.dtype)], 'shape': list(tensor.shape), 'data_offsets': place
        }  # fmt: skip
        body += data
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(struct.pack('<Q', len(text)) + text + body)
    return path
