"""One small good policy, and the ways in which tests break it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx import helper

from helpers.policies import models
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import archive_bytes
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.text import printable

META = models.metadata(2, models.COMMANDS_3)
INIT = models.init_fn([4.0, -4.0])
STEP = models.leaky_step()
INPUTS = {'joint_angles': (2,), 'command': (3,), 'carry': (2,)}
OBS = {'joint_angles': np.array([1.0, 2.0]), 'command': np.array([0.5, 0.0, 0.0])}
ENTRIES = [
    ('init_fn.onnx', INIT),
    ('step_fn.onnx', STEP),
    ('metadata.json', json.dumps(META).encode()),
]
GOOD = archive_bytes(INIT, STEP, META)


def write(folder: Path, init: bytes = INIT, step: bytes = STEP, meta: Any = META) -> Path:
    """Write the policy, or another one; :return: its path."""
    return models.write_kinfer(folder / 'policy.kinfer', init, step, meta)


def load(folder: Path, init: bytes = INIT, step: bytes = STEP, meta: Any = META) -> Policy:
    """Write and load it."""
    return load_model(write(folder, init, step, meta))


def refusal(path: Path | str) -> str:
    """:return: the text with which this file is refused; it names the file."""
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert printable(str(path)) in str(caught.value)
    return str(caught.value)


def refusal_of_bytes(folder: Path, data: bytes) -> str:
    """:return: the text with which a file of these bytes is refused."""
    path = folder / 'bad.kinfer'
    path.write_bytes(data)
    return refusal(path)


def refusal_of(folder: Path, init: bytes = INIT, step: bytes = STEP, meta: Any = META) -> str:
    """:return: the text with which an archive of these parts is refused."""
    return refusal(write(folder, init, step, meta))


def step_with(
    inputs: models.Shapes,
    outputs: models.Shapes | None = None,
    dtypes: Mapping[str, int] | None = None,
    custom: Mapping[str, str] | None = None,
) -> bytes:
    """A graph whose declared inputs and outputs are as given; its outputs are zeros."""
    outputs = {'action': (2,), 'next': (2,)} if outputs is None else outputs
    graph = models.Builder()
    for name, shape in outputs.items():
        kind = (dtypes or {}).get(name, TensorProto.FLOAT)
        sizes = [size if isinstance(size, int) else 2 for size in shape]
        value = helper.make_tensor('v', kind, sizes, [0] * int(np.prod(sizes)))
        graph.add(helper.make_node('Constant', [], [name], value=value))
    return graph.build(inputs, outputs, dtypes=dtypes, custom=custom)


def fix_checksums(data: bytearray) -> None:
    """Make changed tar headers pass their sum again, so that what is in them gets read."""
    for start in range(0, len(data) - 511, 512):
        if data[start + 257 : start + 262] == b'ustar':
            data[start + 148 : start + 156] = b' ' * 8
            data[start + 148 : start + 156] = b'%06o\0 ' % sum(data[start : start + 512])
