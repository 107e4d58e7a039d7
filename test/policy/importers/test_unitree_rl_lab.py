"""A deploy.yaml as people edit it: used, or refused with the line and what was expected."""

from __future__ import annotations

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from helpers.policies.deploy import DEPLOY
from helpers.shared import shared_path
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.unitree_rl_lab import is_deploy_yaml
from kinfer_ros.policy.importers.unitree_rl_lab import joint_count
from kinfer_ros.policy.importers.unitree_rl_lab import read_deploy
from kinfer_ros.yaml_file import YamlFile


def edited(*path, value):
    """The file with one value replaced; a `...` removes the key."""
    content = copy.deepcopy(DEPLOY)
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


def read(tmp_path, content, motors=('left', 'right')):
    path = tmp_path / 'deploy.yaml'
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_deploy(YamlFile(path, 'file', ModelError, foreign=True), motors, 'as given')


def said(contract):
    return '\n'.join(contract.assumptions)


@pytest.mark.parametrize(
    ('ids', 'motors', 'kp', 'joints'),
    [
        ([1, 0], 'ab', [20.0, 10.0], ['b', 'a']),
        ([0, 3], 'abcd', [10.0, 20.0], ['a', 'd']),
        ([3, 0], 'abcd', [10.0, 20.0], ['d', 'a']),
        ([3, 0], 'ad', [10.0, 20.0], ['d', 'a']),
    ],
)
def test_ids_with_gaps(tmp_path, ids, motors, kp, joints):
    """23 of 29 joints: gains are as many as joints, and names may be those in use alone."""
    contract = read(tmp_path, edited('joint_ids_map', value=ids), tuple(motors))
    assert contract.joints == joints
    assert contract.kp == kp
    assert ('have gaps' in said(contract)) == (max(ids) > 1)


@pytest.mark.parametrize(
    ('path', 'value', 'words'),
    [
        (('joint_ids_map',), [0, 0], 'joint_ids_map: found .*different whole numbers'),
        (('joint_ids_map',), [0.5, 1], 'different whole numbers'),
        (('joint_ids_map',), 5, 'different whole numbers'),
        (('joint_ids_map',), [0, 7, 9], 'found ids up to 9, expected at most 1'),
        (('step_dt',), 0, r'step_dt: found 0, expected a number from 0.0001 to 10 \(s\)'),
        (('step_dt',), '0.02s', "step_dt: found the text '0.02s'"),
        (('stiffness',), {'.*': 20}, 'stiffness: found .* expected a list of numbers'),
        (('stiffness',), [1.0], 'one a motor .2 or more. or joint .2.'),
        (('damping',), [1.0, -1.0], 'damping: found'),
        (('default_joint_pos',), ..., "missing key 'default_joint_pos'"),
        (('default_joint_pos',), [0.1], 'found 1 numbers, expected 2'),
        (('commands',), [1], r'commands: found the list \[1\], expected keys'),
        (('commands', 'base_velocity'), 3, 'base_velocity: found 3'),
        (('commands', 'base_velocity', 'ranges', 'lin_vel_x'), [1], 'lin_vel_x: found'),
        (('commands', 'pose'), {'ranges': {}}, 'commands.pose: found a command'),
        (('actions',), ['JointPositionAction'], 'actions: found the list'),
        (('actions',), {'JointEffortAction': {}}, 'expected JointPositionAction or JointVel'),
        (('actions', 'JointVelocityAction'), {'scale': 5.0}, 'found left, right in JointPosition'),
        (('actions', 'JointPositionAction', 'scale'), 'big', 'scale: found'),
        (('actions', 'JointPositionAction', 'scale'), ..., "missing key 'scale'"),
        (('actions', 'JointPositionAction', 'joint_ids'), 'some', 'joint_ids: found'),
        (('actions', 'JointPositionAction', 'joint_ids'), [5], 'indices below 2'),
        (('actions', 'JointPositionAction', 'clip'), [1, 2, 3], 'clip: found'),
        (('observations',), {'foot_height': {}}, "foot_height: observation term 'foot_height'"),
        (('observations',), [1], 'observations: found the list'),
        (('observations', 'base_ang_vel'), 0.2, 'base_ang_vel: found 0.2, expected keys'),
        (('observations', 'base_ang_vel', 'params'), [1], 'params: found the list'),
        (('observations', 'base_ang_vel', 'scale'), [1.0], 'found 1 numbers, expected 3'),
        (('observations', 'base_ang_vel', 'history_length'), 'five', 'expected a whole number'),
        (('observations', 'base_ang_vel', 'history_length'), -1, 'expected a whole number'),
        (('observations', 'gait_phase', 'params'), {}, "missing key 'period'"),
        (('observations', 'gait_phase', 'params', 'period'), 0, 'period: found 0'),
        (('observations', 'joint_pos_rel', 'clip'), 'no', 'clip: found'),
        (('observations', 'use_gym_history'), 'maybe', 'true or false'),
    ],
)
def test_an_edit_that_cannot_be_used_names_its_line(tmp_path, path, value, words):
    """Ten of fourteen plain edits were a traceback."""
    with pytest.raises(ModelError, match=words) as caught:
        read(tmp_path, edited(*path, value=value))
    assert 'deploy.yaml' in str(caught.value)
    assert 'line ' in str(caught.value)


