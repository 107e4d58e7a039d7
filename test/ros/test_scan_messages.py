"""The height scan on the wire: which images are one, and what is said of the others."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from helpers.robots import small_robot
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.messages import read_scan_bytes

HEIGHTS = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)


def image(heights: np.ndarray = HEIGHTS, **changes: Any) -> Image:
    """An image of heights, stamped 1.5 s."""
    rows, columns = heights.shape
    made = Image(height=rows, width=columns, encoding='32FC1', step=4 * columns)
    made.data = array('B', heights.tobytes())
    made.header.stamp.sec, made.header.stamp.nanosec = 1, 500_000_000
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def frame(tmp_path: Path) -> SensorFrame:
    """One that takes 2 rows of 3 points."""
    made = SensorFrame(small_robot(tmp_path))
    made.scan_shape = (2, 3)
    return made


@pytest.mark.parametrize(
    'message',
    [
        image(),
        image(HEIGHTS.reshape(1, 6)),
        image(HEIGHTS.astype('>f4'), is_bigendian=1),
    ],
    ids=['rows', 'one-row', 'big-endian'],
)
def test_a_scan_is_read(frame: SensorFrame, message: Image) -> None:
    """Row by row, whichever host sent it."""
    read_scan_bytes(serialize_message(message), frame)
    assert frame.scan_problem == ''
    assert frame.scan_stamp_ns == 1_500_000_000
    np.testing.assert_array_equal(frame.scan[:6], HEIGHTS.ravel().astype(np.float64))
    assert not frame.scan[6:].any()


@pytest.mark.parametrize(
    ('message', 'words'),
    [
        (image(encoding='mono8'), "encoding 'mono8' and step 12, expected 32FC1"),
        (image(encoding='32FC1' * 100), "encoding '32FC132FC1"),
        (image(step=16), 'step 16, expected 32FC1 (one float32 a point, m) and 12'),
        (image(data=array('B', bytes(20))), 'found 20 bytes, expected 24: 2 rows of 3 points'),
        (image(data=array('B', bytes(28))), 'found 28 bytes, expected 24'),
        (image(HEIGHTS.T.copy()), 'found 3 rows of 2 points, expected 2 of 3'),
        (image(np.zeros((0, 0), np.float32)), 'found 0 rows of 0 points'),
        (image(height=2**31, width=2**30, step=0), 'step 0'),
    ],
    ids=['mono8', 'long', 'step', 'short', 'more', 'turned', 'empty', 'huge'],
)
def test_another_image_is_the_problem(frame: SensorFrame, message: Image, words: str) -> None:
    """It says what was found and what is expected, and the last scan stays."""
    read_scan_bytes(serialize_message(image()), frame)
    read_scan_bytes(serialize_message(message), frame)
    assert words in frame.scan_problem
    assert len(frame.scan_problem) < 200
    assert frame.scan[0] == HEIGHTS[0, 0]
    read_scan_bytes(serialize_message(image()), frame)
    assert frame.scan_problem == ''


def test_bytes_that_are_no_image_are_passed_over(frame: SensorFrame) -> None:
    """They never reach rclpy; the link warns of them."""
    data = serialize_message(image())
    for bad in (b'\x00\x00\x00\x03', data[:-1], data[:40]):
        with pytest.raises(MessageError, match='height_scan'):
            read_scan_bytes(bad, frame)
