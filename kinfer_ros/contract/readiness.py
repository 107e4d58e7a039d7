"""What configure and activate wait for: sensors, bridge, gains, recorder; and what they refuse.

contract/activation.py has the checks of the robot itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from typing import Protocol

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.gains_handshake import GainsHandshake
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.run.setup import PolicySetup

POLL_PERIOD = 0.01

RECORDER_SETTLES = 0.5
"""
s in lockstep between a recorder that is seen and the first command: meanwhile DDS connects it with
the bridge, which repeats its first sample every 50 ms. A bag without that cannot be replayed.
"""


class Graph(Protocol):
    """What is asked of the ROS graph; a node has these."""

    def count_publishers(self, topic_name: str) -> int:
        """How many publish on a topic."""

    def resolve_topic_name(self, topic: str) -> str:
        """Give the full name of a topic."""


class Link(Protocol):
    """What is asked of the robot side: nodes/policy/robot_link.py."""

    gains: GainsHandshake
    bridge_state: str

    def read_sensors(self, frame: SensorFrame) -> bool:
        """Read the newest samples."""

    def read_bridge(self) -> str:
        """Read the bridge's state and the gains in force."""

    def read_commands(self, command: CommandVector, now_ns: int) -> None:
        """Read cmd_vel and policy_command."""

    def read_health(self, health: Health) -> None:
        """Read temperatures and battery."""

    def is_recorded(self) -> bool:
        """Whether a recorder follows the run."""


class Clock(Protocol):
    """The clocks of the node, ns."""

    sim_time: bool

    def control_now(self) -> int:
        """The clock that ticks are scheduled on."""

    def stamp_now(self) -> int:
        """The clock that the sensors' stamps are on."""


class Operator(Protocol):
    """Who may stop the robot."""

    def poll(self, now_ns: int, controller: None) -> str:
        """Take what came; :return: why the robot was stopped, or ''."""

    def refusal(self, now_ns: int) -> str:
        """Say why the robot must not be activated, or ''."""


class Readiness:
    """
    Looks at the graph before configure and activate end well.

    :ivar interrupted: set by a signal: no wait goes on.
    """

    def __init__(
        self,
        graph: Graph,
        link: Link,
        clock: Clock,
        operator: Operator,
        parameter: Callable[[str], Any],
        log: Callable[[str], Any],
    ) -> None:
        """
        :param parameter: gives the value of a node's parameter.
        :param log: takes what is waited for.
        """
        self.interrupted = False
        self._graph = graph
        self._link = link
        self._clock = clock
        self._operator = operator
        self._parameter = parameter
        self._log = log
        self._recorded_since: float | None = None

    def wait(self, problem: Callable[[], str], *, patient: bool) -> None:
        """
        Wait until `problem` is ''; a stop and a signal end the wait.

        :param patient: wait for sensor_timeout; else look once.
        :raises NotReady: with the problem.
        """
        seconds = self._parameter('sensor_timeout')
        deadline = time.monotonic() + seconds
        logged = ''
        while reason := problem():
            if patient and not logged:
                logged = reason
                self._log(f'waiting for at most {seconds:g} s: {reason}')
            stopped = self._operator.poll(self._clock.control_now(), None)
            if stopped or self.interrupted or not patient or time.monotonic() > deadline:
                raise NotReady(stopped or reason)
            time.sleep(POLL_PERIOD)

    def sensors_problem(self, setup: PolicySetup) -> str:
        """
        Say which sensors are not live yet, or ''.

        :raises ContractError: the joints published are not those of the robot.
        """
        frame = setup.controller.inputs.frame
        self._link.read_sensors(frame)
        if frame.joint_problem:
            raise ContractError(frame.joint_problem)
        stamps = {'joint_states': frame.joint_stamp_ns, 'imu/data': frame.imu_stamp_ns}
        if frame.needs_odometry:
            stamps['odom'] = frame.odom_stamp_ns
        silent = [
            f'{self._graph.resolve_topic_name(topic)} '
            f'({self._graph.count_publishers(topic)} publishers)'
            for topic, stamp in stamps.items()
            if not stamp
        ]
        return f'no message yet on {", ".join(silent)}: is the bridge running?' if silent else ''

    def activation_problem(self, setup: PolicySetup) -> str:
        """Say what activation has to wait for, or ''."""
        self._link.read_bridge()
        if self._parameter('wait_for_recorder') and (problem := self._recorder_problem()):
            return problem
        self._link.read_sensors(setup.controller.inputs.frame)
        if self._clock.sim_time and self._clock.stamp_now() == 0:
            return 'the simulated clock stands at 0: is /clock published?'
        return setup.controller.checks.missing_samples(*self._now(setup)) or (
            '' if self._parameter('dry_run') else self._bridge_problem()
        )

    def refuse(self, setup: PolicySetup) -> None:
        """
        Refuse a robot that must not be moved as it is, or an operator who does not let it.

        Nothing of this is waited for: it would start to move the moment somebody lets go of it.

        :raises Refused: with the reason.
        """
        controller = setup.controller
        now, stamp_now = self._now(setup)
        self._link.read_commands(controller.inputs.command, now)
        self._link.read_health(controller.inputs.health)
        reason = self._operator.refusal(self._clock.control_now()) or (
            controller.checks.refusal(now, stamp_now, self._parameter('max_ramp'))
        )
        if reason:
            raise Refused(reason)

    def _recorder_problem(self) -> str:
        if not self._link.is_recorded():
            self._recorded_since = None
            return 'no recorder follows this node yet (wait_for_recorder): is it running?'
        now = time.monotonic()
        self._recorded_since = self._recorded_since or now
        settled = now - self._recorded_since >= RECORDER_SETTLES
        if self._parameter('lockstep') and not settled:
            return 'the recorder has only just found this node (wait_for_recorder)'
        return ''

    def _now(self, setup: PolicySetup) -> tuple[int, int]:
        """Control clock and stamp clock; /clock stands still for this node in a transition."""
        stamp_now = self._clock.stamp_now()
        if self._clock.sim_time:
            stamp_now = max(stamp_now, setup.controller.inputs.frame.newest_ns)
            return stamp_now, stamp_now
        return self._clock.control_now(), stamp_now

    def _bridge_problem(self) -> str:
        others = self._graph.count_publishers('joint_commands') - 1
        if others > 0:
            topic = self._graph.resolve_topic_name('joint_commands')
            return f'{topic} has {others} other publishers: a robot takes commands from one node'
        if not self._link.bridge_state.startswith('enabled'):
            state = self._link.bridge_state or 'silent'
            return f'the bridge is {state}, expected enabled (call its ~/enable service)'
        return self._link.gains.mismatch()
