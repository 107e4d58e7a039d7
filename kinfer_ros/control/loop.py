"""One activation of a policy on a robot: a tick is `ControlLoop.step`, top to bottom.

No ROS here: the robot link, the time base, the operator and the timer come from the node.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Protocol

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.tick import Tick
from kinfer_ros.control.time_base import RealTime
from kinfer_ros.control.time_base import SampleSource
from kinfer_ros.control.time_base import TickTime
from kinfer_ros.run.odometer import Odometer

SLOW_HZ = 5.0
"""How often odometry, temperatures and battery are read."""


class Link(SampleSource, Protocol):
    """The robot side as the loop sees it: nodes/policy/robot_link.py."""

    last_stamp_ns: int
    """Stamp of the command that was sent last, 0 before the first."""

    def read_commands(self, command: CommandVector, now_ns: int) -> None:
        """Read cmd_vel and policy_command."""

    def read_bridge(self) -> str:
        """Read the bridge's state; :return: why it was not enabled since the last call, or ''."""

    def read_health(self, health: Health) -> None:
        """Read temperatures and battery."""

    def send(self, tick: Tick, stamp_ns: int) -> None:
        """Send what a tick decided."""

    def send_again(self) -> None:
        """Send the last command again."""

    def send_silence(self, stamp_ns: int) -> None:
        """Send damping frames without a tick."""

    def send_moved_gains(self, now_ns: int) -> None:
        """Send the gains where they have moved."""


class Record(Protocol):
    """What is kept of a run: run/session.py."""

    odometer: Odometer

    def record(
        self, tick: Tick, now_ns: int, late_ns: int, age_ns: int, stage_ns: tuple[int, ...]
    ) -> None:
        """Count and log one tick."""


class Operator(Protocol):
    """Who may stop the robot: nodes/policy/operator.py."""

    def poll(self, now_ns: int, controller: Controller | None) -> str:
        """Take what came since the last call; :return: why the robot was stopped, or ''."""


class Timer(Protocol):
    """Calls the loop once a period: nodes/policy/control_timer.py."""

    def start(self, callback: Callable[[], None]) -> int:
        """Start it; :return: when it fires first, on the control clock, ns."""

    def stop(self) -> None:
        """Stop it; no call comes after this."""


class ControlLoop:
    """
    Ticks one activated controller.

    :ivar crash: traceback of a bug of ours that ended it, or ''.
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
        self._slow_every = round(1e9 / controller.settings.period_ns / SLOW_HZ)
        self._until_slow = 0

    def step(self, t: TickTime) -> None:
        """Run one tick."""
        controller, link, inputs = self._controller, self._link, self._controller.inputs
        link.read_commands(inputs.command, t.now_ns)
        self._operator.poll(t.now_ns, controller)
        # A policy must not come back to life when somebody enables the bridge again.
        if problem := link.read_bridge() or t.problem:
            controller.request_fault(problem)
        # Samples last, so that nothing else makes them older.
        stamp_now = self._time.read_sensors(t)
        taken = time.perf_counter_ns()

        tick = controller.tick(t.now_ns, stamp_now, t.missed)
        decided = time.perf_counter_ns()

        slow = self._slow_topics_are_due()
        running = tick.mode is Mode.RUN
        if slow and running:
            self._time.await_odometry(t, self._record.odometer)
        link.send(tick, self._time.command_stamp(t))
        sent = time.perf_counter_ns()

        age = self._time.sample_age()
        if slow:
            link.read_health(inputs.health)
            if running:
                self._time.read_odometry(self._record.odometer)
        policy = tick.step.policy_ns
        stages = (taken - t.begin_ns, policy, decided - taken - policy, sent - decided)
        self._record.record(tick, t.now_ns, t.late_ns, age, stages)
        link.send_moved_gains(t.now_ns)
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
            return  # faded; the node deactivates in a moment
        try:
            t = self._time.next()
            if t is not None:
                self.step(t)
        except Exception:
            # A bug of ours must not leave the last target in force.
            self.crash = traceback.format_exc()
            self._silence()

    def stop(self, max_ns: int | None = None) -> None:
        """Fade, in `max_ns` at most, then fall silent; for use where no timer fires."""
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
                self._silence()

    def answer_repeated_sample(self) -> None:
        """
        Lockstep: send the last command again when the simulation asks again for the same stamp.

        The timer does not fire twice for one time, and the policy must not step twice.
        """
        frame = self._controller.inputs.frame
        before = frame.joint_stamp_ns
        if not self._link.last_stamp_ns:
            return
        seen = self._link.read_sensors(frame)
        if seen and frame.joint_stamp_ns == before == self._link.last_stamp_ns:
            self._link.send_again()

    def _slow_topics_are_due(self) -> bool:
        self._until_slow -= 1
        if self._until_slow > 0:
            return False
        self._until_slow = self._slow_every
        return True

    def _silence(self) -> None:
        """Damping frames without a tick: the last resort of a session that cannot fade."""
        self._link.send_silence(self._controller.inputs.frame.joint_stamp_ns)
        self._controller.abandon()
        self._publish_mode('inactive: ended without a fade')
