"""Joints by name, the IMU in the base frame: where deployments go wrong most often."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.robots import small_robot
from kinfer_ros.control.sensors import GRAVITY
from kinfer_ros.control.sensors import MAX_JOINTS
from kinfer_ros.control.sensors import MAX_LISTS
from kinfer_ros.control.sensors import MAX_SPREAD_NS
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


MS = 1_000_000


def sample(frame: SensorFrame, names: str, value: float, stamp_ms: int) -> None:
    """One joint sample; every number is `value`."""
    frame.update_joints(
        list(names), np.full(len(names), value), np.full(len(names), -value), stamp_ms * MS
    )


def test_joints_of_several_drivers_are_put_together(tmp_path: Path) -> None:
    """One driver a limb, each with its own stamps: the sample is as old as its oldest part."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b', 'c')))
    sample(frame, 'a', 1.0, 100)
    assert frame.joint_stamp_ns == 0
    assert frame.missing_joints() == ['b', 'c']
    sample(frame, 'bc', 2.0, 110)
    assert frame.joint_stamp_ns == 100 * MS
    np.testing.assert_array_equal(frame.joint_values, [1.0, 2.0, 2.0, -1.0, -2.0, -2.0])
    sample(frame, 'a', 3.0, 120)
    assert frame.joint_stamp_ns == 110 * MS
    assert frame.position.tolist() == [3.0, 2.0, 2.0]
    assert frame.missing_joints() == []


def test_parts_too_far_apart_are_not_put_together(tmp_path: Path) -> None:
    """An arm of now with a leg of long ago is no robot; the last whole sample becomes stale."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    sample(frame, 'a', 1.0, 100)
    sample(frame, 'b', 1.0, 100)
    sample(frame, 'a', 2.0, 150)
    assert frame.position.tolist() == [2.0, 1.0]
    sample(frame, 'a', 3.0, 151)
    assert frame.position.tolist() == [2.0, 1.0]
    assert frame.joint_stamp_ns == 100 * MS
    assert frame.missing_joints() == ['b']
    sample(frame, 'b', 4.0, 152)
    assert frame.position.tolist() == [3.0, 4.0]
    assert frame.joint_stamp_ns == 151 * MS


def test_a_part_of_a_driver_that_sent_all_joints_before(tmp_path: Path) -> None:
    """The rest is what it was in the last whole sample, and grows old."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    sample(frame, 'ab', 1.0, 100)
    sample(frame, 'b', 2.0, 120)
    assert frame.position.tolist() == [1.0, 2.0]
    sample(frame, 'b', 3.0, 200)
    assert frame.joint_stamp_ns == 100 * MS
    assert frame.missing_joints() == ['a']


def test_joints_of_another_robot_are_passed_over(tmp_path: Path) -> None:
    """A gripper's driver publishes on the same topic."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    sample(frame, 'ab', 1.0, 100)
    frame.update_joints(['finger', 'finger'], np.zeros(0), np.full(3, np.nan), 500 * MS)
    assert (frame.strange_messages, frame.strange_joints) == (1, ['finger', 'finger'])
    assert frame.joint_stamp_ns == 100 * MS
    assert (frame.joint_changes, frame.joint_disorder) == (0, 0)


def test_two_robots_of_others_in_turns_are_looked_at_once_each(tmp_path: Path) -> None:
    """To match a list takes time, and each new one is a warning."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    seen = []
    for stamp in range(6):
        for names in ('xy', 'z'):
            sample(frame, names, 1.0, stamp)
            seen.append(id(frame.strange_joints))
    assert frame.strange_messages == 12
    assert len(set(seen)) == 2
    assert seen[1:] == [seen[1]] * 11


def test_an_older_sample_of_one_part_is_passed_over(tmp_path: Path) -> None:
    """Each driver has an order of its own."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    sample(frame, 'a', 1.0, 100)
    sample(frame, 'b', 1.0, 90)
    assert frame.joint_disorder == 0
    sample(frame, 'a', 9.0, 95)
    assert frame.joint_disorder == 1
    assert frame.position.tolist() == [1.0, 1.0]


def test_parts_after_the_clock_went_back(tmp_path: Path) -> None:
    """Parts of before must not be put together with parts of after."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    sample(frame, 'a', 1.0, 1000)
    sample(frame, 'b', 1.0, 1000)
    frame.take_any_order()
    sample(frame, 'a', 2.0, 100)
    assert frame.position.tolist() == [1.0, 1.0]
    sample(frame, 'b', 3.0, 110)
    assert frame.position.tolist() == [2.0, 3.0]


