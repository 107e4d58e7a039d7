"""The contract report: common mistakes are detected, good contracts pass."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.policies import flat_models
from helpers.policies.cart import WHEELS
from helpers.policies.cart import spec_content
from helpers.policies.cart import write_cart
from helpers.policies.flat_policies import FLAT
from helpers.robots import leaky_policy
from helpers.robots import small_robot
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import check_contract
from kinfer_ros.contract.report import failed
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.errors import ContractError
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.robot import load_robot

POSE = [0.1, 0.9, -1.8]
TERMS = [
    {'source': 'gyroscope'},
    {'source': 'gravity', 'unit': 'unit'},
    {'source': 'joint_positions', 'relative': True},
    {'source': 'quaternion', 'order': 'wxyz'},
    {'source': 'last_action', 'which': 'raw'},
]
HISTORY = {'length': 2, 'layout': 'per_term', 'order': 'oldest_first', 'first': 'repeat'}
GOOD = flat_models.spec(
    TERMS,
    default_pose=POSE,
    gains={'kp': 20.0, 'kd': 1.0, 'torque_limit': 20.0},
    observation={'history': HISTORY},
)


def robot(folder):
    """Three joints whose home is the policy's default pose, with wide limits."""
    joints = '\n'.join(
        f'  {name}: {{lower: -2.5, upper: 2.5, home: {home}, kp: 20.0, kd: 1.0, kp_max: 40.0,'
        ' kd_max: 4.0, torque_limit: 20.0, velocity_limit: 8.0}'
        for name, home in zip(flat_models.JOINTS, POSE, strict=True)
    )
    path = folder / 'three.yaml'
    path.write_text(
        'name: three\nbase_frame: base_link\n'
        f'imu: {{frame: imu_link, mounting: [1, 0, 0, 0]}}\njoints:\n{joints}\n'
    )
    return load_robot(path)


def report(folder, **changes):
    content = GOOD | changes
    policy = flat_models.load(folder, flat_models.linear(32)[0], content)
    return {row.what: row for row in check_contract(policy, robot(folder))}


def test_a_good_contract_has_nothing_to_say_but_what_it_assumes(tmp_path):
    """No warning without a reason."""
    rows = report(tmp_path)
    free = rows.pop('command ranges')
    assert (free.verdict, 'yvel' in free.found) == ('warn', True)
    assert {row.verdict for row in rows.values()} == {'ok', 'assumed'}, as_table(rows.values())
    assumed = {row.what for row in rows.values() if row.verdict == 'assumed'}
    assert assumed == {
        'IMU mounting', 'joint order', 'targets', 'default pose', 'history', 'gravity',
        'joint positions', 'quaternion', 'last action',
    }  # fmt: skip


# The six usual mistakes: each shows in the report, by verdict where a check can know.


def test_mistake_joint_order(tmp_path):
    """The default pose is then on the wrong joints and far from the robot's home."""
    rows = report(tmp_path, joints=['knee', 'hip', 'ankle'])
    assert rows['start pose'].verdict == 'warn'
    assert 'joint order' in rows['start pose'].remedy
    assert rows['joint order'].found == 'knee, hip, ankle'


def test_mistake_joint_order_that_no_check_can_know(tmp_path):
    """With equal poses the order cannot be checked, so it is printed."""
    rows = report(tmp_path, joints=['knee', 'hip', 'ankle'], default_pose=[0.9, 0.1, -1.8])
    assert (rows['joint order'].verdict, rows['joint order'].found) == (
        'assumed', 'knee, hip, ankle',
    )  # fmt: skip


def test_mistake_action_scale(tmp_path):
    """Ten times the scale requests ten times the torque limit."""
    rows = report(tmp_path, action={'relative_to': 'default_pose', 'scale': 5.0})
    assert rows['action scale'].verdict == 'warn'
    assert rows['targets'].found == 'default_pose + 5 x action'


def test_mistake_gravity_sign(tmp_path):
    """The spec cannot be checked, so it is printed; messages: test_live_sensors."""
    terms = [TERMS[0], TERMS[1] | {'scale': -1.0}, *TERMS[2:]]
    rows = report(tmp_path, observation={'terms': terms, 'history': HISTORY})
    assert rows['gravity'].verdict == 'assumed'
    assert 'upside down: (0, 0, +) upright' in rows['gravity'].found


def test_mistake_default_offset(tmp_path):
    """A standing policy would send all joints to zero."""
    rows = report(tmp_path, action={'relative_to': 'zero', 'scale': 0.5})
    assert rows['standing still'].verdict == 'warn'
    assert 'relative_to' in rows['standing still'].remedy
    assert rows['targets'].found == 'zero + 0.5 x action'


def test_mistake_default_offset_in_degrees_or_forgotten(tmp_path):
    """A pose outside the limits is a failure; one far from home is a warning."""
    rows = report(tmp_path, default_pose=np.degrees(POSE).tolist())
    assert rows['limits'].verdict == 'fail'
    assert report(tmp_path, default_pose=[0.0, 0.0, 0.0])['start pose'].verdict == 'warn'


def test_mistake_history_order(tmp_path):
    """No check can detect it: a robot at rest gives equal frames."""
    rows = report(
        tmp_path, observation={'terms': TERMS, 'history': HISTORY | {'order': 'newest_first'}}
    )
    assert rows['history'].verdict == 'assumed'
    assert 'newest first' in rows['history'].found


