"""Reads from the bytes of an ONNX file what onnxruntime does not give: opset, names of weights.

The `onnx` package could do it, but is not needed for anything else at run time. The format is
protocol buffers (onnx.proto3; wire format: protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_OPSET_IMPORT, _DOMAIN, _VERSION = 8, 1, 2
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _SPARSE = 1, 5, 15  # of GraphProto
_ATTRIBUTE = 5  # of NodeProto
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = (5, 10), (6, 11)  # of AttributeProto
_SPARSE_PARTS = (1, 2)  # values and indices of SparseTensorProto
_EXTERNAL, _KEY, _VALUE = 13, 1, 2  # of TensorProto, StringStringEntryProto
_MAX_DEPTH = 20
"""Graphs inside one another."""


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


def external_locations(model: bytes) -> list[str]:
    """Return the files that a model keeps weights in, by its own names, each once."""
    found: dict[str, None] = {}
    try:
        for graph in _messages(memoryview(model), (_GRAPH,)):
            for tensor in _tensors(graph, 0):
                for entry in map(dict, map(_fields, _messages(tensor, (_EXTERNAL,)))):
                    key, name = entry.get(_KEY), entry.get(_VALUE)
                    if not isinstance(key, memoryview) or not isinstance(name, memoryview):
                        continue
                    if bytes(key) == b'location':
                        found[bytes(name).decode(errors='surrogateescape')] = None
    except (IndexError, ValueError, TypeError):
        pass  # onnxruntime will say what is wrong with the file
    return list(found)


def _tensors(graph: memoryview, depth: int) -> Iterator[memoryview]:
    """Yield the constants of a graph: its own, of its nodes, and of the graphs in these."""
    if depth > _MAX_DEPTH:
        return
    yield from _messages(graph, (_INITIALIZER,))
    for sparse in _messages(graph, (_SPARSE,)):
        yield from _messages(sparse, _SPARSE_PARTS)
    for node in _messages(graph, (_NODE,)):
        for attribute in _messages(node, (_ATTRIBUTE,)):
            yield from _messages(attribute, _ATTRIBUTE_TENSORS)
            for inner in _messages(attribute, _ATTRIBUTE_GRAPHS):
                yield from _tensors(inner, depth + 1)


def _messages(data: memoryview, numbers: tuple[int, ...]) -> Iterator[memoryview]:
    """Yield the fields of these numbers that are messages."""
    for field, value in _fields(data):
        if field in numbers and isinstance(value, memoryview):
            yield value


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
