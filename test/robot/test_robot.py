"""The robot file is read strictly."""

from pathlib import Path

import numpy as np
import pytest

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import ENDLESS
from kinfer_ros.robot.robot import load_robot

JOINT = (
    '{lower: -1.0, upper: 1.0, home: 0.2, kp: 10.0, kd: 1.0, kp_max: 20.0, kd_max: 2.0, '
    'torque_limit: 5.0, velocity_limit: 6.0}'
)
ROBOT = f"""name: tiny
base_frame: base_link
imu: {{frame: imu_link, mounting: [0, 1.001, 0, 0]}}
joints:
  hip: {JOINT}
  knee: {JOINT}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / 'tiny.yaml'
    path.write_text(text)
    return path


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(RobotError) as error:
        load_robot(write(tmp_path, text))
    return str(error.value)


def test_the_robot_that_ships_loads():
    """`robot: biped` is the default of every command."""
    robot = load_robot('biped')
    assert robot.name == 'biped'
    assert len(robot.joint_names) == 12
    assert robot.mjcf is not None
    assert robot.mjcf.is_file()
    assert np.all(robot.lower < robot.upper)


def test_fields_and_arrays(tmp_path):
    """Arrays are in file order and read-only."""
    robot = load_robot(write(tmp_path, ROBOT))
    assert robot.joint_names == ('hip', 'knee')
    assert robot.mjcf is None
    np.testing.assert_array_equal(robot.home, [0.2, 0.2])
    np.testing.assert_array_equal(robot.kp_max, [20.0, 20.0])
    np.testing.assert_allclose(robot.imu_mounting, [0.0, 1.0, 0.0, 0.0])
    assert robot.joints[0].sign == 1
    assert robot.joints[0].id is None
    for array in (robot.lower, robot.velocity_limit, robot.imu_mounting):
        with pytest.raises(ValueError, match='read-only'):
            array[0] = 1.0


def test_a_continuous_joint(tmp_path):
    """A wheel has no limits, and its home is 0 where none is given."""
    entry = JOINT.replace('lower: -1.0, upper: 1.0, home: 0.2', 'continuous: true')
    robot = load_robot(write(tmp_path, ROBOT + f'  wheel: {entry}\n'))
    assert [joint.continuous for joint in robot.joints] == [False, False, True]
    assert (robot.lower[2], robot.upper[2], robot.home[2]) == (-ENDLESS, ENDLESS, 0.0)
    text = message(tmp_path, ROBOT + f'  wheel: {JOINT.replace("}", ", continuous: true}")}\n')
    assert text.count('found a limit of a continuous joint, expected none') == 2
    text = message(tmp_path, ROBOT.replace('lower: -1.0, ', '', 1))
    assert "missing key 'lower'" in text


def test_mjcf_is_relative_to_the_file(tmp_path, monkeypatch):
    """The same file works from every working directory."""
    write(tmp_path, ROBOT + 'mjcf: sub/../robot.xml\n')
    monkeypatch.chdir('/')
    assert load_robot(tmp_path / 'tiny.yaml').mjcf == tmp_path / 'robot.xml'


def test_hardware_keys(tmp_path):
    """Id, offset and sign are optional."""
    entry = JOINT.replace('}', ', id: 31, offset: 0.1, sign: -1}')
    joint = load_robot(write(tmp_path, ROBOT + f'  ankle: {entry}\n')).joints[2]
    assert (joint.id, joint.offset, joint.sign) == (31, 0.1, -1)


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('lower: -1.0', 'lower: 2.0', 'line 5: joints.hip.lower: found 2, expected less than'),
        ('home: 0.2', 'home: 1.2', 'joints.hip.home: found 1.2, expected within the limits'),
        ('kp: 10.0', 'kp: 30.0', 'joints.hip.kp: found 30, expected at most kp_max 20'),
        ('kd: 1.0', 'kd: -1.0', 'joints.hip.kd: found -1.0, expected a number of at least 0'),
        ('torque_limit: 5.0', 'torque_limit: 0', 'torque_limit: found 0, expected more'),
        ('kp: 10.0', 'kp: .nan', 'joints.hip.kp: found nan'),
        ('kd_max', 'kd_mx', "unknown key 'kd_mx' (did you mean 'kd_max'?)"),
        ('kd_max: 2.0, ', '', "line 5: joints.hip: missing key 'kd_max'"),
        ('[0, 1.001, 0, 0]', '[0, 0, 0, 0]', 'imu.mounting: found a norm of 0'),
        ('[0, 1.001, 0, 0]', '[0, 1, 0]', 'expected a list of 4 numbers'),
        ('mounting:', 'position: [0, 1], mounting:', 'expected a list of 3 numbers'),
        ('name: tiny', 'name: ""', "name: found the text ''"),
        ('base_frame', 'base_frme', "missing key 'base_frame'"),
    ],
)
def test_mistakes(tmp_path, old, new, expected):
    """Each mistake is reported with its line and key."""
    text = message(tmp_path, ROBOT.replace(old, new, 1))
    assert expected in text
    assert 'tiny.yaml' in text


def test_two_joints_cannot_share_a_bus_number(tmp_path):
    """Two joints on one motor would fight each other."""
    entry = JOINT.replace('}', ', id: 4}')
    text = message(tmp_path, ROBOT + f'  a: {entry}\n  b: {entry}\n')
    assert 'id 4 is also the id of a' in text


def test_no_joints(tmp_path):
    """At least one joint is required."""
    assert 'found no joints' in message(tmp_path, ROBOT.split('joints:')[0] + 'joints: {}\n')


def test_unknown_name_lists_what_is_there():
    """The error lists the robots in config/robots."""
    with pytest.raises(RobotError, match=r"no robot 'bipd' \(did you mean 'biped'\?\)"):
        load_robot('bipd')
