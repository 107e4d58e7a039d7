"""The wire format, held against rclpy's own serialisation."""

from __future__ import annotations

import math
from array import array
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState

from helpers.robots import small_robot
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import KinferRosError
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr import CommandBytes
from kinfer_ros.ros.cdr import JointStateReader
from kinfer_ros.ros.cdr import diagnostic_bytes
from kinfer_ros.ros.cdr import read_imu_values
from kinfer_ros.ros.cdr import read_odometry_values
from kinfer_ros.ros.messages import odometry_sample
from kinfer_ros.ros.messages import read_imu_bytes
from kinfer_ros.ros.messages import read_joint_sample
from kinfer_ros.ros.messages import read_odometry_sample

TEXTS = st.text(st.characters(exclude_characters='\x00', exclude_categories=['Cs']), max_size=9)
DOUBLES = st.lists(st.floats(), max_size=9)
STAMPS = st.integers(0, 2**31 * 10**9 - 1)


@st.composite
def joint_states(draw: st.DrawFn) -> JointState:
    """Any joint state, with lists that need not fit each other."""
    message = JointState(
        name=draw(st.lists(TEXTS, max_size=6)),
        position=array('d', draw(DOUBLES)),
        velocity=array('d', draw(DOUBLES)),
        effort=array('d', draw(DOUBLES)),
    )
    message.header.frame_id = draw(TEXTS)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(draw(STAMPS), 10**9)
    return message


def stamp_of(message: JointState | Imu | DiagnosticArray) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


