"""A clock, a robot link, an operator, a timer and a record that a test moves by hand; no ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.handshake import GainsHandshake
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.modes import Send
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.control.overrides.inbox import Sender
from kinfer_ros.control.tick import Tick
from kinfer_ros.run.odometer import Odometer


class FakeClock:
    """Both clocks of a node; `sleep` lets time pass."""

    def __init__(self, now_ns: int, *, sim_time: bool = False) -> None:
        self.now_ns = now_ns
        self.sim_time = sim_time
        self.slept: list[float] = []

    def control_now(self) -> int:
        return self.now_ns

    def stamp_now(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * 1e9)


class FakeLink:
    """Gives fresh upright samples of a resting robot, and keeps what is sent."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.alive = True
        self.stamp_ns: int | None = None
        self.lapse = ''
        self.gains = GainsHandshake()
        self.bridge_state = 'enabled'
        self.recorded = True
        self.calls: list[str] = []
        self.sent: list[tuple[Send, str, int]] = []
        self.versions: list[int] = []
        self.sent_gains: list[tuple[int, Gains]] = []
        self.silences = 0
        self.repeats = 0
        self.last_stamp_ns = 0
        self.odometry = True
        self.odometry_stamps: list[int] = []
        self.overrides = FakeOverrides()

    def read_sensors(self, frame) -> bool:
        self.calls.append('sensors')
        if not self.alive:
            return False
        stamp = self.clock.now_ns if self.stamp_ns is None else self.stamp_ns
        n = len(frame.joint_names)
        frame.update_joints(list(frame.joint_names), frame.position * 1, frame.velocity[:n], stamp)
        frame.update_imu((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 9.81), stamp)
        return True

    def qos_problem(self, topic: str) -> str:
        return ''

    def read_commands(self, command, now_ns: int) -> None:
        self.calls.append('commands')

    def read_bridge(self) -> str:
        self.calls.append('bridge')
        return self.lapse

    def read_health(self, health) -> None:
        self.calls.append('health')

    def read_odometry(self, odometer: Odometer, stamp_ns: int = 0) -> bool:
        self.calls.append('odometry')
        self.odometry_stamps.append(stamp_ns)
        return self.odometry or not stamp_ns

    def is_recorded(self) -> bool:
        return self.recorded

    def send(self, tick: Tick, stamp_ns: int) -> None:
        self.calls.append('send')
        if tick.send is not Send.NOTHING:
            self.last_stamp_ns = stamp_ns
        self.sent.append((tick.send, str(tick.mode), stamp_ns))
        self.versions.append(tick.gains_version)

    def send_again(self) -> None:
        self.repeats += 1

    def send_damping(self, stamp_ns: int) -> None:
        self.silences += 1

    def send_changed_gains(self) -> None:
        if self.gains.is_due():
            self.calls.append('gains')
            self.sent_gains.append((self.gains.version, self.gains.send()[1]))


class FakeOverrides:
    """Hands the messages over that a test puts into `waiting`: (sender, names, target, stamp)."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Sender, list[str], list[float], int]] = []
        self.published = True
        self.reads = 0
        self.after: Callable[[], None] = lambda: None

    def read(self, inbox: OverrideInbox, now_ns: int, stamp_now_ns: int) -> None:
        self.reads += 1
        self.after()
        waiting, self.waiting = self.waiting, []
        for sender, names, target, stamp in waiting:
            inbox.take(sender, names, np.array(target), stamp, now_ns, stamp_now_ns)

    def is_published(self) -> bool:
        return self.published


class FakeOperator:
    """Stops where `reason` says so."""

    def __init__(self) -> None:
        self.reason = ''
        self.refused = ''

    def poll(self, now_ns: int, controller: Controller | None) -> str:
        if self.reason and controller is not None:
            controller.request_stop(self.reason)
        return self.reason

    def refusal(self, now_ns: int) -> str:
        return self.refused


class FakeTimer:
    """Fires when the test says so."""

    def __init__(self, clock: FakeClock, period_ns: int) -> None:
        self.clock = clock
        self.period_ns = period_ns
        self.callback: Callable[[], None] | None = None

    def start(self, callback: Callable[[], None]) -> int:
        self.callback = callback
        return self.clock.now_ns + self.period_ns

    def stop(self) -> None:
        self.callback = None

    def fire(self, count: int = 1, periods: int = 1) -> None:
        """Let `periods` pass before each of `count` calls."""
        for _ in range(count):
            assert self.callback is not None, 'the timer is stopped'
            self.clock.now_ns += periods * self.period_ns
            self.callback()


class FakeRecord:
    """Keeps what a run would record."""

    def __init__(self) -> None:
        self.odometer = Odometer()
        self.ticks: list[tuple[str, int, int, int]] = []
        self.stages: list[tuple[int, ...]] = []

    def record(self, tick: Tick, now_ns, late_ns, age_ns, stage_ns) -> None:
        self.ticks.append((str(tick.mode), now_ns, late_ns, age_ns))
        self.stages.append(stage_ns)