def test_all_problems_are_reported_at_once(tmp_path):
    """Nobody wants to learn of them one by one."""
    content = edited('step_dt', value='x')
    content['observations']['base_ang_vel']['history_length'] = 'five'
    with pytest.raises(ModelError, match='2 problems'):
        read(tmp_path, content)


@pytest.mark.parametrize('ids', [None, [None, None, None], 'slice(None, None, None)', [0, 1]])
def test_all_joints_in_each_spelling(tmp_path, ids):
    """The exporter writes a Python slice, people its text."""
    contract = read(tmp_path, edited('actions', 'JointPositionAction', 'joint_ids', value=ids))
    assert contract.action.get('joints', contract.joints) == contract.joints


def test_what_is_not_read_is_listed(tmp_path):
    """A key that matters may be among them."""
    contract = read(tmp_path, edited('observations', 'base_ang_vel', 'modifiers', value=[1]))
    assert 'not read: ' in said(contract)
    for key in ('observations.base_ang_vel.modifiers', 'JointPositionAction.joint_names',
                'ranges.heading'):  # fmt: skip
        assert key in said(contract)


SCALARS = st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(content, path=()):
    """Every key of the file, as a path."""
    for key, value in content.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, (*path, key))


@given(st.lists(st.tuples(st.sampled_from(list(places(DEPLOY))), VALUES), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_is_edited_it_is_used_or_one_error(tmp_path_factory, edits):
    """No value of any type may be a traceback."""
    content = copy.deepcopy(DEPLOY)
    for path, value in edits:
        place = content
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place[path[-1]] = value
    try:
        contract = read(tmp_path_factory.mktemp('deploy'), content)
    except KinferRosError:
        return
    yaml.safe_dump(contract.spec())


@pytest.mark.skipif(shared_path('cases') is None, reason='the shared cases are not here')
def test_the_shared_cases(tmp_path):
    """One is used, the others are refused with their line."""
    for path in sorted(shared_path('cases/deploy').glob('*.yaml')):
        file = YamlFile(path, 'file', ModelError, foreign=True)
        assert is_deploy_yaml(file.root)
        motors = 'abcd' if path.stem == 'sparse_ids' else 'ab'
        assert joint_count(file.root) == (3 if path.stem == 'sparse_ids' else 2)
        if path.stem in ('sparse_ids', 'odd_joint_ids_text'):
            read_deploy(file, motors, 'as given')
            continue
        with pytest.raises(ModelError, match=rf'{path.name}, line \d+'):
            read_deploy(file, motors, 'as given')


@pytest.mark.parametrize(('scale', 'many'), [([5.0] * 12, '12 points'), (None, 'points')])
def test_a_height_scan_is_a_draft(tmp_path, scale, many):
    """The file has as many scales as points, and no grid."""
    entry = {'params': {}, 'clip': [-1.0, 1.0], 'scale': scale, 'history_length': 1}
    content = copy.deepcopy(DEPLOY)
    content['observations']['height_scanner'] = entry
    terms = read(tmp_path, content).observation['terms']
    (term,) = (each for each in terms if each['source'] == 'height_scan')
    assert term.get('scale') == (5.0 if scale else None)
    assert term['clip'] == [-1.0, 1.0]
    assert f'of the {many}; or' in term['grid']
