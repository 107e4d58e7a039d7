"""Watches over the readings of a KOS robot: is it there, is every joint, is the IMU.

A single late answer is no reason to stop and a dead joint must not go unnoticed: this is where the
one is told from the other, so that the rest of the bridge only hears of what matters.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

from kinfer_ros.bridges.kos.client import Reading
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.sample import ImuSample
from kinfer_ros.bridges.kos.sample import JointSample
from kinfer_ros.bridges.kos.sample import SampleReader
from kinfer_ros.bridges.mujoco.pacer import SECOND

HEALTH_NS = SECOND // 2
"""Between two looks at temperatures, voltages and faults."""


class Event(enum.Enum):
    """What a reading changes."""

    NOTHING = 'nothing'
    CONNECTED = 'connected'
    """The first answer, or the first since the robot was lost."""
    UNREACHED = 'unreached'
    """No answer for too long: what the robot does is unknown."""
    INCOMPLETE = 'incomplete'
    """It answers, but not for all joints, for too long."""


class KosWatch:
    """
    What the newest readings say; every `now_ns` is of the steady clock.

    :param lost_timeout_ns: time without a whole sample after which it matters.
    :param warn: takes one line on what went wrong, when it begins.
    """

    def __init__(
        self, reader: SampleReader, lost_timeout_ns: int, warn: Callable[[str], None]
    ) -> None:
        self._reader = reader
        self._lost_timeout_ns = lost_timeout_ns
        self._warn = warn
        self.connected = False
        self.problem = 'nothing was read yet'
        """Why the newest reading has no whole joint sample, or ''."""
        self.imu_problem = 'nothing was read yet'
        """Why the newest reading has no IMU sample, or ''."""
        self.sample: JointSample | None = None
        """The newest, whole or not."""
        self.health: Health | None = None
        self.whole_ns = time.monotonic_ns()
        """When the newest whole joint sample came."""
        self.reads = 0
        self.failed_reads = 0
        """Readings without a whole joint sample."""
        self._health_ns = 0

    def take(
        self, reading: Reading, now_ns: int, *, torque_on: bool
    ) -> tuple[JointSample | None, ImuSample | str, Event]:
        """
        Take in a reading.

        :param torque_on: the torque has been switched on in every joint.
        :return: the joint sample where it is whole, the IMU's or why there is none, and what that
            changes.
        """
        self.reads += 1
        sample = self._reader.joints(reading, torque_on=torque_on)
        if sample is None:
            event = self._failed(reading.states_problem, now_ns)
        else:
            event = self._answered(sample, now_ns)
        imu = self._reader.imu(reading)
        self._note_imu(imu if isinstance(imu, str) else '')
        if sample is not None and now_ns - self._health_ns >= HEALTH_NS:
            self._health_ns = now_ns
            self._note_health(self._reader.health(reading))
        return (None if self.problem else sample), imu, event

    def _failed(self, problem: str, now_ns: int) -> Event:
        self.failed_reads += 1
        if not self.problem:
            self._warn(problem)
        self.problem = problem
        if now_ns - self.whole_ns < self._lost_timeout_ns:
            return Event.NOTHING
        self.connected = False
        return Event.UNREACHED

    def _answered(self, sample: JointSample, now_ns: int) -> Event:
        event = Event.NOTHING
        if not self.connected:
            self.connected = True
            self.whole_ns = now_ns
            event = Event.CONNECTED
        if not sample.problem:
            self.whole_ns = now_ns
        else:
            self.failed_reads += 1
            if sample.problem != self.problem:
                self._warn(sample.problem)
            if now_ns - self.whole_ns >= self._lost_timeout_ns:
                event = Event.INCOMPLETE
        self.problem = sample.problem
        self.sample = sample
        return event

    def _note_imu(self, problem: str) -> None:
        if problem and problem != self.imu_problem and self.connected:
            self._warn(problem)
        self.imu_problem = problem

    def _note_health(self, health: Health) -> None:
        before = self.health.faults if self.health else {}
        for name, faults in health.faults.items():
            if before.get(name) != faults:
                self._warn(f'{name} reports {", ".join(faults)}')
        self.health = health
