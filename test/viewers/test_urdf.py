"""URDF and MJCF describe the same robot: poses, masses and meshes against MuJoCo."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

from helpers.policies.flat_policies import FLAT
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers.contacts import Contacts
from kinfer_ros.viewers.description import robot_urdf
from kinfer_ros.viewers.urdf import UrdfTree

ODD = """\
<mujoco>
  <compiler angle="radian" meshdir="parts"/>
  <asset><mesh name="wedge" file="wedge.stl" scale="0.5 1 2"/></asset>
  <worldbody>
    <geom type="plane" size="1 1 0.1"/>
    <body name="trunk" pos="0 0 1">
      <freejoint/>
      <geom type="capsule" size="0.05" fromto="0 0 0 0.2 0.1 0.3" rgba="1 0 0 1"/>
      <geom type="mesh" mesh="wedge" pos="0.1 0 0" euler="0.3 0.2 0.1"/>
      <geom type="ellipsoid" size="0.1 0.2 0.3"/>
      <body pos="0 0.1 0" euler="0 1.5707963267948966 0.4">
        <joint name="a" axis="0 1 0" pos="0.02 0 0.03" ref="0.2"/>
        <joint name="b" axis="1 1 0" pos="0 0.05 0"/>
        <geom type="box" size="0.02 0.03 0.04"/>
        <body name="slider" pos="0 0 -0.2">
          <joint name="s" type="slide" axis="0 0 1" ref="0.01" range="-0.1 0.1"/>
          <geom type="cylinder" size="0.02 0.1"/>
          <body name="tip" pos="0 0 -0.1" euler="0.1 0 0"><geom size="0.03"/></body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="a"/><motor joint="b"/></actuator>
</mujoco>
"""
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32) * 0.05


def write_stl(path: Path) -> None:
    """Write a tetrahedron as a binary STL."""
    faces = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    data = b'\0' * 80 + struct.pack('<I', len(faces))
    for face in faces:
        data += np.zeros(3, '<f4').tobytes() + CORNERS[list(face)].tobytes() + b'\0\0'
    path.parent.mkdir()
    path.write_bytes(data)


@pytest.fixture
def odd(tmp_path: Path) -> Robot:
    """A robot with features that MJCF and URDF express differently."""
    write_stl(tmp_path / 'parts' / 'wedge.stl')
    (tmp_path / 'odd.xml').write_text(ODD)
    joint = (
        '{lower: -1.0, upper: 1.0, home: 0.1, kp: 20.0, kd: 1.0, kp_max: 40.0, kd_max: 4.0,'
        ' torque_limit: 10.0, velocity_limit: 8.0}'
    )
    path = tmp_path / 'odd.yaml'
    path.write_text(
        'name: odd\nmjcf: odd.xml\nbase_frame: base_link\n'
        'imu: {frame: imu_link, mounting: [1, 0, 0, 0]}\n'
        f'joints:\n  a: {joint}\n  b: {joint}\n'
    )
    return load_robot(path)


def chained(tree: UrdfTree, angles: dict[str, float]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return every link's pose in the root: position and matrix."""
    found = {tree.root: (np.zeros(3), np.eye(3))}
    positions, quats = tree.transforms(angles)
    waiting = list(zip(tree.parents, tree.children, positions, quats, strict=True))
    while waiting:
        parent, child, position, quat = waiting.pop(0)
        if parent not in found:
            waiting.append((parent, child, position, quat))
            continue
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, quat)
        at, turned = found[parent]
        found[child] = (at + turned @ position, turned @ matrix.reshape(3, 3))
    return found


def random_angles(model: mujoco.MjModel, rng: np.random.Generator) -> dict[str, float]:
    """Random angles for every joint but the free one."""
    moving = [j for j in range(model.njnt) if model.jnt_type[j] != mujoco.mjtJoint.mjJNT_FREE]
    return {model.joint(j).name: float(rng.uniform(-1.0, 1.0)) for j in moving}


def assert_equal_poses(robot: Robot) -> None:
    """Compare the URDF's links with MuJoCo's bodies, in the base, at random joint angles."""
    fitted = fit_model(robot)
    model, data = fitted.model, mujoco.MjData(fitted.model)
    text, _ = robot_urdf(robot)
    tree = UrdfTree(text, 'made')
    rng = np.random.default_rng(0)
    for _ in range(3):
        angles = random_angles(model, rng)
        for name, angle in angles.items():
            data.qpos[model.joint(name).qposadr[0]] = angle
        mujoco.mj_kinematics(model, data)
        links = chained(tree, angles)
        base = data.xmat[fitted.base].reshape(3, 3)
        compared = 0
        for body in range(model.nbody):
            if model.body_rootid[body] != fitted.base or body == fitted.base:
                continue
            at, turned = links[model.body(body).name or f'body_{body}']
            expected = base.T @ (data.xpos[body] - data.xpos[fitted.base])
            np.testing.assert_allclose(at, expected, atol=1e-9)
            np.testing.assert_allclose(turned, base.T @ data.xmat[body].reshape(3, 3), atol=1e-9)
            compared += 1
        assert compared == sum(model.body_rootid == fitted.base) - 1


