"""Reads and writes policy files: kinfer archives, and bare ONNX files.

A `.kinfer` file is a gzip tar of exactly `init_fn.onnx`, `step_fn.onnx` and `metadata.json`.
kinfer's own loader requires all three, also for a policy without state. Policy files are not
trusted: sizes are bounded before unpacking, and nothing is written to disk.
"""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.atomic_file import replace_file
from kinfer_ros.errors import ModelError
from kinfer_ros.file_kind import no_model
from kinfer_ros.policy.external_data import file_beside
from kinfer_ros.policy.external_data import read_external_data
from kinfer_ros.policy.tar import TarError
from kinfer_ros.policy.tar import read_tar
from kinfer_ros.untrusted import json_text

INIT_FN = 'init_fn.onnx'
STEP_FN = 'step_fn.onnx'
METADATA = 'metadata.json'
ENTRIES = (INIT_FN, STEP_FN, METADATA)

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_METADATA_BYTES = 1024 * 1024
_GZIP_MAGIC = b'\x1f\x8b'
_ONNX_MARK = b'\x08'  # the first field of a model: its version


@dataclass(frozen=True)
class Archive:
    """The parts of a policy file, as bytes, not yet run or checked."""

    path: Path
    sha256: str
    """Of the whole file, hexadecimal; with weights or networks beside it, of them as well."""
    init_fn: bytes | None
    """None for a bare ONNX file only."""
    step_fn: bytes
    metadata: dict[str, Any]
    """metadata.json; empty for a bare ONNX file, whose metadata is in the graph."""
    external: dict[str, bytes] = field(default_factory=dict)
    """Files with the weights of a bare ONNX file, by the names that it uses."""
    networks: 'dict[str, Archive]' = field(default_factory=dict)
    """Networks that run before the policy, by the names of its spec."""


def read_archive(path: str | os.PathLike[str]) -> Archive:
    """
    Read a `.kinfer` archive or a bare `.onnx` file into memory, with the weights beside it.

    A file that starts with the gzip magic is an archive; any other must be named `.onnx`, or be
    an ONNX file that kinfer before 0.4 named `.kinfer`.

    :raises ModelError: naming the file, what was found in it and what was expected.
    """
    path = Path(path)
    archive = parse_archive(_read_bounded(path), path)
    if archive.init_fn is not None:
        return archive
    external = read_external_data(archive.step_fn, path)
    if not external:
        return archive
    digest = hashlib.sha256(archive.step_fn)
    for name in sorted(external):
        digest.update(external[name])
    return replace(archive, sha256=digest.hexdigest(), external=external)


def with_networks(archive: Archive, files: Mapping[str, str]) -> Archive:
    """
    Read further networks of a policy, which have to be in the folder of its file.

    :param files: their files, by name.
    :return: the archive with them; its hash then covers all.
    :raises ModelError: one is elsewhere, missing, too large or no ONNX file.
    """
    if set(files) == set(archive.networks):
        return archive
    found: dict[str, Archive] = {}
    digest = hashlib.sha256(archive.sha256.encode())
    size = 0
    for name, file in files.items():
        hint = 'copy it there'
        place = file_beside(archive.path, file, f'the network {name} of its spec is', hint)
        found[name] = part = read_archive(place)
        if part.init_fn is not None:
            raise ModelError(f'{place}: is a kinfer archive; expected a bare .onnx file')
        digest.update(f'{name} {part.sha256}'.encode())
        size += len(part.step_fn) + sum(map(len, part.external.values()))
        if size > MAX_FILE_BYTES:
            raise ModelError(
                f'{archive.path}: the networks of its spec are larger than {MAX_FILE_BYTES} bytes'
            )
    return replace(archive, sha256=digest.hexdigest(), networks=found)


