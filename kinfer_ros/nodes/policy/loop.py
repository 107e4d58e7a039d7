"""One activation: the timer, its ticks, and the fade at the end.

Without this module nothing would be sent; with a callback a message in its place the policy would
run late. A tick takes the newest sample itself, decides, publishes, and counts how long it took.
"""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable

from rclpy.clock import JumpHandle
from rclpy.node import Node
from rclpy.timer import Timer
from sensor_msgs.msg import JointState

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.timing import Schedule
from kinfer_ros.nodes.policy.robot_link import PolicyIO
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.executor import ControlExecutor
from kinfer_ros.ros.executor import ControlTimerGroup
from kinfer_ros.ros.messages import CommandMessages
from kinfer_ros.ros.messages import gains_differ
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.session import loaded_gains

LOCKSTEP_TIMEOUT = 5.0
"""s a tick waits for its sample in lockstep before it is a fault."""

FADE_TIMEOUT = 0.3
"""s a fade tick waits for its sample in lockstep; the simulation may be gone by then."""

ODOMETRY_TIMEOUT = 0.1
"""s a tick waits for odometry in lockstep; nothing depends on it but the log."""

SLOW_HZ = 5.0
"""How often odometry, temperatures and battery are looked at."""

GAINS_PERIOD_NS = 100_000_000

GAINS_TIMEOUT = 1.0
"""s, real time, for the bridge to echo gains that were sent."""


