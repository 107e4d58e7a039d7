"""What an activation waits for (sensors, bridge, gains, recorder), and what it refuses.

A second publisher of joint commands, or of the same joints (contract/second_publisher.py), keeps a
robot from being activated. The checks of samples, command and pose are in contract/start_state.py.
"""

import time
from collections.abc import Callable
from typing import Any
from typing import Protocol

from kinfer_ros.contract.second_publisher import describe_commanders
from kinfer_ros.control.protocols import Clock
from kinfer_ros.control.protocols import Link
from kinfer_ros.control.protocols import Operator
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.run.setup import PolicySetup

POLL_PERIOD = 0.01

RECORDER_SETTLE_TIME = 0.5
"""
s in lockstep from the discovery of a recorder to the first command: DDS connects the recorder with
the bridge, which repeats its first sample every 50 ms. A replay of the bag needs that sample.
"""


PARTS_TIMEOUT = 1.0
"""s from the first joint sample within which drivers of single limbs have sent every joint."""

LISTEN_TIME = 0.5
"""s to listen where several nodes publish joint_states: do two send the same joints?"""


class Graph(Protocol):
    """The ROS graph as a node sees it."""

    def count_publishers(self, topic_name: str) -> int:
        """Count the publishers of a topic."""

    def resolve_topic_name(self, topic: str) -> str:
        """Return the full name of a topic."""


