"""The reference of a tick is the motion at its time: between frames, at the ends, turned, late."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies.motions import RATE
from helpers.policies.motions import frames
from helpers.policies.motions import spec_of
from helpers.policies.motions import write_csv
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.spec.spec import load_spec

SIZE = 3 + 3 + 6 + 1
REST = {
    'joint_angles': np.zeros(3), 'quaternion': np.array([1.0, 0.0, 0.0, 0.0]),
    'motion_control': np.array([1.0, 0.0]),
}  # fmt: skip


@pytest.fixture
def load(tmp_path):
    write_csv(tmp_path / 'motion.csv')
    model = tmp_path / 'policy.onnx'
    model.write_bytes(flat_models.linear(SIZE)[0])

    def make(**changes):
        spec = flat_models.write_spec(tmp_path / 'p.yaml', spec_of(**changes))
        return load_model(model, spec=spec, trial=None)

    return make


def seen(policy, ticks=1, **inputs):
    """Step, and return what the network saw: [ticks, SIZE]."""
    rows = []
    for _ in range(ticks):
        policy.step({name: (REST | inputs)[name] for name in policy.inputs})
        rows.append(policy._session.flat.copy())
    return np.array(rows)


def test_between_two_frames(load):
    """At 50 Hz a motion of 60 Hz is read between its frames: joints, and forward differences."""
    joints, _ = frames()
    rows = seen(load(start=0.1), 5)
    for tick, row in enumerate(rows):
        at = (0.1 + tick / 50) * RATE
        low, share = int(at), at - int(at)
        expected = joints[low] * (1 - share) + joints[low + 1] * share
        np.testing.assert_allclose(row[:3], expected, atol=1e-6)
        steps = np.diff(joints, axis=0) * RATE
        speed = steps[low] * (1 - share) + steps[low + 1] * share
        np.testing.assert_allclose(row[3:6], speed, atol=1e-5)
        assert row[12] == tick


def test_the_nearest_frame_and_central_velocities(load):
    """As exporters that do not interpolate."""
    joints, _ = frames()
    rows = seen(load(sampling='nearest', velocity='central'), 4)
    for tick, row in enumerate(rows):
        near = round(tick / 50 * RATE)
        np.testing.assert_allclose(row[:3], joints[near], atol=1e-6)
        np.testing.assert_allclose(row[3:6], np.gradient(joints, axis=0)[near] * RATE, atol=1e-5)


def test_the_robot_heading_is_the_motion_heading_at_the_start(load):
    """However the robot stands, the reference's anchor lies in its own at first."""
    for yaw in (0.0, 2.0, -3.0):
        base = np.array([math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)])
        rows = seen(load(), 11, quaternion=base)
        np.testing.assert_allclose(rows[0][6:12], [1, 0, 0, 1, 0, 0], atol=1e-6)
        # The anchor of the motion turns by 2 rad/s, and by its hip; the robot stands.
        hip = frames()[0][12, 0]
        turned = 2.0 * 0.2 + hip
        cosine, sine = math.cos(turned), math.sin(turned)
        np.testing.assert_allclose(rows[10][6:12], [cosine, -sine, sine, cosine, 0, 0], atol=1e-6)


def test_the_robot_anchor_follows_its_joints(load):
    """The chain from base to anchor is that of the measured joints."""
    policy = load()
    seen(policy, quaternion=np.array([1.0, 0.0, 0.0, 0.0]))
    row = seen(policy, joint_angles=np.array([0.3, 0.0, 0.0]))[0]
    turned = 2.0 * 0.02 + np.interp(0.02 * RATE, range(31), frames()[0][:, 0]) - 0.3
    assert math.atan2(row[8], row[6]) == pytest.approx(turned, abs=1e-6)


def test_without_alignment_the_heading_is_the_world_s(load):
    """For robots whose heading is that of the motion."""
    row = seen(load(align='none', anchor=None))[0]
    assert math.atan2(row[8], row[6]) == pytest.approx(1.0, abs=1e-6)


def test_a_reference_that_comes_late(load):
    """A network that gives the reference of the step before."""
    rows = seen(load(lag=2), 6)
    prompt = seen(load(), 4)
    np.testing.assert_array_equal(rows[2:, :6], prompt[:, :6])
    np.testing.assert_array_equal(rows[0, :6], rows[2, :6])


def test_the_end_holds(load):
    """The last row stays; the policy says that the motion has ended."""
    policy = load(duration=0.1)
    assert policy.timeline.ticks == 6
    rows = seen(policy, 5)
    assert not policy.motion_ended()
    rows = seen(policy, 3)
    assert policy.motion_ended()
    np.testing.assert_array_equal(rows[0, :6], rows[2, :6])


def test_a_loop_begins_again_and_aligns_anew(load):
    """The anchor would turn away from the robot otherwise."""
    policy = load(duration=0.1, end='loop')
    rows = seen(policy, 7)
    np.testing.assert_array_equal(rows[0, :12], rows[6, :12])
    assert not policy.motion_ended()


def test_pause_and_restart(load):
    """A pause holds the row; a restart begins again in its tick, aligned to the robot then."""
    policy = load()
    rows = seen(policy, 3)
    held = seen(policy, 3, motion_control=np.array([0.0, 0.0]))
    np.testing.assert_array_equal(held[0, :6], held[2, :6])
    assert held[0, 12] == 3
    again = seen(policy, 1, motion_control=np.array([1.0, 1.0]))
    np.testing.assert_array_equal(again[0], rows[0])
    assert seen(policy)[0, 12] == 1


def test_a_carry_is_all_that_a_step_needs(load):
    """A replay begins anywhere: clock and alignment are in the carry."""
    policy = load()
    seen(policy, 7, quaternion=np.array([0.8, 0.0, 0.0, 0.6]))
    carry = policy.carry.copy()
    first = seen(policy, 3)
    other = load()
    other.set_carry(carry)
    np.testing.assert_array_equal(seen(other, 3), first)


def test_a_flat_vector_is_refused(load):
    """It would not move the motion on."""
    with pytest.raises(ContractError, match='reference is that of the motion'):
        load().step(np.zeros(SIZE))


def test_the_position_of_the_anchor_is_refused_in_words(tmp_path):
    """Nobody should look for a misspelling: it cannot be had."""
    content = spec_of()
    terms = [*content['observation']['terms'], {'source': 'reference_anchor_position'}]
    content['observation'] = {'terms': terms}
    with pytest.raises(ModelError, match="needs the robot's position in the world") as caught:
        load_spec(flat_models.write_spec(tmp_path / 'spec.yaml', content))
    assert 'without state estimation' in str(caught.value)
