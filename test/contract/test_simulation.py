"""`check` opens the MJCF: what `walk` and `eval` refuse, it refuses."""

from __future__ import annotations

from dataclasses import replace
from math import cos
from math import sin

import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from helpers.policies.cart import JOINTS
from helpers.policies.cart import write_cart
from helpers.processes import REPOSITORY
from kinfer_ros.contract.simulation import check_simulation
from kinfer_ros.policy.policy import load_model
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.robot import load_robot

MODEL = REPOSITORY / 'robots' / 'biped' / 'walk.kinfer'


@pytest.fixture(scope='module')
def contract():
    return load_model(MODEL).contract


def test_the_robot_that_ships(contract):
    """One row, which names the file and the IMU."""
    (row,) = check_simulation(contract, load_robot('biped'))
    assert (row.what, row.verdict) == ('MuJoCo model', 'ok')
    assert 'biped.xml' in row.found
    assert 'rigid with the base' in row.found


def test_a_robot_without_mjcf_has_nothing_to_open(contract):
    """A real robot needs no simulation."""
    assert check_simulation(contract, load_robot('kbot')) == []


def test_without_mujoco_it_is_said(contract, monkeypatch):
    """An unopened file is not ok."""
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    (row,) = check_simulation(contract, load_robot('biped'))
    assert row.verdict == 'assumed'
    assert 'not installed' in row.found


def test_a_mounting_with_which_no_policy_would_start(contract):
    """The policy node takes the standing robot for a fallen one, and `eval` each run."""
    for angle, verdict in ((1.1, 'fail'), (0.9, 'ok')):
        half = angle / 2
        robot = change_robot(load_robot('biped'), imu_mounting=(cos(half), sin(half), 0.0, 0.0))
        row = check_simulation(contract, robot)[0]
        assert row.verdict == verdict
        assert verdict == 'ok' or 'seems to lean by 63 deg' in row.found


LEGS = [{'joints': list(JOINTS), 'relative_to': 'default_pose', 'scale': 0.1}]


def test_positions_for_velocity_servos_are_refused(tmp_path):
    """A flat position spec of a robot on wheels: the file says how it is driven."""
    cart = write_cart(tmp_path, 'velocity', {'kp_max': 50.0})
    robot = load_robot(cart.robot)
    good = load_model(cart.model, spec=cart.spec).contract
    assert [row.verdict for row in check_simulation(good, robot)] == ['ok']
    wrong = write_cart(tmp_path, 'velocity', action=LEGS, gains={'kp': 20.0, 'kd': 1.0})
    rows = check_simulation(load_model(wrong.model, spec=wrong.spec).contract, robot)
    assert [row.verdict for row in rows] == ['fail']
    assert 'front_left (kp 20)' in rows[0].found
    assert 'drives them by velocity' in rows[0].found
    gains = {'kp': [20.0, 0.0, 0.0, 0.0, 0.0], 'kd': 1.0}
    wrong = write_cart(tmp_path, 'velocity', action=LEGS, gains=gains)
    rows = check_simulation(load_model(wrong.model, spec=wrong.spec).contract, robot)
    assert rows[0].verdict == 'fail'
    assert rows[0].found.startswith('front_left, front_right, rear_left, rear_right have a <vel')


@pytest.mark.parametrize(
    ('mjcf', 'words'),
    [
        (
            MJCF.replace('name="knee"', 'name="nee"', 1).replace('joint="knee"', 'joint="nee"'),
            'lacks',
        ),
        (MJCF.replace('<motor name="knee_motor" joint="knee" gear="4"/>', ''), 'one actuator'),
        (MJCF.replace('0.002', '0.003'), 'whole number of physics steps of 0.003 s'),
        (MJCF.replace('</mujoco>', ''), 'cannot be read'),
        (None, 'no such file'),
    ],
)
def test_what_a_walk_would_refuse(tmp_path, contract, mjcf, words):
    """The contract fitted, it was said, and then the walk refused."""
    path = write_robot(tmp_path, mjcf or '')
    if mjcf is None:
        (tmp_path / 'robot.xml').unlink()
    plain = replace(
        contract,
        joint_names=('hip', 'knee'),
        joint_kp=None,
        joint_kd=None,
        joint_torque_limits=None,
    )
    (row,) = check_simulation(plain, load_robot(path))
    assert row.verdict == 'fail'
    assert words in row.found


def test_warnings_are_rows(tmp_path, contract):
    """With the gains of the policy."""
    path = write_robot(tmp_path, MJCF.replace('armature="0.01"', 'armature="0.00001"'))
    plain = replace(
        contract,
        joint_names=('hip', 'knee'),
        joint_kp=(30.0, 20.0),
        joint_kd=(1.0, 2.0),
        joint_torque_limits=None,
    )
    rows = {row.what: row for row in check_simulation(plain, load_robot(path))}
    assert rows['MuJoCo model'].verdict == 'ok'
    assert rows['joint stability'].verdict == 'warn'
