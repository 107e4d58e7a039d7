"""Two dances trained by others, against what a plain loop with their own definitions saw."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies.motions import dance
from kinfer_ros.policy.policy import load_model

TOLERANCE = 1e-5


@pytest.mark.parametrize('name', ['g1_dance_102', 'g1_wbt_dancing'])
def test_observation_and_target_are_golden(tmp_path, name):
    """A motion in a file, and one in the network, whose first frame is held for a second."""
    found = dance(tmp_path, name)
    if found is None:
        pytest.skip('the shared policies are not here')
    model, spec, golden = found
    policy = load_model(model, spec=spec)
    names = [str(each) for each in golden['joint_names']]
    order = [names.index(joint) for joint in policy.contract.joint_names]
    ticks = len(golden['t'])
    # A step of the network is a tick of the motion; the file's motion begins at once.
    steps = golden.get('time_step', np.arange(ticks))
    for tick in range(ticks):
        plays = steps[min(tick + 1, ticks - 1)] > steps[tick]
        target = policy.step(
            {
                'joint_angles': golden['q'][tick][order],
                'joint_angular_velocities': golden['qd'][tick][order],
                'gyroscope': golden['gyro'][tick],
                'quaternion': golden['base_quat'][tick],
                'motion_control': np.array([plays, 0.0]),
            }
        )
        flat = policy._session.flat
        np.testing.assert_allclose(flat, golden['obs'][tick], atol=TOLERANCE)
        np.testing.assert_allclose(target, golden['target'][tick][order], atol=TOLERANCE)
    assert ticks >= 500
