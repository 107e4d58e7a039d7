"""`python -m kinfer_ros robot from-...`: metadata of K-Scale, MJCF and URDF become robot files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from helpers.shared import shared_path
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.cli.robot.robot import main
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import ENDLESS
from kinfer_ros.robot.robot import load_robot

METADATA = shared_path('robots/kbot/actuator_metadata.json')
JOINT = {
    'id': 11,
    'kp': '100.0',
    'kd': '8.284',
    'actuator_type': 'robstride_03',
    'soft_torque_limit': '42.0',
    'min_angle_deg': '-80.0',
    'max_angle_deg': '180.0',
}
KIND = {'max_torque': '60.0', 'max_velocity': '18.849'}


def write(folder, **changes):
    """A metadata.json of one joint."""
    path = folder / 'metadata.json'
    joint = {key: value for key, value in {**JOINT, **changes}.items() if value is not ...}
    data = {
        'joint_name_to_metadata': {'knee': joint},
        'actuator_type_to_metadata': {'robstride_03': KIND},
    }
    path.write_text(json.dumps(data))
    return path


def test_numbers_are_strings_in_degrees(tmp_path, capsys):
    """Values of the file are in the YAML, in rad; missing ones are listed as assumed."""
    out = tmp_path / 'bot.yaml'
    words = ['from-kos-metadata', str(write(tmp_path)), '--name', 'bot', '--out', str(out)]
    assert main(words) == 0
    joint = load_robot(out).joints[0]
    assert (joint.id, joint.kp, joint.kd, joint.torque_limit) == (11, 100.0, 8.284, 42.0)
    assert joint.lower == pytest.approx(np.radians(-80), abs=1e-3)
    assert joint.velocity_limit == pytest.approx(18.849, abs=1e-2)
    assert 'assumed' in capsys.readouterr().out
    assert main(words) == 2, 'a file that is there stays'


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'kp': 'many'}, 'kp'),
        ({'id': ...}, 'id'),
        ({'min_angle_deg': 'nan'}, 'min_angle_deg'),
        ({'max_angle_deg': ...}, 'max_angle_deg'),
        ({'max_angle_deg': 10**400}, 'max_angle_deg'),
        ({'soft_torque_limit': 'inf'}, 'soft_torque_limit'),
        ({'actuator_type': [], 'soft_torque_limit': {}}, 'soft_torque_limit'),
    ],
)
def test_missing_keys_are_named(tmp_path, capsys, changes, said):
    """A guessed limit could move a joint against its stop."""
    path = write(tmp_path, **changes)
    assert main(['from-kos-metadata', str(path), '--out', str(tmp_path / 'o.yaml')]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / 'o.yaml').exists()


@pytest.mark.parametrize('text', ['', '[]', '{', '{"joint_name_to_metadata": 3}', '[' * 100000])
def test_other_files_are_refused(tmp_path, capsys, text):
    """Not JSON, or other JSON: one line."""
    path = tmp_path / 'metadata.json'
    path.write_text(text)
    assert main(['from-kos-metadata', str(path)]) == 2
    assert capsys.readouterr().err.startswith('error: ')


MJCF = """
<mujoco model="two">
  <compiler angle="radian"/>
  <worldbody>
    <body name="base" pos="0 0 1">
      <freejoint/>
      <geom size="0.1"/>
      <body name="box" quat="0.7071068 0 0 0.7071068"><geom size="0.02"/><site name="imu"/></body>
      <body name="thigh">
        <joint name="hip" axis="0 1 0" range="-1 2" damping="0.5"/>
        <geom size="0.05"/>
        <body name="shin">
          <joint name="knee" axis="0 1 0" range="-2.5 0" actuatorfrcrange="-40 40"/>
          <geom size="0.05"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="knee"/><position joint="hip" kp="30"/></actuator>
  <keyframe><key name="home" qpos="0 0 1 1 0 0 0 0.3 -0.6"/></keyframe>
</mujoco>
"""
BARE = {'id': 7, 'kp': '100.0', 'kd': '4.0', 'soft_torque_limit': '42.0'}
NONE = ({}, {'min_angle_deg': 'None', 'max_angle_deg': 'None'},
        {'min_angle_deg': None, 'max_angle_deg': None})  # fmt: skip


def bare(folder, joints, **top):
    """A metadata.json of joints without limits, as K-Scale's assets are."""
    path = folder / 'metadata.json'
    path.write_text(json.dumps({'joint_name_to_metadata': joints, **top}))
    return path


def run(*words):
    return main([*map(str, words)])


