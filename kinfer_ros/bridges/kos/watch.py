"""Checks the readings of a KOS robot: does it answer, with every joint and the IMU.

A single late answer changes nothing; a robot or a joint that is silent for the lost time-out is an
event.
"""

import enum
import time
from collections.abc import Callable

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.kos.client import Reading
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.sample import SampleReader
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample

HEALTH_NS = SECOND // 2
"""Period of temperatures, voltages and faults."""


class Event(enum.Enum):
    """What a reading changes."""

    NOTHING = 'nothing'
    CONNECTED = 'connected'
    """The first answer, or the first since the robot was lost."""
    UNREACHED = 'unreached'
    """No answer for the lost time-out: the state of the robot is unknown."""
    INCOMPLETE = 'incomplete'
    """Answers lacked joints for the lost time-out."""


class KosWatch:
    """
    State of the link to a robot; every `now_ns` is of the steady clock.

    :param lost_timeout_ns: time without a complete sample that is an event.
    :param warn: takes one line on each problem, when it begins.
    """

    def __init__(
        self, reader: SampleReader, lost_timeout_ns: int, warn: Callable[[str], None]
    ) -> None:
        self._reader = reader
        self._lost_timeout_ns = lost_timeout_ns
        self._warn = warn
        self.connected = False
        self.problem = 'nothing was read yet'
        """Why the newest reading has no complete joint sample, or ''."""
        self.imu_problem = 'nothing was read yet'
        """Why the newest reading has no IMU sample, or ''."""
        self.sample: JointSample | None = None
        """The newest, complete or not."""
        self.health: Health | None = None
        self.complete_ns = time.monotonic_ns()
        """Time of the newest complete joint sample."""
        self.reads = 0
        self.failed_reads = 0
        """Readings without a complete joint sample."""
        self._health_ns = 0

    def take(
        self, reading: Reading, now_ns: int, *, torque_on: bool
    ) -> tuple[JointSample | None, ImuSample | str, Event]:
        """
        Take a reading.

        :param torque_on: the torque has been switched on in every joint.
        :return: the joint sample if it is complete, the IMU's or why there is none, and the event.
        """
        self.reads += 1
        sample = self._reader.joints(reading, torque_on=torque_on)
        if sample is None:
            event = self._on_failure(reading.states_problem, now_ns)
        else:
            event = self._on_answer(sample, now_ns)
        imu = self._reader.imu(reading)
        self._note_imu(imu if isinstance(imu, str) else '')
        if sample is not None and now_ns - self._health_ns >= HEALTH_NS:
            self._health_ns = now_ns
            self._note_health(self._reader.health(reading))
        return (None if self.problem else sample), imu, event

    def _on_failure(self, problem: str, now_ns: int) -> Event:
        self.failed_reads += 1
        if not self.problem:
            self._warn(problem)
        self.problem = problem
        if now_ns - self.complete_ns < self._lost_timeout_ns:
            return Event.NOTHING
        self.connected = False
        return Event.UNREACHED

    def _on_answer(self, sample: JointSample, now_ns: int) -> Event:
        event = Event.NOTHING
        if not self.connected:
            self.connected = True
            self.complete_ns = now_ns
            event = Event.CONNECTED
        if not sample.problem:
            self.complete_ns = now_ns
        else:
            self.failed_reads += 1
            if sample.problem != self.problem:
                self._warn(sample.problem)
            if now_ns - self.complete_ns >= self._lost_timeout_ns:
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