def test_mistake_quaternion_order(tmp_path):
    """Printed for the spec; detected in the messages: test_live_sensors."""
    terms = [*TERMS[:3], TERMS[3] | {'order': 'xyzw'}, TERMS[4]]
    rows = report(tmp_path, observation={'terms': terms, 'history': HISTORY})
    assert rows['quaternion'].verdict == 'assumed'
    assert rows['quaternion'].found.startswith('x y z w')


# What is refused -------------------------------------------------------------------------


def test_missing_joints_fail_with_both_lists(tmp_path):
    """The error also suggests the nearest name."""
    rows = report(tmp_path, joints=['hip', 'nee', 'ankle'])
    row = rows['joints']
    assert row.verdict == 'fail'
    for words in ("['nee'] (did you mean 'knee'?)", 'hip, nee, ankle'):
        assert words in row.found + row.expected
    assert 'hip, knee, ankle' in row.remedy


def test_too_strong_gains_fail(tmp_path):
    """The robot file's limits hold for every policy."""
    rows = report(tmp_path, gains={'kp': 50.0})
    assert rows['limits'].verdict == 'fail'
    assert 'kp of hip: the policy was trained with 50' in rows['limits'].found
    assert rows['gains'].verdict == 'warn'
    assert 'kd, torque limits' in rows['gains'].found


def test_refuse_carries_the_report(tmp_path):
    """The node's error at configure contains the table that `check` prints."""
    policy = flat_models.load(tmp_path, flat_models.linear(32)[0], GOOD | {'gains': {'kp': 50.0}})
    three = robot(tmp_path)
    rows = check_contract(policy, three)
    assert failed(rows)
    with pytest.raises(ContractError, match='does not fit the robot three') as caught:
        raise_if_failed(rows, policy.contract.path, three)
    assert 'fail     limits' in str(caught.value)
    assert '-> ' in str(caught.value)


def test_commands_without_a_source_are_named(tmp_path):
    """Until the user names them in policy_command_entries."""
    content = GOOD | {'commands': {'xvel': [-1.0, 1.0], 'mood': [0.0, 1.0]}}
    policy = flat_models.load(tmp_path, flat_models.linear(32)[0], content)
    three = robot(tmp_path)
    rows = {row.what: row for row in check_contract(policy, three)}
    assert rows['commands'].verdict == 'warn'
    assert 'mood' in rows['commands'].found
    rows = {row.what: row for row in check_contract(policy, three, ['mood'])}
    assert rows['commands'].verdict == 'ok'


def test_a_kinfer_policy_is_held_against_the_robot_as_well(tmp_path):
    """Gains, pose, rate and joints are in every contract, not only in specs."""
    rows = check_contract(leaky_policy(tmp_path), small_robot(tmp_path))
    said = {row.what: row.verdict for row in rows}
    assert said['joints'] == 'ok'
    assert said['control rate'] == said['gains'] == 'warn'
    assert not failed(rows)


@pytest.mark.skipif(FLAT[0].path is None, reason='the shared flat policies are not here')
@pytest.mark.parametrize('flat', FLAT, ids=lambda flat: flat.name)
def test_trained_policies_pass_without_a_warning_but_odometry(tmp_path, flat):
    """Thresholds fit policies trained by others; two of them need a velocity."""
    policy = load_model(flat.path, spec=flat.spec)
    rows = check_contract(policy, load_robot(flat.robot_yaml(tmp_path)))
    warned = [row.what for row in rows if row.verdict not in ('ok', 'assumed')]
    assert warned == ([] if flat.name == 'g1' else ['odometry'])


def test_wheels_are_looked_at(tmp_path):
    """Limits in the robot file, and an angle in the observation, are warned of."""

    def rows(wheel=None, **spec):
        cart = write_cart(tmp_path, wheel=wheel, **spec)
        found = check_contract(load_model(cart.model, spec=cart.spec), load_robot(cart.robot))
        return {row.what: row for row in found}

    good = rows()
    assert good['wheels'].found == f'{", ".join(WHEELS)}, driven by velocity'
    assert not [row for row in good.values() if row.verdict not in ('ok', 'assumed')]
    ends = rows({'continuous': None, 'lower': -3.0, 'upper': 3.0, 'home': 0.0})
    assert ends['wheel limits'].verdict == WARN
    seen = spec_content()['observation']
    terms = [term for term in seen['terms'] if term['source'] != 'joint_positions']
    angles = {'source': 'joint_positions', 'relative': True, 'joints': ['rear_left']}
    assert rows(observation={'terms': [*terms, angles]})['wheel angles'].verdict == WARN
    assert 'wheel angles' not in rows(observation={'terms': [*terms, angles | {'scale': 0.0}]})


def test_a_joint_without_stiffness_is_named(tmp_path):
    """A wheel that was trained with velocity targets would stand still, or spin as it likes."""
    gains = {'kp': [20.0, 0.0, 20.0], 'kd': 1.0, 'torque_limit': 20.0}
    row = report(tmp_path, gains=gains)['position targets']
    assert row.verdict == WARN
    assert row.found.startswith('kp of knee is 0')
    assert 'position targets' not in report(tmp_path)
