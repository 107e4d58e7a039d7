"""Bytes of a message that nobody has to mean well: checked before rclpy reads them."""

from __future__ import annotations

import struct
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import Twist
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_msgs.msg import Empty
from std_msgs.msg import String

from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr_check import HEADER
from kinfer_ros.ros.cdr_check import MAX_MESSAGE
from kinfer_ros.ros.cdr_check import check
from kinfer_ros.ros.cdr_check import read_message
from ros.fuzz_messages import examples

FUZZ_SAMPLES = 3000


@pytest.mark.parametrize('message', examples(), ids=lambda m: type(m).__name__)
def test_a_whole_message_is_read_and_no_part_of_it(message: Any) -> None:
    """Every length is held against the bytes that are there."""
    data = serialize_message(message)
    assert read_message(data, type(message)) == message
    for length in range(check(data, type(message))):
        with pytest.raises(MessageError):
            read_message(data[:length], type(message))


def test_the_four_bytes_that_end_rclpy_are_refused() -> None:
    """The header of Kilted's crash: big-endian, three bytes of padding, and nothing."""
    with pytest.raises(MessageError, match='joint_states: found 4 bytes that are no JointState'):
        read_message(b'\x00\x00\x00\x03', JointState, 'joint_states')


@pytest.mark.parametrize('padding', range(4))
def test_padding_is_cut_off(padding: int) -> None:
    """Rclpy gets a message without any."""
    data = bytearray(serialize_message(String(data='abc')))[: HEADER + 8]
    data[3] = padding
    assert read_message(bytes(data) + bytes(padding), String).data == 'abc'


def test_big_endian_messages_are_read() -> None:
    """As a host of the other byte order sends them."""
    body = struct.pack('>iII', 1, 2, 5) + b'base\x00' + bytes(3)
    body += struct.pack('>II', 1, 4) + b'hip\x00' + struct.pack('>I', 1)
    body += bytes(-len(body) % 8) + struct.pack('>dIxxxxd', 0.5, 1, 0.25) + struct.pack('>I', 0)
    message = read_message(b'\x00\x00\x00\x00' + body, JointState)
    assert message.header.frame_id == 'base'
    assert (message.name, list(message.position), list(message.velocity)) == (
        ['hip'],
        [0.5],
        [0.25],
    )


@pytest.mark.parametrize(
    ('data', 'kind', 'text'),
    [
        (b'\x00\x03\x00\x00', String, 'encapsulation header'),
        (b'\x00\x01\x00\x00' + struct.pack('<I', 4) + b'abcd', String, 'has no end'),
        (b'\x00\x01\x00\x00' + struct.pack('<I', 2**31) + b'abc\x00', String, 'does not fit'),
        (b'\x00\x01\x00\x00\x02', Bool, 'neither 0 nor 1'),
        (b'\x00\x01\x00\x00' + bytes(47), Twist, 'ends before its last number'),
        (bytes(MAX_MESSAGE + 1), String, 'expected at most'),
    ],
)
def test_what_is_wrong_is_said(data: bytes, kind: Any, text: str) -> None:
    """A person has to find the sender."""
    with pytest.raises(MessageError, match=text):
        read_message(data, kind, 'topic')


def test_a_text_without_bytes_is_an_empty_one() -> None:
    """Some senders leave out its end."""
    assert read_message(b'\x00\x01\x00\x00' + bytes(4), String).data == ''


def test_an_empty_message_is_read() -> None:
    """It has one byte on the wire."""
    assert read_message(serialize_message(Empty()), Empty) == Empty()


def test_bytes_behind_the_message_are_passed_over() -> None:
    """rmw_fastrtps sends some when a sequence is empty."""
    message = JointState(name=['a'], position=[1.0], effort=array('d', [3.0]))
    data = serialize_message(message)
    assert check(data, JointState) < len(data)
    assert deserialize_message(data, JointState) == message == read_message(data, JointState)


def test_a_battery_message_of_nothing_is_none() -> None:
    """Taken for an empty battery it would stop the robot."""
    with pytest.raises(MessageError):
        read_message(b'\x00\x01\x00\x00', BatteryState, 'battery_state')


def test_damaged_messages_end_no_process() -> None:
    """A few thousand of each type; `make fuzz` does millions."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name('fuzz_messages.py'), '1', str(FUZZ_SAMPLES)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('\n') == len(examples())
