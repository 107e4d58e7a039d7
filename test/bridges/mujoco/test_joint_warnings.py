"""Gains that a simulation cannot follow are said at load, with joint, figure and remedy."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from helpers.shared import shared_path
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot

STABILITY, DAMPING = 'joint stability', 'joint damping'
KNEE = '<joint name="knee" axis="0 1 0" damping="0.1" armature="0.01"/>'
HIP = '<joint name="hip" axis="0 1 0" damping="0.1" armature="0.01"/>'


def robot_of(tmp_path, *changes):
    mjcf = MJCF
    for old, new in changes:
        assert old in mjcf
        mjcf = mjcf.replace(old, new)
    return MujocoRobot(load_robot(write_robot(tmp_path, mjcf)))


def grows(robot, joint, steps=200):
    """Whether a small velocity of a damped joint grows."""
    robot.damp()
    robot.data.qvel[robot.fitted.dof] = 0.0
    at = robot.fitted.dof[joint]
    robot.data.qvel[at] = 1e-3
    robot.step(steps)
    return abs(robot.data.qvel[at]) > 1e-2


def test_a_good_robot_has_none(tmp_path):
    """Silence where nothing is wrong."""
    assert robot_of(tmp_path).warnings() == {}


def test_a_light_joint_on_a_motor(tmp_path):
    """A figure over 1 is as bad as the warning says, and the armature it names mends it."""
    light = KNEE.replace('armature="0.01"', '').replace('damping="0.1"', '')
    foot = '<geom type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2" mass="0.5"/>\n        </body>'
    tiny = foot.replace('-0.2', '-0.02').replace('0.5', '0.05')
    robot = robot_of(tmp_path, (KNEE, light), (foot, tiny))
    text = robot.warnings()[STABILITY]
    assert 'knee (' in text
    assert 'hip' not in text
    assert 'armature' in text
    assert grows(robot, 1)
    needed = float(text.partition('for all of them ')[2].split()[0])
    mended = robot_of(
        tmp_path, (KNEE, light.replace('/>', f' armature="{needed}"/>')), (foot, tiny)
    )
    assert mended.warnings() == {}
    assert not grows(mended, 1)


def test_gains_of_the_policy_count(tmp_path):
    """The robot file's may be tame, and the policy's not."""
    robot = robot_of(tmp_path, (KNEE, KNEE.replace('0.01', '0.0005')))
    assert STABILITY not in robot.warnings()
    robot.set_gains([30, 20], [1, 2], [10, 8])
    assert 'knee (' in robot.warnings()[STABILITY]


@pytest.mark.parametrize(
    ('integrator', 'warned'), [('Euler', True), ('implicitfast', False), ('implicit', False)]
)
def test_a_servo_is_safe_where_the_integrator_takes_it(tmp_path, integrator, warned):
    """Its kv is implicit in two of MuJoCo's integrators; Euler takes it explicitly."""
    robot = robot_of(
        tmp_path,
        (HIP, HIP.replace('0.01', '0').replace('damping="0.1"', '')),
        ('timestep="0.002"', f'timestep="0.02" integrator="{integrator}"'),
        (KNEE, KNEE.replace('0.01', '1')),
    )
    robot.set_gains([30, 20], [3, 0.5], [10, 8])
    assert ('hip (' in robot.warnings().get(STABILITY, '')) is warned


@pytest.mark.parametrize('actuator', ['servo', 'motor'])
def test_damping_of_joint_and_actuator_both(tmp_path, actuator):
    """The gains report one of them; the robot has both."""
    joint = HIP if actuator == 'servo' else KNEE
    robot = robot_of(tmp_path, (joint, joint.replace('damping="0.1"', 'damping="10"')))
    text = robot.warnings()[DAMPING]
    name, kd = ('hip', 1.0) if actuator == 'servo' else ('knee', 0.5)
    assert f'{name} (kd {kd:g}, in all {kd + 10:g})' in text


def test_damping_that_is_the_servo_kd_is_none(tmp_path):
    """Menagerie writes a servo's kd as the damping of its joint: that is taken as it is meant."""
    servo = '<position name="hip_servo" joint="hip" kp="1" kv="0.1"/>'
    robot = robot_of(
        tmp_path,
        (servo, servo.replace('kv="0.1"', '')),
        (HIP, HIP.replace('damping="0.1"', 'damping="1"')),
    )
    assert robot.warnings() == {}
    np.testing.assert_allclose(robot.gains()[1], [1.0, 0.5])


@pytest.mark.parametrize(('name', 'warned'), [('robot', True), ('with_armature', False)])
def test_the_light_ankle(name, warned):
    """The case of the shared files: kd dt / I of 9."""
    path = shared_path(f'cases/light_ankle/{name}.robot.yaml')
    if path is None:
        pytest.skip('the shared files are not here')
    found = MujocoRobot(load_robot(path)).warnings()
    assert set(found) == ({STABILITY} if warned else set())
    if warned:
        assert 'knee (9.6' in found[STABILITY]
        assert '0.0039 kg m^2' in found[STABILITY]
