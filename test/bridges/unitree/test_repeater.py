"""What is written on rt/lowcmd while the bridge speaks, is silent, or is gone."""

from __future__ import annotations

import pytest

from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.repeater import GONE_NS
from kinfer_ros.bridges.unitree.repeater import PERIOD_NS
from kinfer_ros.bridges.unitree.repeater import Repeater

TIMEOUT_NS = 100_000_000
TARGET, OTHER, DAMPING = b'target', b'other', b'damping'


class Rig:
    """A repeater on a clock of the test."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.repeater = Repeater(0)
        self.take(frames.damp_frame(TIMEOUT_NS, DAMPING))
        self.told = 0

    def take(self, frame: bytes) -> None:
        self.repeater.take(frame, self.now_ns)

    def run(self, until_ns: int) -> bytes | None:
        """Check every 2 ms, as the process does; :return: what is written then."""
        while self.now_ns < until_ns:
            self.now_ns += PERIOD_NS
            self.told += self.repeater.check(self.now_ns)
        return self.repeater.message


@pytest.fixture
def rig():
    return Rig()


def test_nothing_is_written_before_a_message(rig):
    """Somebody else may control the robot, however long the bridge is silent."""
    assert rig.run(10 * TIMEOUT_NS) is None
    assert rig.told == 0


def test_the_last_message_is_repeated(rig):
    """The motors expect one every 2 ms, a policy makes one every 20."""
    rig.take(frames.WRITE + TARGET)
    assert rig.run(TIMEOUT_NS // 2) == TARGET
    rig.take(frames.WRITE + OTHER)
    assert rig.run(TIMEOUT_NS) == OTHER


def test_a_silent_bridge_is_damping(rig):
    """Told once, and a sign of life does not bring the old target back."""
    rig.take(frames.WRITE + TARGET)
    assert rig.run(TIMEOUT_NS) == TARGET
    assert rig.run(TIMEOUT_NS + 2 * PERIOD_NS) == DAMPING
    rig.take(frames.BEAT)
    assert rig.run(TIMEOUT_NS + 8 * PERIOD_NS) == DAMPING
    assert rig.told == 1
    rig.take(frames.WRITE + OTHER)
    assert rig.run(TIMEOUT_NS + 10 * PERIOD_NS) == OTHER


def test_a_beat_is_no_silence(rig):
    """A policy in hold sends the same target for minutes."""
    rig.take(frames.WRITE + TARGET)
    for end in range(1, 10):
        rig.take(frames.BEAT)
        assert rig.run(end * TIMEOUT_NS // 2) == TARGET


def test_a_stall_of_its_own_is_no_silence(rig):
    """The frames of the time in which this process was not run are still in the queue."""
    rig.take(frames.WRITE + TARGET)
    rig.run(TIMEOUT_NS // 2)
    rig.now_ns += 10 * TIMEOUT_NS
    assert rig.run(rig.now_ns + PERIOD_NS) == TARGET
    assert rig.run(rig.now_ns + TIMEOUT_NS) == DAMPING


def test_a_bridge_that_is_gone_is_damping_at_once(rig):
    """And the process ends, so that another bridge finds no other publisher."""
    rig.take(frames.WRITE + TARGET)
    rig.run(PERIOD_NS)
    rig.repeater.bridge_is_gone(rig.now_ns)
    assert rig.repeater.message == DAMPING
    assert not rig.repeater.has_ended(rig.now_ns + GONE_NS)
    assert rig.repeater.has_ended(rig.now_ns + GONE_NS + 1)


def test_a_robot_at_rest_is_left_alone(rig):
    """A bridge that ended in order leaves nothing to damp."""
    rig.take(frames.WRITE + TARGET)
    rig.take(frames.REST)
    rig.repeater.bridge_is_gone(0)
    assert rig.repeater.has_ended(0)
    assert rig.run(TIMEOUT_NS * 3) is None
