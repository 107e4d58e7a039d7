"""Groups of joints in an action, their filters, and what of it is refused."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies import models
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import ModelError

POSE = dict(zip(flat_models.JOINTS, flat_models.POSE, strict=True))
SPEED = {'source': 'joint_velocities'}
RAW = np.array([1.0, -2.0, 3.0], np.float32)


def policy(folder, groups, outputs=None, terms=(SPEED,)):
    """A network whose actions are the joint velocities, in as many outputs as asked for."""
    graph = models.Builder()
    first = graph.op('Slice', 'obs', *(graph.const([n], 'int64') for n in (0, 3, 1)))
    outputs = outputs or {'actions': (0, 3)}
    for name, (start, stop) in outputs.items():
        part = graph.op('Slice', first, *(graph.const([n], 'int64') for n in (start, stop, 1)))
        graph.add(models.helper.make_node('Identity', [part], [name]))
    size = 3 * len(terms)
    shapes = {name: (1, stop - start) for name, (start, stop) in outputs.items()}
    content = flat_models.spec(list(terms), commands={}, action=groups)
    return flat_models.load(folder, graph.build({'obs': (1, size)}, shapes), content)


def step(made, raw=RAW, **more):
    inputs = {'joint_angular_velocities': raw} | more
    return dict(zip(flat_models.JOINTS, made.step(inputs).tolist(), strict=True))


def test_groups_of_one_output(tmp_path):
    """Its numbers belong to the joints of the groups, in their order."""
    groups = [
        {'joints': ['knee'], 'relative_to': 'zero', 'scale': 2.0, 'clip': [-0.5, 0.5]},
        {'joints': ['ankle', 'hip'], 'relative_to': 'default_pose', 'scale': [0.1, 0.2],
         'offset': 0.5, 'target_clip': {'ankle': [-1, 1], 'hip': [0.0, 1.0]}},
    ]  # fmt: skip
    terms = (SPEED, {'source': 'last_action', 'which': 'raw'})
    made = policy(tmp_path, groups, terms=terms)
    expected = {'knee': 1.0, 'ankle': 0.3 + 0.5 - 0.2, 'hip': 1.0}
    assert step(made) == pytest.approx(expected, abs=1e-6)
    assert made.carry.tolist() == [0.5, -2.0, 3.0]  # clipped, in the order of the action
    assert 'targets: zero, default_pose + 0.1 to 2 x action' in str(made.contract.assumptions)


def test_groups_of_several_outputs(tmp_path):
    """Each group names its own; other joints stay at the default pose."""
    groups = [
        {'joints': ['hip'], 'relative_to': 'joint_positions', 'scale': 0.5, 'output': 'legs'},
        {'joints': ['ankle'], 'relative_to': 'last_target', 'scale': 0.25, 'output': 'feet'},
    ]
    made = policy(tmp_path, groups, {'legs': (0, 1), 'feet': (2, 3), 'value': (1, 2)})
    at = {'joint_angles': [0.7, 0.0, 0.0]}
    expected = {'hip': 0.7 + 0.5, 'knee': POSE['knee'], 'ankle': 0.3 + 0.75}
    assert step(made, **at) == pytest.approx(expected, abs=1e-6)
    expected['ankle'] += 0.75
    assert step(made, **at) == pytest.approx(expected, abs=1e-6)
    assert made.contract.carry_parts == {'targets': 2}
    assert 'unused output: value' in made.contract.assumptions


@pytest.mark.parametrize('start', ['default_pose', 'first_target'])
def test_a_filter_of_one_group(tmp_path, start):
    """Y += share (x - y), clipped afterwards; the others are sent as they are."""
    groups = [
        {'joints': ['hip', 'knee'], 'relative_to': 'zero', 'scale': 1.0,
         'filter': {'share': 0.2, 'start': start}, 'target_clip': [-1.5, 1.5]},
        {'joints': ['ankle'], 'relative_to': 'zero', 'scale': 1.0},
    ]  # fmt: skip
    terms = (SPEED, {'source': 'last_action', 'which': 'target'})
    made = policy(tmp_path, groups, terms=terms)
    rng = np.random.default_rng(0)
    y = np.array([POSE['hip'], POSE['knee']], np.float32)
    steps = []
    for number in range(12):
        raw = (rng.normal(size=3) * 4).astype(np.float32)
        x = raw[:2]
        y = x if number == 0 and start == 'first_target' else y + np.float32(0.2) * (x - y)
        y = np.clip(y, -1.5, 1.5)
        carry = made.carry.copy()
        target = made.step({'joint_angular_velocities': raw})
        assert target.tobytes() == np.append(y, raw[2]).astype(np.float32).tobytes()
        assert made.carry[:3].tobytes() == target.tobytes()
        steps.append((raw, carry, target))
    for raw, carry, target in reversed(steps):
        made.set_carry(carry)
        assert made.step({'joint_angular_velocities': raw}).tobytes() == target.tobytes()
    assert any('last target + 0.2 x' in line for line in made.contract.assumptions)


REST = {'relative_to': 'zero', 'scale': 1.0}


@pytest.mark.parametrize(
    ('groups', 'said'),
    [
        ([REST | {'joints': ['hip']}, REST | {'joints': ['hip', 'knee']}], 'hip in several'),
        ([REST | {'joints': ['hip']}, REST], "missing key 'joints'"),
        ([REST | {'joints': ['hip']}], 'expected 1 numbers, one for each of action.joints: hip'),
        ([REST | {'joints': ['hip'], 'output': 'actions'}, REST | {'joints': ['knee']}],
         'expected its name in each or in none'),
        (REST | {'target': 'torque'}, 'expected one of position, velocity'),
        (REST | {'filter': {'share': 0.0, 'start': 'default_pose'}}, 'would never move'),
        (REST | {'filter': {'share': 1.5, 'start': 'default_pose'}}, 'from 0 to 1'),
        (REST | {'filter': {'share': 0.5}}, "missing key 'start'"),
        ([], 'action: found'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path, groups, said):
    """Half of it must never be used."""
    with pytest.raises(ModelError, match=said):
        policy(tmp_path, groups)


GAINS = {'kp': [20.0, 40.0, 0.0], 'kd': [1.0, 2.0, 0.5]}
LEGS = {'joints': ['hip', 'knee'], 'relative_to': 'default_pose', 'scale': 0.5,
        'torque_clip': {'hip': 10.0, 'knee': 4.0}}  # fmt: skip
FEET = {'joints': ['ankle'], 'relative_to': 'zero', 'scale': 1.0}


def clamped(folder, groups, terms, gains=GAINS, size=3):
    """The network of `policy`, with gains."""
    graph = models.Builder()
    first = graph.op('Slice', 'obs', *(graph.const([n], 'int64') for n in (0, 3, 1)))
    graph.add(models.helper.make_node('Identity', [first], ['actions']))
    content = flat_models.spec(list(terms), commands={}, action=groups, gains=gains)
    return flat_models.load(folder, graph.build({'obs': (1, size)}, {'actions': (1, 3)}), content)


def test_a_torque_clip_of_one_group(tmp_path):
    """As LimX's pointfoot: the action is limited by torque, and its clipped value is seen next."""
    back = {'offset': [-POSE['hip'], -POSE['knee']], 'scale': 2.0}  # 1 / scale of the action
    seen = {'source': 'last_action', 'which': 'target', 'joints': ['hip', 'knee']} | back
    terms = ({'source': 'constant', 'values': [9.0, -9.0, 2.0]}, seen)
    made = clamped(tmp_path, [LEGS, FEET], terms, size=5)
    rng = np.random.default_rng(2)
    kp, kd, limit = np.array([20.0, 40.0]), np.array([1.0, 2.0]), np.array([10.0, 4.0])
    pose = np.array([POSE['hip'], POSE['knee']])
    action, steps = np.zeros(2), []
    for _ in range(8):
        q, qd = rng.normal(size=3), rng.normal(size=3) * 5
        carry = made.carry.copy()
        target = made.step({'joint_angles': q, 'joint_angular_velocities': qd})
        np.testing.assert_allclose(made._session.flat[3:5], action, atol=1e-5)
        low, high = ((q[:2] - pose + (kd * qd[:2] + s * limit) / kp) / 0.5 for s in (-1, 1))
        action = np.clip([9.0, -9.0], low, high)
        np.testing.assert_allclose(target, [*(pose + 0.5 * action), 2.0], atol=1e-5)
        torque = kp * (target[:2] - q[:2]) - kd * qd[:2]
        assert (np.abs(torque) <= limit + 1e-4).all()
        steps.append((q, qd, carry, target))
    for q, qd, carry, target in reversed(steps):
        made.set_carry(carry)
        again = made.step({'joint_angles': q, 'joint_angular_velocities': qd})
        assert again.tobytes() == target.tobytes()
    assert 'target torque: kp (target - q) - kd qd within 4, 10 Nm' in made.contract.assumptions


