"""What a ROS 2 workspace and a release need from the package, beside its code."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import setuptools

import kinfer_ros
from kinfer_ros.__main__ import COMMANDS

TEST = Path(__file__).resolve().parent
ROOT = TEST.parent
SOURCES = [*(ROOT / 'kinfer_ros').rglob('*.py'), *(ROOT / 'launch').glob('*.py')]

# Python modules whose distribution has another name; ROS packages have the name of their module.
DISTRIBUTIONS = {
    'OpenGL': 'PyOpenGL',
    'backports': 'backports.zstd',
    'foxglove': 'foxglove-sdk',
    'google': 'protobuf',
    'grpc': 'grpcio',
    'imageio_ffmpeg': 'imageio-ffmpeg',
    'kos_protos': 'pykos',
    'rerun': 'rerun-sdk',
    'yaml': 'PyYAML',
}
SYSTEM_KEYS = {
    'catkin_pkg': 'python3-catkin-pkg-modules',
    'fastjsonschema': 'python3-fastjsonschema',
    'hypothesis': 'python3-hypothesis',
    'matplotlib': 'python3-matplotlib',
    'numpy': 'python3-numpy',
    'pytest': 'python3-pytest',
    'rich': 'python3-rich',
    'yaml': 'python3-yaml',
}
"""What rosdep calls the Python modules that it can install without pip."""
FEATURES = (
    'base', 'video', 'kos', 'unitree', 'parquet', 'plot', 'ray', 'report', 'rerun', 'foxglove',
    'top',
)  # fmt: skip
"""Requirement files of what the package itself imports."""

SKIPS = {'importorskip', 'skip'}
COLCON_INSTALL = ('--record', 'install.log', '--single-version-externally-managed')


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


def imported_modules(paths: Iterable[Path]) -> set[str]:
    """Top-level modules that these files import, less the standard ones."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split('.')[0])
    return found - set(sys.stdlib_module_names) - {'kinfer_ros'}


def undeclared(modules: set[str], keys: set[str], requirements: Iterable[str]) -> list[str]:
    """Modules that neither package.xml nor one of the requirement files brings."""
    pinned = pins(*requirements)
    return [
        module
        for module in sorted(modules)
        if SYSTEM_KEYS.get(module, module) not in keys
        and DISTRIBUTIONS.get(module, module).lower() not in pinned
    ]


def entry_points() -> dict[str, str]:
    """Executable -> 'module:function', read from setup.py without running it."""
    rows = re.findall(r"'(\w+) = ([\w.]+:\w+)'", (ROOT / 'setup.py').read_text())
    assert rows
    return dict(rows)


def files_below(root: Path, folder: str) -> set[str]:
    """Files of a folder, relative to `root`, less the caches that `ros2 launch` leaves."""
    files = [path for path in (root / folder).rglob('*') if path.is_file()]
    return {str(path.relative_to(root)) for path in files if '__pycache__' not in path.parts}


def run_setup(folder: Path, *command: str) -> None:
    """Run a command of setup.py on a copy of the package, as colcon does."""
    for name in ('setup.py', 'setup.cfg', 'package.xml'):
        shutil.copy(ROOT / name, folder)
    for name in ('resource', 'kinfer_ros'):
        shutil.copytree(ROOT / name, folder / name)
    subprocess.run([sys.executable, 'setup.py', *command], cwd=folder, timeout=60, check=True)


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
    assert not undeclared(imported_modules(SOURCES), keys, FEATURES)


def test_every_import_of_the_tests_is_declared():
    """`rosdep install` and the requirement files together bring all that `colcon test` needs."""
    package = manifest()
    keys = {each.name for each in package.exec_depends + package.test_depends}
    paths = [*TEST.rglob('*.py')]
    ours = {path.stem for path in paths} | {path.name for path in TEST.iterdir()}
    ours |= {path.stem for path in (ROOT / 'benchmarks').glob('*.py')}
    # Each has an environment of its own: requirements/kinfer*-peer.txt, and that of the peer.
    others = {'kinfer', 'kinfer_sim', 'typed_argparse', 'unitree_sdk2py'}
    modules = imported_modules(paths) - ours - others
    assert not undeclared(modules, keys, (*FEATURES, 'test'))


def test_pip_keys_are_not_declared():
    """They keep a package out of a binary release, and Ubuntu's Python refuses their pip."""
    package = manifest()
    keys = {each.name for each in package.exec_depends + package.test_depends}
    assert not {key for key in keys if key.endswith('-pip')} | keys & {'python3-orjson'}


def test_linters_that_are_declared_run():
    """A linter in package.xml that no test runs promises what nobody checked."""
    declared = {each.name for each in manifest().test_depends if each.name.startswith('ament_')}
    text = (TEST / 'test_ament_linters.py').read_text()
    assert declared == {*re.findall(r'from (ament_\w+)\.main import', text)}


def test_manifest_says_where_we_are():
    """Users look there for the sources and for where to report."""
    package = manifest()
    assert {url.type for url in package.urls} == {'website', 'repository', 'bugtracker'}
    assert not [each for each in package.maintainers if each.email.endswith('example')]


@pytest.mark.parametrize('command', ['dist_info', 'bdist_wheel', 'editable_wheel'])
def test_a_wheel_puts_only_the_nodes_on_path(monkeypatch, command):
    """`import`, `top` or `watch` of ours would hide the system's."""
    monkeypatch.chdir(ROOT)
    package = setuptools.distutils.core.run_setup('setup.py', [command], stop_after='init')
    scripts = {row.split(' = ')[0] for row in package.entry_points['console_scripts']}
    nodes = {name for name, target in entry_points().items() if '.nodes.' in target}
    assert scripts == nodes | {'kinfer_ros'}


def test_a_workspace_has_every_command(tmp_path):
    """`ros2 run kinfer_ros COMMAND` starts lib/kinfer_ros/COMMAND."""
    prefix = tmp_path / 'install'
    run_setup(tmp_path, 'install', '--prefix', str(prefix), *COLCON_INSTALL)
    found = {path.name for path in (prefix / 'lib/kinfer_ros').iterdir()}
    assert found == {*entry_points()} >= {*COMMANDS, 'kinfer_ros', 'policy_node'}


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
        assert files_below(ROOT, folder) == files_below(share, folder)
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


def skips_at_import(path: Path) -> bool:
    """Whether a module calls pytest's skip or importorskip when it is imported."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    inside = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func).split('.')[-1] in SKIPS:
            return True
        waiting += [each for each in ast.iter_child_nodes(node) if not isinstance(each, inside)]
    return False


def test_no_module_skips_as_a_whole():
    """launch_testing imports each file itself: such a skip there ends with 0 tests, all green."""
    assert not [str(path) for path in TEST.rglob('*.py') if skips_at_import(path)]


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ("pytest.importorskip('a')", True),
        ("if True:\n    a = pytest.importorskip('a').b", True),
        ("pytest.skip('a', allow_module_level=True)", True),
        ("def test_a():\n    pytest.importorskip('a')", False),
        ("pytestmark = pytest.mark.skipif(True, reason='a')", False),
    ],
)
def test_a_skip_at_import_is_found(tmp_path, text, found):
    """The check above sees what it is for."""
    path = tmp_path / 'test_a.py'
    path.write_text(text)
    assert skips_at_import(path) == found
