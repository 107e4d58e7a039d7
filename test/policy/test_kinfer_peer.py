"""kinfer 0.6.1 itself loads what `pack` makes, and runs it to the same actions.

The peer needs an interpreter of its own, named by KINFER_PEER_PYTHON; without it these tests skip.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from helpers.policies import models
from helpers.policies.kinfer_script import script_actions
from helpers.shared import kinfer_archives
from kinfer_ros.cli.policy import pack
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model

PEER = os.environ.get('KINFER_PEER_PYTHON', '')
SCRIPT = Path(__file__).with_name('kinfer_peer.py')
SHIPPED = sorted(Path(__file__).parents[2].glob('robots/*/*.kinfer'))
SOURCES = {'init': 'init.onnx', 'step': 'step.onnx', 'metadata': 'meta.json'}
STEPS = 50
# onnxruntime 1.20.0 there, a newer one here: sums may be taken in another order, and a carry
# passes the difference on. Actions are of order 1 rad.
TOLERANCE = 1e-5
# The real archives have few sums to take, and 10 s of each are compared.
REAL_STEPS = 500
REAL_TOLERANCE = 1e-6

pytestmark = pytest.mark.skipif(
    not PEER,
    reason='KINFER_PEER_PYTHON is not set: no interpreter with kinfer 0.6.1'
    ' (requirements/kinfer-peer.txt)',
)


def peer_run(
    model: Path, inputs: dict[str, np.ndarray], folder: Path
) -> subprocess.CompletedProcess:
    np.savez(folder / 'inputs.npz', **inputs)
    command = [PEER, str(SCRIPT), str(model), str(folder / 'inputs.npz'), str(folder / 'out.npz')]
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def peer_actions(model: Path, inputs: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    done = peer_run(model, inputs, folder)
    assert done.returncode == 0, done.stderr
    with np.load(folder / 'out.npz') as file:
        return file['actions']


def our_actions(policy: Policy, inputs: dict[str, np.ndarray]) -> np.ndarray:
    policy.reset()
    steps = min(len(rows) for rows in inputs.values())
    rows = [{name: rows[step] for name, rows in inputs.items()} for step in range(steps)]
    return np.stack([policy.step(row) for row in rows])


def recorded_inputs(policy: Policy, steps: int = STEPS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        each.name: rng.uniform(-0.5, 0.5, (steps, *each.shape)).astype(np.float32)
        for each in policy.contract.inputs
    }


def pack_files(folder: Path, init: bytes, step: bytes, meta: dict) -> Path:
    (folder / 'init.onnx').write_bytes(init)
    (folder / 'step.onnx').write_bytes(step)
    (folder / 'meta.json').write_text(json.dumps(meta))
    sources = [f'--{name}={folder / file}' for name, file in SOURCES.items()]
    assert pack.main([*sources, '-o', str(folder / 'policy.kinfer')]) == 0
    return folder / 'policy.kinfer'


@pytest.mark.parametrize(
    'parts',
    [
        (models.init_fn([0.3, -0.2]), models.leaky_step(), 2, 3),
        (*models.mlp_policy(), 12, 3),
        (*models.gru_policy(layers=2, width=32), 20, 16),
    ],
    ids=['leaky', 'mlp', 'gru'],
)
def test_packed_archive_runs_there_as_here(tmp_path, parts):
    """Both give the same actions, with a carry."""
    init, step, joints, commands = parts
    meta = models.metadata(joints, [f'command_{index}' for index in range(commands)])
    path = pack_files(tmp_path, init, step, meta | {'joint_kp': [30.0] * joints})
    policy = load_model(path)
    inputs = recorded_inputs(policy)
    ours = our_actions(policy, inputs)
    np.testing.assert_allclose(ours, peer_actions(path, inputs, tmp_path), atol=TOLERANCE)
    # The carry matters: another one to start from gives other actions.
    policy.reset()
    policy.set_carry(policy.carry + 0.25)
    first = policy.step({name: rows[0] for name, rows in inputs.items()})
    assert np.abs(first - ours[0]).max() > 100 * TOLERANCE


@pytest.mark.skipif(not kinfer_archives(), reason='the shared real archives are not here')
@pytest.mark.parametrize('path', kinfer_archives(), ids=[path.stem for path in kinfer_archives()])
def test_real_archive_repacked_runs_there_as_here(tmp_path, path):
    """A file of kinfer 0.5, which 0.6.1 refuses, runs after repacking."""
    archive = read_archive(path)
    policy = load_model(path)
    inputs = recorded_inputs(policy, REAL_STEPS)
    refused = peer_run(path, inputs, tmp_path)
    assert refused.returncode != 0
    assert 'command_names' in refused.stderr
    packed = pack_files(tmp_path, archive.init_fn, archive.step_fn, archive.metadata)
    theirs = peer_actions(packed, inputs, tmp_path)
    assert len(theirs) == REAL_STEPS
    ours = our_actions(policy, inputs)
    np.testing.assert_allclose(ours, theirs, atol=REAL_TOLERANCE, rtol=0)
    # The script that ran there, with another import.
    np.testing.assert_array_equal(script_actions(path, inputs, tmp_path), ours)


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped_policy_runs_there_as_here(tmp_path, path):
    """The policy that ships with this package runs in kinfer."""
    policy = load_model(path)
    inputs = recorded_inputs(policy)
    theirs = peer_actions(path, inputs, tmp_path)
    np.testing.assert_allclose(our_actions(policy, inputs), theirs, atol=TOLERANCE)
