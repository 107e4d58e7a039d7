"""The lower-level calls of a policy: inputs, infer, accept, set_carry."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import models
from helpers.policies.policy_cases import OBS
from helpers.policies.policy_cases import write
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NonFiniteError
from kinfer_ros.policy.policy import load_model


def fill(policy, obs):
    for name, array in policy.inputs.items():
        array[:] = obs[name]


def test_lower_half_is_the_same_policy(leaky):
    """Infer and accept equal step; infer alone changes nothing."""
    buffers = dict(leaky.inputs)
    fill(leaky, OBS)
    for _ in range(3):
        assert leaky.infer().tolist() == [3.5, 0.5]
        assert leaky.carry.tolist() == [4.0, -4.0]
    assert leaky.outputs_finite()
    leaky.accept()
    assert leaky.carry.tolist() == [3.5, 0.5]
    assert leaky.infer().tolist() == [3.25, 2.75]
    leaky.accept()
    leaky.step(OBS)
    leaky.reset()
    assert all(leaky.inputs[name] is array for name, array in buffers.items())


def test_inputs_are_not_finite_until_they_are_filled(leaky):
    """A forgotten input must not pass for a robot at rest."""
    assert not leaky.inputs_finite()
    leaky.infer()
    assert not leaky.outputs_finite()
    assert leaky.non_finite().startswith('input joint_angles: found nan at [0]')
    leaky.reset()
    fill(leaky, OBS)
    assert leaky.inputs_finite()
    leaky.infer()
    assert leaky.outputs_finite()
    assert leaky.non_finite() == ''


def test_outputs_finite_is_about_outputs(tmp_path):
    """It does not depend on the inputs."""
    step = models.concat_step(order=('joint_angles', 'gyroscope'))
    policy = load_model(write(tmp_path, models.init_fn(np.zeros(5)), step))
    for _ in range(2):
        fill(policy, {'joint_angles': [1.0, 2.0], 'gyroscope': [0.0, 0.0, 0.0]})
        policy.infer()
        assert policy.outputs_finite()
        policy.inputs['gyroscope'][0] = np.nan
        assert policy.outputs_finite()
        assert not policy.inputs_finite()
        policy.infer()
        assert not policy.outputs_finite()
        policy.inputs['gyroscope'][0] = 0.0
        policy.infer()
        policy.accept()


@pytest.mark.parametrize('before', ['nothing', 'accept', 'reset', 'set_carry'])
def test_accept_needs_an_infer(leaky, before):
    """A second accept would restore an old carry, so it raises."""
    fill(leaky, OBS)
    if before != 'nothing':
        leaky.infer()
    if before == 'accept':
        leaky.accept()
    elif before == 'reset':
        leaky.reset()
    elif before == 'set_carry':
        leaky.set_carry([0.0, 0.0])
    with pytest.raises(RuntimeError, match=r'accept\(\) without an infer\(\)'):
        leaky.accept()


def test_views_cannot_be_written_through(leaky):
    """Views of the policy's buffers are read-only."""
    fill(leaky, OBS)
    with pytest.raises(ValueError, match='read-only'):
        leaky.infer()[0] = 1.0
    with pytest.raises(ValueError, match='read-only'):
        leaky.carry[0] = 1.0
    with pytest.raises(TypeError):
        leaky.inputs['command'] = np.zeros(3)


def test_set_carry_replays_from_anywhere(leaky):
    """A recorded carry gives the recorded action, to the bit."""
    for _ in range(3):
        leaky.step(OBS)
    carry = leaky.carry.copy()
    expected = leaky.step(OBS)
    leaky.reset()
    leaky.set_carry(carry)
    carry[:] = 0
    assert leaky.step(OBS).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ('carry', 'error', 'words'),
    [
        ([1.0], ContractError, r'carry: found shape \(1,\); expected \(2,\)'),
        ([[1.0, 2.0]], ContractError, r'carry: found shape \(1, 2\); expected \(2,\)'),
        ([1.0, np.nan], NonFiniteError, r'carry: found nan at \[1\]'),
    ],
)
def test_set_carry_refuses(leaky, carry, error, words):
    """A wrong shape would be broadcast; a NaN would stay."""
    with pytest.raises(error, match=words):
        leaky.set_carry(carry)
    assert leaky.carry.tolist() == [4.0, -4.0]
