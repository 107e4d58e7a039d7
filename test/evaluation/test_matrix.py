"""What is run: the defaults fit the policy, a file is read strictly, an id finds its job."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from helpers.processes import REPOSITORY
from helpers.walking import MODEL
from kinfer_ros.errors import ConfigError
from kinfer_ros.evaluation.condition import CONDITIONS
from kinfer_ros.evaluation.condition import MAX_VALUE
from kinfer_ros.evaluation.condition import NAMES
from kinfer_ros.evaluation.condition import Condition
from kinfer_ros.evaluation.condition import Pushes
from kinfer_ros.evaluation.matrix import default_matrix
from kinfer_ros.evaluation.matrix import load_matrix
from kinfer_ros.evaluation.matrix import quick_matrix
from kinfer_ros.evaluation.matrix import shared_contract
from kinfer_ros.policy.policy import load_model


@pytest.fixture(scope='module')
def contract():
    return load_model(MODEL).contract


def test_default_commands_are_within_what_was_trained(contract):
    """A policy is not to be judged by what it never saw."""
    matrix = default_matrix(contract)
    assert list(matrix.commands) == ['stand', 'forward', 'sideways', 'turn']
    for values in matrix.commands.values():
        for name, value in values.items():
            low, high = contract.command_ranges[name]
            assert low < value < high


def test_every_seed_is_a_job_where_something_is_drawn(contract):
    """Six equal runs in the calm would only cost time."""
    matrix = default_matrix(contract)
    jobs = matrix.jobs()
    assert len({job.id for job in jobs}) == len(jobs)
    calm = [job for job in jobs if job.condition_name == 'calm']
    assert len(calm) == len(matrix.commands)
    assert len(jobs) == len(calm) + 6 * len(matrix.commands) * (len(CONDITIONS) - 1)
    assert matrix.job(jobs[-1].id) == jobs[-1]


def test_a_quick_look_is_more_than_a_turn(contract):
    """It walks straight, sideways, turns and stands; in the calm, pushed and under all at once."""
    matrix = quick_matrix(contract)
    jobs = {(job.command, job.condition_name): job for job in matrix.jobs()}
    commands = ('stand', 'forward', 'sideways', 'turn')
    assert list(jobs) == [(c, k) for k in ('calm', 'pushes', 'rough') for c in commands]
    pushed = jobs['forward', 'pushes']
    pushes = Pushes(pushed.condition, pushed.seed)
    times = [tick / 50 for tick in range(round(50 * pushed.seconds)) if pushes.due(tick / 50)]
    assert times, 'a push that comes after the end pushes nobody'
    assert times[0] < pushed.seconds - 2.0


def test_two_policies_get_commands_that_both_take(contract):
    """In the range of both: neither is judged by what it never saw."""
    other = replace(
        contract,
        command_names=('yawrate', 'xvel', 'tilt'),
        command_ranges={'xvel': (-0.1, 0.2), 'yawrate': (-9.0, 9.0)},
    )
    shared = shared_contract(contract, other)
    assert shared.command_names == ('xvel', 'yawrate')
    low, high = contract.command_ranges['xvel']
    assert shared.command_ranges['xvel'] == (max(low, -0.1), min(high, 0.2))
    assert shared.command_ranges['yawrate'] == contract.command_ranges['yawrate']
    assert set(default_matrix(shared).commands) == {'stand', 'forward', 'turn'}
    assert default_matrix(shared).commands['forward'] == {'xvel': 0.12}
    assert default_matrix(shared) == default_matrix(shared_contract(other, contract))


def test_a_matrix_that_is_written_is_read_back(contract, tmp_path):
    """A comparison writes it, so that a job of it can be repeated alone."""
    matrix = quick_matrix(contract)
    file = tmp_path / 'matrix.yaml'
    file.write_text(json.dumps(matrix.as_json()))
    assert load_matrix(file, contract) == matrix


@pytest.mark.parametrize('wanted', ['forward/calm', 'forward/clam/0', 'up/calm/0', 'stand/calm/x'])
def test_a_job_that_is_none_is_refused(contract, wanted):
    """With the names that there are."""
    with pytest.raises(ConfigError, match=r'expected COMMAND|did you mean|found stand'):
        default_matrix(contract).job(wanted)


def test_a_file_says_everything(contract, tmp_path):
    """Single numbers and ranges; what is left out is as by default."""
    path = tmp_path / 'matrix.yaml'
    path.write_text(
        'seeds: 2\ncommands:\n  fast: {xvel: 0.4}\nconditions:\n'
        '  icy: {friction: [0.1, 0.2], push_speed: 0.5}\n  heavy: {payload: 0.3}\n'
    )
    matrix = load_matrix(path, contract)
    assert matrix.commands == {'fast': {'xvel': 0.4}}
    assert matrix.conditions['heavy'] == Condition(payload=(0.3, 0.3))
    assert [job.id for job in matrix.jobs()] == ['fast/icy/0', 'fast/icy/1', 'fast/heavy/0']
    assert matrix.seconds == 10.0


def test_the_page_does_not_lie(contract, tmp_path):
    """Its file loads, and it names every condition and every key."""
    text = (REPOSITORY / 'docs' / 'evaluation.md').read_text()
    path = tmp_path / 'matrix.yaml'
    path.write_text(re.findall(r'```yaml\n(.*?)```', text, re.DOTALL)[0])
    tall = replace(contract, command_names=(*contract.command_names, 'baseheight'))
    assert len(load_matrix(path, tall).jobs()) == 3 * 2 * 10
    assert all(f'`{name}`' in text for name in (*CONDITIONS, *NAMES))


def test_a_wrong_file_is_refused_with_every_line(contract, tmp_path):
    """One look, all mistakes."""
    path = tmp_path / 'matrix.yaml'
    path.write_text(
        'sedes: 2\ncommands:\n  a/b: {xvel: 0.4}\n  far: {xvel: 9.0}\n  odd: {height: 1.0}\n'
        'conditions:\n  icy: {friction: [0.3, 0.2]}\n  x: {fricton: 1.0}\n  y: {torque: -1.0}\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_matrix(path, contract)
    text = str(caught.value)
    for words in (
        'sedes', 'at most, no /', 'from -0.3 to 0.45', 'no such entry', 'expected 0 to 10',
        "did you mean 'friction'", 'a number from 0 to 10',
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.ros
def test_conditions_speak_the_bridges_language():
    """What an evaluation found has to be set on the bridge as well, under the same name."""
    assert set(MAX_VALUE) == set(NAMES)
    parameters = importlib.import_module('kinfer_ros.nodes.mujoco.parameters').MUJOCO_PARAMETERS
    assert set(NAMES) - {each.name for each in parameters} == {'push_speed', 'push_every'}


def test_a_seed_draws_within_the_range():
    """And another seed something else."""
    icy = Condition(friction=(0.2, 0.6), payload=(0.0, 0.5))
    drawn = [icy.disturbance(seed) for seed in range(200)]
    friction = np.array([each.friction for each in drawn])
    assert 0.2 <= friction.min() < 0.23
    assert 0.57 < friction.max() <= 0.6
    assert drawn[7] == icy.disturbance(7)
    assert not Condition().draws


def test_pushes_come_at_their_intervals():
    """From all sides, with their speed."""
    pushes = Pushes(Condition(push_speed=0.4, push_every=2.0), 5)
    found = [(tick / 50, push) for tick in range(50_000) if (push := pushes.due(tick / 50))]
    times = np.diff([0.0, *(time for time, _ in found)])
    assert times.min() >= 1.4
    assert times.max() <= 2.62
    speeds = np.array([push for _, push in found])
    np.testing.assert_allclose(np.linalg.norm(speeds, axis=1), 0.4)
    assert (speeds.min(axis=0)[:2] < -0.35).all()
    assert (speeds.max(axis=0)[:2] > 0.35).all()
    assert Pushes(Condition(), 5).due(1e9) is None


def test_a_command_may_name_a_sequence(tmp_path, contract):
    """One that ships, or a file; the policy has to have its entries."""
    path = tmp_path / 'matrix.yaml'
    path.write_text('commands:\n  to and fro: {sequence: there_and_back, yvel: 0.05}\n')
    matrix = load_matrix(path, contract)
    assert matrix.commands == {'to and fro': {'yvel': 0.05}}
    assert matrix.jobs()[0].sequence == matrix.sequences['to and fro']
    assert matrix.job('to and fro/calm/3').sequence.name == 'there_and_back'
    assert matrix.as_json()['sequences'] == {'to and fro': 'there_and_back'}
    path.write_text('commands:\n  a: {sequence: bow}\n  b: {sequence: bwo}\n')
    with pytest.raises(ConfigError, match='sequence') as error:
        load_matrix(path, contract)
    assert 'line 2: commands.a.sequence: sequence bow needs basepitch; the' in str(error.value)
    assert "line 3: commands.b.sequence: there is no command sequence 'bwo' (did you" in str(
        error.value
    )
