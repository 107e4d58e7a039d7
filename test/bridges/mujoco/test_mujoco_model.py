"""Fitting an MJCF to a robot YAML: whatever does not fit is said with both lists."""

import mujoco
import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import YAML
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.model import fit_model
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import load_robot

FLOOR = '<geom name="floor" type="plane" size="0 0 0.05"/>'


def fit(tmp_path, mjcf=MJCF, yaml=YAML):
    return fit_model(load_robot(write_robot(tmp_path, mjcf, yaml)))


def test_parts_are_found_by_name_not_by_place(tmp_path):
    """Actuators stand in another order than joints here, as they do in many MJCF files."""
    fitted = fit(tmp_path)
    model = fitted.model
    assert [model.actuator(i).name for i in fitted.actuator] == ['hip_servo', 'knee_motor']
    assert fitted.servo.tolist() == [True, False]
    assert fitted.qpos.tolist() == [7, 8]
    assert fitted.motor_gain[1] == 4.0
    assert model.body(fitted.base).name == 'box'
    assert fitted.unlisted == ()


def test_joints_of_the_mjcf_that_the_yaml_leaves_out(tmp_path):
    """A robot with hands and a policy without them: allowed, and told."""
    fitted = fit(tmp_path, yaml=YAML.split('  knee:')[0])
    assert fitted.unlisted == ('knee',)


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('joint name="knee"', 'joint name="kneee"', 'lacks the hinge joints knee'),
        ('<motor name="knee_motor" joint="knee" gear="4"/>', '', r'another number for knee \(0\)'),
        (
            '<motor name="knee_motor"',
            '<motor joint="knee"/><motor name="knee_motor"',
            r'another number for knee \(2\)',
        ),
        ('<position name="hip_servo" joint="hip" kp="1" kv="0.1"/>',
         '<intvelocity name="hip_servo" joint="hip" actrange="-1 1"/>', 'neither a <motor> nor a'),
        ('<motor name="knee_motor" joint="knee" gear="4"/>',
         '<motor name="knee_motor" joint="knee" gear="0"/>', 'neither a <motor> nor a'),
        ('<site name="imu"/>', '<site name="imu" quat="0 1 0 0"/>', 'imu.mounting'),
        ('<mujoco>', '<mujoco', 'cannot be read'),
        ('type="box" size="0.1 0.1 0.1"', 'type="mesh" mesh="absent"', 'cannot be read|compile'),
    ],
)  # fmt: skip
def test_what_does_not_fit(tmp_path, old, new, expected):
    """Each of these would otherwise be a robot that moves wrongly, or a traceback."""
    assert old in MJCF
    with pytest.raises(RobotError, match=expected) as error:
        fit(tmp_path, MJCF.replace(old, new, 1))
    assert 'robot.xml' in str(error.value)
    assert '\n' not in str(error.value)


def test_missing_joint_names_both_lists(tmp_path):
    """The reader has to see what was asked for and what is there."""
    with pytest.raises(RobotError) as error:
        fit(tmp_path, yaml=YAML.replace('knee', 'kneee'))
    text = str(error.value)
    assert "lacks the hinge joints kneee (did you mean 'knee'?)" in text
    assert 'names hip, kneee' in text
    assert 'found hip, knee' in text


def test_no_mjcf(tmp_path):
    """A hardware-only robot cannot be simulated, and says so."""
    with pytest.raises(RobotError, match="no key 'mjcf'"):
        fit(tmp_path, yaml=YAML.replace('mjcf: robot.xml', ''))
    with pytest.raises(RobotError, match='no such file'):
        fit(tmp_path, yaml=YAML.replace('robot.xml', 'absent.xml'))


def test_imu_is_added_where_there_is_none(tmp_path):
    """Without a site the YAML's mounting is the only truth there is."""
    yaml = YAML.replace('[1, 0, 0, 0]', '[0.7071068, 0, 0, 0.7071068]')
    fitted = fit(tmp_path, MJCF.replace('<site name="imu"/>', ''), yaml)
    site = fitted.model.site('kinfer_ros_imu')
    np.testing.assert_allclose(site.quat, [0.5**0.5, 0, 0, 0.5**0.5], atol=1e-6)


