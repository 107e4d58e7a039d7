"""The launch files: that they compile, and what they declare where ROS 2's launch is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
EXAMPLES = sorted((ROOT / 'examples').glob('*.launch.py'))


def describe(path: Path):
    """Run a launch file's generate_launch_description, as `ros2 launch` does."""
    pytest.importorskip('launch.actions', reason='needs the launch of a ROS 2 installation')
    pytest.importorskip('launch_ros', reason='needs the launch_ros of a ROS 2 installation')
    spec = importlib.util.spec_from_file_location(path.stem.replace('.', '_'), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def test_there_are_launch_files():
    """The tests below hold for nothing when the folder has moved."""
    assert {path.name for path in LAUNCH_FILES} >= {'walk.launch.py', 'policy.launch.py'}


@pytest.mark.parametrize('path', [*LAUNCH_FILES, *EXAMPLES], ids=lambda path: path.name)
def test_compiles(path):
    """The wheels have no launch, so a slip of the pen would go out unseen."""
    code = compile(path.read_text(), str(path), 'exec')
    assert 'generate_launch_description' in code.co_names


@pytest.mark.ros
@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_every_argument_says_what_it_is(path):
    """`ros2 launch kinfer_ros ... --show-args` is the manual that people read."""
    arguments = describe(path).get_launch_arguments()
    assert arguments
    for argument in arguments:
        assert argument.description not in (None, '', 'no description given'), argument.name
