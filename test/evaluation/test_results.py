"""What stays of an evaluation: results that survive a kill, and are never mixed with others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from helpers.walking import MODEL
from kinfer_ros.errors import RunError
from kinfer_ros.evaluation.job import Subject
from kinfer_ros.evaluation.matrix import quick_matrix
from kinfer_ros.evaluation.results import RESULTS
from kinfer_ros.evaluation.results import SETTINGS
from kinfer_ros.evaluation.results import Results
from kinfer_ros.evaluation.results import settings_of
from kinfer_ros.policy.policy import load_model

BIPED = Subject(MODEL, 'biped')


def record(job: str, **more: object) -> dict:
    """A result as a job gives it."""
    numbers = dict.fromkeys(('vx', 'vy', 'wz'), 0.1)
    return {
        'job': job, 'survived': True, 'reason': '', 'run_s': 4.0, 'velocity': numbers,
        'velocity_error': numbers, 'power_w': 1.0, 'energy_j_per_m': None, 'slip_mps': 0.01,
        'distance_m': 1.0, 'path_m': 1.0, 'digest': 'ab',
    } | more  # fmt: skip


@pytest.fixture(scope='module')
def settings():
    policy = load_model(MODEL)
    return settings_of(BIPED, policy, quick_matrix(policy.contract))


@pytest.fixture
def begun(tmp_path, settings):
    results = Results.create(tmp_path, settings)
    results.add(record('turn/calm/0'))
    results.add(record('turn/rough/0', power_w=float('nan')))
    results.close()
    return results.path


def test_a_kill_costs_the_line_that_was_being_written(begun, settings):
    """The rest is taken, and the next line stands on its own."""
    with (begun / RESULTS).open('ab') as file:
        file.write(b'{"job":"turn/rough/1","surv')
    results = Results(begun, settings)
    assert list(results.records) == ['turn/calm/0', 'turn/rough/0']
    assert results.records['turn/rough/0']['power_w'] is None
    results.add(record('turn/rough/1'))
    results.close()
    lines = (begun / RESULTS).read_text().splitlines()
    assert [json.loads(line)['job'] for line in lines] == [
        'turn/calm/0', 'turn/rough/0', 'turn/rough/1'
    ]  # fmt: skip


def test_other_settings_are_refused_by_name(begun, settings):
    """Half of the numbers from one policy and half from another are worth nothing."""
    other = settings | {'model_sha256': '0' * 64, 'seconds': 7.0}
    with pytest.raises(RunError, match='other settings') as caught:
        Results(begun, other)
    assert 'seconds: found 5.0, now 7.0' in str(caught.value)
    assert 'model_sha256' in str(caught.value)
    moved = settings | {'model': '/elsewhere/walk.kinfer'}
    Results(begun, moved).close()


def test_everything_that_makes_the_numbers_is_in_the_settings(settings, tmp_path):
    """Files by their hash, the software by its version, the matrix as a whole."""
    policy = load_model(MODEL)
    matrix = quick_matrix(policy.contract)
    assert settings_of(BIPED, policy, matrix) == settings
    for other in (
        replace(matrix, seeds=9),
        replace(matrix, seconds=9.0),
        matrix.only([], ['calm']),
    ):
        assert settings_of(BIPED, policy, other) != settings
    assert set(settings['versions']) == {'kinfer_ros', 'numpy', 'mujoco', 'onnxruntime'}
    assert all(len(settings[f'{name}_sha256']) == 64 for name in ('model', 'robot', 'mjcf'))


def test_two_cannot_write_to_one(begun, settings):
    """Two terminals, one --resume."""
    first = Results(begun, settings)
    with pytest.raises(RunError, match='another evaluation'):
        Results(begun, settings)
    first.close()
    Results(begun, settings).close()


@pytest.mark.parametrize('line', [b'[]', b'{"job": 1}', b'\xff', b'{"job":"a/b/0","run_s":[]}'])
def test_a_damaged_file_is_one_clear_error(begun, settings, line):
    """With its line; nothing of it is believed."""
    with (begun / RESULTS).open('ab') as file:
        file.write(line + b'\n')
    with pytest.raises(RunError, match='line 3'):
        Results(begun, settings)


def test_what_is_no_evaluation_is_refused(tmp_path, settings):
    """A run directory, say."""
    with pytest.raises(RunError, match='no evaluation'):
        Results(tmp_path, settings)
    (tmp_path / SETTINGS).write_text('{')
    with pytest.raises(RunError, match='not JSON'):
        Results(tmp_path, settings)
