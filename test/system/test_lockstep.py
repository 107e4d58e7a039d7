"""The walk in lockstep: three processes over real DDS, held against the loop without ROS."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.processes import domain_environment
from helpers.processes import node
from helpers.walking import MODEL
from helpers.walking import walk
from helpers.walking import way_by
from helpers.walking import way_of
from kinfer_ros.__main__ import main
from kinfer_ros.run.writer import read_steps

REFERENCE = Path(__file__).parent / 'data' / 'walk_targets.npz'
COMMAND = (0.3, 0.0, 0.0)
SECONDS = 10.0

# What may differ between two runs that are the same: when they were, and how long things took.
TIMING = ('t_us', 'stage_us', 'late_us', 'age_us')


@dataclass
class Run:
    """What one lockstep run left behind."""

    folder: Path
    facts: dict[str, Any]
    steps: list[dict[str, Any]]

    @property
    def walking(self) -> list[dict[str, Any]]:
        """The records of mode run."""
        return [step for step in self.steps if step['mode'] == 'run']


def lockstep_run(folder: Path) -> Run:
    """Walk for SECONDS with bridge, policy node and recorder in processes of their own."""
    folder.mkdir()
    environment = domain_environment()
    bridge = {'robot': 'biped', 'lockstep': True, 'seed': 0}
    policy = {
        'robot': 'biped',
        'model': MODEL,
        'runs_dir': folder,
        'use_sim_time': True,
        'lockstep': True,
        'autostart': True,
        'auto_run': True,
        'duration': SECONDS,
        'sensor_timeout': 30.0,
        'wait_for_recorder': True,
        'default_command': list(COMMAND),
    }
    with (
        node('mujoco_bridge', folder, environment, bridge) as robot_side,
        node('recorder', folder, environment) as recorder,
        node('policy_node', folder, environment, policy) as policy_side,
    ):
        assert policy_side.wait(90) == 0, policy_side.output
        for process in (robot_side, recorder):
            process.send(signal.SIGINT)
            assert process.wait(40) == 0, process.output
    latest = folder / 'latest'
    assert (latest / 'bag' / 'metadata.yaml').is_file()
    return Run(latest, json.loads((latest / 'run.json').read_text()), list(read_steps(latest)))


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The same walk, twice."""
    folder = tmp_path_factory.mktemp('lockstep')
    return lockstep_run(folder / 'first'), lockstep_run(folder / 'second')


def test_it_walks(runs: tuple[Run, Run]) -> None:
    """The main job: distance, heading, no fall, and a tick for every control period."""
    facts = runs[0].facts
    assert facts['falls'] == 0
    assert facts['counters']['faults'] == 0
    assert facts['counters']['missed_ticks'] == 0
    assert facts['reason'] == 'duration reached'
    assert 0.8 * COMMAND[0] * SECONDS <= facts['distance_m'] <= 1.25 * COMMAND[0] * SECONDS
    assert abs(facts['turned_rad']) < 0.3
    stamps = [step['stamp_ns'] for step in runs[0].steps]
    assert set(np.diff(stamps)) == {20_000_000}
    assert len(runs[0].walking) == SECONDS * 50


def test_the_targets_are_those_of_the_stored_reference(runs: tuple[Run, Run]) -> None:
    """That it walks is a weak test: a robot walks with half its inputs wrong as well."""
    with np.load(REFERENCE) as reference:
        expected = reference['targets']
        found_hash = hashlib.sha256(MODEL.read_bytes()).hexdigest()
        assert str(reference['model_sha256']) == found_hash, (
            'the reference is of another model: run test/system/make_reference.py'
        )
    found = np.array([step['target'] for step in runs[0].walking[: len(expected)]])
    assert found.shape == (150, 12)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_graph_adds_nothing_to_the_loop_without_ros(runs: tuple[Run, Run]) -> None:
    """Every target over DDS equals the direct loop's, to the bit, and so does the way."""
    simulation, targets = walk(SECONDS, COMMAND)
    found = np.array([step['target'] for step in runs[0].walking], dtype=np.float32)
    assert found.shape == targets.shape
    assert found.tobytes() == targets.tobytes()
    assert way_of(runs[0].facts) == way_by(simulation.odometer)


def test_the_same_run_twice_is_the_same_to_the_bit(runs: tuple[Run, Run]) -> None:
    """A run that cannot be repeated cannot be debugged."""
    first, second = runs
    assert len(first.steps) == len(second.steps)
    for one, other in zip(first.steps, second.steps, strict=True):
        assert one.keys() == other.keys()
        for key in one.keys() - set(TIMING):
            np.testing.assert_array_equal(
                one[key], other[key], err_msg=f'step {one["step_id"]}, {key}'
            )


def test_step_ids_and_carries_allow_a_replay(runs: tuple[Run, Run]) -> None:
    """Ids go up by one; the carry stands at the first step of the run and every 50th after it."""
    steps = runs[0].steps
    assert [step['step_id'] for step in steps] == list(range(len(steps)))
    carried = [i for i, step in enumerate(runs[0].walking) if step['carry'] is not None]
    assert carried == list(range(0, len(runs[0].walking), 50))


@pytest.mark.parametrize('options', [[], ['--bag']], ids=['log', 'bag'])
def test_it_replays_to_the_bit(
    runs: tuple[Run, Run], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Log and bag each repeat the run, and so tell the same story."""
    assert main(['replay', str(runs[0].folder), '--json', *options]) == 0
    found = json.loads(capsys.readouterr().out)
    target = found['target'] if options else found['tensors']['target']
    assert target['compared'] == SECONDS * 50
    assert target['differing'] == 0
    if options:
        assert found['without_sample'] == found['other_mode'] == 0
        assert found['other_target']['differing'] == 0


@pytest.mark.skipif(
    not os.environ.get('KINFER_PEER_PYTHON'),
    reason='KINFER_PEER_PYTHON is not set: no interpreter with kinfer 0.6.1',
)
def test_kinfers_own_plotter_draws_the_log(runs: tuple[Run, Run], tmp_path: Path) -> None:
    """K-Scale's users open a log with it first."""
    log = tmp_path / 'steps.ndjson'
    log.symlink_to(runs[0].folder.resolve() / 'steps.ndjson')
    subprocess.run(
        [os.environ['KINFER_PEER_PYTHON'], '-m', 'kinfer.scripts.plot_ndjson', log, '--save'],
        check=True,
        timeout=120,
        env={**os.environ, 'MPLBACKEND': 'Agg', 'MPLCONFIGDIR': str(tmp_path)},
    )
    assert (tmp_path / 'plots' / 'steps.png').stat().st_size > 10_000
