"""Groups of an action whose targets are velocities: wheels."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import yaml

from helpers.policies import flat_models
from helpers.policies import models
from helpers.policies.cart import WHEELS
from helpers.policies.cart import write_cart
from helpers.shared import shared_path
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model

LEG = {'joints': ['hip', 'ankle'], 'relative_to': 'default_pose', 'scale': 0.5}
WHEEL = {'joints': ['knee'], 'target': 'velocity', 'scale': 4.0}
CASES = shared_path('cases')


def policy(folder, wheel, terms=(), **more) -> Policy:
    """A network whose actions are the joint velocities; the knee is the wheel."""
    graph = models.Builder()
    first = graph.op('Slice', 'obs', *(graph.const([n], 'int64') for n in (0, 3, 1)))
    graph.add(models.helper.make_node('Identity', [first], ['actions']))
    terms = [{'source': 'joint_velocities'}, *terms]
    content = flat_models.spec(terms, commands={}, action=[LEG, WHEEL | wheel], **more)
    size = 3 * len(terms)
    return flat_models.load(folder, graph.build({'obs': (1, size)}, {'actions': (1, 3)}), content)


def wheel_of(made: Policy, raw: float) -> float:
    """One step whose third output is `raw`; the target of the wheel."""
    target = made.step({'joint_angular_velocities': [0.0, 0.0, raw]})
    return float(target[made.contract.joint_names.index('knee')])


def test_scale_offset_clips(tmp_path):
    """rad/s; the default pose, which is an angle, has no part in it."""
    made = policy(tmp_path, {'offset': 0.5, 'clip': [-2.0, 2.0], 'target_clip': [-6.0, 8.25]})
    assert made.contract.velocity_joints == ('knee',)
    assert wheel_of(made, 1.5) == pytest.approx(6.5)
    assert wheel_of(made, 3.0) == pytest.approx(8.25)
    assert wheel_of(made, -1.5) == pytest.approx(-5.5)
    assert wheel_of(made, -9.0) == pytest.approx(-6.0)
    assert 'velocity targets: zero + 4 x action + offset, rad/s, of knee' in str(
        made.contract.assumptions
    )
    assert 'targets: default_pose + 0.5 x action' in made.contract.assumptions


def test_a_filter_starts_at_rest(tmp_path):
    """From 0 rad/s, not from the angle of the default pose; or from the first target."""
    made = policy(tmp_path, {'filter': {'share': 0.5, 'start': 'zero'}})
    assert [wheel_of(made, 1.0) for _ in range(3)] == pytest.approx([2.0, 3.0, 3.5])
    made = policy(tmp_path, {'filter': {'share': 0.5, 'start': 'first_target'}})
    assert [wheel_of(made, 1.0), wheel_of(made, 0.0)] == pytest.approx([4.0, 2.0])


def test_relative_to_the_last_target(tmp_path):
    """An acceleration, in effect; before the first step the wheel is at rest."""
    made = policy(tmp_path, {'relative_to': 'last_target'})
    assert [wheel_of(made, 0.5) for _ in range(3)] == pytest.approx([2.0, 4.0, 6.0])


def test_the_last_target_is_remembered_in_rad_per_second(tmp_path):
    """At rest before the first step, whatever the default pose: the order is the action's."""
    made = policy(tmp_path, {'offset': 0.5}, terms=[{'source': 'last_action', 'which': 'target'}])
    assert made.carry.tolist() == pytest.approx([0.1, 0.3, 0.0])
    assert wheel_of(made, 1.0) == pytest.approx(4.5)
    assert made.carry.tolist() == pytest.approx([0.1, 0.3, 4.5])


@pytest.mark.parametrize(
    ('wheel', 'more', 'said'),
    [
        ({'relative_to': 'default_pose'}, {}, r'found default_pose, expected zero or last_target'),
        ({'relative_to': 'joint_positions'}, {}, r'found joint_positions, expected zero or last'),
        ({'relative_to': 'nothing'}, {}, r'expected one of zero, last_target'),
        ({'filter': {'share': 0.5, 'start': 'default_pose'}}, {}, 'expected one of zero, first'),
        ({}, {'gains': {'kp': 20.0, 'kd': 1.0}}, r'gains.kp: found 20 for knee, expected 0'),
        ({}, {'gains': {'kd': [1.0, 0.0, 1.0]}}, r'gains.kd: found 0 for knee, expected more'),
        ({'target': 'torque'}, {}, 'expected one of position, velocity'),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, wheel, more, said):
    """An angle added to a velocity, or a stiffness that pulls a wheel back."""
    with pytest.raises(ModelError, match=said):
        policy(tmp_path, wheel, **more)


def test_a_policy_without_wheels_says_what_it_said(tmp_path):
    """The same lines, and no joint that is driven by velocity."""
    content = flat_models.spec([{'source': 'joint_velocities'}], commands={})
    made = flat_models.load(tmp_path, flat_models.linear(3)[0], content)
    assert made.contract.velocity_joints == ()
    assert not any('velocity' in line for line in made.contract.assumptions)


def test_the_cart(tmp_path):
    """The policy of the tests with wheels: forward is 10 rad/s for 1 m/s."""
    cart = write_cart(tmp_path)
    made = load_model(cart.model, spec=cart.spec)
    assert made.contract.velocity_joints == WHEELS
    inputs = {name: np.zeros(each.shape) for name, each in made.inputs.items()}
    target = made.step(inputs | {'command': [0.5, 0.5]})
    assert target.tolist() == pytest.approx([0.0, 4.0, 6.0, 4.0, 6.0])


@pytest.mark.skipif(CASES is None, reason='the shared cases are not here')
def test_the_shared_case(tmp_path):
    """A leg by position and a wheel by velocity: as a go2w's file says."""
    assert CASES is not None
    model = CASES / 'wheel' / 'policy.onnx'
    content = yaml.safe_load((CASES / 'wheel' / 'wheel.spec.yaml').read_text())
    made = load_model(model, spec=flat_models.write_spec(tmp_path / 'wheel.spec.yaml', content))
    assert made.contract.velocity_joints == ('wheel',)
    inputs = {
        'gyroscope': [0.1, -0.2, 0.3],
        'projected_gravity': [0.0, 0.0, -9.81],
        'joint_angles': [0.2, 40.0],
        'joint_angular_velocities': [0.5, 6.0],
    }
    flat = [0.1, -0.2, 0.3, 0.0, 0.0, -1.0, 0.2, 40.0, 0.5, 6.0, 0.0, 0.0]
    session = onnxruntime.InferenceSession(str(model))
    name = session.get_inputs()[0].name
    raw = session.run(None, {name: np.array([flat], np.float32)})[0].ravel()
    target = made.step(inputs)
    np.testing.assert_allclose(target, [0.25 * raw[0], 5.0 * raw[1]], rtol=1e-5)
