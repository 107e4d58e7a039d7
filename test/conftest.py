"""Makes `helpers` importable from every test, and says at once what the tests need."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

REQUIRED = (
    'fastjsonschema',
    'hypothesis',
    'mcap',
    'mujoco',
    'onnx',
    'onnxruntime',
    'orjson',
    'rosbags',
)
"""Modules that whole folders of tests import; what is optional stands in helpers/optional.py."""


def pytest_configure() -> None:
    """Refuse to start with a plain message, where collection errors would hide the rest."""
    missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f'the tests need {", ".join(missing)}, which {sys.executable} does not have. Install:'
            ' python -m pip install -r requirements/base.txt -r requirements/test.txt'
        )
