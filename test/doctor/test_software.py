"""The checks of versions, and of the variables for discovery."""

from __future__ import annotations

import numpy as np
import pytest

from kinfer_ros.doctor.software import OPTIONAL
from kinfer_ros.doctor.software import REQUIRED
from kinfer_ros.doctor.software import check_packages
from kinfer_ros.doctor.software import check_ros
from kinfer_ros.doctor.software import read_pins
from kinfer_ros.share import share_dir


def ros(**environment: str) -> dict[str, str]:
    return {row.what: row.verdict for row in check_ros(environment)}


@pytest.mark.parametrize(
    ('name', 'value', 'what', 'verdict'),
    [
        ('ROS_DOMAIN_ID', '', 'ROS_DOMAIN_ID', 'ok'),
        ('ROS_DOMAIN_ID', '101', 'ROS_DOMAIN_ID', 'ok'),
        ('ROS_DOMAIN_ID', '102', 'ROS_DOMAIN_ID', 'warn'),
        ('ROS_DOMAIN_ID', '233', 'ROS_DOMAIN_ID', 'fail'),
        ('ROS_DOMAIN_ID', '-1', 'ROS_DOMAIN_ID', 'fail'),
        ('ROS_DOMAIN_ID', 'robot', 'ROS_DOMAIN_ID', 'fail'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', '', 'discovery', 'ok'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST', 'discovery', 'ok'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF', 'discovery', 'fail'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'localhost', 'discovery', 'fail'),
        ('ROS_LOCALHOST_ONLY', '1', 'discovery', 'warn'),
        ('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp', 'RMW', 'warn'),
        ('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp', 'RMW', 'ok'),
    ],
)
def test_variables(name, value, what, verdict):
    """Each wrong value is reported."""
    assert ros(**{name: value})[what] == verdict


def test_the_environment_of_the_tests_is_as_pinned():
    """The pins that doctor reads are installed here."""
    rows = {row.what: row for row in check_packages(share_dir())}
    assert rows['numpy'].found.startswith(np.__version__)
    assert {rows[name].verdict for name in REQUIRED} == {'ok'}
    pins = read_pins(share_dir() / 'requirements')
    assert {name.lower() for name in (*REQUIRED, *OPTIONAL)} <= set(pins)


def test_another_version_is_said_and_a_missing_one_is_mended(tmp_path):
    """A patch version is ok, another major version is a warning."""
    (tmp_path / 'requirements').mkdir()
    (tmp_path / 'requirements/base.txt').write_text('numpy==1.0.0  # old\norjson==3.0.0\n')
    rows = {row.what: row for row in check_packages(tmp_path)}
    assert (rows['numpy'].verdict, rows['orjson'].verdict) == ('warn', 'ok')
    assert 'tested with 1.0.0' in rows['numpy'].found
    assert 'requirements/base.txt' in rows['numpy'].remedy
    assert read_pins(tmp_path / 'nowhere') == {}
