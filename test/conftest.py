"""Makes `helpers` importable, marks the tests that need ROS 2, and checks what all tests need."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

NEED_ROS = (
    'faults',
    'launching/test_ros2_launch.py',
    'nodes',
    'ros',
    'system',
    'test_doc_commands.py',
)
"""Folders and files whose tests need ROS 2; a single test elsewhere has the mark `ros` itself."""

try:
    import rclpy  # noqa: F401
except ModuleNotFoundError:  # and no other error: a broken ROS 2 must not look like none
    collect_ignore = list(NEED_ROS)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background, and each process that a test starts and then
    # interrupts would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in those places."""
    places = [TESTS / place for place in NEED_ROS]
    for item in items:
        if any(item.path.is_relative_to(place) for place in places):
            item.add_marker('ros')


@pytest.fixture(scope='module', autouse=True)
def settings_of_dds(request: pytest.FixtureRequest) -> Iterator[None]:
    """
    Set up Fast DDS for folders that make dozens of graphs and kill processes.

    Nodes announce themselves five times a second; else they find each other within 3 s. All do
    without shared memory, the test process as well: a killed process leaves it behind, and a
    participant that was destroyed next to it crashed. test/system keeps to what users have.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.relative_to(TESTS).parts[0] in ('faults', 'nodes'):
            from kinfer_ros.ros.context import profiles_name

            patch.setenv(profiles_name(), str(TESTS / 'data' / 'announce.xml'))
            patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SYSTEM_DEFAULT')
        yield


@pytest.fixture(scope='module', autouse=True)
def untried_policies(request: pytest.FixtureRequest) -> Iterator[None]:
    """
    Load policies without a child process, which takes 0.3 s each, but where it is tested.

    Tests load thousands that they have made themselves. Nodes and commands try them as always.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.name != 'test_trial.py':
            patch.setattr('kinfer_ros.policy.policy.try_policy', lambda *_: None)
            patch.setattr('kinfer_ros.policy.sets.loaded_set.try_together', lambda *_: None)
        yield


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
