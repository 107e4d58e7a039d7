"""Python modules that a machine may lack: the tests that need them skip, each by itself.

A test module is imported and collected whether they are there or not. A skip of a whole module
would end the collection of everything under launch_testing's plugin, which a ROS 2 installation
brings: it imports each file itself.
"""

from __future__ import annotations

import importlib.util

import pytest


def has(module: str) -> bool:
    """:return: whether the module can be imported; it is not imported for this."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is part of
        return False


HAS_KOS = has('kos_protos')
needs_kos = pytest.mark.skipif(not HAS_KOS, reason='needs pykos (requirements/kos.txt)')
needs_cyclonedds = pytest.mark.skipif(
    not has('cyclonedds'), reason='needs cyclonedds (requirements/unitree.txt)'
)
needs_matplotlib = pytest.mark.skipif(
    not has('matplotlib'), reason='needs matplotlib (requirements/plot.txt)'
)
needs_foxglove = pytest.mark.skipif(
    not has('foxglove'), reason='needs foxglove-sdk (requirements/foxglove.txt)'
)
