"""Checks, for `doctor`, that two processes find each other over DDS in a bounded time.

A firewall, a full /dev/shm or another middleware keeps nodes apart while every setting looks
right. The other process runs this file.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from rclpy.utilities import get_rmw_implementation_identifier
from std_msgs.msg import String

from kinfer_ros.ros.context import own_node
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.qos import RELIABLE

TIMEOUT_S = 10.0
"""Fast DDS announces itself at once and, if lost, each 3 s; starting the other takes one more."""
PERIOD_S = 0.02


def middleware() -> str:
    """Name of the middleware that is in use."""
    return str(get_rmw_implementation_identifier())


def check_discovery() -> float | None:
    """
    Start another process and wait for a message of it.

    :return: s from the moment at which it was ready until the message was here; None: it never
        came.
    """
    word = f'{time.time_ns()}'
    with own_node('doctor') as node, _other(word) as other:
        subscription = subscribe(node, String, 'kinfer_ros_doctor', RELIABLE, PollOnlyGroup(node))
        assert other.stdout is not None
        if not other.stdout.readline():  # it says when it is ready, or ends
            return None
        begin = time.monotonic()
        while time.monotonic() - begin < TIMEOUT_S:
            message = take_newest(subscription)
            if message is not None and message.data == word:
                return time.monotonic() - begin
            time.sleep(PERIOD_S / 2)
    return None


@contextlib.contextmanager
def _other(word: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - this file, by this Python
        [sys.executable, '-m', 'kinfer_ros.ros.discovery', word],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(word: str) -> None:
    """Publish a word, until told to end or after twice the patience of who waits."""
    with own_node('doctor_other') as node:
        publisher = node.create_publisher(String, 'kinfer_ros_doctor', RELIABLE)
        print('ready', flush=True)
        end = time.monotonic() + 2 * TIMEOUT_S
        while time.monotonic() < end:
            publisher.publish(String(data=word))
            time.sleep(PERIOD_S)


if __name__ == '__main__':
    main(sys.argv[1])
