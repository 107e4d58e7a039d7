"""Real archives of the kinfer-unit-tests repository (kinfer 0.5, K-Bot with 20 joints)."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from helpers.shared import kinfer_archives
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.policy import load_model

ARCHIVES = {path.stem: path for path in kinfer_archives()}
HOME = np.radians([0, -10, 0, 90, 0, 0, 10, 0, -90, 0, -20, 0, 0, -50, 30, 20, 0, 0, 50, -30])
STEPS = 100

pytestmark = pytest.mark.skipif(not ARCHIVES, reason='the shared real archives are not here')


def random_obs(policy, rng):
    return {each.name: rng.uniform(-1, 1, each.shape) for each in policy.contract.inputs}


def actions(name: str) -> np.ndarray:
    policy = load_model(ARCHIVES[name])
    rng = np.random.default_rng(0)
    return np.stack([policy.step(random_obs(policy, rng)) for _ in range(STEPS)])


@pytest.mark.parametrize('name', ARCHIVES)
def test_contract(name):
    """Files with num_commands get the names of a 6-vector; joints keep the file's order."""
    contract = load_model(ARCHIVES[name]).contract
    assert contract.kind == 'kinfer'
    assert len(contract.joint_names) == 20
    assert contract.joint_names[0] == 'dof_right_shoulder_pitch_03'
    assert contract.command_names[:3] == ('xvel', 'yvel', 'yaw')
    assert len(contract.command_names) == 6
    assert contract.carry_shape is not None
    assert contract.joint_kp is None


def test_zero_position():
    """A closed form: all targets are zero."""
    assert not actions('kbot_zero_position').any()


def test_bias_position():
    """A closed form: the home pose, constant."""
    expected = np.broadcast_to(HOME, (STEPS, 20))
    np.testing.assert_allclose(actions('kbot_bias_position'), expected, atol=1e-6)


def test_sine_motion():
    """A closed form in the carry: home + 0.15 sin(2 pi 0.6 t), t counted up by 0.02 each step."""
    time = 0.02 * np.arange(1, STEPS + 1)[:, None]
    expected = HOME + 0.15 * np.sin(2 * np.pi * 0.6 * time)
    np.testing.assert_allclose(actions('kbot_sine_motion'), expected, atol=1e-5)


@pytest.mark.parametrize('name', ARCHIVES)
def test_same_as_onnxruntime_by_hand(name):
    """Every file against a plain loop of init_fn and step_fn."""
    archive = read_archive(ARCHIVES[name])
    init, step = (
        ort.InferenceSession(graph, providers=['CPUExecutionProvider'])
        for graph in (archive.init_fn, archive.step_fn)
    )
    policy = load_model(ARCHIVES[name])
    rng = np.random.default_rng(1)
    for _ in range(2):
        policy.reset()
        (carry,) = init.run(None, {})
        for _ in range(STEPS):
            obs = random_obs(policy, rng)
            feed = {key: value.astype(np.float32) for key, value in obs.items()}
            action, carry = step.run(None, feed | {'carry': carry})
            np.testing.assert_array_equal(policy.step(obs), action)
            np.testing.assert_array_equal(policy.carry, carry)
