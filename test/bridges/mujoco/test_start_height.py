"""A robot starts on its feet, whatever its contacts are and whatever pose its keyframe has."""

from __future__ import annotations

import mujoco
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.robot import FOOT_CLEARANCE
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot

FLOOR = '<geom name="floor" type="plane" size="0 0 0.05"/>'
FOOT = '<geom name="foot" type="sphere" size="0.03" pos="0 0 -0.2" contype="0" conaffinity="0"/>'
LOWER = '<joint name="knee" axis="0 1 0" damping="0.1" armature="0.01"/>'


def made(tmp_path, *, contact='', key='', mjcf=MJCF):
    with_foot = mjcf.replace(LOWER, LOWER + FOOT)
    more = f'<contact>{contact}</contact><keyframe>{key}</keyframe></mujoco>'
    return MujocoRobot(load_robot(write_robot(tmp_path, with_foot.replace('</mujoco>', more))))


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
