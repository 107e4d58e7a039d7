"""Which joints another node may move is checked before anything moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.robots import small_robot
from kinfer_ros.control.overrides.settings import NO_OVERRIDES
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.overrides.settings import read_override_settings
from kinfer_ros.errors import ConfigError

JOINTS = ('left_elbow', 'left_knee')


@pytest.fixture
def robot(tmp_path):
    return small_robot(tmp_path, JOINTS)


def test_runs_of_earlier_versions_have_none(robot):
    """Their bags are replayed with the parameters that they have."""
    assert read_override_settings({}, robot) == NO_OVERRIDES
    assert read_override_settings({'override_joints': ['']}, robot) == NO_OVERRIDES


def test_the_parameters(robot):
    """Each by its name."""
    found = read_override_settings(
        {
            'override_joints': ['left_elbow'], 'allow_legs': False, 'override_time': 0.2,
            'override_return_speed': 3.0, 'override_observation': 'default',
        },
        robot,
    )  # fmt: skip
    assert found == OverrideSettings(('left_elbow',), 0.2, 3.0, hidden=True)


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'override_joints': ['left_elbo']}, "no 'left_elbo' (did you mean 'left_elbow'?)"),
        ({'override_joints': ['left_elbow'] * 2}, "['left_elbow'] more than once"),
        ({'override_joints': ['left_knee']}, 'set allow_legs'),
        ({'override_observation': 'hidden'}, 'override_observation'),
    ],
)
def test_what_cannot_be_is_refused(robot, parameters, words):
    """With what to do."""
    with pytest.raises(ConfigError) as error:
        read_override_settings(parameters, robot)
    assert words in str(error.value)


def test_joints_of_legs_need_a_word_of_their_own(robot):
    """The robot stands on them."""
    given = {'override_joints': ['left_knee', 'left_elbow'], 'allow_legs': True}
    assert read_override_settings(given, robot).joints == ('left_knee', 'left_elbow')
    with pytest.raises(ConfigError, match='they need allow_legs'):
        read_override_settings(
            {'override_joints': ['left_elbow']}, replace(robot, legs=('left_elbow',))
        )