def test_messages_of_another_robot_alone_are_named(tmp_path):
    """A prefix that the driver adds is the most common reason for silence."""
    frame = SensorFrame(small_robot(tmp_path))
    frame.update_joints(['robot1/joint_0', 'robot1/joint_1'], np.zeros(2), np.zeros(2), 1)
    assert frame.only_strange_joints
    words = 'only messages with robot1/joint_0, robot1/joint_1; expected the robot'
    assert words in frame.silence('joint_states')
    frame.update_joints(['joint_0', 'joint_1'], np.zeros(2), np.zeros(2), 2)
    assert not frame.only_strange_joints


@given(
    st.lists(
        st.tuples(st.sampled_from(['a', 'b', 'c', 'ab', 'bca', 'x']), st.integers(0, 300)),
        max_size=40,
    )
)
def test_whatever_comes_a_sample_is_never_younger_than_its_oldest_joint(
    messages: list[tuple[str, int]],
) -> None:
    """Each number is the stamp it came with, so that its age can be seen."""
    with tempfile.TemporaryDirectory() as folder:
        frame = SensorFrame(small_robot(Path(folder), ('a', 'b', 'c')))
    for names, stamp in messages:
        sample(frame, names, float(stamp + 1), stamp + 1)
        if frame.joint_stamp_ns:
            assert frame.position.min() * MS == frame.joint_stamp_ns
            assert np.ptp(frame.position) * MS <= MAX_SPREAD_NS


def test_a_list_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """To match it takes time."""
    frame = SensorFrame(small_robot(tmp_path))
    with pytest.raises(ContractError, match='expected at most'):
        frame.update_joints(['x'] * (MAX_JOINTS + 1), np.zeros(0), np.zeros(0), 1)


def test_no_more_lists_are_kept_than_have_a_place(tmp_path: Path) -> None:
    """A publisher that invents names must not fill the memory."""
    frame = SensorFrame(small_robot(tmp_path, ('a',)))
    for i in range(3 * MAX_LISTS):
        frame.update_joints(['a', f'x{i}'], np.full(2, float(i)), np.zeros(2), i + 1)
    assert len(frame.joint_lists) == MAX_LISTS
    assert frame.position[0] == 3 * MAX_LISTS - 1


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
    frame.unstamped = set()
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
    frame.update_joints(['a'], np.zeros(0), np.zeros(0), 4)
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


def test_torques_are_matched_by_name_and_unknown_where_they_are_not_reported(
    tmp_path: Path,
) -> None:
    """A zero would be a torque that nobody measured; a driver may stop reporting them."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    assert np.isnan(frame.effort).all()
    zeros = np.zeros(2)
    frame.update_joints(['b', 'a'], zeros, zeros, 1, np.array([2.0, 1.0]))
    assert frame.effort.tolist() == [1.0, 2.0]
    for stamp, effort in enumerate((np.zeros(0), np.zeros(1), None), start=2):
        frame.update_joints(['b', 'a'], zeros, zeros, stamp, effort)
        assert np.isnan(frame.effort).all()
        frame.update_joints(['a', 'b'], zeros, zeros, stamp, np.array([1.0, 2.0]))
        assert frame.effort.tolist() == [1.0, 2.0]
    frame.restart()
    assert np.isnan(frame.effort).all()


def test_torques_of_several_drivers_are_put_together(tmp_path: Path) -> None:
    """One of them may not report any."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b', 'c')))
    one, two = np.zeros(1), np.zeros(2)
    frame.update_joints(['c', 'b'], two, two, 100, np.array([3.0, 2.0]))
    assert np.isnan(frame.effort).all(), 'not before there is a whole sample'
    frame.update_joints(['a'], one, one, 101)
    np.testing.assert_array_equal(frame.effort, [np.nan, 2.0, 3.0])


def test_a_refused_sample_leaves_the_frame_as_it_was(tmp_path: Path) -> None:
    """A lost joint is a problem to be told, not half a sample."""
    frame = SensorFrame(small_robot(tmp_path, ('a', 'b')))
    frame.update_joints(['a', 'b'], np.array([1.0, 2.0]), np.zeros(2), 1)
    with pytest.raises(ContractError):
        frame.update_joints(['a'], np.zeros(2), np.zeros(1), 2)
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