@pytest.mark.parametrize('angles', NONE)
def test_limits_that_the_metadata_lacks_are_in_the_mjcf(tmp_path, capsys, angles):
    """As in kscale-assets; the robot file then has the MJCF and its IMU, too."""
    (tmp_path / 'robot.mjcf').write_text(MJCF)
    joints = {'knee': BARE | angles, 'hip': {**BARE, **angles, 'id': 8, 'soft_torque_limit': None}}
    path, out = bare(tmp_path, {'knee': joints['knee']}), tmp_path / 'bot.yaml'
    assert run('from-kos-metadata', path, '--mjcf', tmp_path / 'robot.mjcf', '--out', out) == 0
    said = capsys.readouterr().out
    assert 'lower and upper: those of the MJCF' in said
    assert 'in the MJCF, and not in the metadata: hip' in said
    robot = load_robot(out)
    (knee,) = robot.joints
    assert (knee.lower, knee.upper, knee.home) == (-2.5, 0.0, 0.0)
    assert (knee.id, knee.kp, knee.kd, knee.torque_limit) == (7, 100.0, 4.0, 42.0)
    assert (robot.mjcf.name, robot.base_frame, robot.imu_site) == ('robot.mjcf', 'base', 'imu')
    np.testing.assert_allclose(robot.imu_mounting, [0.7071068, 0, 0, 0.7071068], atol=1e-6)
    fit_model(robot)
    path = bare(tmp_path, joints | {'arm': BARE})
    words = ['from-kos-metadata', path, '--mjcf', tmp_path / 'robot.mjcf', '--out', out, '--force']
    assert run(*words) == 2
    assert 'lacks the joints arm; it has knee, hip' in capsys.readouterr().err
    assert load_robot(out).joint_names == ('knee',), 'an error changes nothing'


@pytest.mark.parametrize('angles', NONE)
def test_without_an_mjcf_they_are_places_to_fill_in(tmp_path, capsys, angles):
    """Named one by one, with the MJCF that may have them; filled in, the file is a robot."""
    (tmp_path / 'robot.mjcf').write_text(MJCF)
    path, out = bare(tmp_path, {'knee': {**BARE, **angles, 'kp': None}}), tmp_path / 'bot.yaml'
    assert run('from-kos-metadata', path, '--out', out) == 1
    said = capsys.readouterr().out
    for key in ('lower', 'upper', 'kp', 'kp_max'):
        assert f'joints.knee.{key}: FILL IN (' in said
    assert f'--mjcf {tmp_path / "robot.mjcf"}' in said
    with pytest.raises(RobotError, match='fill in 4 places'):
        load_robot(out)
    content = yaml.safe_load(out.read_text())
    content['joints']['knee'] |= {'lower': -2.5, 'upper': 0.0, 'kp': 10.0, 'kp_max': 20.0}
    out.write_text(yaml.safe_dump(content))
    assert load_robot(out).kp.tolist() == [10.0]


def test_speed_and_torque_of_file_and_actuator(tmp_path, capsys):
    """A max_velocity beside the joints is for all; max_torque where there is no soft limit."""
    joint = {'id': 1, 'kp': 1, 'kd': 1, 'min_angle_deg': -10, 'max_angle_deg': 10}
    joints = {'a': joint | {'actuator_type': 'x'}, 'b': joint | {'soft_torque_limit': 3, 'id': 2}}
    types = {'x': {'max_torque': '6.0', 'max_velocity': '9.0'}}
    path = bare(tmp_path, joints, actuator_type_to_metadata=types, max_velocity='5.0')
    assert run('from-kos-metadata', path, '--out', tmp_path / 'o.yaml') == 0
    robot = load_robot(tmp_path / 'o.yaml')
    assert robot.torque_limit.tolist() == [6.0, 3.0]
    assert robot.velocity_limit.tolist() == [9.0, 5.0]
    assert 'max_velocity of the file, taken as rad/s' in capsys.readouterr().out


def test_from_mjcf(tmp_path, capsys):
    """Actuator order; gains of servos, by torque else; the keyframe is the home; it can be run."""
    path, out = tmp_path / 'two.mjcf', tmp_path / 'two.yaml'
    path.write_text(MJCF)
    assert run('from-mjcf', path, '--out', out) == 0
    said = capsys.readouterr().out
    assert 'kp and kd: of the servos of the MJCF for hip' in said
    assert 'torque limit / 0.5 rad, and kp x 0.025 s, for knee' in said
    assert 'velocity limits: 20 rad/s for every joint' in said
    robot = load_robot(out)
    assert robot.name == 'two'
    assert robot.joint_names == ('knee', 'hip')
    assert robot.home.tolist() == [-0.6, 0.3]
    assert (robot.kp.tolist(), robot.kd.tolist()) == ([80.0, 30.0], [2.0, 0.5])
    assert robot.torque_limit.tolist() == [40.0, 15.0]
    assert robot.imu_site == 'imu'
    fit_model(robot)


