"""Reads the opset of an ONNX file from its bytes, which onnxruntime does not give.

The `onnx` package could do it, but is not needed for anything else at run time. The format is
protocol buffers: ModelProto has field 8, opset_import, a message with field 1, domain, and field
2, version (onnx.proto3; wire format: protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_OPSET_IMPORT, _DOMAIN, _VERSION = 8, 1, 2


def read_opset(model: bytes) -> int | None:
    """Return the opset version of the default domain; None where it cannot be found."""
    try:
        for field, value in _fields(memoryview(model)):
            if field == _OPSET_IMPORT and isinstance(value, memoryview):
                entry = dict(_fields(value))
                domain, version = entry.get(_DOMAIN, b''), entry.get(_VERSION)
                if domain in (b'', b'ai.onnx') and isinstance(version, int):
                    return version
    except (IndexError, ValueError, TypeError):
        return None
    return None


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError('truncated')
            yield key >> 3, data[at : at + size]
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f'wire type {kind}')


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ValueError('varint too long')
