"""What is read from an MJCF: joints in actuator order, limits, torques, the IMU."""

from __future__ import annotations

import numpy as np
import pytest

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.mjcf import read_mjcf

MODEL = """
<mujoco>
  <compiler angle="radian" autolimits="true"/>
  <worldbody>
    <body name="hull" pos="0 0 1">
      <freejoint/>
      <geom size="0.1"/>
      <body name="mast" quat="0.7071068 0 0 0.7071068">
        <geom size="0.05"/>
        <site name="imu" pos="0.1 0.2 0.3"/>
      </body>
      <body name="thigh">
        <joint name="hip" axis="0 1 0" range="-1 2"/>
        <geom size="0.05"/>
        <body name="shin">
          <joint name="knee" axis="0 1 0"/>
          <geom size="0.05"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="knee" gear="2" ctrlrange="-5 5"/>
    <position joint="hip" kp="20"/>
  </actuator>
</mujoco>
"""


def test_joints_and_imu(tmp_path):
    """Missing limits are None; the IMU's pose is relative to the base."""
    path = tmp_path / 'm.xml'
    path.write_text(MODEL)
    facts = read_mjcf(path)
    knee, hip = facts.joints
    assert (knee.name, knee.lower, knee.torque_limit) == ('knee', None, 10.0)
    assert (hip.name, hip.lower, hip.upper, hip.torque_limit) == ('hip', -1.0, 2.0, None)
    assert (facts.base, facts.imu.name) == ('hull', 'imu')
    np.testing.assert_allclose(facts.imu_mounting, [0.7071068, 0, 0, 0.7071068], atol=1e-6)
    np.testing.assert_allclose(facts.imu_position, [-0.2, 0.1, 0.3], atol=1e-6)


def test_an_mjcf_without_actuators_has_its_own_order(tmp_path):
    """As mjlab keeps its robots; the hinges of a door in the scene are none of the robot."""
    path = tmp_path / 'm.mjcf'
    bare = MODEL.partition('<actuator>')[0].replace(
        'range="-1 2"', 'range="-1 2" actuatorfrcrange="-30 40"'
    )
    door = '<body><joint name="door"/><geom size="0.1"/></body>'
    path.write_text(bare.replace('<worldbody>', f'<worldbody>{door}') + '</mujoco>')
    facts = read_mjcf(path)
    assert facts.imu.name == 'imu'
    assert not facts.actuated
    assert facts.base == 'hull'
    assert [(j.name, j.lower, j.upper, j.torque_limit) for j in facts.joints] == [
        ('hip', -1.0, 2.0, 30.0),
        ('knee', None, None, None),
    ]


def test_an_imu_without_its_gyro(tmp_path):
    """Where actuators are added in code, so are the sensors: the site goes by its name."""
    path = tmp_path / 'm.xml'
    text = MODEL.replace('<site name="imu"', '<site name="imu_in_mast"')
    path.write_text(text)
    assert read_mjcf(path).imu.name is None
    path.write_text(text.partition('<actuator>')[0] + '</mujoco>')
    assert read_mjcf(path).imu.name == 'imu_in_mast'


def test_a_urdf_is_no_mjcf(tmp_path):
    """MuJoCo reads one, with its base fixed to the world and without actuators."""
    path = tmp_path / 'm.urdf'
    link = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    links = ''.join(f'<link name="{name}">{link}</inertial></link>' for name in 'ab')
    joint = '<joint name="j" type="revolute"><parent link="a"/><child link="b"/>'
    joint += '<limit lower="-1" upper="1" effort="1" velocity="1"/></joint>'
    path.write_text(f'<robot name="r">{links}{joint}</robot>')
    with pytest.raises(RobotError, match=r'is a URDF; expected an MJCF'):
        read_mjcf(path)


@pytest.mark.parametrize('text', ['<mujoco/>', 'no xml', '<mujoco><bad/></mujoco>'])
def test_what_is_no_robot_is_refused(tmp_path, text):
    """The error names the file."""
    path = tmp_path / 'm.xml'
    path.write_text(text)
    with pytest.raises(RobotError, match=r'm\.xml'):
        read_mjcf(path)
