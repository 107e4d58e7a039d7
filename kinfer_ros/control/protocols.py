"""What the control loop and the activation need from a node; tests have fakes of it.

The implementations are in nodes/policy/ (link, operator, timer), ros/clocks.py and run/session.py.
"""

from collections.abc import Callable
from typing import Protocol

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.controller import Controller
from kinfer_ros.control.gains.handshake import GainsHandshake
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.tick import Tick
from kinfer_ros.run.odometer import Odometer


class Clock(Protocol):
    """The clocks of a node, ns."""

    sim_time: bool

    def control_now(self) -> int:
        """Read the clock that ticks are scheduled on: steady, or simulated time."""

    def stamp_now(self) -> int:
        """Read the clock of the sensor stamps."""


class OverrideSource(Protocol):
    """Messages of the node that moves joints."""

    def read(self, inbox: OverrideInbox, now_ns: int, stamp_now_ns: int) -> None:
        """Read what waits."""

    def is_published(self) -> bool:
        """Whether a node publishes them."""


class Link(Protocol):
    """
    The robot side.

    :ivar last_stamp_ns: stamp of the last command, 0 before the first.
    """

    gains: GainsHandshake
    bridge_state: str
    last_stamp_ns: int

    @property
    def overrides(self) -> OverrideSource:
        """Targets of the node that moves joints."""

    def read_sensors(self, frame: SensorFrame) -> bool:
        """Read the newest samples; :return: whether a joint sample came."""

    def read_odometry(self, odometer: Odometer, stamp_ns: int = 0) -> bool:
        """Read odometry stamped `stamp_ns` or later; :return: False where it may still come."""

    def read_commands(self, command: CommandVector, now_ns: int) -> None:
        """Read cmd_vel and policy_command."""

    def read_bridge(self) -> str:
        """Read the bridge's state; :return: why it was not enabled since the last call, or ''."""

    def read_health(self, health: Health) -> None:
        """Read temperatures and battery."""

    def qos_problem(self, topic: str) -> str:
        """Return why a topic has a publisher and stays silent: QoS that do not match; or ''."""

    def is_recorded(self) -> bool:
        """Whether a recorder subscribes to the run's topics."""

    def send(self, tick: Tick, stamp_ns: int) -> None:
        """Send the command of a tick."""

    def send_again(self) -> None:
        """Send the last command again."""

    def send_damping(self, stamp_ns: int) -> None:
        """Send damping commands without a tick."""

    def send_changed_gains(self) -> None:
        """Send the gains if the controller requests others."""


class Operator(Protocol):
    """Who may stop the robot."""

    def poll(self, now_ns: int, controller: Controller | None) -> str:
        """Read stop requests; :return: why the robot was stopped since the last call, or ''."""

    def refusal(self, now_ns: int) -> str:
        """Return why the robot must not be activated, or ''."""


class Record(Protocol):
    """The record of a run."""

    odometer: Odometer

    def record(
        self, tick: Tick, now_ns: int, late_ns: int, age_ns: int, stage_ns: tuple[int, ...]
    ) -> None:
        """Count and log one tick."""


class Timer(Protocol):
    """Calls the loop once per period."""

    def start(self, callback: Callable[[], None]) -> int:
        """Start; :return: when it fires first, on the control clock, ns."""

    def stop(self) -> None:
        """Stop; no call follows."""