URDF = """
<robot name="two"><link name="base"/><link name="imu"/><link name="thigh"/><link name="shin"/>
<link name="wheel"/>
<joint name="hip" type="revolute"><parent link="base"/><child link="thigh"/>
  <limit lower="-1" upper="1.5" effort="25" velocity="11"/></joint>
<joint name="knee" type="revolute"><parent link="thigh"/><child link="shin"/>
  <limit lower="-2.5" upper="0" effort="60" velocity="12"/></joint>
<joint name="spin" type="continuous"><parent link="shin"/><child link="wheel"/></joint>
<joint name="mount" type="fixed"><parent link="base"/><child link="imu"/>
  <origin rpy="3.141592653589793 0 0"/></joint>
</robot>
"""


def test_from_urdf(tmp_path, capsys):
    """The order of the file; what it does not say is assumed, and an endless joint said."""
    path, out = tmp_path / 'two.urdf', tmp_path / 'bot.yaml'
    path.write_text(URDF)
    assert run('from-urdf', path, '--out', out) == 0
    said = capsys.readouterr().out
    assert 'continuous (no limits): spin' in said
    assert 'kp and kd: 40 and 1 for spin' in said
    robot = load_robot(out)
    assert robot.joint_names == ('hip', 'knee', 'spin')
    assert robot.lower.tolist()[:2] == [-1.0, -2.5]
    assert robot.upper.tolist() == [1.5, 0.0, ENDLESS]
    assert robot.torque_limit.tolist() == [25.0, 60.0, 20.0]
    assert robot.velocity_limit.tolist() == [11.0, 12.0, 20.0]
    assert robot.kp.tolist() == [50.0, 120.0, 40.0]
    assert (robot.base_frame, robot.imu_frame, robot.urdf.name) == ('base', 'imu', 'two.urdf')
    np.testing.assert_allclose(robot.imu_mounting, [0.0, 1.0, 0.0, 0.0], atol=1e-9)
    assert run('from-urdf', path, '--out', out) == 2, 'a file that is there stays'


def test_an_mjcf_with_its_urdf(tmp_path, capsys):
    """The MJCF comes first, a difference is said; the URDF has the speeds."""
    (tmp_path / 'two.xml').write_text(MJCF)
    (tmp_path / 'two.urdf').write_text(URDF)
    out = tmp_path / 'bot.yaml'
    words = ['from-mjcf', tmp_path / 'two.xml', '--urdf', tmp_path / 'two.urdf', '--out', out]
    assert run(*words) == 0
    assert 'limits of hip: of the MJCF; the URDF has 1.5 for 2' in capsys.readouterr().out
    robot = load_robot(out)
    assert robot.joint_names == ('knee', 'hip')
    assert robot.upper.tolist() == [0.0, 2.0]
    assert robot.torque_limit.tolist() == [40.0, 25.0]
    assert robot.velocity_limit.tolist() == [12.0, 11.0]
    assert (robot.mjcf.name, robot.urdf.name, robot.imu_site) == ('two.xml', 'two.urdf', 'imu')


@pytest.mark.parametrize('command', ['from-mjcf', 'from-urdf'])
def test_other_descriptions_are_refused(tmp_path, capsys, command):
    """The other format, or none: one line, and nothing is written."""
    path = tmp_path / 'x.xml'
    for text in ('', 'no xml', URDF if command == 'from-mjcf' else MJCF):
        path.write_text(text)
        assert run(command, path, '--out', tmp_path / 'o.yaml') == 2
        assert capsys.readouterr().err.startswith('error: ')
    assert run(command, tmp_path / 'absent', '--out', tmp_path / 'o.yaml') == 2
    assert not (tmp_path / 'o.yaml').exists()


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
def test_the_shared_case(tmp_path):
    """The limits of the two knees are in the MJCF beside the metadata."""
    folder, out = shared_path('cases/kos_metadata'), tmp_path / 'bot.yaml'
    assert run('from-kos-metadata', folder / 'metadata.json', '--out', out) == 1
    words = ['--mjcf', folder / 'robot.mjcf', '--out', out, '--force']
    assert run('from-kos-metadata', folder / 'metadata.json', *words) == 0
    robot = load_robot(out)
    assert robot.lower.tolist() == [0.0, -2.7053]
    assert robot.upper.tolist() == [2.7053, 0.0]
    fit_model(robot)


@pytest.mark.skipif(METADATA is None, reason="the shared K-Bot's metadata is not here")
def test_kbot_matches_its_metadata(tmp_path):
    """Compare config/robots/kbot.yaml with its source: all but home and IMU."""
    out = tmp_path / 'kbot.yaml'
    words = ['from-kos-metadata', str(METADATA), '--name', 'kbot', '--out', str(out)]
    assert main(words) == 0
    made, shipped = load_robot(out), load_robot('kbot')
    assert made.joint_names == shipped.joint_names
    assert [j.id for j in made.joints] == [j.id for j in shipped.joints]
    for column in ('lower', 'upper', 'kp', 'kd', 'kp_max', 'kd_max', 'torque_limit'):
        np.testing.assert_allclose(getattr(made, column), getattr(shipped, column), atol=1e-3)
