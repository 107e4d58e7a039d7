"""Time bases of a control loop: real time, simulated time, lockstep.

Each gives the time of the next tick, its samples, and the stamp of its command.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.protocols import Clock
from kinfer_ros.control.protocols import Link
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.timing import Schedule
from kinfer_ros.run.odometer import Odometer
from kinfer_ros.stalls import StallMeter

LOCKSTEP_TIMEOUT = 5.0
"""s a tick waits for its sample in lockstep before it is a fault."""

FADE_TIMEOUT = 0.3
"""s a tick of the last fade waits for its sample; the simulation may have ended."""

ODOMETRY_TIMEOUT = 1.0
"""s a tick waits for odometry in lockstep, once; only the log needs it."""

OVERRIDE_TIMEOUT = 2.0
"""s a tick waits in lockstep for the message of the node that moves joints."""

OVERRIDE_WAITS = 3
"""Waits in vain in a session; then its messages are taken as they come."""

POLL_PERIOD = 20e-6
"""s. In lockstep samples and clock come on two topics, in either order, microseconds apart."""


@dataclass(frozen=True, slots=True)
class TickTime:
    """
    The time of a tick.

    :ivar now_ns: the control clock.
    :ivar missed: ticks skipped just before it.
    :ivar begin_ns: when its work began, on the clock of the stage times.
    :ivar problem: why it has no samples, or ''.
    :ivar stalled: the control thread was not run for a while just before.
    """

    now_ns: int
    late_ns: int
    missed: int
    begin_ns: int
    problem: str = ''
    stalled: bool = False


class RealTime:
    """
    Ticks on the steady clock; samples are the newest there are.

    :ivar schedule: when ticks are due; late and missed ones.
    :ivar stalls: when the control thread was not run.
    """

    def __init__(
        self,
        clock: Clock,
        link: Link,
        frame: SensorFrame,
        period_ns: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.schedule = Schedule(0, period_ns)
        self.stalls = StallMeter(period_ns)
        self._clock = clock
        self._link = link
        self._frame = frame
        self._period_ns = period_ns
        self._sleep = sleep
        self._last_ns = 0

    def begin(self, now_ns: int, due_ns: int) -> TickTime | None:
        """
        Start a session.

        :param due_ns: when its timer fires first.
        :return: a tick to run at once, or None.
        """
        self._last_ns = now_ns
        self.schedule = Schedule(due_ns, self._period_ns)
        self.stalls.restart()
        return None

    def next(self) -> TickTime | None:
        """Return the tick that the timer fired for; None if it has run already."""
        begin = time.perf_counter_ns()
        now = self._clock.control_now()
        late = self.schedule.tick(now)
        if self.schedule.repeated:
            return None  # timers fire again when their clock jumps
        self._last_ns = now
        return TickTime(now, late, self.schedule.missed_in_a_row, begin, stalled=self._beat(now))

    def _beat(self, now_ns: int) -> bool:
        """Note that the control thread runs; :return: whether it has stalled."""
        return self.stalls.beat(now_ns)

    def next_of_fade(self) -> TickTime | None:
        """Wait for the next tick where no timer fires; None if there is none."""
        self._sleep(self._period_ns / 1e9)
        begin = time.perf_counter_ns()
        self._last_ns = self._fade_now()
        return TickTime(self._last_ns, 0, 0, begin)

    def read_overrides(self, t: TickTime, overrides: JointOverrides) -> None:
        """Read what waits of the node that moves joints."""
        self._link.overrides.read(overrides.inbox, t.now_ns, self._clock.stamp_now())

    def read_sensors(self, t: TickTime) -> int:
        """Read the samples of a tick; :return: the stamp clock now, ns."""
        self._link.read_sensors(self._frame)
        return self._clock.stamp_now()

    def command_stamp(self, t: TickTime) -> int:
        """Return the stamp of the command: that of the sample it answers."""
        return self._frame.joint_stamp_ns

    def sample_age(self) -> int:
        """Return the age of the samples, ns."""
        return self._clock.stamp_now() - self._frame.oldest_ns

    def await_odometry(self, t: TickTime, odometer: Odometer) -> None:
        """Wait for odometry before the command is sent: in lockstep only."""

    def read_odometry(self, odometer: Odometer) -> None:
        """Read the newest odometry, after the command."""
        self._link.read_odometry(odometer)

    def _fade_now(self) -> int:
        return self._clock.control_now()


class SimTime(RealTime):
    """Ticks on /clock, which a simulation publishes at its own pace."""

    def _beat(self, now_ns: int) -> bool:
        """A simulation may be slow, or pause: that is no stall of this machine."""
        return False

    def read_sensors(self, t: TickTime) -> int:
        """Read the newest samples; they may be ahead of /clock, which the executor reads."""
        return max(super().read_sensors(t), self._frame.newest_ns)

    def _fade_now(self) -> int:
        # No callback runs in a lifecycle transition, so /clock stands still for this node.
        return self._last_ns + self._period_ns


class Lockstep(RealTime):
    """The simulation waits for each command, a tick for the samples with its own stamp."""

    _odometry_in_step = True
    """Whether odometry comes with the sensors, as far as is known."""
    _override_waits = OVERRIDE_WAITS
    """Waits for the node that moves joints that may still be in vain."""

    def _beat(self, now_ns: int) -> bool:
        """Simulated time waits for the node."""
        return False

    def begin(self, now_ns: int, due_ns: int) -> TickTime | None:
        """Start a session with a tick: the first command starts the simulation's clock."""
        super().begin(now_ns, now_ns)
        self._odometry_in_step = True
        self._override_waits = OVERRIDE_WAITS
        return super().next()

    def next(self) -> TickTime | None:
        """Wait for the samples of the tick, bounded."""
        t = super().next()
        if t is None or self._await_samples(t.now_ns, LOCKSTEP_TIMEOUT):
            return t
        missing = self._frame.missing_joints(t.now_ns)
        what = f'no sample of {", ".join(missing)}' if missing else 'no sample'
        return replace(t, problem=f'{what} for the tick at {t.now_ns} ns came')

    def next_of_fade(self) -> TickTime | None:
        """Wait for the samples of the next tick; None if the simulation has stopped."""
        begin = time.perf_counter_ns()
        self._last_ns += self._period_ns
        if not self._await_samples(self._last_ns, FADE_TIMEOUT):
            return None
        return TickTime(self._last_ns, 0, 0, begin)

    def read_overrides(self, t: TickTime, overrides: JointOverrides) -> None:
        """
        Wait for the message with the tick's own stamp: equal runs must have equal targets.

        It is waited for from the node's first message on, as long as it is there.
        """
        source, inbox = self._link.overrides, overrides.inbox
        source.read(inbox, t.now_ns, t.now_ns)
        if not inbox.newest_ns or self._override_waits <= 0:
            return
        deadline = time.monotonic() + OVERRIDE_TIMEOUT
        while inbox.newest_ns < t.now_ns and source.is_published():
            if time.monotonic() > deadline:
                self._override_waits -= 1
                return
            self._sleep(POLL_PERIOD)
            source.read(inbox, t.now_ns, t.now_ns)

    def read_sensors(self, t: TickTime) -> int:
        """Return the tick's own time: `next` has read the samples."""
        return t.now_ns

    def command_stamp(self, t: TickTime) -> int:
        """Return the tick's own stamp: the simulation waits for it even if a sample is refused."""
        return t.now_ns

    def sample_age(self) -> int:
        """Return 0: simulated time stands still during the tick."""
        return 0

    def await_odometry(self, t: TickTime, odometer: Odometer) -> None:
        """Wait for the odometry of this tick: equal runs must have equal logs."""
        if not self._odometry_in_step:
            self._link.read_odometry(odometer)
            return
        deadline = time.monotonic() + ODOMETRY_TIMEOUT
        while not self._link.read_odometry(odometer, t.now_ns):
            if time.monotonic() > deadline:
                # It comes at a pace of its own, as that of an estimator does.
                self._odometry_in_step = False
                return
            self._sleep(POLL_PERIOD)

    def read_odometry(self, odometer: Odometer) -> None:
        """Nothing to do: `await_odometry` has read it."""

    def _await_samples(self, stamp_ns: int, timeout: float) -> bool:
        """
        Read sensors until all samples carry the tick's own stamp.

        A joint sample that cannot be used ends the wait: the guards report it.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._link.read_sensors(self._frame)
            if self._frame.oldest_ns >= stamp_ns:
                return self._frame.newest_ns == stamp_ns
            if self._frame.joint_problem:
                return True
            if time.monotonic() > deadline:
                return False
            self._sleep(POLL_PERIOD)
