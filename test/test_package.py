"""What a ROS 2 workspace and a release need from the package, beside its code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kinfer_ros

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*(ROOT / 'kinfer_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]

# Python modules whose distribution has another name; ROS packages have the name of their module.
DISTRIBUTIONS = {
    'backports': 'backports.zstd',
    'google': 'protobuf',
    'grpc': 'grpcio',
    'imageio_ffmpeg': 'imageio-ffmpeg',
    'kos_protos': 'pykos',
    'rerun': 'rerun-sdk',
    'yaml': 'PyYAML',
}
SYSTEM_KEYS = {'numpy': 'python3-numpy', 'yaml': 'python3-yaml'}
"""What rosdep calls the Python modules that it can install everywhere."""


def manifest():
    """Parse package.xml as colcon and bloom do."""
    catkin_pkg = pytest.importorskip('catkin_pkg.package')
    warnings: list[str] = []
    package = catkin_pkg.parse_package(str(ROOT / 'package.xml'), warnings=warnings)
    assert not warnings
    return package


def pins(*names: str) -> dict[str, str]:
    """Requirement -> version of the named requirement files, names in lower case."""
    found = {}
    for name in names:
        for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
            requirement = line.split('#')[0].strip()
            if requirement:
                match = re.fullmatch(r'([\w.-]+)(?:\[[\w,]+\])?==([\w.+]+)', requirement)
                assert match, f'{name}.txt: {requirement!r} is not pinned to one version'
                found[match[1].lower()] = match[2]
    return found


def imported_modules() -> set[str]:
    """Top-level modules that the package and its launch files import, less the standard ones."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split('.')[0])
    return found - set(sys.stdlib_module_names) - {'kinfer_ros'}


def entry_points() -> dict[str, str]:
    """Executable -> 'module:function', read from setup.py without running it."""
    rows = re.findall(r"'(\w+) = ([\w.]+:\w+)'", (ROOT / 'setup.py').read_text())
    assert rows
    return dict(rows)


def test_manifest_is_valid_and_ours():
    """A package.xml with a mistake is built as plain Python, and ROS 2 then never finds it."""
    package = manifest()
    package.validate()
    assert package.package_format == 3
    assert package.get_build_type() == 'ament_python'
    assert package.licenses == ['MIT']
    assert (ROOT / package.licenses[0].file).is_file()


def test_colcon_sees_an_ament_package():
    """The same through colcon itself, which falls back to plain Python without a word."""
    pytest.importorskip('colcon_ros')
    listed = subprocess.run(
        [sys.executable, '-m', 'colcon', '--log-base', os.devnull, 'list', '--paths', str(ROOT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listed.stdout.split('\t')[0] == 'kinfer_ros'
    assert listed.stdout.rstrip().endswith('(ros.ament_python)')


def test_one_version():
    """package.xml, setup.py and the module state the version; a release must not miss one."""
    stated = re.search(r"version='([\d.]+)'", (ROOT / 'setup.py').read_text())
    assert stated
    assert stated[1] == manifest().version == kinfer_ros.__version__


def test_every_import_is_declared():
    """An import that nothing installs works only on the machine of who wrote it."""
    keys = {dependency.name for dependency in manifest().exec_depends}
    pinned = pins('base', 'video', 'kos', 'parquet', 'plot', 'ray', 'rerun', 'top')
    missing = [
        module
        for module in sorted(imported_modules())
        if SYSTEM_KEYS.get(module, module) not in keys
        and DISTRIBUTIONS.get(module, module).lower() not in pinned
    ]
    assert not missing


@pytest.mark.parametrize('distro', ['kilted', 'jazzy'])
def test_wheels_bring_the_ros_packages(distro):
    """What package.xml asks of ROS must be among the wheels that `make walk` installs."""
    # `walk` composes the graph itself; without tf2_msgs robot_state publishes no /tf.
    not_on_pypi = {'launch', 'launch_ros', 'ros2launch', 'tf2_msgs'}
    keys = {dependency.name for dependency in manifest().exec_depends}
    keys -= not_on_pypi | set(SYSTEM_KEYS.values())
    assert {f'ros-{key.replace("_", "-")}' for key in keys} <= set(pins(distro))


def test_all_requirements_are_pinned():
    """Two installations a year apart must be the same."""
    for path in (ROOT / 'requirements').glob('*.txt'):
        assert pins(path.stem)


@pytest.mark.parametrize(('name', 'target'), entry_points().items())
def test_executable_has_a_main(name, target):
    """`ros2 run` starts these; a wrong target is found only when somebody does."""
    module, function = target.split(':')
    path = ROOT.joinpath(*module.split('.')).with_suffix('.py')
    body = ast.parse(path.read_text()).body
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    assert function in functions, f'{name}: {path} has no {function}'


@pytest.mark.ros
def test_share_is_complete():
    """What is forgotten in setup.py's data_files is missed only by those who install."""
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    prefix = next((Path(p) for p in prefixes if p and Path(p, 'share/kinfer_ros').is_dir()), None)
    if prefix is None:
        pytest.skip('no built workspace is sourced')
    share = prefix / 'share/kinfer_ros'
    for folder in ('launch', 'config', 'robots', 'requirements'):
        files = [path for path in (ROOT / folder).rglob('*') if path.is_file()]
        wanted = {str(p.relative_to(ROOT)) for p in files if '__pycache__' not in p.parts}
        assert wanted == {str(p.relative_to(share)) for p in (share / folder).rglob('*.*')}
    assert (prefix / 'share/ament_index/resource_index/packages/kinfer_ros').is_file()
    assert {path.name for path in (prefix / 'lib/kinfer_ros').iterdir()} == {*entry_points()}
    assert [*prefix.glob('lib/python*/site-packages/kinfer_ros/py.typed')]


def test_nothing_is_left_to_do():
    """Published ROS packages ship with this word in their manifest; ours does not."""
    word = 'TO' + 'DO'
    kept = {'.py', '.xml', '.yaml', '.md', '.rst', '.cfg', '.toml', '.sh'}
    names = ('kinfer_ros', 'launch', 'config', 'test', 'docs', 'tools', 'training', 'benchmarks')
    paths = [*ROOT.glob('*'), *(path for name in names for path in (ROOT / name).rglob('*'))]
    marked = [path for path in paths if path.suffix in kept and word in path.read_text()]
    assert not marked
