"""Files made to fill the memory or to take for ever: refused in words, at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import RobotError
from kinfer_ros.launching.arguments import check_params_file
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.kos_metadata import KosMetadata
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.untrusted import MAX_YAML_BYTES
from kinfer_ros.untrusted import check_mjcf
from kinfer_ros.untrusted import json_text
from kinfer_ros.untrusted import load_yaml
from kinfer_ros.viewers.urdf import UrdfTree
from kinfer_ros.yaml_file import YamlFile


def foreign_yaml(path: Path) -> YamlFile:
    """Read a file of another project, as `import` does."""
    return YamlFile(path, 'file', ModelError, foreign=True)


LONGEST_S = 20.0
"""For a file that an attacker chose, on a busy machine; without a limit they take hours."""


def lists(levels: int) -> str:
    """Each level repeats the one below it ten times."""
    lines = ['a0: &a0 [x, x]']
    lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, levels)]
    return '\n'.join(lines)


def merges(levels: int) -> str:
    """The same with merge keys, which PyYAML copies."""
    lines = ['a0: &a0 {x: 1}']
    lines += [f'a{i}: &a{i} {{<<: [{", ".join([f"*a{i - 1}"] * 10)}]}}' for i in range(1, levels)]
    return '\n'.join(lines)


BOMBS = {
    'aliases': lists(12),
    'merges': merges(12),
    'itself': 'a: &a [*a]',
    'depth': '[' * 500 + ']' * 500,
    'recursion': '[' * 50_000 + ']' * 50_000,
    'size': 'a: ' + 'x' * MAX_YAML_BYTES,
}


@pytest.mark.parametrize('bomb', BOMBS)
@pytest.mark.parametrize(
    'read',
    [load_robot, load_spec, foreign_yaml, lambda path: check_params_file(str(path))],
    ids=['robot', 'spec', 'deploy', 'params_file'],
)
def test_yaml(tmp_path: Path, bomb: str, read: Callable[[Path], object]) -> None:
    """In every reader: 554 bytes took 51 s and 2.4 GB."""
    path = tmp_path / 'bomb.yaml'
    path.write_text(BOMBS[bomb])
    begin = time.monotonic()
    with pytest.raises(KinferRosError, match=r'bomb\.yaml') as caught:
        read(path)
    assert time.monotonic() - begin < LONGEST_S
    assert len(str(caught.value)) < 1000


def test_ordinary_anchors_are_read() -> None:
    """People share blocks between joints."""
    text = 'base: &base {kp: 1, kd: 2}\nknee: {<<: *base, kp: 3}\nlist: [*base, *base]'
    assert load_yaml(text)['knee'] == {'kp': 3, 'kd': 2}
    assert load_yaml('') is None
    with pytest.raises(yaml.YAMLError):
        load_yaml('!!python/object/apply:os.system [ls]')


@pytest.mark.parametrize('read', [load_robot, load_spec, foreign_yaml, KosMetadata])
def test_a_path_with_a_nul(read: Callable[[Path], object]) -> None:
    """The standard library raises ValueError."""
    with pytest.raises(KinferRosError, match='NUL'):
        read(Path('/tmp/a\0b.yaml'))


MJCF = {
    'height field': '<mujoco><asset><hfield name="h" nrow="60000" ncol="60000"/></asset></mujoco>',
    'copies': '<mujoco><worldbody>' + '<replicate count="1000">' * 3 + '<geom size="1"/>'
    + '</replicate>' * 3 + '</worldbody></mujoco>',
    'bodies': '<mujoco><worldbody>' + '<body/>' * 3000 + '</worldbody></mujoco>',
    'document type': '<!DOCTYPE a [<!ENTITY b "c">]><mujoco/>',
    'XML': '<mujoco>',
    'includes': '<mujoco><include file="bomb.xml"/></mujoco>',
}  # fmt: skip


@pytest.mark.parametrize('kind', MJCF)
def test_mjcf(tmp_path: Path, kind: str) -> None:
    """Looked through before MuJoCo makes a model of it."""
    path = tmp_path / 'bomb.xml'
    path.write_text(MJCF[kind])
    with pytest.raises(RobotError, match=r'MJCF .*bomb\.xml') as caught:
        check_mjcf(path, RobotError)
    assert kind.split()[0] in str(caught.value).replace('includes over', 'includes')


def test_the_shipped_models_are_read() -> None:
    """The limits are far above a robot."""
    for name in ('biped', 'kbot', 'zbot'):
        robot = load_robot(name)
        if robot.mjcf is not None:
            check_mjcf(robot.mjcf, RobotError)


def test_a_long_chain_of_links() -> None:
    """20 000 links took minutes, since each was looked up in all others."""
    links = ''.join(f'<link name="l{i}"/>' for i in range(20_001))
    joints = ''.join(
        f'<joint name="j{i}" type="fixed"><parent link="l{i}"/><child link="l{i + 1}"/></joint>'
        for i in range(20_000)
    )
    with pytest.raises(RobotError, match='20000 joints, expected at most'):
        UrdfTree(f'<robot name="r">{links}{joints}</robot>', 'chain.urdf')
    links = ''.join(f'<link name="l{i}"/>' for i in range(1501))
    joints = ''.join(
        f'<joint name="j{i}" type="fixed"><parent link="l{i}"/><child link="l{i + 1}"/></joint>'
        for i in range(1500)
    )
    assert UrdfTree(f'<robot name="r">{links}{joints}</robot>', 'chain.urdf').root == 'l0'


@pytest.mark.parametrize('name', ['"kn\\x1b[2Jee"', '"a\\nb"', '"a\\u202Eb"'])
def test_names_that_control_a_terminal(tmp_path: Path, name: str) -> None:
    """Refused in robot files as in the metadata of policies."""
    path = tmp_path / 'robot.yaml'
    path.write_text(f'name: {name}\nbase_frame: base\njoints:\n  {name}: {{lower: 0}}\n')
    with pytest.raises(RobotError, match='printable') as caught:
        load_robot(path)
    assert all(line.isprintable() for line in str(caught.value).split('\n'))


def test_a_params_file_without_parameters(tmp_path: Path) -> None:
    """Rcl's own message does not say which entry."""
    path = tmp_path / 'params.yaml'
    for text in ('policy_node: 5', '[1]', 'policy_node: {max_tilt: 1.0}', ''):
        path.write_text(text)
        with pytest.raises(ConfigError, match='ros__parameters'):
            check_params_file(str(path))
    path.write_text('robot1: {policy_node: {ros__parameters: {max_tilt: 1.0}}}')
    check_params_file(str(path))


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (r'{"\ud800": 1}', {'\ufffd': 1}),
        (r'["\uDC00x", "\ud83d\ude00", "\ud83dx"]', ['\ufffdx', '\U0001f600', '\ufffdx']),
        (r'["\\ud83d\\ude00"]', [r'\ud83d\ude00']),
    ],
)
def test_half_a_character_is_no_name(text: str, expected: Any) -> None:
    """Python reads it, and nothing can write it: such keys of a log broke `report`."""
    found = json.loads(json_text(text.encode()))
    assert found == expected
    str(found).encode()