class ControlLoop:
    """
    Ticks one activated controller.

    :ivar schedule: what is late and missed in this activation.
    :ivar crash: traceback of a bug of ours that ended it, or ''.
    """

    def __init__(
        self,
        node: Node,
        io: PolicyIO,
        clocks: Clocks,
        session: RunSession,
        *,
        lockstep: bool,
        dry_run: bool,
        spin_ns: int,
        poll: Callable[[int, Controller], object],
        publish_mode: Callable[[str], None],
    ) -> None:
        """
        :param spin_ns: how long before a tick is due the executor watches the clock: Punctual.
        :param poll: looks for stops, given the control clock; called in every tick.
        """
        self._node = node
        self._io = io
        self._clocks = clocks
        self._session = session
        self._controller: Controller = session.loaded.controller
        self._period_ns = session.loaded.period_ns
        self._lockstep = lockstep
        self._dry_run = dry_run
        self._spin_ns = spin_ns
        self._poll = poll
        self._publish_mode = publish_mode
        self._id = uuid.uuid4().hex[:8]
        self._messages = CommandMessages(
            session.loaded.robot.joint_names, self._id, [str(mode) for mode in Mode]
        )
        self._gains_ns = 0
        self._gains_sent = self._factors()
        self._gains_sent_s = time.monotonic()
        self._gains_checked: JointState | None = None
        self._last_sent = b''
        self._last_sent_stamp = 0
        self._countdown = 0
        self._last_now = 0
        self._timer: Timer | None = None
        self._jumps: JumpHandle | None = None
        self.schedule = Schedule(0, self._period_ns)
        self.crash = ''

    def start(self) -> None:
        """Activate the controller and start the timer."""
        if not self._lockstep:
            self._clocks.catch_up()
        now = self._clocks.control_now()
        self._controller.activate(now)
        self._timer = self._node.create_timer(
            self._period_ns / 1e9,
            self._on_timer,
            # Simulated time cannot be slept for.
            callback_group=None if self._clocks.sim_time else ControlTimerGroup(self._spin_ns),
            clock=self._clocks.timer,
        )
        # To the nanosecond: seconds as a float may be one short, and the schedule is exact.
        self._timer.timer_period_ns = self._period_ns
        if self._lockstep:
            # The simulation waits for its first command: this tick lets its clock run.
            self.schedule = Schedule(now, self._period_ns)
            late = self.schedule.tick(now)
            begin = time.perf_counter_ns()
            self._hear(now)
            self._tick(now, now, late, begin)
        else:
            if isinstance(executor := self._node.executor, ControlExecutor):
                executor.place(self._timer)
            first = self._clocks.control_now() + self._timer.time_until_next_call()
            self.schedule = Schedule(first, self._period_ns)
            if self._clocks.sim_time:
                # A timer begins its period anew when its clock goes back: if that happens often
                # it never fires, and the guard on the clock would never be asked.
                self._jumps = self._clocks.on_jump_back(self._on_timer)

    def stop(self, most_ns: int | None = None) -> None:
        """Fade, in `most_ns` at the latest, then fall silent; for use where no timer fires."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        if self._jumps is not None:
            self._jumps.unregister()
            self._jumps = None
        controller = self._controller
        if controller.mode is not Mode.INACTIVE:
            controller.request_fade(most_ns)
        deadline = time.monotonic() + controller.settings.fade_ns / 1e9 + 0.5
        try:
            while controller.mode is not Mode.INACTIVE and time.monotonic() < deadline:
                if not self._fade_tick():
                    break
        finally:
            if controller.mode is not Mode.INACTIVE:
                self._silence()

    def answer_repeated_sample(self) -> None:
        """
        Lockstep: send the last command again when the simulation asks again for the same stamp.

        The timer does not fire twice for one time, and the policy must not step twice.
        """
        if not self._last_sent:
            return
        frame = self._controller.parts.frame
        before = frame.joint_stamp_ns
        seen = self._io.take_sensors(frame)
        if seen and frame.joint_stamp_ns == before == self._last_sent_stamp:
            self._io.send_command(self._last_sent)

    def gains_problem(self, *, anew: bool = False) -> str:
        """
        Say that the bridge has other gains in force than it was asked for, or ''.

        :param anew: also of an echo that has been looked at already.
        """
        found = self._io.gains_in_force
        settled = time.monotonic() - self._gains_sent_s > GAINS_TIMEOUT
        if self._dry_run or found is None or not settled:
            return ''
        if found is self._gains_checked and not anew:
            return ''
        self._gains_checked = found
        differing = gains_differ(loaded_gains(self._session.loaded), found)
        return f'the gains in force are not those asked for: {differing}' if differing else ''

    def _on_timer(self) -> None:
        controller = self._controller
        if controller.mode is Mode.INACTIVE:
            return  # faded; the node deactivates in a moment
        begin = time.perf_counter_ns()
        now = self._clocks.control_now()
        try:
            late = self.schedule.tick(now)
            if self.schedule.repeated:
                return  # a clock that jumps makes its timers fire anew
            if self._lockstep:
                if not self._take_sample(now, LOCKSTEP_TIMEOUT):
                    controller.request_fault(f'no sample for the tick at {now} ns came')
                self._hear(now)
                stamp_now = now
            else:
                self._hear(now)
                # Last, so that nothing else makes them older.
                self._io.take_sensors(controller.parts.frame)
                stamp_now = self._clocks.stamp_now()
                if self._clocks.sim_time:
                    # Samples are taken directly, /clock when the executor comes to it.
                    stamp_now = max(stamp_now, controller.parts.frame.newest_ns)
            self._tick(now, stamp_now, late, begin, self.schedule.missed_in_a_row)
        except Exception:
            # A bug of ours must not leave the last target in force.
            self.crash = traceback.format_exc()
            self._silence()

    def _take_sample(self, stamp: int, patience: float) -> bool:
        """
        Lockstep: take sensors until both samples carry the tick's own stamp, bounded.

        One that cannot be used is not waited for: the guards say what is wrong with it.
        """
        frame = self._controller.parts.frame
        deadline = time.monotonic() + patience
        while True:
            self._io.take_sensors(frame)
            if frame.oldest_ns >= stamp:
                return frame.newest_ns == stamp
            if frame.joint_problem:
                return True
            if time.monotonic() > deadline:
                return False
            # Samples and clock come on two topics, in either order, microseconds apart.
            time.sleep(20e-6)

    def _hear(self, now: int) -> None:
        """Take what the operator and the bridge say."""
        controller = self._controller
        self._io.take_commands(controller.parts.command, now)
        self._poll(now, controller)
        lapse = self._io.take_bridge()
        if lapse and not self._dry_run:
            # A policy must not come back to life when somebody enables the bridge again.
            controller.request_fault(lapse)

    def _tick(self, now: int, stamp_now: int, late: int, begin: int, missed: int = 0) -> None:
        """Run the controller on what was taken since `begin`, publish, count."""
        controller, session = self._controller, self._session
        self._last_now = now
        taken = time.perf_counter_ns()
        controller.tick(now, stamp_now, missed)
        decided = time.perf_counter_ns()
        due = self._slow_topics_are_due()
        if due and self._lockstep and controller.mode is Mode.RUN:
            self._await_odometry(now)  # before the command, after which the simulation goes on
        frame = controller.parts.frame
        # In lockstep the simulation waits for an answer to this stamp, were the sample refused.
        self._publish(now if self._lockstep else frame.joint_stamp_ns)
        sent = time.perf_counter_ns()
        # In lockstep simulated time stands still during the tick.
        age = 0 if self._lockstep else self._clocks.stamp_now() - frame.oldest_ns
        policy = controller.parts.stepping.policy_ns
        if due:
            self._follow_slow_topics()
        session.count_tick(
            now, late, age, (taken - begin, policy, decided - taken - policy, sent - decided)
        )
        if self._factors() != self._gains_sent:
            self._send_gains(now)
        if controller.events:
            self._publish_mode(format_mode(controller))

    def _publish(self, stamp: int) -> None:
        controller = self._controller
        if controller.send is Send.NOTHING or self._dry_run:
            return
        mode = str(controller.mode)
        if controller.send is Send.POSITION:
            self._last_sent = self._messages.for_position(controller.target, mode, stamp)
        else:
            self._last_sent = self._messages.for_damping(mode, stamp)
        self._last_sent_stamp = stamp
        self._io.send_command(self._last_sent)

    def _slow_topics_are_due(self) -> bool:
        self._countdown -= 1
        if self._countdown > 0:
            return False
        self._countdown = round(self._session.loaded.rate_hz / SLOW_HZ)
        return True

    def _follow_slow_topics(self) -> None:
        """Odometry and what the robot tells of its health: a few times a second is enough."""
        self._io.take_health(self._controller.parts.watch.health)
        if self._controller.mode is Mode.RUN and not self._lockstep:
            self._io.take_odometry(self._session.odometer)

    def _await_odometry(self, stamp: int) -> None:
        """Lockstep: take the odometry of this very tick, or two equal runs leave unequal logs."""
        deadline = time.monotonic() + ODOMETRY_TIMEOUT
        while not self._io.take_odometry(self._session.odometer, stamp):
            if time.monotonic() > deadline:
                return
            time.sleep(20e-6)

    def _factors(self) -> tuple[float, float]:
        factors = self._controller.factors
        return factors.kp_factor, factors.kd_factor

    def _send_gains(self, now: int) -> None:
        """Tell the bridge of gains on their way to other factors, ten times a second."""
        if self._dry_run or now - self._gains_ns < GAINS_PERIOD_NS:
            return
        self._gains_ns, self._gains_sent = now, self._factors()
        self._gains_sent_s, self._gains_checked = time.monotonic(), None
        self._io.send_gains(loaded_gains(self._session.loaded, self._id))

    def _fade_tick(self) -> bool:
        """One tick of a fade without a timer; False if the simulation has stopped."""
        frame = self._controller.parts.frame
        if not self._lockstep:
            time.sleep(self._period_ns / 1e9)
        begin = time.perf_counter_ns()
        # No callback runs in a transition, so /clock stands still for this node.
        known = self._lockstep or self._clocks.sim_time
        now = self._last_now + self._period_ns if known else self._clocks.control_now()
        if self._lockstep and not self._take_sample(now, FADE_TIMEOUT):
            return False
        self._hear(now)
        if not self._lockstep:
            self._io.take_sensors(frame)
        self._tick(now, self._fade_stamp(now), 0, begin)
        return True

    def _fade_stamp(self, now: int) -> int:
        """The sensors' clock in a fade."""
        if self._lockstep:
            return now
        frame = self._controller.parts.frame
        if self._clocks.sim_time:
            return max(frame.joint_stamp_ns, frame.imu_stamp_ns)
        return self._clocks.stamp_now()

    def _silence(self) -> None:
        """Damping frames without a tick: the last resort of a session that cannot fade."""
        stamp = self._controller.parts.frame.joint_stamp_ns
        if not self._dry_run:
            for _ in range(DAMPING_FRAMES):
                self._io.send_command(self._messages.for_damping(str(Mode.INACTIVE), stamp))
        self._controller.abandon()
        self._publish_mode('inactive: ended without a fade')


def format_mode(controller: Controller) -> str:
    """Mode and reason, as ~/mode says them."""
    mode = str(controller.mode)
    return f'{mode}: {controller.reason}' if controller.reason else mode
