"""Drafts: every place to fill in is named by line and key, and no reader takes it for a value."""

from __future__ import annotations

import pytest

from helpers.policies import flat_models
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import RobotError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.fill_in import places_in
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.yaml_file import YamlFile

TEXT = """\
# FILL IN what is marked so.
name: x
joints: [hip, FILL IN (a name), knee]
imu:
  mounting: FILL IN (quaternion)
limits: {FILL IN (joint): {lower: FILL IN}}
terms:
  - {source: gravity}
  - source: 'FILL IN: what it is'
again: &a {kp: FILL IN (Nm/rad)}
alias: *a
late: said to fill in later, FILL IN
"""


def test_places_of_values_keys_and_entries():
    """Each once, in the order of the file; a comment and the end of a text are no place."""
    found = [(place.line, place.key, place.text) for place in places_in(TEXT)]
    assert found == [
        (3, 'joints[1]', 'FILL IN (a name)'),
        (5, 'imu.mounting', 'FILL IN (quaternion)'),
        (6, 'limits', 'FILL IN (joint)'),
        (6, 'limits.FILL IN (joint).lower', 'FILL IN'),
        (9, 'terms[1].source', 'FILL IN: what it is'),
        (10, 'again.kp', 'FILL IN (Nm/rad)'),
    ]


@pytest.mark.parametrize('text', ['', '5\n', 'a: 1\n', '[]\n'])
def test_nothing_to_fill_in(text):
    """A file without a mark is no draft."""
    assert places_in(text) == []


def test_one_place_is_one_line(tmp_path):
    """The error has file, line, key and what is expected."""
    path = tmp_path / 'x.yaml'
    path.write_text('a: 1\nb: FILL IN (rad)\n')
    with pytest.raises(ConfigError) as caught:
        YamlFile(path, 'matrix')
    assert str(caught.value) == f'matrix {path} is a draft: fill in line 2: b: FILL IN (rad)'


def test_a_foreign_file_may_have_the_words(tmp_path):
    """They are no marks of ours there."""
    path = tmp_path / 'x.yaml'
    path.write_text('a: FILL IN\n')
    assert YamlFile(path, 'file', foreign=True).root.plain('a') == 'FILL IN'


def test_readers_refuse_drafts(tmp_path):
    """Before all else: what stands beside a place to fill in is often wrong for it."""
    content = flat_models.spec([{'source': fill_in('first term')}])
    content |= {'joints': fill_in('names'), 'default_pose': fill_in('rad')}
    path = flat_models.write_spec(tmp_path / 'x.spec.yaml', content)
    with pytest.raises(ModelError, match='is a draft: fill in 3 places\n') as caught:
        load_spec(path)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(': ')[1] for line in lines] == [
        'joints',
        'default_pose',
        'observation.terms[0].source',
    ]
    robot = tmp_path / 'x.robot.yaml'
    robot.write_text('name: x\njoints: {hip: {lower: FILL IN (rad)}}\n')
    with pytest.raises(RobotError, match=r'line 2: joints.hip.lower: FILL IN \(rad\)'):
        load_robot(robot)
