"""Reads the weights that an ONNX file keeps in a second file, as torch 2.9 and later write them.

They are read by us, bounded and only from the model's own folder, and given to onnxruntime in
memory: it never opens a file that a model names. Format: TensorProto.external_data (onnx.proto3).
"""

from functools import partial
from pathlib import Path

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.onnx_header import external_locations
from kinfer_ros.untrusted import read_bytes

MAX_FILES = 64
MAX_EXTERNAL_BYTES = 512 * 1024 * 1024
"""Of all these files together."""


def _error(file: Path, text: str) -> ModelError:
    return ModelError(f'{file} {text}')


def read_external_data(model: bytes, path: Path) -> dict[str, bytes]:
    """
    Read the files that a model's weights are in, by the names that the model uses.

    :param path: the model; its weights have to be in the same folder.
    :raises ModelError: one is missing, elsewhere, or too large.
    """
    names = external_locations(model)
    if len(names) > MAX_FILES:
        raise ModelError(f'{path}: its weights are in {len(names)} files, at most {MAX_FILES}')
    found: dict[str, bytes] = {}
    left = MAX_EXTERNAL_BYTES
    for name in names:
        hint = 'copy both, or save the graph with its weights inside'
        file = file_beside(path, name, 'its weights are', hint)
        found[name] = read_bytes(file, left, partial(_error, file))
        left -= len(found[name])
    return found


def file_beside(path: Path, name: str, what: str, hint: str) -> Path:
    """
    Return a file that a model needs, which has to be in its own folder.

    :param what: what it is and a verb, for errors: "its weights are".
    :param hint: what to do where it is missing.
    :raises ModelError: it is elsewhere, or missing.
    """
    folder = path.resolve().parent
    place = Path(name)
    if '\0' in name or place.is_absolute() or '..' in place.parts:
        raise ModelError(f'{path}: {what} in {name!r}, expected a file in its own folder')
    file = folder / place
    if not file.is_file():
        raise ModelError(f'{path}: {what} in {name}, and there is no such file beside it: {hint}')
    if not file.resolve().is_relative_to(folder):
        raise ModelError(
            f'{path}: {what} in {name}, a link to another folder; expected a file in its own'
        )
    return file
