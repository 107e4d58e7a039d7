"""The time that a control loop lives in: real time, simulated time, or lockstep.

Each says when the next tick is, which samples belong to it, and how commands are stamped, so that
the loop itself has no forks on time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.timing import Schedule
from kinfer_ros.run.odometer import Odometer

LOCKSTEP_TIMEOUT = 5.0
"""s a tick waits for its sample in lockstep before it is a fault."""

FADE_TIMEOUT = 0.3
"""s a tick of the last fade waits for its sample; the simulation may be gone by then."""

ODOMETRY_TIMEOUT = 0.1
"""s a tick waits for odometry in lockstep; nothing depends on it but the log."""

POLL_PERIOD = 20e-6
"""s. In lockstep samples and clock come on two topics, in either order, microseconds apart."""


class Clock(Protocol):
    """The clocks of a node, ns."""

    def control_now(self) -> int:
        """The clock that ticks are scheduled on: steady, or simulated time."""

    def stamp_now(self) -> int:
        """The clock that the sensors' stamps are on."""


class SampleSource(Protocol):
    """Where samples come from."""

    def read_sensors(self, frame: SensorFrame) -> bool:
        """Read the newest samples; :return: whether a joint sample came."""

    def read_odometry(self, odometer: Odometer, stamp_ns: int = 0) -> bool:
        """Read odometry stamped `stamp_ns` or later; :return: False where it may still come."""


@dataclass(frozen=True, slots=True)
class TickTime:
    """
    When a tick is.

    :ivar now_ns: the control clock.
    :ivar late_ns: how late it runs.
    :ivar missed: ticks skipped just before it.
    :ivar begin_ns: when its work began, on the clock of the stage times.
    :ivar problem: why it has no samples, or ''.
    """

    now_ns: int
    late_ns: int
    missed: int
    begin_ns: int
    problem: str = ''


class RealTime:
    """
    Ticks on the steady clock; samples are the newest there are.

    :ivar schedule: when ticks are due; what was late and missed.
    """

    def __init__(
        self,
        clock: Clock,
        source: SampleSource,
        frame: SensorFrame,
        period_ns: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.schedule = Schedule(0, period_ns)
        self._clock = clock
        self._source = source
        self._frame = frame
        self._period_ns = period_ns
        self._sleep = sleep
        self._last_ns = 0

    def begin(self, now_ns: int, due_ns: int) -> TickTime | None:
        """
        Start a session.

        :param due_ns: when its timer fires first.
        :return: a tick that is to run at once, or None.
        """
        self._last_ns = now_ns
        self.schedule = Schedule(due_ns, self._period_ns)
        return None

    def next(self) -> TickTime | None:
        """Return the tick that the timer has fired for; None if it has been run already."""
        begin = time.perf_counter_ns()
        now = self._clock.control_now()
        late = self.schedule.tick(now)
        if self.schedule.repeated:
            return None  # a clock that jumps makes its timers fire anew
        self._last_ns = now
        return TickTime(now, late, self.schedule.missed_in_a_row, begin)

    def next_of_fade(self) -> TickTime | None:
        """Wait for the next tick where no timer fires; None if there is none any more."""
        self._sleep(self._period_ns / 1e9)
        begin = time.perf_counter_ns()
        self._last_ns = self._fade_now()
        return TickTime(self._last_ns, 0, 0, begin)

    def read_sensors(self, t: TickTime) -> int:
        """Read the samples of a tick; :return: now on the clock of their stamps, ns."""
        self._source.read_sensors(self._frame)
        return self._clock.stamp_now()

    def command_stamp(self, t: TickTime) -> int:
        """Stamp of the command: that of the sample it answers."""
        return self._frame.joint_stamp_ns

    def sample_age(self) -> int:
        """How old the samples are now, ns."""
        return self._clock.stamp_now() - self._frame.oldest_ns

    def await_odometry(self, t: TickTime, odometer: Odometer) -> None:
        """Wait for odometry before the command goes out: in lockstep only."""

    def read_odometry(self, odometer: Odometer) -> None:
        """Read the newest odometry, after the command."""
        self._source.read_odometry(odometer)

    def _fade_now(self) -> int:
        return self._clock.control_now()


class SimTime(RealTime):
    """Ticks on /clock, which a simulation publishes at its own pace."""

    def read_sensors(self, t: TickTime) -> int:
        """Read the newest samples; they may be ahead of /clock, which the executor takes."""
        return max(super().read_sensors(t), self._frame.newest_ns)

    def _fade_now(self) -> int:
        # No callback runs in a lifecycle transition, so /clock stands still for this node.
        return self._last_ns + self._period_ns


class Lockstep(RealTime):
    """The simulation waits for each command: a tick waits for the samples with its own stamp."""

    def begin(self, now_ns: int, due_ns: int) -> TickTime | None:
        """Start a session with a tick: the simulation's clock runs from its first command on."""
        super().begin(now_ns, now_ns)
        return super().next()

    def next(self) -> TickTime | None:
        """Wait for the samples of the tick, bounded."""
        t = super().next()
        if t is None or self._await_samples(t.now_ns, LOCKSTEP_TIMEOUT):
            return t
        problem = f'no sample for the tick at {t.now_ns} ns came'
        return TickTime(t.now_ns, t.late_ns, t.missed, t.begin_ns, problem)

    def next_of_fade(self) -> TickTime | None:
        """Wait for the samples of the next tick; None if the simulation has stopped."""
        begin = time.perf_counter_ns()
        self._last_ns += self._period_ns
        if not self._await_samples(self._last_ns, FADE_TIMEOUT):
            return None
        return TickTime(self._last_ns, 0, 0, begin)

    def read_sensors(self, t: TickTime) -> int:
        """Nothing more to read; :return: the tick's own time."""
        return t.now_ns

    def command_stamp(self, t: TickTime) -> int:
        """The tick's own stamp, for which the simulation waits, even if a sample was refused."""
        return t.now_ns

    def sample_age(self) -> int:
        """None: simulated time stands still during the tick."""
        return 0

    def await_odometry(self, t: TickTime, odometer: Odometer) -> None:
        """Read the odometry of this very tick, or two equal runs leave unequal logs."""
        deadline = time.monotonic() + ODOMETRY_TIMEOUT
        while not self._source.read_odometry(odometer, t.now_ns):
            if time.monotonic() > deadline:
                return
            self._sleep(POLL_PERIOD)

    def read_odometry(self, odometer: Odometer) -> None:
        """Nothing more to read."""

    def _await_samples(self, stamp_ns: int, timeout: float) -> bool:
        """
        Read sensors until all samples carry the tick's own stamp.

        One that cannot be used is not waited for: the guards say what is wrong with it.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._source.read_sensors(self._frame)
            if self._frame.oldest_ns >= stamp_ns:
                return self._frame.newest_ns == stamp_ns
            if self._frame.joint_problem:
                return True
            if time.monotonic() > deadline:
                return False
            self._sleep(POLL_PERIOD)
