"""What replaces entries of a robot file for one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.changes import read_numbers
from kinfer_ros.robot.robot import load_robot


def test_nothing_given_changes_nothing():
    """The defaults of the parameters are the file's own."""
    robot = load_robot('biped')
    assert change_robot(robot, imu_mounting=(0.0, 0.0, 0.0, 0.0)) is robot


def test_what_is_given_wins():
    """A relative path is that of the user's folder, not of the robot file's."""
    robot = load_robot('kbot')
    changed = change_robot(
        robot, mjcf='robot.mjcf', imu_site='base_site', imu_mounting=(0.0, 0.0, 0.0, 1.001)
    )
    assert changed.mjcf == Path.cwd() / 'robot.mjcf'
    assert changed.imu_site == 'base_site'
    np.testing.assert_array_equal(changed.imu_mounting, [0.0, 0.0, 0.0, 1.0])
    assert changed.imu_mounting_is_asked
    assert not robot.imu_mounting_is_asked
    assert robot.mjcf is None


@pytest.mark.parametrize(
    'wrong', [(1.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (float('nan'), 0.0, 0.0, 0.0), (0.9, 0, 0, 0)]
)
def test_no_quaternion(wrong):
    """A mounting that is stretched would scale gravity."""
    with pytest.raises(ConfigError, match='expected a unit quaternion w x y z'):
        change_robot(load_robot('kbot'), imu_mounting=wrong)


@pytest.mark.parametrize('text', ['[1, 0, 0, 0]', '1,0,0,0', ' 1 0 0 0 ', '[1.0 0 0, 0]'])
def test_numbers_as_people_write_them(text):
    """With brackets or without."""
    assert read_numbers('x', text, 4) == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize('text', ['', '[1, 0, 0]', '1 0 0 0 0', '1,0,0,nan', 'inf 0 0 0', 'a b'])
def test_other_than_numbers(text):
    """Each is said with its name."""
    with pytest.raises(ConfigError, match=r'argument x: found .*expected 4 numbers'):
        read_numbers('x', text, 4)