def test_a_torque_clip_comes_after_the_filter_and_before_the_target_clip(tmp_path):
    """The order is that of the formula in the docs."""
    group = {
        'relative_to': 'zero',
        'scale': 1.0,
        'torque_clip': 20.0,
        'filter': {'share': 0.5, 'start': 'default_pose'},
        'target_clip': [-0.9, 0.9],
    }
    gains = {'kp': 20.0, 'kd': 0.0}
    terms = ({'source': 'constant', 'values': [2.0, 0.4, -9.0]},)
    made = clamped(tmp_path, group, terms, gains)
    q = np.array([-0.5, 0.0, 0.5])
    target = made.step({'joint_angles': q, 'joint_angular_velocities': np.zeros(3)})
    filtered = 0.5 * np.array(flat_models.POSE) + [1.0, 0.2, -4.5]
    expected = np.clip(np.clip(filtered, q - 1.0, q + 1.0), -0.9, 0.9)
    np.testing.assert_allclose(target, expected, atol=1e-6)
    with pytest.raises(ContractError, match='depend on the measured joints'):
        made.step(np.zeros(3))


@pytest.mark.parametrize(
    ('gains', 'groups', 'said'),
    [
        ({'kp': 20.0}, [LEGS, FEET], 'found torque_clip, expected gains with kp and kd'),
        (GAINS, [LEGS, FEET | {'torque_clip': 5.0}], 'torque_clip of ankle, whose kp is 0'),
        (GAINS, [LEGS | {'torque_clip': -1.0}, FEET], 'torque_clip'),
        (GAINS, [LEGS | {'torque_clip': [1.0]}, FEET], 'torque_clip'),
    ],
)
def test_a_torque_clip_needs_the_gains_of_the_training(tmp_path, gains, groups, said):
    """Without them nobody knows the torque of a target."""
    with pytest.raises(ModelError, match=said):
        clamped(tmp_path, groups, (SPEED,), gains)
