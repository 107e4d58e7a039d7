"""Joints by name, the IMU in the base frame: where deployments go wrong most often."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.robots import small_robot
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.sensors import joint_index
from kinfer_ros.errors import ContractError
from kinfer_ros.rotations import multiply
from kinfer_ros.rotations import rotation_matrix


def test_joints_are_matched_by_name_and_again_when_the_names_change(tmp_path: Path) -> None:
    """Drivers publish joints in any order, and some change it when they restart."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    frame.update_joints(['b', 'x', 'a'], np.array([2.0, 9.0, 1.0]), np.array([4.0, 9.0, 3.0]), 7)
    np.testing.assert_array_equal(frame.position, [1.0, 2.0])
    np.testing.assert_array_equal(frame.velocity, [3.0, 4.0])
    assert frame.joint_stamp_ns == 7
    frame.update_joints(['a', 'b'], np.array([5.0, 6.0]), np.zeros(2), 8)
    np.testing.assert_array_equal(frame.position, [5.0, 6.0])


def test_a_missing_joint_is_named_with_both_lists(tmp_path: Path) -> None:
    """The message has to be enough to mend the driver or the YAML."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    with pytest.raises(ContractError, match=r"lacks \['b'\].*\['a', 'c'\].*\['a', 'b'\]"):
        frame.update_joints(['a', 'c'], np.zeros(2), np.zeros(2), 1)


def test_a_joint_named_twice_is_refused() -> None:
    """Which of the two would be the joint?"""
    with pytest.raises(ContractError, match='twice'):
        joint_index(('a',), ['a', 'a'], 'joint_states')


def test_a_state_without_velocities_is_refused(tmp_path: Path) -> None:
    """sensor_msgs allows empty arrays; a policy cannot run on them."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    with pytest.raises(ContractError, match='0 velocities'):
        frame.update_joints(['a', 'b'], np.zeros(2), np.zeros(0), 1)


@given(
    st.tuples(*[st.floats(-1, 1) for _ in range(4)]).filter(lambda q: sum(v * v for v in q) > 0.01)
)
def test_projected_gravity_is_gravity_rotated_into_the_base(q: tuple[float, ...]) -> None:
    """The closed form must be R^-1 (0, 0, -9.81) for every orientation."""
    frame = SensorFrame.__new__(SensorFrame)
    frame.imu_stamp_ns = 0
    unit = np.array(q) / np.linalg.norm(q)
    frame.quaternion = np.zeros(4)
    frame.gravity, frame.gyro, frame.accel = np.zeros(3), np.zeros(3), np.zeros(3)
    frame._imu_to_base = (1.0, 0.0, 0.0, 0.0)
    frame._base_from_imu = np.eye(3)
    frame.update_imu(tuple(unit), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 1)
    expected = rotation_matrix(unit).T @ [0.0, 0.0, -GRAVITY]
    np.testing.assert_allclose(frame.gravity, expected, atol=1e-9)