@given(st.lists(joint_states(), min_size=1, max_size=4), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_joint_states_are_read_as_rclpy_reads_them(
    messages: list[JointState], repeat: bool
) -> None:
    """One reader for all: names that it knows from the last message must not hide new ones."""
    reader = JointStateReader()
    for message in messages * (1 + repeat):
        data = bytes(serialize_message(message))
        sample = reader.read(data)
        expected = deserialize_message(data, JointState)
        assert sample is not None
        assert sample.stamp_ns == stamp_of(message)
        assert list(sample.names) == list(expected.name)
        np.testing.assert_array_equal(sample.position, np.array(expected.position))
        np.testing.assert_array_equal(sample.velocity, np.array(expected.velocity))
        np.testing.assert_array_equal(sample.effort, np.array(expected.effort))


@given(joint_states(), st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_damaged_joint_states_are_refused_in_words(
    message: JointState, data: st.DataObject
) -> None:
    """What comes over a network is not to be trusted: no other exception, no endless loop."""
    sent = bytearray(serialize_message(message))
    for _ in range(data.draw(st.integers(0, 3))):
        sent[data.draw(st.integers(4, len(sent) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(sent[: data.draw(st.integers(0, len(sent)))])
    try:
        JointStateReader().read(cut)
    except KinferRosError as error:
        assert 'joint_states' in str(error)


@given(st.lists(st.floats(allow_nan=False), min_size=37, max_size=37), TEXTS, STAMPS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_an_imu_is_read_as_rclpy_reads_it(values: list[float], frame: str, stamp: int) -> None:
    """The numbers stand in the order of the message: a covariance is not an acceleration."""
    message = Imu()
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    q, w, a = message.orientation, message.angular_velocity, message.linear_acceleration
    q.x, q.y, q.z, q.w = values[:4]
    message.orientation_covariance = values[4:13]
    w.x, w.y, w.z = values[13:16]
    message.angular_velocity_covariance = values[16:25]
    a.x, a.y, a.z = values[25:28]
    message.linear_acceleration_covariance = values[28:]
    assert read_imu_values(bytes(serialize_message(message))) == (stamp, tuple(values))


@given(st.lists(st.floats(allow_nan=False), min_size=10, max_size=10), TEXTS, TEXTS, STAMPS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_odometry_is_read_as_rclpy_reads_it(
    values: list[float], frame: str, child: str, stamp: int
) -> None:
    """Between pose and twist stands a covariance, before them a second name."""
    message = Odometry(child_frame_id=child)
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    p, q, v = message.pose.pose.position, message.pose.pose.orientation, message.twist.twist.linear
    p.x, p.y, p.z, q.x, q.y, q.z, q.w, v.x, v.y, v.z = values
    message.pose.covariance[:] = np.full(36, 1e9)
    message.twist.twist.angular.x = 1e9
    data = bytes(serialize_message(message))
    assert read_odometry_values(data) == (stamp, tuple(values))
    with pytest.raises(MessageError, match=r'odom: .* ends before its last value'):
        read_odometry_values(data[:-1])


@pytest.mark.parametrize('padding', [0, 1])
def test_odometry_is_the_same_sample_by_either_reader(padding: int) -> None:
    """What is padded is left to rclpy, and means the same."""
    message = Odometry()
    message.header.stamp.sec = 3
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, q.z, q.w = 1.0, 2.0, math.sin(0.3), math.cos(0.3)
    message.twist.twist.linear.y = 0.25
    data = bytes(serialize_message(message)) + bytes(padding)
    found = read_odometry_sample(data[:3] + bytes([padding]) + data[4:])
    assert (found.stamp_ns, found.linear) == (3_000_000_000, (0.0, 0.25, 0.0))
    assert found.pose == pytest.approx((1.0, 2.0, 0.6))
    assert found == odometry_sample(message)


def test_an_imu_that_is_cut_is_refused() -> None:
    """Half a message would else be an orientation of whatever lies behind it."""
    data = bytes(serialize_message(Imu()))
    with pytest.raises(MessageError, match='ends before its last value'):
        read_imu_values(data[:-20])


def test_a_stamp_that_no_header_can_hold_does_not_stop_a_command() -> None:
    """A damping frame has to go out, whatever the sample before it was stamped."""
    command = CommandBytes('x', ['a'], velocity=True)
    for stamp in (2**80, -5):
        assert deserialize_message(command.stamped(stamp), JointState).name == ['a']


def test_other_encodings_are_left_to_rclpy() -> None:
    """A big-endian host's numbers must not be read backwards."""
    assert JointStateReader().read(b'\x00\x00\x00\x00' + bytes(40)) is None
    assert read_imu_values(b'\x00\x00\x00\x00' + bytes(400)) is None
    assert read_odometry_values(b'\x00\x00\x00\x00' + bytes(800)) is None


@given(st.lists(TEXTS, max_size=6), TEXTS, st.booleans(), STAMPS, st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_commands_are_what_rclpy_reads(
    names: list[str], frame: str, velocity: bool, stamp: int, data: st.DataObject
) -> None:
    """A bridge written with rclpy has to see the numbers, and no others."""
    command = CommandBytes(frame, names, velocity=velocity)
    numbers = [data.draw(st.floats(allow_nan=False)) for _ in names]
    command.values[:] = numbers
    found = deserialize_message(command.stamped(stamp), JointState)
    assert (stamp_of(found), found.header.frame_id, list(found.name)) == (stamp, frame, names)
    assert list(found.velocity if velocity else found.position) == numbers
    assert not (found.position if velocity else found.velocity)
    assert not found.effort


@given(st.lists(TEXTS, max_size=6), TEXTS, STAMPS, st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_commands_of_wheels_are_what_rclpy_reads(
    names: list[str], frame: str, stamp: int, data: st.DataObject
) -> None:
    """Positions and velocities, each where a bridge looks for it."""
    command = CommandBytes(frame, names, both=True)
    rows = [[data.draw(st.floats(allow_nan=False)) for _ in names] for _ in range(2)]
    assert command.velocities is not None
    command.values[:], command.velocities[:] = rows
    found = deserialize_message(command.stamped(stamp), JointState)
    assert (stamp_of(found), found.header.frame_id, list(found.name)) == (stamp, frame, names)
    assert [list(found.position), list(found.velocity)] == rows
    assert not found.effort


@given(
    st.lists(TEXTS, min_size=3, max_size=3), st.dictionaries(TEXTS, TEXTS), STAMPS, st.booleans()
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_diagnostics_are_what_rclpy_reads(
    texts: list[str], values: dict[str, str], stamp: int, fault: bool
) -> None:
    """A monitor has to see every value under its key."""
    level = DiagnosticStatus.ERROR if fault else DiagnosticStatus.OK
    data = diagnostic_bytes(stamp, level, (texts[0], texts[1], texts[2]), values)
    array = deserialize_message(data, DiagnosticArray)
    (status,) = array.status
    assert stamp_of(array) == stamp
    assert (status.level, status.name, status.message, status.hardware_id) == (level, *texts)
    assert [(each.key, each.value) for each in status.values] == list(values.items())


def test_the_values_of_a_command_can_be_nan() -> None:
    """Whether a target may be NaN is the guards' business: the wire must not hide it."""
    command = CommandBytes('x', ['a'])
    command.values[:] = math.nan
    assert math.isnan(deserialize_message(command.stamped(1), JointState).position[0])


def test_what_rclpy_cannot_read_either_is_a_problem_in_words(tmp_path: Path) -> None:
    """In a tick its own exception would pass for a bug of ours, and end the session."""
    frame = SensorFrame(small_robot(tmp_path))
    broken = b'\x00\x00\x00\x00' + bytes(3)
    with pytest.raises(MessageError, match='no JointState'):
        read_joint_sample(broken, JointStateReader())
    with pytest.raises(MessageError, match='no Imu'):
        read_imu_bytes(broken, frame)