def test_the_place_of_the_imu(tmp_path):
    """It has to be that of the site; without a site the site is put there."""
    placed = YAML.replace('mounting:', 'position: [0.1, 0, 0.2], mounting:')
    fitted = fit(tmp_path, MJCF.replace('<site name="imu"/>', ''), placed)
    np.testing.assert_allclose(fitted.model.site('kinfer_ros_imu').pos, [0.1, 0, 0.2])
    with pytest.raises(RobotError, match=r'imu\.position .* at \[0, 0, 0\]: expected the same'):
        fit(tmp_path, MJCF, placed)
    fit(tmp_path, MJCF.replace('<site name="imu"/>', '<site name="imu" pos="0.1 0 0.2"/>'), placed)


def test_imu_site_by_name_and_by_gyro(tmp_path):
    """Names vary from robot to robot; a gyroscope is a sure sign."""
    renamed = MJCF.replace('<site name="imu"/>', '<site name="pelvis"/><site name="head"/>')
    named = fit(tmp_path, renamed, YAML.replace('mounting:', 'site: head, mounting:'))
    head = named.model.site('head').id
    assert named.model.sensor('kinfer_ros_imu_gyro').objid[0] == head
    with_gyro = renamed.replace('</mujoco>', '<sensor><gyro site="head"/></sensor></mujoco>')
    assert fit(tmp_path, with_gyro).model.sensor('kinfer_ros_imu_gyro').objid[0] == head
    with pytest.raises(RobotError, match="lacks the site 'hed'"):
        fit(tmp_path, renamed, YAML.replace('mounting:', 'site: hed, mounting:'))


def test_two_trees(tmp_path):
    """With two bases, "the base" means nothing."""
    other = MJCF.replace(
        '</worldbody>',
        '<body><joint name="extra" axis="0 1 0"/><geom size="0.1"/></body></worldbody>',
    ).replace('<actuator>', '<actuator><motor joint="extra"/>')
    extra = YAML.split('  knee:')[1]
    with pytest.raises(RobotError, match='several bodies of the world'):
        fit(tmp_path, other, YAML + '  extra:' + extra)


def test_the_robot_that_ships_is_written_down_once():
    """Its MJCF and its YAML state the same limits, gains and home: a policy is trained on both."""
    robot = load_robot('biped')
    fitted = fit_model(robot)
    model = fitted.model
    joints = [model.joint(name).id for name in robot.joint_names]
    np.testing.assert_array_equal(model.jnt_range[joints, 0], robot.lower)
    np.testing.assert_array_equal(model.jnt_range[joints, 1], robot.upper)
    np.testing.assert_array_equal(model.actuator_gainprm[fitted.actuator, 0], robot.kp)
    np.testing.assert_array_equal(-model.actuator_biasprm[fitted.actuator, 2], robot.kd)
    np.testing.assert_array_equal(
        model.actuator_forcerange[fitted.actuator, 1], robot.torque_limit
    )
    np.testing.assert_array_equal(model.key('home').qpos[fitted.qpos], robot.home)
    assert fitted.servo.all()


TETRAHEDRON = 'v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n'


@pytest.mark.parametrize('name', ['robot.mjcf', 'robot.MJCF', 'robot'])
def test_any_suffix_will_do(tmp_path, name):
    """K-Scale's robots are robot.mjcf; their meshes and includes are found beside them."""
    yaml = write_robot(tmp_path, MJCF, YAML)
    (tmp_path / 'meshes').mkdir()
    (tmp_path / 'meshes' / 'part.obj').write_text(TETRAHEDRON)
    (tmp_path / 'more.xml').write_text(
        '<mujocoinclude><asset><mesh name="part" file="part.obj"/></asset></mujocoinclude>'
    )
    more = '<compiler meshdir="meshes"/><include file="more.xml"/>'
    text = (tmp_path / 'robot.xml').read_text().replace('<mujoco>', f'<mujoco>{more}', 1)
    text = text.replace('type="box" size="0.1 0.1 0.1"', 'type="mesh" mesh="part"', 1)
    (tmp_path / 'robot.xml').unlink()
    (tmp_path / name).write_text(text)
    path = tmp_path / yaml
    path.write_text(path.read_text().replace('robot.xml', name))
    assert fit_model(load_robot(str(path))).model.nmesh == 1


BARE = MJCF.partition('<actuator>')[0] + '</mujoco>'
"""As mjlab keeps its robots: the actuators are added in code."""