class Readiness:
    """
    Checks graph, sensors and operator during configure and activate.

    :ivar interrupted: set by a signal; ends every wait.
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
        :param parameter: returns the value of a node's parameter.
        :param log: logs what is waited for.
        """
        self.interrupted = False
        self._graph = graph
        self._link = link
        self._clock = clock
        self._operator = operator
        self._parameter = parameter
        self._log = log
        self._recorded_since: float | None = None
        self._partial_since: float | None = None
        self._listening_since: float | None = None

    def is_interrupted(self) -> bool:
        """Whether a signal has come."""
        return self.interrupted

    def wait(self, problem: Callable[[], str], *, block: bool) -> None:
        """
        Wait until `problem` is ''; a stop or a signal ends the wait.

        :param block: wait for sensor_timeout; else check once.
        :raises NotReady: with the problem.
        """
        seconds = self._parameter('sensor_timeout')
        deadline = time.monotonic() + seconds
        logged = ''
        while reason := problem():
            if block and not logged:
                logged = reason
                self._log(f'waiting for at most {seconds:g} s: {reason}')
            stopped = self._operator.poll(self._clock.control_now(), None)
            if stopped or self.interrupted or not block or time.monotonic() > deadline:
                raise NotReady(stopped or reason)
            time.sleep(POLL_PERIOD)

    def sensors_problem(self, setup: PolicySetup) -> str:
        """
        Return which sensors are not live yet, or ''.

        :raises ContractError: the published joints are not those of the robot.
        """
        frame = setup.controller.inputs.frame
        self._link.read_sensors(frame)
        if problem := (frame.joint_problem or frame.scan_problem or self._missing_joints(frame)):
            raise ContractError(problem)
        stamps = {'joint_states': frame.joint_stamp_ns, 'imu/data': frame.imu_stamp_ns}
        if frame.needs_odometry:
            stamps['odom'] = frame.odom_stamp_ns
        if frame.needs_scan:
            stamps['height_scan'] = frame.scan_stamp_ns
        silent = [topic for topic, stamp in stamps.items() if not stamp]
        if unstamped := frame.unstamped.intersection(silent):
            return frame.silence(min(unstamped))
        if 'joint_states' in silent and frame.only_strange_joints:
            return frame.silence('joint_states')
        if not silent and not frame.quaternion.any():
            return 'the orientation on imu/data is all zeros: its filter has not started yet'
        listed = ', '.join(
            f'{self._graph.resolve_topic_name(topic)} '
            f'({self._graph.count_publishers(topic)} publishers)'
            for topic in silent
        )
        hints = [hint for topic in silent if (hint := self._link.qos_problem(topic))]
        hint = '; '.join(hints) or 'is the bridge running?'
        return f'no message yet on {listed}: {hint}' if silent else ''

    def _missing_joints(self, frame: SensorFrame) -> str:
        """Return which joints are in no message though others have been coming, or ''."""
        missing = [] if frame.joint_stamp_ns else frame.missing_joints(1)
        if not missing:
            self._partial_since = None
            return ''
        now = time.monotonic()
        self._partial_since = self._partial_since or now
        if now - self._partial_since < PARTS_TIMEOUT:
            return ''
        found = sorted({name for joints in frame.joint_lists for name in joints.names})
        return (
            f'joint_states lacks {missing}: found joints {found}, expected '
            f'{list(frame.joint_names)}; check the robot YAML and what the driver publishes'
        )

    def activation_problem(self, setup: PolicySetup) -> str:
        """Return what activation has to wait for, or ''."""
        self._link.read_bridge()
        if self._parameter('wait_for_recorder') and (problem := self._recorder_problem()):
            return problem
        self._link.read_sensors(setup.controller.inputs.frame)
        if self._clock.sim_time and self._clock.stamp_now() == 0:
            return 'the simulated clock stands at 0: is /clock published?'
        return (
            setup.controller.checks.missing_samples(*self._now(setup))
            or self._joint_conflict(setup.controller.inputs.frame)
            or ('' if self._parameter('dry_run') else self._bridge_problem())
        )

    def _joint_conflict(self, frame: SensorFrame) -> str:
        """Return that two publishers send the same joints, or ''."""
        publishers = self._graph.count_publishers('joint_states')
        if publishers < 2:
            self._listening_since = None
            return ''
        now = time.monotonic()
        self._listening_since = self._listening_since or now
        if now - self._listening_since < LISTEN_TIME:
            return f'{publishers} nodes publish joint_states: listening to what they send'
        return frame.joint_conflict

    def refuse(self, setup: PolicySetup) -> None:
        """
        Refuse if the robot must not be moved as it is, or the operator does not allow it.

        There is no waiting here: the robot would start to move the moment somebody lets go of it.

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

    def recovery_problem(self, setup: PolicySetup) -> str:
        """
        Return why a robot that has fallen must not get up, or ''; nothing is waited for.

        What an activation checks of operator, bridge and graph. Sensors are the guards' matter,
        and the controller checks command and joints.
        """
        if self._parameter('wait_for_recorder') and not self._link.is_recorded():
            return 'no recorder follows this node any more (wait_for_recorder)'
        return (
            self._operator.refusal(self._clock.control_now())
            or setup.controller.inputs.frame.joint_conflict
            or ('' if self._parameter('dry_run') else self._bridge_problem(in_session=True))
        )

    def _recorder_problem(self) -> str:
        if not self._link.is_recorded():
            self._recorded_since = None
            return 'no recorder follows this node yet (wait_for_recorder): is it running?'
        now = time.monotonic()
        self._recorded_since = self._recorded_since or now
        settled = now - self._recorded_since >= RECORDER_SETTLE_TIME
        if self._parameter('lockstep') and not settled:
            return 'the recorder has only just found this node (wait_for_recorder)'
        return ''

    def _now(self, setup: PolicySetup) -> tuple[int, int]:
        """Return control clock and stamp clock; a transition gets no /clock messages."""
        stamp_now = self._clock.stamp_now()
        if self._clock.sim_time:
            stamp_now = max(stamp_now, setup.controller.inputs.frame.newest_ns)
            return stamp_now, stamp_now
        return self._clock.control_now(), stamp_now

    def _bridge_problem(self, *, in_session: bool = False) -> str:
        topic = self._graph.resolve_topic_name('joint_commands')
        if others := describe_commanders(topic, self._graph.count_publishers('joint_commands')):
            return others
        if not self._link.bridge_state.startswith('enabled'):
            if not self._link.bridge_state and (hint := self._link.qos_problem('bridge_state')):
                return hint
            state = self._link.bridge_state or 'silent'
            return f'the bridge is {state}, expected enabled (call its ~/enable service)'
        gains = self._link.gains
        # In a session they may have been sent a moment ago.
        return gains.fault(recheck=True) if in_session else gains.mismatch()