def test_the_biped_is_the_same_robot() -> None:
    """RViz must show what MuJoCo simulates."""
    assert_equal_poses(load_robot('biped'))


def test_an_odd_robot_is_the_same_robot(odd: Robot) -> None:
    """Joints off the body origin, two in a body, a shifted zero, a slide, a nameless one."""
    assert_equal_poses(odd)


@pytest.mark.parametrize('flat', [f for f in FLAT if f.path is not None], ids=lambda f: f.name)
def test_robots_of_others_are_the_same_robots(flat, tmp_path: Path) -> None:
    """Thirty joints, meshes and names of other projects."""
    robot = load_robot(flat.robot_yaml(tmp_path))
    assert_equal_poses(robot)
    text, _ = robot_urdf(robot)
    files = set(re.findall(r'filename="file://([^"]+)"', text))
    assert not [name for name in files if not Path(name).is_file()]


def through_mujoco(text: str) -> mujoco.MjModel:
    """Load the URDF with MuJoCo's own reader, keeping what it would remove."""
    options = (
        '<mujoco><compiler fusestatic="false" discardvisual="false" strippath="false" '
        'boundmass="1e-6" boundinertia="1e-9"/>'
    )
    text = re.sub(r'(<robot [^>]*>)', rf'\1{options}</mujoco>', text, count=1)
    return mujoco.MjModel.from_xml_string(text.replace('file://', ''))


@pytest.mark.parametrize('which', ['biped', 'odd'])
def test_another_reader_sees_the_same(which: str, odd: Robot) -> None:
    """A mistake that our reader and writer share would otherwise stay hidden."""
    robot = odd if which == 'odd' else load_robot('biped')
    text, _ = robot_urdf(robot)
    model = through_mujoco(text)
    data = mujoco.MjData(model)
    tree = UrdfTree(text, 'made')
    angles = random_angles(model, np.random.default_rng(1))
    for name, angle in angles.items():
        data.qpos[model.joint(name).qposadr[0]] = angle
    mujoco.mj_kinematics(model, data)
    links = chained(tree, angles)
    names = {model.body(b).name for b in range(1, model.nbody)}
    assert {*tree.children} - {'imu_link'} <= names | {tree.root}
    for name in names:
        at, turned = links[name]
        np.testing.assert_allclose(data.body(name).xpos, at, atol=1e-6)
        np.testing.assert_allclose(data.body(name).xmat.reshape(3, 3), turned, atol=1e-6)


def test_masses_and_limits_are_said(odd: Robot) -> None:
    """A simulator that reads the URDF needs the robot's masses and its YAML's limits."""
    root = ElementTree.fromstring(robot_urdf(odd)[0])
    masses = [float(mass.get('value')) for mass in root.iter('mass')]
    model = fit_model(odd).model
    assert sum(masses) == pytest.approx(model.body_mass[1:].sum(), rel=1e-9)
    limits = {j.get('name'): j.find('limit') for j in root.iter('joint')}
    assert limits['a'].get('effort') == '10'
    assert (limits['a'].get('lower'), limits['a'].get('upper')) == ('-1', '1')
    assert limits['s'].get('upper') == '0.1'


def test_an_ellipsoid_is_a_scaled_sphere(odd: Robot) -> None:
    """URDF has no ellipsoid."""
    meshes = list(ElementTree.fromstring(robot_urdf(odd)[0]).iter('mesh'))
    sphere = next(mesh for mesh in meshes if mesh.get('filename').endswith('shapes/sphere.stl'))
    assert sphere.get('scale') == '0.1 0.2 0.3'
    data = Path(sphere.get('filename').removeprefix('file://')).read_bytes()
    (count,) = struct.unpack('<I', data[80:84])
    faces = np.frombuffer(data[84:], np.dtype([('at', '<f4', (4, 3)), ('rest', '<u2')]), count)
    np.testing.assert_allclose(np.linalg.norm(faces['at'], axis=2), 1.0, atol=1e-6)
    assert np.all(np.einsum('ij,ij->i', faces['at'][:, 0], faces['at'][:, 1]) > 0.9), 'outwards'


def test_a_link_without_visuals_shows_what_collides(odd: Robot) -> None:
    """Models for training have no visuals."""
    assert odd.mjcf is not None
    text = odd.mjcf.read_text().replace('<geom size="0.03"/>', '<geom size="0.03" group="3"/>')
    odd.mjcf.write_text(text)
    tip = ElementTree.fromstring(robot_urdf(odd)[0]).find('link[@name="tip"]')
    assert tip.find('visual/geometry/sphere').get('radius') == '0.03'


def test_what_urdf_lacks_is_noted(odd: Robot) -> None:
    """Every part that is left out has a note."""
    assert odd.mjcf is not None
    text = odd.mjcf.read_text().replace(
        'type="ellipsoid" size="0.1 0.2 0.3"', 'type="mesh" mesh="made"'
    )
    text = text.replace('</asset>', '<mesh name="made" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset>')
    odd.mjcf.write_text(text)
    assert robot_urdf(odd)[1] == ('mesh made has no file: left out',)


