"""A mimic deploy.yaml: its motion terms are read, and the motion is drafted."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
import yaml

from helpers.policies.deploy import DEPLOY
from helpers.policies.motions import dance
from helpers.shared import shared_path
from kinfer_ros.__main__ import main
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.unitree_rl_lab import read_deploy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.yaml_file import YamlFile


def mimic(**changes):
    """Observations of a motion-tracking policy with two joints."""
    content = copy.deepcopy(DEPLOY)
    content['commands'] = {}
    plain = {'params': {'command_name': 'motion'}, 'clip': None, 'history_length': 1}
    content['observations'] = {
        'motion_command': plain | {'scale': [1.0, 1.0, 0.5, 0.25]},
        'motion_anchor_ori_b': plain | {'scale': [1.0] * 6},
        'base_ang_vel': {'params': {}, 'clip': None, 'scale': [1.0] * 3, 'history_length': 1},
    } | changes
    return content


def read(folder, content, motors=('waist_yaw_joint', 'hip')):
    path = folder / 'deploy.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return read_deploy(YamlFile(path, 'file', ModelError, foreign=True), motors, 'as given')


def test_terms_and_motion(tmp_path):
    """Positions and velocities each with their scale; the file beside it; the torso as anchor."""
    (tmp_path / 'dance.csv').write_text('')
    contract = read(tmp_path, mimic())
    terms = contract.observation['terms']
    assert terms[0] == {'source': 'reference_joint_positions'}
    assert terms[1] == {'source': 'reference_joint_velocities', 'scale': [0.5, 0.25]}
    assert terms[2] == {'source': 'reference_anchor_orientation'}
    assert contract.motion == {
        'file': 'dance.csv', 'rate': 60.0, 'quaternion': 'xyzw', 'velocity': 'forward',
        'joints': ['waist_yaw_joint', 'hip'], 'end': 'hold', 'align': 'yaw',
        'anchor': [{'joint': 'waist_yaw_joint', 'axis': 'z'}],
    }  # fmt: skip
    assert contract.beside == [tmp_path / 'dance.csv']
    assert contract.commands == {}
    said = '\n'.join(contract.assumptions)
    for word in ('60 rows a second', 'behind waist_yaw_joint (z)', 'dance.csv'):
        assert word in said


def test_what_is_not_known_has_to_be_filled_in(tmp_path):
    """Two files, or none; a robot without a waist that is known."""
    contract = read(tmp_path, mimic(), ('a', 'b'))
    assert contract.motion['file'].startswith('FILL IN')
    assert contract.motion['anchor'].startswith('FILL IN')
    for name in ('a.csv', 'b.csv'):
        (tmp_path / name).write_text('')
    assert read(tmp_path, mimic()).motion['file'].startswith('FILL IN')


def test_an_npz_says_more(tmp_path):
    """Its rate, its quaternion's order and its velocities."""
    (tmp_path / 'dance.npz').write_text('')
    motion = read(tmp_path, mimic()).motion
    assert motion['file'] == 'dance.npz'
    assert not {'rate', 'quaternion', 'velocity'} & set(motion)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'clip': [-1, 1]}, 'motion_command.clip: found a clip'),
        ({'history_length': 5}, 'history_length: found frames to stack'),
        ({'scale': [1.0]}, 'scale'),
        ({'scale': 'big'}, 'scale'),
    ],
)
def test_what_a_reference_has_not(tmp_path, change, words):
    """One error with the line."""
    content = mimic()
    content['observations']['motion_command'] |= change
    with pytest.raises(ModelError) as error:
        read(tmp_path, content)
    assert words in str(error.value)
    assert 'line' in str(error.value)


def test_the_real_one_dances_as_recorded(tmp_path, capsys):
    """Imported, checked with its network, and golden once the start of its config is given."""
    found = dance(tmp_path, 'g1_dance_102')
    if found is None:
        pytest.skip('the shared policies are not here')
    model, _, golden = found
    folder = tmp_path / 'params'
    folder.mkdir()
    for name in ('deploy.yaml', 'motion.csv'):
        shutil.copy(model.parent / name, folder)
    mjcf = str(shared_path('policies/g1_unitree_rl_lab/scene.xml'))
    words = ['--model', str(model), '--mjcf', mjcf, '--out', str(tmp_path / 'out'), '--name', 'd']
    assert main(['import', str(folder / 'deploy.yaml'), *words]) == 0
    assert 'ok       motion' in capsys.readouterr().out
    spec = tmp_path / 'out' / 'd.spec.yaml'
    spec.write_text(spec.read_text().replace('motion:\n', 'motion:\n  start: 2.8\n'))
    policy = load_model(model, spec=spec)
    names = [str(each) for each in golden['joint_names']]
    order = [names.index(joint) for joint in policy.contract.joint_names]
    for tick in range(50):
        target = policy.step(
            {
                'joint_angles': golden['q'][tick][order],
                'joint_angular_velocities': golden['qd'][tick][order],
                'gyroscope': golden['gyro'][tick],
                'quaternion': golden['base_quat'][tick],
                'motion_control': np.array([1.0, 0.0]),
            }
        )
        np.testing.assert_allclose(target, golden['target'][tick][order], atol=1e-5)
