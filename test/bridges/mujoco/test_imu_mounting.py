"""The IMU of a robot file against that of an MJCF: refused with what would fit, or as asked."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import RobotError
from kinfer_ros.launching.simulation import mounting_of_mjcf
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import load_robot

YAWED = (0.5**0.5, 0.0, 0.0, 0.5**0.5)
SITE = '<site name="imu" quat="0.7071068 0 0 0.7071068"/>'


def robot(tmp_path, sites=SITE, **changes):
    path = write_robot(tmp_path, MJCF.replace('<site name="imu"/>', sites))
    return change_robot(load_robot(path), **changes)


def test_the_refusal_proposes_what_fits(tmp_path):
    """The model's own orientation, and another site that lies as the file says."""
    with pytest.raises(RobotError, match=r'1\.571 rad apart.*imu_mounting:=mjcf') as error:
        MujocoRobot(robot(tmp_path))
    assert 'imu_site' not in str(error.value)
    with pytest.raises(RobotError, match=r'pelvis would fit the file \(imu_site:=pelvis\)'):
        MujocoRobot(robot(tmp_path, SITE + '<site name="pelvis"/>'))


def test_the_mounting_of_the_model_on_request(tmp_path):
    """Then the readings, turned into the base, are those of the base."""
    found = mounting_of_mjcf(robot(tmp_path))
    np.testing.assert_allclose(found, YAWED, atol=1e-6)
    simulated = MujocoRobot(robot(tmp_path, imu_mounting=found))
    assert 'IMU mounting' not in simulated.warnings()


def test_another_mounting_on_request_is_warned_about(tmp_path):
    """A policy that was trained with the IMU's own frame needs it; every other falls."""
    simulated = MujocoRobot(robot(tmp_path, imu_mounting=(1.0, 0.0, 0.0, 0.0)))
    text = simulated.warnings()['IMU mounting']
    assert 'lies in the base as [0.707107, 0, 0, 0.707107]' in text
    assert 'as if it were [1, 0, 0, 0]' in text


def test_another_site_on_request(tmp_path):
    """kinfer-sim's --quat-name, --acc-name and --gyro-name."""
    simulated = MujocoRobot(robot(tmp_path, SITE + '<site name="pelvis"/>', imu_site='pelvis'))
    assert simulated.fitted.imu.name == 'pelvis'
    with pytest.raises(RobotError, match=r"lacks the site 'pelvic'.*did you mean 'pelvis'"):
        MujocoRobot(robot(tmp_path, SITE + '<site name="pelvis"/>', imu_site='pelvic'))


def test_a_model_that_cannot_tell(tmp_path):
    """Without a site, or with joints in between, there is no mounting."""
    with pytest.raises(ConfigError, match='none in the MJCF'):
        mounting_of_mjcf(robot(tmp_path, ''))
    lower = '<body name="lower" pos="0 0 -0.2">'
    path = write_robot(
        tmp_path, MJCF.replace('<site name="imu"/>', '').replace(lower, lower + SITE)
    )
    with pytest.raises(ConfigError, match='away from the base'):
        mounting_of_mjcf(load_robot(path))