def test_a_mesh_lies_where_it_did(odd: Robot) -> None:
    """MuJoCo transforms the vertices of a mesh when it compiles a model."""
    model = fit_model(odd).model
    geom = int(np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)[0])
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, model.geom_quat[geom])
    expected = model.mesh_vert @ matrix.reshape(3, 3).T + model.geom_pos[geom]
    visual = next(v for v in ElementTree.fromstring(robot_urdf(odd)[0]).iter('visual')
                  if v.find('geometry/mesh') is not None)  # fmt: skip
    mesh, origin = visual.find('geometry/mesh'), visual.find('origin')
    scaled = CORNERS * [float(word) for word in mesh.get('scale').split()]
    roll, pitch, yaw = (float(word) for word in origin.get('rpy').split())
    quat = np.empty(4)
    mujoco.mju_euler2Quat(quat, np.array([roll, pitch, yaw]), 'XYZ')
    mujoco.mju_quat2Mat(matrix, quat)
    found = scaled @ matrix.reshape(3, 3).T + [float(w) for w in origin.get('xyz').split()]
    distance = np.linalg.norm(found[:, None] - expected[None], axis=2).min(axis=1)
    assert distance.max() < 1e-6


def test_a_given_urdf_is_taken_as_it_is(tmp_path: Path) -> None:
    """A robot's own URDF is used unchanged, including mimic joints."""
    text = (
        '<robot name="given"><link name="base_link"/><link name="l"/><link name="m"/>'
        '<joint name="j" type="revolute"><parent link="base_link"/><child link="l"/>'
        '<origin xyz="0 0 1"/><axis xyz="0 0 2"/></joint>'
        '<joint name="k" type="prismatic"><parent link="l"/><child link="m"/><axis xyz="1 0 0"/>'
        '<mimic joint="j" multiplier="0.5" offset="0.1"/></joint></robot>'
    )
    (tmp_path / 'given.urdf').write_text(text)
    yaml = tmp_path / 'given.yaml'
    yaml.write_text(
        'name: given\nurdf: given.urdf\nbase_frame: base_link\n'
        'imu: {frame: imu_link, mounting: [1, 0, 0, 0]}\n'
        'joints:\n  j: {lower: -1, upper: 1, home: 0, kp: 1, kd: 1, kp_max: 1, kd_max: 1,'
        ' torque_limit: 1, velocity_limit: 1}\n'
    )
    found, notes = robot_urdf(load_robot(yaml))
    assert (found, notes) == (text, ())
    links = chained(UrdfTree(found, 'given.urdf'), {'j': np.pi / 2, 'unheard_of': 1.0})
    np.testing.assert_allclose(links['m'][0], [0.0, np.pi / 4 + 0.1, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('<robot', 'not XML'),
        ('<html/>', 'expected <robot>'),
        ('<robot><link name="a"/><link name="b"/></robot>', "roots \\['a', 'b'\\]"),
        ('<robot><joint name="j" type="planar"/></robot>', 'planar'),
        ('<robot><joint name="j" type="fixed"><parent link="a"/></joint></robot>', 'lacks its'),
        (
            '<robot><joint name="j" type="fixed"><parent link="a"/><child link="b"/>'
            '<origin xyz="0 nan 0"/></joint></robot>',
            'finite',
        ),
        (
            '<robot><link name="a"/><joint name="j" type="fixed"><parent link="a"/>'
            '<child link="c"/></joint></robot>',
            "not there: \\['c'\\]",
        ),
    ],
)
def test_a_bad_urdf_is_refused(text: str, said: str) -> None:
    """The error says what was found."""
    with pytest.raises(RobotError, match=said):
        UrdfTree(text, 'bad.urdf')


def test_a_robot_without_a_description_says_what_to_add() -> None:
    """K-Bot's file has no model, since none ships with the package."""
    with pytest.raises(RobotError, match="neither 'urdf' nor 'mjcf'"):
        robot_urdf(load_robot('kbot'))


def test_contacts_are_the_simulations(tmp_path: Path) -> None:
    """Standing on both feet, then lifted."""
    robot = load_robot('biped')
    simulated = MujocoRobot(robot)
    simulated.hold_base(False)
    simulated.step(150)
    position, quat = np.empty(3), np.empty(4)
    simulated.base(position, quat, np.empty(3), np.empty(3))
    angles = np.empty(12)
    simulated.joint_state(angles, np.empty(12), np.empty(12))
    named = dict(zip(robot.joint_names, angles, strict=True))
    contacts = Contacts(robot)
    points = contacts.points(position, quat, named)
    expected = np.array([c.pos for c in simulated.data.contact])
    assert len(points) >= len(expected) > 3
    nearest = np.linalg.norm(expected[:, None] - points[None], axis=2).min(axis=1)
    assert nearest.max() < 1e-3
    assert {*np.sign(points[:, 1])} == {-1.0, 1.0}, 'both feet'
    position[2] += 0.1
    assert len(contacts.points(position, quat, named)) == 0
