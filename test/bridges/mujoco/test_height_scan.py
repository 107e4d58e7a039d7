"""The rays of a simulated height scan: what they hit, and from where."""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
import pytest

from helpers.robots import small_robot
from kinfer_ros.bridges.mujoco.height_scan import NOTHING
from kinfer_ros.bridges.mujoco.height_scan import HeightScanner
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.policy.spec.scan import ScanGrid

MJCF = """
<mujoco>
  <worldbody>
    {world}
    <body name="base_link" pos="0 0 1">
      <freejoint/>
      <geom type="box" size="0.3 0.3 0.1" mass="5"/>
      <site name="imu"/>
      <body><joint name="joint_0"/><geom size="0.05" pos="0.4 0 -0.3"/></body>
      <body><joint name="joint_1"/><geom size="0.05" pos="0 0.4 -0.3"/></body>
    </body>
  </worldbody>
  <actuator><position joint="joint_0"/><position joint="joint_1"/></actuator>
</mujoco>
"""
FLOOR = '<geom type="plane" size="0 0 1"/>'
BOX = '<geom type="box" pos="0.5 0.25 0.1" size="0.25 0.25 0.1"/>'
GRID = ScanGrid((1.0, 0.5), 0.25)


def scanner(tmp_path, world, grid=GRID):
    mjcf = tmp_path / 'scene.xml'
    mjcf.write_text(MJCF.format(world=world))
    robot = MujocoRobot(dataclasses.replace(small_robot(tmp_path), mjcf=mjcf))
    robot.hold_base(False)
    return robot, HeightScanner(robot, grid)


def place(robot, height, yaw=0.0, roll=0.0):
    """Put the base there."""
    quat = np.empty(4)
    around_z = np.array([np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])
    around_x = np.array([np.cos(roll / 2), np.sin(roll / 2), 0, 0])
    mujoco.mju_mulQuat(quat, around_z, around_x)
    start = robot.fitted.free_qpos
    robot.data.qpos[start : start + 7] = (0.0, 0.0, height, *quat)
    mujoco.mj_forward(robot.model, robot.data)


def test_level_ground_is_the_height_of_the_base(tmp_path):
    """And the robot itself, between the rays and the floor, is no ground."""
    robot, scan = scanner(tmp_path, FLOOR)
    place(robot, 0.8)
    scan.scan()
    np.testing.assert_allclose(scan.heights, np.full(15, 0.8), atol=1e-5)
    assert scan.shape == (3, 5)


def test_a_box_is_where_it_stands(tmp_path):
    """In front and to the left: the last columns of the last rows."""
    robot, scan = scanner(tmp_path, FLOOR + BOX)
    place(robot, 0.8)
    scan.scan()
    heights = scan.heights.reshape(scan.shape)
    expected = np.full((3, 5), 0.8)
    expected[1:, 3:] = 0.6  # x 0.25 to 0.75, y 0 to 0.5, 0.2 m high
    # Points exactly on an edge hit it or not.
    inner = np.array([[0, 0], [0, 3], [0, 4], [2, 0], [2, 2], [2, 4]])
    np.testing.assert_allclose(
        heights[inner[:, 0], inner[:, 1]], expected[inner[:, 0], inner[:, 1]], atol=1e-5
    )


@pytest.mark.parametrize(('yaw', 'where'), [(0.3, 0), (np.pi / 2, 0), (np.pi / 2 + 0.2, 0.4)])
def test_the_grid_turns_with_the_heading_and_stays_level(tmp_path, yaw, where):
    """A robot that leans sees the same ground."""
    world = FLOOR + '<geom type="box" pos="0 0.6 0.1" size="0.1 0.1 0.1"/>'
    robot, scan = scanner(tmp_path, world, ScanGrid((0.2, 0.2), 0.1, (0.6, 0.0)))
    place(robot, 0.8, yaw=yaw, roll=where)
    scan.scan()
    middle = scan.heights.reshape(scan.shape)[1, 1]
    direction = 0.6 * np.array([np.cos(yaw), np.sin(yaw)])
    inside = np.abs(direction - (0.0, 0.6)).max() < 0.1
    assert middle == pytest.approx(0.6 if inside else 0.8, abs=1e-5)


def test_ground_above_the_base_is_negative(tmp_path):
    """A wall in front: rays start high above it."""
    wall = '<geom type="box" pos="0.5 0 1" size="0.2 2 1"/>'
    robot, scan = scanner(tmp_path, FLOOR + wall)
    place(robot, 0.8)
    scan.scan()
    assert scan.heights.reshape(scan.shape)[1, 4] == pytest.approx(-1.2, abs=1e-5)


def test_rays_that_hit_nothing_are_finite(tmp_path):
    """A number that is not finite is a fault; this one is as deep as a hole can be."""
    robot, scan = scanner(tmp_path, '<geom type="box" pos="0 0 -0.1" size="0.1 0.1 0.1"/>')
    place(robot, 0.8)
    scan.scan()
    heights = scan.heights.reshape(scan.shape)
    assert heights[1, 2] == pytest.approx(0.8, abs=1e-5)
    assert heights[0, 0] == NOTHING


def test_a_height_field_is_ground(tmp_path):
    """What terrains are made of."""
    world = '<geom type="hfield" hfield="h"/>'
    mjcf = MJCF.format(world=world).replace(
        '<worldbody>',
        '<asset><hfield name="h" nrow="2" ncol="2" size="2 2 1 0.1" elevation="0 1 0 1"/></asset>'
        '<worldbody>',
        1,
    )
    (tmp_path / 'scene.xml').write_text(mjcf)
    robot = MujocoRobot(dataclasses.replace(small_robot(tmp_path), mjcf=tmp_path / 'scene.xml'))
    scan = HeightScanner(robot, ScanGrid((1.0, 0.0), 0.5))
    place(robot, 2.0)
    scan.scan()
    np.testing.assert_allclose(scan.heights, [1.625, 1.5, 1.375], atol=1e-5)
