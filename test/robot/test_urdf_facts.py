"""What is read from a URDF: joints in the order of the file, limits, efforts, speeds, the IMU."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.urdf import read_urdf

LINKS = (
    'world',
    'pelvis',
    'imu_top',
    'imu_bottom',
    'thigh',
    'shin',
    'foot',
    'toe',
    'wheel',
    'rod',
)
JOINTS = """
<joint name="anchor" type="fixed"><parent link="world"/><child link="pelvis"/>
  <origin rpy="0 0 1"/></joint>
<joint name="knee" type="revolute"><parent link="thigh"/><child link="shin"/><axis xyz="0 1 0"/>
  <limit lower="-0.1" upper="2.5" effort="120" velocity="17.5"/></joint>
<joint name="hip" type="revolute"><parent link="pelvis"/><child link="thigh"/>
  <limit upper="1.5" effort="0" velocity="0"/></joint>
<joint name="ankle" type="revolute"><parent link="shin"/><child link="foot"/>
  <limit lower="0" upper="0" effort="inf" velocity="9"/></joint>
<joint name="toe" type="revolute"><parent link="foot"/><child link="toe"/>
  <mimic joint="ankle" multiplier="2"/><limit lower="-1" upper="1" effort="1"/></joint>
<joint name="wheel" type="continuous"><parent link="pelvis"/><child link="wheel"/>
  <limit lower="-1" upper="1" effort="5" velocity="30"/></joint>
<joint name="slide" type="prismatic"><parent link="pelvis"/><child link="rod"/>
  <limit lower="0" upper="1" effort="5" velocity="1"/></joint>
<joint name="imu_up" type="fixed"><parent link="thigh"/><child link="imu_top"/></joint>
<joint name="imu_low" type="fixed"><parent link="pelvis"/><child link="imu_bottom"/>
  <origin xyz="0 0 0.1" rpy="0 0 1.5707963267948966"/></joint>
<transmission name="t"><joint name="hip"/></transmission>
"""


def urdf_text(joints=JOINTS, links=LINKS, head=''):
    listed = ''.join(f'<link name="{name}"/>' for name in links)
    return f'{head}<robot name="r">{listed}{joints}</robot>'


def write(folder, text):
    path = folder / 'robot.urdf'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_joints_limits_efforts_and_speeds(tmp_path):
    """An absent edge is 0, as in URDF; both 0, and effort or speed 0, are what is not known."""
    facts = read_urdf(write(tmp_path, urdf_text()))
    found = [(j.name, j.lower, j.upper, j.torque_limit, j.velocity_limit) for j in facts.joints]
    assert found == [
        ('knee', -0.1, 2.5, 120.0, 17.5),
        ('hip', 0.0, 1.5, None, None),
        ('ankle', None, None, None, 9.0),
        ('wheel', None, None, 5.0, 30.0),
    ]
    assert [joint.name for joint in facts.joints if joint.continuous] == ['wheel']
    assert facts.passed_over == {'mimic': ('toe',), 'prismatic': ('slide',)}
    assert facts.base == 'pelvis'


def test_the_imu_is_the_link_that_is_rigid_with_the_base(tmp_path):
    """Its mounting is in the base's frame: the base's own pose in the world does not matter."""
    imu = read_urdf(write(tmp_path, urdf_text())).imu
    assert (imu.frame, imu.joints, imu.others) == ('imu_bottom', 0, ('imu_top',))
    np.testing.assert_allclose(imu.mounting, [math.sqrt(0.5), 0, 0, math.sqrt(0.5)], atol=1e-9)


def test_meshes_are_not_opened(tmp_path):
    """Their packages need not be installed; a path could be any file."""
    mesh = '<link name="x"><visual><geometry><mesh filename="package://no/such.stl"/></geometry>'
    mesh += '</visual></link><joint name="j" type="fixed"><parent link="pelvis"/>'
    joints = JOINTS + mesh + '<child link="x"/></joint>'
    assert read_urdf(write(tmp_path, urdf_text(joints))).joints


BOMB = '<!DOCTYPE robot [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'not XML'),
        ('<robot', 'not XML'),
        ('<mujoco/>', 'found <mujoco>, expected <robot>'),
        ('<robot/>', 'no revolute or continuous joint'),
        (urdf_text(head=BOMB), 'document type'),
        (urdf_text(head='<?xml version="1.0"?>\n' + BOMB), 'document type'),
        (urdf_text(head=BOMB).encode('utf-16'), 'UTF-8'),
        (urdf_text().replace('name="r"', 'name="\xe4"').encode('latin-1'), 'UTF-8'),
        (urdf_text().replace('2.5', 'high'), 'joint \'knee\': found upper="high", expected a'),
        (urdf_text().replace('2.5', 'nan'), 'found upper="nan"'),
        (urdf_text().replace('2.5', '1e999'), 'found upper="1e999"'),
        (urdf_text().replace('2.5', '-2.5'), 'limits -0.1 to -2.5, expected lower below upper'),
        (urdf_text().replace('2.5', '${pi}'), 'run xacro first'),
        (urdf_text().replace('"knee"', '"${side}_knee"'), 'expected a name'),
        (urdf_text().replace('"knee"', '"hip"'), 'found hip more than once'),
        (urdf_text().replace('"knee"', '"a&#10;b"'), 'expected a name'),
        (urdf_text().replace('type="prismatic"', 'type="hinge"'), "type 'hinge'"),
        (urdf_text().replace('<child link="foot"/>', ''), "joint 'ankle' lacks"),
        (urdf_text().replace('<child link="foot"/>', '<child link="thigh"/>'), 'not a tree'),
        (urdf_text().replace('<child link="thigh"/>', '<child link="pelvis"/>'), 'not a tree'),
        (urdf_text().replace('parent link="pelvis"/><child link="thigh"',
                             'parent link="toe"/><child link="thigh"'), 'not a tree'),
        (urdf_text().replace('rpy="0 0 1.5707963267948966"', 'rpy="0 0"'), 'found rpy="0 0"'),
        (urdf_text('<x:macro xmlns:x="http://www.ros.org/wiki/xacro"/>'), 'is xacro'),
        (b' ' * (10 << 20) + urdf_text().encode(), 'larger than'),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_error(tmp_path, text, words):
    """URDFs come from anywhere: each mistake names the file, the joint and what was expected."""
    path = write(tmp_path, text)
    with pytest.raises(RobotError) as caught:
        read_urdf(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
