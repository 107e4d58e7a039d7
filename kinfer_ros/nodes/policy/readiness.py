"""What has to be there before a robot may be moved, and the wait for it.

Without this module a policy would be activated on a robot that is not listening, or that another
node is moving already.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from kinfer_ros.contract.activation import check_sensors
from kinfer_ros.contract.activation import check_start
from kinfer_ros.contract.report import WARN
from kinfer_ros.contract.report import as_table
from kinfer_ros.contract.report import raise_if_failed
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import NotReady
from kinfer_ros.errors import Refused
from kinfer_ros.nodes.policy.operator import Operator
from kinfer_ros.nodes.policy.parameters import value
from kinfer_ros.nodes.policy.robot_link import PolicyIO
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.live_check import check_from_inside
from kinfer_ros.ros.messages import gains_differ
from kinfer_ros.run.session import PolicySetup
from kinfer_ros.run.session import loaded_gains

POLL_PERIOD = 0.01

RECORDER_SETTLES = 0.5
"""
s in lockstep between a recorder that is seen and the first command: meanwhile DDS connects it with
the bridge, which repeats its first sample every 50 ms. A bag without that cannot be replayed.
"""


class Readiness:
    """
    Looks at the graph before configure and activate end well.

    :ivar interrupted: set by a signal: no wait goes on.
    """

    def __init__(self, node: Node, io: PolicyIO, clocks: Clocks, operator: Operator) -> None:
        self._node = node
        self._io = io
        self._clocks = clocks
        self._operator = operator
        self.interrupted = False
        self._recorded_since: float | None = None

    def wait(self, problem: Callable[[], str], *, patient: bool) -> None:
        """
        Wait until `problem` is ''; a stop and a signal end the wait.

        :param patient: wait for sensor_timeout; else look once.
        :raises NotReady: with the problem.
        """
        seconds = value(self._node, 'sensor_timeout')
        deadline = time.monotonic() + seconds
        said = ''
        while reason := problem():
            if patient and not said:
                said = reason
                self._node.get_logger().info(f'waiting for at most {seconds:g} s: {reason}')
            stopped = self._operator.poll(self._clocks.control_now(), None)
            if stopped or self.interrupted or not patient or time.monotonic() > deadline:
                raise NotReady(stopped or reason)
            time.sleep(POLL_PERIOD)

    def sensors_problem(self, loaded: PolicySetup) -> str:
        """
        Say what is missing of live sensors, or ''.

        :raises ContractError: the joints published are not those of the robot.
        """
        frame = loaded.controller.parts.frame
        self._io.take_sensors(frame)
        if frame.joint_problem:
            raise ContractError(frame.joint_problem)
        stamps = {'joint_states': frame.joint_stamp_ns, 'imu/data': frame.imu_stamp_ns}
        if frame.needs_odometry:
            stamps['odom'] = frame.odom_stamp_ns
        silent = [
            f'{self._node.resolve_topic_name(topic)} '
            f'({self._node.count_publishers(topic)} publishers)'
            for topic, stamp in stamps.items()
            if not stamp
        ]
        return f'no message yet on {", ".join(silent)}: is the bridge running?' if silent else ''

    def hold_contract(self, loaded: PolicySetup) -> None:
        """
        Hold the policy's contract against the live graph, as `check --live` does.

        :raises ContractError: with the lines of the report that are not ok.
        :raises NotReady: messages are missing, late or too few, which may pass.
        """
        live = check_from_inside(
            loaded.policy,
            loaded.robot,
            self._io.sources,
            loaded.rate_hz,
            lockstep=value(self._node, 'lockstep'),
            sim=self._clocks.sim_time,
        )
        report = [*loaded.report, *live]
        raise_if_failed(report, loaded.policy.contract, loaded.robot)
        for row in report:
            if row.verdict == WARN:
                self._node.get_logger().warning(f'contract: {as_table([row])}')

    def activation_problem(self, loaded: PolicySetup) -> str:
        """Say what activation has to wait for, or ''."""
        self._io.take_bridge()
        if value(self._node, 'wait_for_recorder') and (problem := self._recorder_problem()):
            return problem
        self._io.take_sensors(loaded.controller.parts.frame)
        if self._clocks.sim_time and self._clocks.stamp_now() == 0:
            return 'the simulated clock stands at 0: is /clock published?'
        return check_sensors(loaded.controller.parts, *self._now(loaded)) or (
            '' if value(self._node, 'dry_run') else self._bridge_problem(loaded)
        )

    def _recorder_problem(self) -> str:
        if not self._io.is_recorded():
            self._recorded_since = None
            return 'no recorder follows this node yet (wait_for_recorder): is it running?'
        now = time.monotonic()
        self._recorded_since = self._recorded_since or now
        settled = now - self._recorded_since >= RECORDER_SETTLES
        if value(self._node, 'lockstep') and not settled:
            return 'the recorder has only just found this node (wait_for_recorder)'
        return ''

    def refuse(self, loaded: PolicySetup) -> None:
        """
        Refuse a robot that must not be moved as it is, or an operator who does not let it.

        Nothing of this is waited for: it would start to move the moment somebody lets go of it.

        :raises Refused: with the reason.
        """
        parts = loaded.controller.parts
        now, stamp_now = self._now(loaded)
        self._io.take_commands(parts.command, now)
        self._io.take_health(parts.watch.health)
        reason = self._operator.refusal(self._clocks.control_now()) or (
            check_start(parts, now, stamp_now, value(self._node, 'max_ramp'))
        )
        if reason:
            raise Refused(reason)

    def _now(self, loaded: PolicySetup) -> tuple[int, int]:
        """Control clock and stamp clock; /clock stands still for this node in a transition."""
        stamp_now = self._clocks.stamp_now()
        if self._clocks.sim_time:
            stamp_now = max(stamp_now, loaded.controller.parts.frame.newest_ns)
            return stamp_now, stamp_now
        return self._clocks.control_now(), stamp_now

    def _bridge_problem(self, loaded: PolicySetup) -> str:
        others = self._node.count_publishers('joint_commands') - 1
        if others > 0:
            topic = self._node.resolve_topic_name('joint_commands')
            return f'{topic} has {others} other publishers: a robot takes commands from one node'
        if not self._io.bridge_state.startswith('enabled'):
            state = self._io.bridge_state or 'silent'
            return f'the bridge is {state}, expected enabled (call its ~/enable service)'
        found = self._io.gains_in_force
        if found is None:
            return 'joint_gains_in_force is silent: the bridge has not echoed the gains'
        differing = gains_differ(loaded_gains(loaded), found)
        return f'the gains in force are not those asked for: {differing}' if differing else ''
