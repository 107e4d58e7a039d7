"""The control loop of one activation: a tick is `ControlLoop.step`, top to bottom.

No ROS here: robot link, time base, operator and timer come from the node.
"""

import time
import traceback
from collections.abc import Callable

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.modes import STIFF
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.protocols import Link
from kinfer_ros.control.protocols import Operator
from kinfer_ros.control.protocols import Record
from kinfer_ros.control.protocols import Timer
from kinfer_ros.control.time_base import RealTime
from kinfer_ros.control.time_base import TickTime
from kinfer_ros.stalls import ADVICE

SLOW_HZ = 5.0
"""How often temperatures and battery are read."""


class ControlLoop:
    """
    Ticks one activated controller.

    :ivar crash: traceback of the bug in kinfer_ros that ended it, or ''.
    """

    def __init__(
        self,
        controller: Controller,
        time_base: RealTime,
        link: Link,
        record: Record,
        operator: Operator,
        timer: Timer,
        publish_mode: Callable[[str], None],
    ) -> None:
        self.crash = ''
        self._controller = controller
        self._time = time_base
        self._link = link
        self._record = record
        self._operator = operator
        self._timer = timer
        self._publish_mode = publish_mode
        self._slow_every = max(1, round(1e9 / controller.settings.period_ns / SLOW_HZ))
        self._ticks = 0

    def step(self, t: TickTime) -> None:
        """Run one tick."""
        controller, link, inputs = self._controller, self._link, self._controller.inputs
        link.read_commands(inputs.command, t.now_ns)
        self._operator.poll(t.now_ns, controller)
        # Enabling the bridge again must not restart the policy.
        if problem := link.read_bridge() or t.problem:
            controller.request_fault(problem)
        if t.stalled:
            controller.stats.note(warn('stall', f'{self._time.stalls.describe()}: {ADVICE}'))
        if inputs.overrides is not None and controller.mode in STIFF:
            self._time.read_overrides(t, inputs.overrides)
        # Samples last: no other work may add to their age.
        stamp_now = self._time.read_sensors(t)
        stall = self._time.stalls.cause(t.now_ns)
        controller.first_cause = stall or inputs.frame.joint_conflict
        sampled = time.perf_counter_ns()

        tick = controller.tick(t.now_ns, stamp_now, t.missed)
        decided = time.perf_counter_ns()
        if tick.step.abandoned:
            self._time.stalls.restart()  # the thread was run, by an inference without end

        running = tick.mode is Mode.RUN
        if running:
            self._time.await_odometry(t, self._record.odometer)
        link.send_changed_gains()  # first: a bridge needs them for the command
        link.send(tick, self._time.command_stamp(t))
        sent = time.perf_counter_ns()

        age = self._time.sample_age()
        if running:
            self._time.read_odometry(self._record.odometer)
        if self._ticks % self._slow_every == 0:
            link.read_health(inputs.health)
        self._ticks += 1
        policy = tick.step.policy_ns
        stages = (sampled - t.begin_ns, policy, decided - sampled - policy, sent - decided)
        self._record.record(tick, t.now_ns, t.late_ns, age, stages)
        if tick.events:
            self._publish_mode(str(tick))

    def start(self, now_ns: int) -> None:
        """Activate the controller and start the timer; `now_ns` is on the control clock."""
        self._controller.activate(now_ns)
        first = self._time.begin(now_ns, self._timer.start(self.on_timer))
        if first is not None:
            self.step(first)

    def on_timer(self) -> None:
        """Run the tick that is due."""
        if self._controller.mode is Mode.INACTIVE:
            return  # the fade is over; the node deactivates next
        try:
            t = self._time.next()
            if t is not None:
                self.step(t)
        except Exception:
            # A bug in kinfer_ros must not leave the last target in force.
            self.crash = traceback.format_exc()
            self._end_without_fade()

    def stop(self, max_ns: int | None = None) -> None:
        """Fade, in `max_ns` at most, and end the session; for use where no timer fires."""
        self._timer.stop()
        controller = self._controller
        if controller.mode is not Mode.INACTIVE:
            controller.request_fade(max_ns)
        deadline = time.monotonic() + controller.settings.fade_ns / 1e9 + 0.5
        try:
            while controller.mode is not Mode.INACTIVE and time.monotonic() < deadline:
                t = self._time.next_of_fade()
                if t is None:
                    break
                self.step(t)
        finally:
            if controller.mode is not Mode.INACTIVE:
                self._end_without_fade()

    def answer_repeated_sample(self) -> None:
        """
        Lockstep: send the last command again when the simulation repeats its sample.

        The timer does not fire twice for one time, and the policy must not step twice.
        """
        frame = self._controller.inputs.frame
        before = frame.joint_stamp_ns
        if not self._link.last_stamp_ns:
            return
        seen = self._link.read_sensors(frame)
        if seen and frame.joint_stamp_ns == before == self._link.last_stamp_ns:
            self._link.send_again()

    def _end_without_fade(self) -> None:
        """Send damping commands without a tick."""
        self._link.send_damping(self._controller.inputs.frame.joint_stamp_ns)
        self._controller.abandon()
        self._publish_mode('inactive: ended without a fade')