def parse_archive(data: bytes, path: Path) -> Archive:
    """
    Parse the bytes of a policy file.

    :param path: the file's name, for errors and to recognise a bare ONNX file; not opened.
    :raises ModelError: as read_archive.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if other := no_model(data):
        raise ModelError(f'{path}: {other}')
    if data.startswith(_GZIP_MAGIC):
        parts = _unpack(data, path)
        metadata = _parse_metadata(parts[METADATA], path)
        return Archive(path, sha256, parts[INIT_FN], parts[STEP_FN], metadata)
    if path.suffix.lower() == '.onnx' or (
        path.suffix.lower() == '.kinfer' and data.startswith(_ONNX_MARK)
    ):
        return Archive(path, sha256, None, data, {})
    raise ModelError(
        f'{path}: not a gzip file (it starts with {data[:4].hex(" ")}); expected a kinfer archive:'
        f' a gzip tar of {", ".join(ENTRIES)}. A bare ONNX file must be named .onnx (or .kinfer,'
        ' as kinfer before 0.4 named them)'
    )


def _read_bounded(path: Path) -> bytes:
    try:
        # Before opening it: opening a FIFO waits for its other end.
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ModelError(f'{path}: is a directory; expected a .kinfer or .onnx file')
        if not stat.S_ISREG(found.st_mode):
            raise ModelError(f'{path}: is not a regular file; expected a .kinfer or .onnx file')
        with path.open('rb') as file:
            # Python takes memory for all that it is asked to read.
            data = file.read(min(found.st_size, MAX_FILE_BYTES) + 1)
    except FileNotFoundError:
        raise ModelError(f'{path}: no such file; expected a .kinfer or .onnx file') from None
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ModelError(f'{path}: cannot be read: {reason}') from None
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(f'{path}: too large: at most {MAX_FILE_BYTES} bytes are read')
    if not data:
        raise ModelError(f'{path}: is empty; expected a .kinfer or .onnx file')
    return data


def _decompress(data: bytes, path: Path) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_UNPACKED_BYTES + 1)
    except EOFError:
        raise ModelError(
            f'{path}: truncated: the gzip data end too early; expected a complete kinfer archive'
        ) from None
    except (OSError, zlib.error) as error:
        raise ModelError(
            f'{path}: damaged gzip data ({error}); expected a kinfer archive'
        ) from None
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise ModelError(
            f'{path}: too large: unpacks to more than the {MAX_UNPACKED_BYTES} bytes allowed'
        )
    return unpacked


def _unpack(data: bytes, path: Path) -> dict[str, bytes]:
    """Return the three entries, each present exactly once."""
    parts: dict[str, bytes] = {}
    expected = f'expected exactly {", ".join(ENTRIES)}'
    try:
        for entry in read_tar(_decompress(data, path)):
            if entry.name not in ENTRIES:
                raise ModelError(f'{path}: unexpected entry {entry.name!r}; {expected}')
            if entry.kind != 'file':
                raise ModelError(f'{path}: {entry.name} is a {entry.kind}; expected regular files')
            if entry.name in parts:
                raise ModelError(f'{path}: duplicate entry {entry.name!r}; {expected}')
            parts[entry.name] = entry.body
    except TarError as error:
        raise ModelError(f'{path}: damaged archive: {error}; expected a kinfer archive') from None
    missing = [name for name in ENTRIES if name not in parts]
    if missing:
        found = ', '.join(parts) or 'nothing'
        raise ModelError(f'{path}: missing {", ".join(missing)} (found {found}); {expected}')
    for name, body in parts.items():
        if not body:
            raise ModelError(f'{path}: {name} is empty')
    return parts


def _parse_metadata(data: bytes, path: Path) -> dict[str, Any]:
    where = f'{path}: {METADATA}'
    if len(data) > MAX_METADATA_BYTES:
        raise ModelError(f'{where}: too large: {len(data)} bytes, at most {MAX_METADATA_BYTES}')
    return parse_json_object(data, where)


def parse_json_object(data: bytes | str, where: str) -> dict[str, Any]:
    """
    Parse a JSON object strictly: no NaN, no duplicate keys.

    :raises ModelError: naming `where` and what was found.
    """
    try:
        text = json_text(data)
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except RecursionError:
        raise ModelError(f'{where}: JSON nested too deeply to be read') from None
    except ValueError as error:
        raise ModelError(f'{where}: not JSON: {error}; expected a JSON object') from None
    if not isinstance(value, dict):
        raise ModelError(f'{where}: found a JSON {type(value).__name__}; expected a JSON object')
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f'key {key!r} appears twice')
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f'{name} is not a JSON number')


def archive_bytes(init_fn: bytes, step_fn: bytes, metadata: Mapping[str, Any]) -> bytes:
    """
    Make the bytes of a `.kinfer` archive, reproducibly: without time, owner or file name.

    Metadata keys keep their order. The compressed bytes depend on the zlib of the machine.

    :raises ModelError: the metadata cannot be written as JSON.
    """
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ModelError(f'{METADATA} cannot be written as JSON: {error}') from None
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename='', fileobj=buffer, mode='wb', compresslevel=9, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode='w', format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, body in zip(ENTRIES, (init_fn, step_fn, text), strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def write_archive(
    path: str | os.PathLike[str],
    init_fn: bytes,
    step_fn: bytes,
    metadata: Mapping[str, Any],
) -> None:
    """
    Write a `.kinfer` archive atomically, replacing an existing file.

    :raises ModelError: the metadata is not JSON, or the file cannot be written.
    """
    write_atomically(Path(path), archive_bytes(init_fn, step_fn, metadata), overwrite=True)


def write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    """
    Write a file that no reader sees incomplete.

    :raises ModelError: it exists and may not be overwritten, or cannot be written.
    """
    try:
        if not overwrite and path.exists():
            raise ModelError(f'{path}: exists already; choose another name')
        replace_file(path, data)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ModelError(f'{path}: cannot be written: {reason}') from None
