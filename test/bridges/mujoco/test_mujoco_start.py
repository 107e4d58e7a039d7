"""A robot starts on its feet, whatever its contacts are and whatever pose its keyframe has."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.bridges.mujoco.scene import FOOT_CLEARANCE
from kinfer_ros.bridges.mujoco.scene import GANTRY_CLEARANCE
from kinfer_ros.bridges.mujoco.scene import ON_THE_GROUND
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot

FLOOR = '<geom name="floor" type="plane" size="0 0 0.05"/>'
FOOT = '<geom name="foot" type="sphere" size="0.03" pos="0 0 -0.2" contype="0" conaffinity="0"/>'
LOWER = '<joint name="knee" axis="0 1 0" damping="0.1" armature="0.01"/>'


def made(tmp_path, *, contact='', key='', mjcf=MJCF, scene=ON_THE_GROUND):
    with_foot = mjcf.replace(LOWER, LOWER + FOOT)
    more = f'<contact>{contact}</contact><keyframe>{key}</keyframe></mujoco>'
    text = with_foot.replace('</mujoco>', more)
    return MujocoRobot(load_robot(write_robot(tmp_path, text)), scene=scene)


def lowest(robot, *names):
    """Height (m) of the lowest of these spheres, or of all colliding geoms."""
    model, data = robot.model, robot.data
    ids = [model.geom(name).id for name in names] or [
        i for i in range(model.ngeom) if model.geom_bodyid[i] and model.geom_contype[i]
    ]
    floor = model.geom('floor').id
    return min(mujoco.mj_geomDistance(model, data, floor, i, 5.0, None) for i in ids)


def test_a_pair_is_a_contact(tmp_path):
    """MuJoCo Playground's robots touch the ground by pairs only: they fell from the air."""
    alone = MJCF.replace(
        '<geom type="capsule"', '<geom contype="0" conaffinity="0" type="capsule"'
    )
    alone = alone.replace('<geom type="box"', '<geom contype="0" conaffinity="0" type="box"')
    robot = made(tmp_path, contact='<pair geom1="foot" geom2="floor"/>', mjcf=alone)
    assert lowest(robot, 'foot') == pytest.approx(FOOT_CLEARANCE, abs=1e-9)
    assert robot.warnings().get('start height') is None


def test_the_lowest_counts_pair_or_not(tmp_path):
    """The foot of the pair is below the shank that collides by its bits."""
    robot = made(tmp_path, contact='<pair geom1="floor" geom2="foot"/>')
    assert lowest(robot, 'foot') == pytest.approx(FOOT_CLEARANCE, abs=1e-9)
    assert lowest(robot) > FOOT_CLEARANCE + 0.005


def test_what_is_excluded_does_not_stand(tmp_path):
    """An exclude between the ground and a part makes that part fall through."""
    floor = '<body name="ground">' + FLOOR + '</body>'
    robot = made(
        tmp_path,
        contact='<exclude body1="lower" body2="ground"/>',
        mjcf=MJCF.replace(FLOOR, floor),
    )
    assert lowest(robot) < -0.05, 'it stands on the upper part'


def test_nothing_that_touches_is_said(tmp_path):
    """The robot would start in the air, or in the ground, and fall through."""
    robot = made(
        tmp_path, mjcf=MJCF.replace(FLOOR, FLOOR.replace('/>', ' contype="0" conaffinity="0"/>'))
    )
    assert 'collides with the ground' in robot.warnings()['start height']


@pytest.mark.parametrize(
    ('pose', 'height'),
    [('0.2 -0.4', 0.7), ('0 0', None), ('0.5 -1.0', None)],
)
def test_a_keyframe_of_another_pose_keeps_no_height(tmp_path, pose, height):
    """Its height is that of its own pose; with home's joints the feet would hang or sink."""
    key = f'<key name="home" qpos="0 0 0.7 1 0 0 0 {pose}"/>'
    robot = made(tmp_path, contact='<pair geom1="floor" geom2="foot"/>', key=key)
    if height is None:
        assert lowest(robot, 'foot') == pytest.approx(FOOT_CLEARANCE, abs=1e-9)
    else:
        assert robot.data.qpos[2] == height


KEY = '<key name="home" qpos="0 0 0.7 1 0 0 0 0.2 -0.4"/>'
LYING = (0.5**0.5, 0.0, 0.5**0.5, 0.0)


@pytest.mark.parametrize('key', ['', KEY])
def test_a_gantry_holds_the_base_for_the_whole_run(tmp_path, key):
    """kinfer-sim's --suspend: the first command of mode run lets go of every other robot."""
    robot = made(tmp_path, key=key, scene=Scene(fixed_base=True))
    assert lowest(robot) == pytest.approx(GANTRY_CLEARANCE, abs=1e-9)
    start = robot.data.qpos[:7].copy()
    robot.hold_base(False)
    assert robot.base_is_held
    robot.set_target([0.9, -1.5])
    robot.step(500)
    np.testing.assert_allclose(robot.data.qpos[:7], start, atol=1e-4)
    assert robot.push([1.0, 0.0, 0.0]) is False
    robot.reset()
    robot.hold_base(False)
    assert robot.base_is_held


