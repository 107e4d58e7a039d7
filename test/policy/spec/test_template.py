"""A template of a spec: what the shapes say, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from helpers.policies.flat_models import linear
from helpers.policies.flat_models import lstm
from helpers.robots import small_robot
from kinfer_ros.__main__ import main
from kinfer_ros.fill_in import places_in
from kinfer_ros.policy.graph import Tensor
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.guess import guess_terms
from kinfer_ros.policy.spec.template import SpecTemplate

FLOAT = 'tensor(float)'
JOINTS = ('hip', 'knee', 'ankle')
ANSWERS = {
    'control_rate': 50.0, 'joints': list(JOINTS), 'default_pose': 0.0, 'gains.kp': 20.0,
    'gains.kd': 1.0, 'commands.xvel': [-1.0, 1.0], 'commands.yvel': None,
    'commands.yawrate': None, 'relative_to': 'default_pose', 'scale': 0.5, 'unit': 'unit',
    'relative': True, 'which': 'raw', 'length': 2, 'layout': 'per_term',
    'order': 'oldest_first', 'first': 'repeat', 'h_in': 'h_out', 'c_in': 'c_out',
}  # fmt: skip
"""What a person would fill in, by key or its last part."""


def fill(file: Path) -> dict:
    """Fill in a template: guesses as they stand, the rest by ANSWERS."""

    def answer(key: str, text: str) -> object:
        if key.rpartition('.')[2] in ('source', 'output'):
            return text.partition('guessed: ')[2].partition(',')[0].rstrip(')')
        return ANSWERS[key] if key in ANSWERS else ANSWERS[key.rpartition('.')[2]]

    def walk(value, key=''):
        if isinstance(value, dict):
            return {k: walk(v, f'{key}.{k}' if key else k) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(each, key) for each in value]
        is_place = isinstance(value, str) and value.startswith('FILL IN')
        return answer(key, value) if is_place else value

    content = walk(yaml.safe_load(file.read_text()))
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return content


@pytest.mark.parametrize(
    ('size', 'joints', 'guess'),
    [
        (45, 12, 'gyroscope 3 + gravity 3 + command 3 + joint_positions 12 + '
         'joint_velocities 12 + last_action 12'),
        (48, 12, 'linear_velocity 3 + gyroscope 3 + gravity 3 + command 3 + joint_positions 12 + '
         'joint_velocities 12 + last_action 12'),
        (235, 12, 'linear_velocity 3 + gyroscope 3 + gravity 3 + command 3 + joint_positions 12 + '
         'joint_velocities 12 + last_action 12 + height_scan 187'),
        (480, 29, '5 frames of gyroscope 3 + gravity 3 + command 3 + joint_positions 29 + '
         'joint_velocities 29 + last_action 29'),
        (47, 12, 'gyroscope 3 + gravity 3 + command 3 + joint_positions 12 + '
         'joint_velocities 12 + last_action 12 + phase 2'),
    ],
)  # fmt: skip
def test_usual_observations_are_guessed(size, joints, guess):
    """Go1, Isaac Lab's flat and rough tasks, unitree_rl_lab's G1 with its history."""
    assert str(guess_terms(size, joints, joints)[0]) == guess


def test_what_fits_nothing_is_not_guessed():
    """A wrong guess would be worse than none."""
    assert guess_terms(43, 12, 12) == []
    assert guess_terms(43 * 3, 12, 12, frames=3) == []


@pytest.mark.parametrize(
    ('model', 'size'), [(linear(18)[0], 18), (lstm(18), 18), (linear(36)[0], 36)]
)
def test_a_template_that_is_filled_in_is_a_spec(tmp_path, capsys, model, size):
    """Every place is one that `check` names, with its line; then it loads and fits."""
    file, spec = tmp_path / 'policy.onnx', tmp_path / 'new.yaml'
    file.write_bytes(model)
    robot = small_robot(tmp_path, JOINTS)
    words = ['--robot', str(robot.path)]
    assert main(['spec', 'new', str(file), *words, '--out', str(spec)]) == 0
    said = capsys.readouterr().out
    places = places_in(spec.read_text())
    assert f'to fill in, {len(places)} places' in said
    assert 'joint_positions 3 + joint_velocities 3 + last_action 3' in said
    assert main(['check', str(file), '--spec', str(spec), *words]) == 2
    refused = capsys.readouterr().err
    for place in places:
        assert f'line {place.line}: {place.key}: FILL IN' in refused
    content = fill(spec)
    policy = load_model(file, spec=spec)
    assert policy.contract.joint_names == JOINTS
    assert policy.contract.spec.observation_size == size
    assert ('history' in content['observation']) is (size == 36)
    assert main(['check', str(file), '--spec', str(spec), *words]) == 0
    assert main(['spec', 'new', str(file), *words, '--out', str(spec)]) == 2
    assert 'exists already; --force overwrites it' in capsys.readouterr().err


def template(tmp_path, inputs: dict, outputs: dict, joints=JOINTS) -> dict:
    """Return a template as plain data."""
    robot = small_robot(tmp_path, joints)
    ins, outs = (
        [Tensor(name, *(value if isinstance(value[0], tuple) else (value, FLOAT)))
         for name, value in nodes.items()]
        for nodes in (inputs, outputs)
    )  # fmt: skip
    return yaml.safe_load(SpecTemplate("it's", ins, outs, robot).text())


def test_several_inputs_and_outputs(tmp_path):
    """Observations, a counter and a state are told apart; the action by the joints' number."""
    found = template(
        tmp_path,
        {'policy': (1, 18), 'time_step': ((1,), 'tensor(int64)'), 'extra': (1, 7), 'h': (1, 1, 8)},
        {'value': (1, 1), 'act': (1, 3), 'h_next': (1, 1, 8)},
    )
    assert [entry['input'] for entry in found['observation']] == ['policy', 'time_step', 'extra']
    assert 'guessed: step' in found['observation'][1]['terms'][0]['source']
    assert '7 numbers in all: joint_positions' in found['observation'][2]['terms'][0]['source']
    assert 'guessed: act' in found['action']['output']
    assert 'guessed by its shape: h_next' in found['states']['pair']['h']
    assert found['name'] == "it's"


