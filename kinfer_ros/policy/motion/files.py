"""Reads motion files: CSV of retargeting tools, NPZ of Isaac Lab and mjlab.

CSV: no header or one line of names; root position x y z, root quaternion, then the joints. NPZ, as
`csv_to_npz.py` of BeyondMimic (whole_body_tracking) and mjlab write it: fps, joint_pos, joint_vel,
body_pos_w, body_quat_w (w x y z); body 0 is the root. Both are untrusted: bounded, no pickle.
"""

import io
import warnings
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.motion.motion import MAX_FRAMES
from kinfer_ros.policy.motion.motion import Motion
from kinfer_ros.policy.motion.spec_motion import MotionSpec
from kinfer_ros.untrusted import read_bytes

MAX_BYTES = 256 * 1024 * 1024
"""Of a file, and of what an NPZ unpacks to."""
ROOT = 7
"""Columns of the root: position and quaternion."""


def read_motion_file(path: Path, spec: MotionSpec) -> tuple[Motion, bytes]:
    """
    Read a motion file.

    :return: the motion, joints in the order of the policy's, and the bytes of the file.
    :raises ModelError: it cannot be read, or is not as the spec says.
    """
    data = read_bytes(path, MAX_BYTES, partial(_error, path))
    if path.suffix.lower() == '.npz':
        return _read_npz(path, data, spec), data
    return _read_csv(path, data, spec), data


def _error(path: Path, text: str) -> ModelError:
    return ModelError(f'{path} {text}')


def _read_csv(path: Path, data: bytes, spec: MotionSpec) -> Motion:
    if spec.rate_hz is None:
        raise ModelError(f'{path}: a CSV does not give its rate: expected motion.rate in the spec')
    first, _, rest = data.partition(b'\n')
    text = rest if _is_header(first) else data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # on an empty file
            rows = np.loadtxt(
                io.BytesIO(text), np.float64, delimiter=',', ndmin=2, max_rows=MAX_FRAMES + 1
            )
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f'{path}: expected rows of numbers: {error}') from None
    if not rows.size:
        raise ModelError(f'{path}: expected rows of numbers, found none')
    columns = ROOT + len(spec.joints)
    if rows.shape[1] != columns:
        raise ModelError(
            f'{path}: found {rows.shape[1]} columns, expected {columns}: root position (3), root '
            f'quaternion (4) and {len(spec.joints)} joints ({", ".join(spec.joints)})'
        )
    root = rows[:, 3:ROOT]
    return Motion(
        where=str(path),
        rate_hz=spec.rate_hz,
        positions=rows[:, ROOT:][:, spec.order],
        root_quaternion=np.roll(root, 1, axis=1) if spec.quaternion == 'xyzw' else root,
    )


def _is_header(line: bytes) -> bool:
    try:
        float(line.split(b',')[0])
    except ValueError:
        return True
    return False


def _read_npz(path: Path, data: bytes, spec: MotionSpec) -> Motion:
    arrays = _unpack(path, data)
    positions = _array(path, arrays, 'joint_pos', (None, len(spec.joints)))
    rate = spec.rate_hz or float(_array(path, arrays, 'fps', None).reshape(-1)[0])
    if not 0.0 < rate <= 1e4:
        raise ModelError(f'{path}: fps: found {rate:g}, expected 0 to 10000 Hz')
    velocities = None
    if 'joint_vel' in arrays:
        velocities = _array(path, arrays, 'joint_vel', (None, len(spec.joints)))[:, spec.order]
    root = anchor = None
    if 'body_quat_w' in arrays:
        bodies = _array(path, arrays, 'body_quat_w', (None, None, 4))
        root = bodies[:, 0]
        if spec.body is not None:
            if spec.body >= bodies.shape[1]:
                raise ModelError(
                    f'{path}: body_quat_w: found {bodies.shape[1]} bodies, expected more than '
                    f'{spec.body} (motion.body of the spec)'
                )
            anchor = bodies[:, spec.body]
    return Motion(str(path), rate, positions[:, spec.order], velocities, root, anchor)


def _unpack(path: Path, data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > MAX_BYTES or len(archive.infolist()) > 64:
                raise ModelError(f'{path}: unpacks to {size} bytes, at most {MAX_BYTES}')
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, NotImplementedError) as e:
        raise ModelError(f'{path}: is no NPZ file of plain arrays: {e}') from None


def _array(
    path: Path, arrays: dict[str, Any], name: str, shape: tuple[int | None, ...] | None
) -> Float64:
    found = ', '.join(sorted(arrays)) or 'nothing'
    if name not in arrays:
        raise ModelError(f'{path}: found {found}; expected an array {name}')
    array = arrays[name]
    fits = array.size and array.dtype.kind in 'fiu'
    if fits and shape is not None:
        fits = array.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
    if not fits:
        wanted = 'numbers' if shape is None else str([size or 'any' for size in shape])
        raise ModelError(
            f'{path}: {name}: found {array.dtype} {list(array.shape)}, expected {wanted}'
        )
    return np.asarray(array, np.float64)