@pytest.mark.parametrize(
    ('mjcf', 'scene'),
    [(MJCF, Scene(fixed_base=True)), (MJCF.replace('<freejoint/>', ''), ON_THE_GROUND)],
)
def test_an_imu_that_cannot_move_does_not_repeat_itself(tmp_path, mjcf, scene):
    """The guard `frozen` rightly takes that for a dead driver; the noise comes from the seed."""

    def readings(count):
        robot = made(tmp_path, mjcf=mjcf, scene=scene)
        found = []
        for _ in range(count):
            quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
            robot.step(10)
            robot.imu(quat, gyro, accel)
            found.append(np.concatenate((quat, gyro, accel)))
        return np.array(found)

    first = readings(50)
    assert (np.abs(np.diff(first[:, 4:], axis=0)) > 0.0).all()
    assert np.abs(first[30:, 4:7]).max() < 1e-3
    np.testing.assert_allclose(first[30:, 7:], [[0.0, 0.0, 9.81]] * 20, atol=0.02)
    np.testing.assert_array_equal(first, readings(50))


def test_joints_at_rest_do_not_repeat_themselves(tmp_path):
    """On a gantry they come to rest to the bit: after 76 s, with a K-Bot that holds a pose."""
    robot = made(tmp_path, scene=Scene(fixed_base=True))
    position, velocity, effort = np.empty(2), np.empty(2), np.empty(2)
    found = []
    for _ in range(20):
        robot.joint_state(position, velocity, effort)
        found.append(velocity.copy())
    assert (np.abs(np.diff(found, axis=0)) > 0.0).all()
    assert np.abs(found).max() < 1e-3


def test_a_free_base_has_no_noise_of_its_own(tmp_path):
    """Recorded runs in lockstep repeat to the bit: only what cannot move is changed."""
    robot = made(tmp_path)
    quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
    robot.imu(quat, gyro, accel)
    np.testing.assert_array_equal(quat, [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(gyro, 0.0, atol=1e-12)


def test_height_and_orientation_at_the_start(tmp_path):
    """kinfer-sim's --start-height and --initial-quat; again after a reset."""
    robot = made(tmp_path, key=KEY, scene=Scene(start_height=1.5, initial_orientation=LYING))
    for _ in range(2):
        assert robot.data.qpos[2] == 1.5
        np.testing.assert_allclose(robot.data.qpos[3:7], LYING)
        robot.hold_base(False)
        robot.step(100)
        assert robot.data.qpos[2] < 1.5
        robot.reset()
    lying = made(tmp_path, key=KEY, scene=Scene(initial_orientation=LYING))
    assert lowest(lying) == pytest.approx(FOOT_CLEARANCE, abs=1e-9), 'not the keyframe height'


@pytest.mark.parametrize(
    ('scene', 'mjcf', 'said'),
    [
        (Scene(start_height=0.1), MJCF, r'm\s+into the ground; expected at least 0\.\d+ m'),
        (Scene(start_height=1.0), MJCF.replace('<freejoint/>', ''), 'fixed to the world'),
        (Scene(initial_orientation=LYING), MJCF.replace('<freejoint/>', ''), 'fixed to the world'),
        (Scene(initial_orientation=(2.0, 0.0, 0.0, 0.0)), MJCF, 'expected a unit quaternion'),
        (Scene(initial_orientation=(1.0, 0.0)), MJCF, 'expected a unit quaternion'),
        (Scene(initial_orientation=(float('nan'), 0.0, 0.0, 0.0)), MJCF, 'a unit quaternion'),
        (Scene(start_height=float('nan')), MJCF, 'start_height: found nan'),
    ],
)
def test_a_start_that_cannot_be_is_refused(tmp_path, scene, mjcf, said):
    """In the ground a robot is thrown into the air."""
    with pytest.raises(ConfigError, match=said):
        made(tmp_path, mjcf=mjcf, scene=scene)


def test_the_height_that_is_named_is_accepted(tmp_path):
    """What an error proposes has to work."""
    with pytest.raises(ConfigError) as error:
        made(tmp_path, scene=Scene(start_height=0.1))
    least = float(str(error.value).split('at least ')[1].split(' m')[0])
    made(tmp_path, scene=Scene(start_height=least))


def test_without_gravity_nothing_falls(tmp_path):
    """kinfer-sim's --no-gravity; the accelerometer of a robot at rest is then zero."""
    robot = made(tmp_path, scene=Scene(gravity=False, start_height=1.0))
    robot.hold_base(False)
    robot.step(200)
    assert robot.data.qpos[2] == pytest.approx(1.0, abs=1e-3)
    quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
    robot.imu(quat, gyro, accel)
    np.testing.assert_allclose(accel, 0.0, atol=0.05)