def test_an_imu_that_is_mounted_turned_reads_like_one_that_is_not(tmp_path: Path) -> None:
    """K-Bot's IMU is yawed by 90 degrees: its y axis is the base's x axis, or the reverse."""
    text = (small_robot(tmp_path).path).read_text()
    half = np.sqrt(0.5)
    path = tmp_path / 'turned.yaml'
    path.write_text(text.replace('[1, 0, 0, 0]', f'[{half}, 0, 0, {half}]'))
    from kinfer_ros.robot.robot import load_robot

    frame = SensorFrame(load_robot(path))
    mounting = (half, 0.0, 0.0, half)
    pitch = (np.cos(0.2), 0.0, np.sin(0.2), 0.0)
    imu_in_world = multiply(pitch, mounting)
    # The IMU's x axis is the base's y axis: a pitch rate around base y shows on the IMU's x.
    frame.update_imu(imu_in_world, (0.5, 0.0, 0.0), (0.0, 0.0, 9.81), 1)
    np.testing.assert_allclose(frame.quaternion, pitch, atol=1e-12)
    np.testing.assert_allclose(frame.gyro, [0.0, 0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(frame.gravity[0], GRAVITY * np.sin(0.4), atol=1e-9)


def imu(frame: SensorFrame, gyro: float, stamp: int) -> None:
    """One upright IMU sample."""
    frame.update_imu((1.0, 0.0, 0.0, 0.0), (gyro, 0.0, 0.0), (0.0, 0.0, 9.81), stamp)


def test_a_sample_older_than_the_newest_is_passed_over_and_counted(tmp_path: Path) -> None:
    """Two publishers, or a network that reorders: the robot was already further."""
    frame = SensorFrame(small_robot(tmp_path, ('a',)))
    for stamp, value in ((5, 0.5), (4, 0.4), (5, 0.6)):
        frame.update_joints(['a'], np.array([value]), np.array([value]), stamp)
        imu(frame, value, stamp)
    assert (frame.joint_disorder, frame.imu_disorder) == (1, 1)
    assert (frame.joint_stamp_ns, frame.imu_stamp_ns) == (5, 5)
    assert frame.position[0] == frame.gyro[0] == 0.6, 'an equal stamp is not older'


def test_an_old_sample_that_does_not_fit_is_passed_over_as_well(tmp_path: Path) -> None:
    """What is not looked at cannot be a problem."""
    frame = SensorFrame(small_robot(tmp_path, ('a',)))
    frame.update_joints(['a'], np.zeros(1), np.zeros(1), 5)
    frame.update_joints(['other'], np.zeros(0), np.zeros(0), 4)
    assert frame.joint_disorder == 1
    assert frame.joint_changes == 0


def test_gained_and_reordered_joints_are_counted(tmp_path: Path) -> None:
    """They are found by name, but a person should know; the first list is no change."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    changes = []
    for stamp, names in enumerate((['a', 'b'], ['a', 'b'], ['a', 'b', 'c'], ['c', 'b', 'a'])):
        values = np.array([1.0 if name == 'a' else 2.0 for name in names])
        frame.update_joints(names, values, -values, stamp)
        changes.append(frame.joint_changes)
        np.testing.assert_array_equal(frame.joint_values, [1.0, 2.0, -1.0, -2.0])
    assert changes == [0, 0, 1, 2]


def test_a_refused_sample_leaves_the_frame_as_it_was(tmp_path: Path) -> None:
    """A lost joint is a problem to be told, not half a sample."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    frame.update_joints(['a', 'b'], np.array([1.0, 2.0]), np.zeros(2), 1)
    with pytest.raises(ContractError):
        frame.update_joints(['a'], np.zeros(1), np.zeros(1), 2)
    with pytest.raises(ContractError):
        frame.update_joints(['b', 'a'], np.zeros(2), np.zeros(1), 2)
    assert frame.joint_stamp_ns == 1
    np.testing.assert_array_equal(frame.position, [1.0, 2.0])
    frame.update_joints(['a', 'b'], np.array([3.0, 4.0]), np.zeros(2), 2)
    np.testing.assert_array_equal(frame.position, [3.0, 4.0])


@pytest.mark.parametrize('begin', ['restart', 'take_any_order'])
def test_the_next_sample_may_be_older_after_a_new_start(tmp_path: Path, begin: str) -> None:
    """A simulation that was reset begins at 0 again; only one sample of each is let through."""
    frame = SensorFrame(small_robot(tmp_path, ('a',)))
    for stamp in (100, 50):
        frame.update_joints(['a'], np.zeros(1), np.zeros(1), stamp)
        imu(frame, 0.0, stamp)
        getattr(frame, begin)()
    for stamp in (20, 10):
        frame.update_joints(['a'], np.zeros(1), np.zeros(1), stamp)
        imu(frame, 0.0, stamp)
    assert (frame.joint_stamp_ns, frame.imu_stamp_ns) == (20, 20)
    assert (frame.joint_disorder, frame.imu_disorder) == (1, 1)


def test_a_restart_forgets_problems_of_the_last_session(tmp_path: Path) -> None:
    """The robot side may have been mended meanwhile."""
    frame = SensorFrame(small_robot(tmp_path))
    frame.joint_problem = frame.imu_problem = 'broken'
    frame.restart()
    assert frame.joint_problem == frame.imu_problem == ''


def test_a_million_names_are_refused_by_their_number(tmp_path: Path) -> None:
    """Anybody on the graph can send them; looking each one up would take the tick."""
    frame = SensorFrame(small_robot(tmp_path, ('a',)))
    names = ['a'] * 1_000_000
    begin = time.process_time()
    with pytest.raises(ContractError) as caught:
        frame.update_joints(names, np.zeros(1), np.zeros(1), 1)
    assert time.process_time() - begin < 0.01
    assert len(str(caught.value)) < 200