def test_an_action_of_fewer_joints(tmp_path):
    """Which they are is not known."""
    found = template(tmp_path, {'obs': (1, 17)}, {'act': (1, 2)})
    assert 'names of the 2 joints of the action' in found['action']['joints']
    assert 'the action has 2 numbers, the robot 3' in found['joints']


def test_rows_are_frames_and_open_sizes_are_said(tmp_path):
    """A shape that gives the history is used; one that says nothing is asked for."""
    rows = template(tmp_path, {'obs': (1, 5, 18)}, {'act': (1, 3)})['observation']
    assert 'guessed: 5' in rows['history']['length']
    assert len(rows['terms']) == 6
    open_size = template(tmp_path, {'obs': ('batch', None)}, {'act': ('batch', 'n')})
    assert 'an open number in all' in open_size['observation']['terms'][0]['source']
    assert 'an open number of numbers' in open_size['joints']


def test_names_of_others_end_no_line(tmp_path):
    """A name with a line break would become a key of the spec."""
    found = template(tmp_path, {'obs\nname: evil': (1, 18)}, {'act\r': (1, 3)})
    assert found['name'] == "it's"
    assert found['observation']['input'] == 'obs name: evil'


def test_an_archive_needs_no_spec(capsys, tmp_path):
    """One error, and no file."""
    from helpers.walking import MODEL

    assert main(['spec', 'new', str(MODEL), '--robot', 'biped', '--out', str(tmp_path / 'x')]) == 2
    assert 'a kinfer archive needs no spec' in capsys.readouterr().err
    assert not (tmp_path / 'x').exists()
