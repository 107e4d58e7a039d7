"""`walk` of K-Scale's K-Bot on a gantry, and of a robot without a base to move, in each mode."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.processes import Process
from helpers.processes import domain_environment
from helpers.shared import shared_path
from kinfer_ros.__main__ import main

START = 60.0
"""s for the imports, the start, and ten simulated seconds on a busy machine."""
PATIENT = """\
/**:
  policy_node:
    ros__parameters: {stale_timeout: 2.0, max_missed_ticks: 1000}
  mujoco_bridge:
    ros__parameters: {command_timeout: 2.0}
"""
"""A busy machine is not the point; the guard `frozen` is as ever."""
MODELS = (
    'robots/kbot/scene.xml',
    pytest.param('kos_sim/robot.mjcf', marks=pytest.mark.long),
    pytest.param('kos_sim/robot.suspended.mjcf', marks=pytest.mark.long),
)


def walk(folder: Path, *arguments: str) -> Process:
    words = ['-m', 'kinfer_ros', 'walk', f'runs_dir:={folder / "runs"}', *arguments]
    return Process(words, folder / 'walk.log', domain_environment())


def facts(folder: Path) -> dict:
    return json.loads((folder / 'runs' / 'latest' / 'run.json').read_text())


@pytest.mark.parametrize('model', MODELS)
def test_kbot_as_it_comes_moves_for_ten_seconds(tmp_path: Path, model: str) -> None:
    """Nothing edited: the model and the policy of K-Scale, the IMU as it lies there."""
    mjcf, policy = shared_path(model), shared_path('policies/kinfer_unit_tests')
    if mjcf is None or policy is None:
        pytest.skip('the shared K-Bot is not here')
    words = [f'mjcf:={mjcf}', f'model:={policy / "kbot_sine_motion.kinfer"}', 'robot:=kbot']
    words += ['imu_mounting:=mjcf', 'fixed_base:=true', 'lockstep:=true', 'duration:=10.0']
    with walk(tmp_path, *words) as process:
        assert process.wait(START + 60) == 0, process.output
    found = facts(tmp_path)
    assert found['reason'] == 'duration reached'
    assert found['distance_m'] < 1e-3
    assert found['parameters']['imu_mounting'] != [0.0, 0.0, 0.0, 0.0]
    assert main(['replay', str(tmp_path / 'runs' / 'latest')]) == 0


@pytest.mark.parametrize(
    'mode',
    [
        'lockstep:=true',
        pytest.param('use_sim_time:=true', marks=pytest.mark.long),
        pytest.param('slowdown:=2', marks=pytest.mark.long),
    ],
)
def test_a_gantry_is_no_dead_sensor(tmp_path: Path, mode: str) -> None:
    """An IMU that cannot move was a fault `frozen` after half a second of run."""
    patient = tmp_path / 'patient.yaml'
    patient.write_text(PATIENT)
    words = ['fixed_base:=true', 'duration:=2.0', mode, f'params_file:={patient}']
    with walk(tmp_path, *words) as process:
        assert process.wait(START) == 0, process.output
    found = facts(tmp_path)
    assert found['reason'] == 'duration reached'
    assert found['falls'] == 0
    assert found['distance_m'] < 1e-3
