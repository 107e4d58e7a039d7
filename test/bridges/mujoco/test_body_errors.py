"""Errors of the body: as large as asked for, from the seed, and recorded as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.disturbance import Disturbance
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot

BAD = Disturbance(
    armature_error=0.3, damping_error=0.4, inertia_error=0.2, com_error=0.01,
    imu_alignment_error=0.05,
)  # fmt: skip
NAMES = ('armature_error', 'damping_error', 'inertia_error', 'com_error', 'imu_alignment_error')


@pytest.fixture
def tiny(tmp_path):
    return load_robot(write_robot(tmp_path))


def numbers(robot: MujocoRobot) -> dict[str, np.ndarray]:
    model, dof = robot.model, robot.fitted.dof
    return {
        'armature': model.dof_armature[dof].copy(),
        'damping': model.dof_damping[dof].copy(),
        'inertia': model.body_inertia[1:].copy(),
        'com': model.body_ipos[robot.fitted.base].copy(),
        'mass': model.body_mass.copy(),
    }


def drawn(robot: MujocoRobot) -> dict:
    return robot.errors.drawn(robot.robot.joint_names, robot.model)


def test_the_model_is_off_by_what_was_drawn(tiny):
    """Within the ranges, joint by joint and body by body; masses stay."""
    exact, off = MujocoRobot(tiny), MujocoRobot(tiny, seed=5, disturbance=BAD)
    before, after, found = numbers(exact), numbers(off), drawn(off)
    for name, largest in (('armature', 0.3), ('damping', 0.4)):
        factors = np.array(list(found[name].values()))
        assert list(found[name]) == ['hip', 'knee']
        np.testing.assert_allclose(after[name], before[name] * factors)
        assert (np.abs(factors - 1.0) <= largest).all()
        assert np.ptp(factors) > 0.0
    assert list(found['inertia']) == ['box', 'upper', 'lower']
    factors = np.array(list(found['inertia'].values()))
    np.testing.assert_allclose(after['inertia'], before['inertia'] * factors[:, None])
    assert (np.abs(factors - 1.0) <= 0.2).all()
    np.testing.assert_allclose(after['com'] - before['com'], list(found['com_m'].values()))
    assert 0.0 < np.abs(after['com'] - before['com']).max() <= 0.01
    np.testing.assert_array_equal(after['mass'], before['mass'])


def test_the_seed_draws_and_each_kind_is_by_itself(tiny):
    """Another error beside it must not change what is drawn of the first."""
    first, again, other = (
        drawn(MujocoRobot(tiny, seed=seed, disturbance=BAD)) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    alone = drawn(MujocoRobot(tiny, seed=3, disturbance=Disturbance(inertia_error=0.2)))
    assert alone == {'inertia': first['inertia']}


@pytest.mark.parametrize('name', NAMES)
def test_each_of_them_changes_motion_or_reading(tiny, name):
    """One that does nothing would make every policy look robust."""
    readings = []
    for disturbance in (Disturbance(), Disturbance(**{name: getattr(BAD, name)})):
        robot = MujocoRobot(tiny, disturbance=disturbance)
        robot.hold_base(False)
        robot.data.qvel[:] = 0.5
        robot.set_target([1.0, -1.0])
        robot.step(100)
        quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
        robot.imu(quat, gyro, accel)
        readings.append(np.concatenate([robot.data.qpos, quat, gyro, accel]))
    assert np.abs(readings[0] - readings[1]).max() > 1e-4


def test_without_errors_no_bit_changes(tiny):
    """Old runs come again."""
    robots = [MujocoRobot(tiny), MujocoRobot(tiny, seed=9, disturbance=Disturbance())]
    first, second = map(numbers, robots)
    for name, values in first.items():
        assert values.tobytes() == second[name].tobytes()
    assert drawn(robots[1]) == {}


def test_an_imu_askew_sees_gravity_elsewhere(tiny):
    """By the angle that was drawn, in orientation and in force alike."""
    robot = MujocoRobot(tiny, seed=2, disturbance=Disturbance(imu_alignment_error=0.3))
    vector = np.array(list(drawn(robot)['imu_alignment_rad'].values()))
    angle = float(np.linalg.norm(vector))
    assert 0.01 < angle <= 0.3
    quat, gyro, accel = np.empty(4), np.empty(3), np.empty(3)
    robot.step(2000)
    robot.imu(quat, gyro, accel)
    assert 2.0 * np.arccos(abs(quat[0])) == pytest.approx(angle, abs=1e-3)
    tilt = np.arccos(accel[2] / np.linalg.norm(accel))
    # Of the rotation only what is not about the vertical tilts.
    level = 1.0 - 2.0 * (quat[1] ** 2 + quat[2] ** 2)
    assert tilt == pytest.approx(np.arccos(level), abs=1e-3)