def test_servos_are_added_where_there_is_no_actuator(tmp_path):
    """With the gains in force, and the joint's own damping beside them, as in mjlab."""
    fitted = fit(tmp_path, BARE)
    assert fitted.added == ('a position servo for hip, knee', 'the integrator implicitfast')
    assert fitted.servo.tolist() == [True, True]
    assert fitted.passive_kd.tolist() == [0.0, 0.0]
    robot = MujocoRobot(load_robot(write_robot(tmp_path, BARE)))
    index = fitted.actuator
    model = robot.model
    assert model.actuator_gainprm[index, 0].tolist() == [30.0, 20.0]
    assert model.actuator_biasprm[index, 1].tolist() == [-30.0, -20.0]
    assert model.actuator_biasprm[index, 2].tolist() == [-1.0, -0.5]
    assert model.actuator_forcerange[index, 1].tolist() == [10.0, 8.0]
    robot.set_target([0.5, -0.5])
    robot.step(1000)
    position, velocity, effort = np.zeros(2), np.zeros(2), np.zeros(2)
    robot.joint_state(position, velocity, effort)
    np.testing.assert_allclose(position, [0.5, -0.5], atol=0.06)
    np.testing.assert_allclose(velocity, 0.0, atol=1e-3)


def test_defaults_of_the_mjcf_do_not_limit_them(tmp_path):
    """A default class may be meant for motors, whose control is a torque."""
    defaults = '<default><motor ctrlrange="-0.1 0.1" gear="5"/></default>'
    robot = MujocoRobot(
        load_robot(write_robot(tmp_path, BARE.replace('<worldbody>', f'{defaults}<worldbody>')))
    )
    assert robot.model.actuator_gear[:, 0].tolist() == [1.0, 1.0]
    robot.set_target([0.5, -0.5])
    robot.step(1000)
    position, velocity, effort = np.zeros(2), np.zeros(2), np.zeros(2)
    robot.joint_state(position, velocity, effort)
    np.testing.assert_allclose(position, [0.5, -0.5], atol=0.06)


def test_one_missing_actuator_of_several_is_not_added(tmp_path):
    """Where the MJCF has some, a joint without one is meant to be passive: told, not driven."""
    assert fit(tmp_path).added == ()
    motor = '<motor name="knee_motor" joint="knee" gear="4"/>'
    with pytest.raises(RobotError, match=r'another number for knee \(0\)'):
        fit(tmp_path, MJCF.replace(motor, ''))


def test_a_floor_is_added_below_actuators_too(tmp_path):
    """K-Scale's models have motors and no floor; theirs is added in code, and pairs name it."""
    bare = MJCF.replace(FLOOR, '')
    assert fit(tmp_path, bare).added == ('a floor',)
    pair = '<contact><pair geom1="shank" geom2="floor"/></contact></mujoco>'
    named = bare.replace('</mujoco>', pair).replace(
        'fromto="0 0 0 0 0 -0.2" mass="0.5"/>\n        </body>',
        'name="shank" fromto="0 0 0 0 0 -0.2" mass="0.5"/>\n        </body>',
    )
    for mjcf in (named, named.replace('<freejoint/>', '')):
        fitted = fit(tmp_path, mjcf)
        assert fitted.added == ('a floor',)
        assert fitted.model.geom('floor').type == mujoco.mjtGeom.mjGEOM_PLANE
    other = bare.replace('<worldbody>', '<worldbody><geom type="box" size="5 5 0.1"/>')
    assert fit(tmp_path, other).added == ()


def test_a_floor_is_added_with_them_where_there_is_none(tmp_path):
    """In free fall no gait can be seen, and an IMU that reads zero looks frozen."""
    floor = FLOOR
    fitted = fit(tmp_path, BARE.replace(floor, ''))
    assert fitted.added[-1] == 'a floor'
    robot = MujocoRobot(load_robot(write_robot(tmp_path, BARE.replace(floor, ''))))
    robot.hold_base(False)
    robot.step(1000)
    assert -0.01 < robot.data.qpos[2] < 1.0
    fixed = fit(tmp_path, BARE.replace(floor, '').replace('<freejoint/>', ''))
    assert 'a floor' not in fixed.added


def test_a_keyframe_without_controls_stays_usable(tmp_path):
    """Its controls are as many as the MJCF's actuators: none."""
    key = '<keyframe><key name="home" qpos="0 0 0.7 1 0 0 0 0.2 -0.4"/></keyframe></mujoco>'
    robot = MujocoRobot(load_robot(write_robot(tmp_path, BARE.replace('</mujoco>', key))))
    assert robot.data.qpos[2] == 0.7
