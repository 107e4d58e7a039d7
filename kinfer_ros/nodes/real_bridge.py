"""What the bridges of real robots do alike as nodes: ~/enable, parameters, diagnostics."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.real_robot import RealRobot
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.control.timing import Histogram
from kinfer_ros.errors import KinferRosError
from kinfer_ros.nodes.bridge_node import BridgeNode
from kinfer_ros.nodes.sample_messages import robot_status
from kinfer_ros.ros.parameters import value

STOP_TIMEOUT = 3.4
"""s to ramp down and switch the motors off; the whole graph is down within 4 s."""


def read_timeouts(node: Node) -> Timeouts:
    """Read the three time-outs, which every such bridge declares."""
    names = ('command_timeout', 'lost_timeout', 'ramp_time')
    return Timeouts(*(round(SECOND * value(node, name)) for name in names))


class RealBridge(BridgeNode):
    """
    A robot with motors as a node; call `stop` before `destroy_node`.

    :ivar robot: what it obeys.
    :ivar age: of the samples that commands answered, at arrival.
    """

    KIND = ''
    """Name of such a robot on /diagnostics."""
    robot: Any

    def _begin(self) -> None:
        """Set what the rest relies on; call it first in `_set_up`."""
        self.failure: KinferRosError | None = None
        self.finished = False
        self.age = Histogram()

    def _serve(self, check: Any, period: float = 0.1) -> None:
        """Obey from now on: topics, ~/enable, parameters; `check` is called periodically."""
        self._make_subscriptions()
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.add_post_set_parameters_callback(self._apply_parameters)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(period, check, clock=steady)
        self.create_timer(1.0, self._publish_health, clock=steady)

    @property
    def core(self) -> BridgeCore:
        """What the robot obeys."""
        core: BridgeCore = self.robot
        return core

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        raise NotImplementedError

    def _publish_health(self) -> None:
        raise NotImplementedError

    def _set_command_timeout(self, timeout_ns: int) -> None:
        """Hand a time-out to the robot; on its thread, or under its lock, if it has one."""
        self.core.set_command_timeout(timeout_ns)

    def _apply_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == 'command_timeout':
                self._set_command_timeout(round(parameter.value * SECOND))

    def _publish_changes(self) -> None:
        """Publish the state and the gains where they have changed."""
        if self._publish_state(self.robot.state_text):
            self.get_logger().info(f'state {self.robot.state_text}')
        self._publish_gains(self.robot.robot.joint_names, self.robot.gains)

    def _status(
        self, robot: RealRobot, problems: Sequence[str], entries: Mapping[str, object]
    ) -> DiagnosticStatus:
        """Describe a robot on /diagnostics: the worst of its state and its problems."""
        level = DiagnosticStatus.OK if robot.state == ENABLED else DiagnosticStatus.WARN
        if problems or robot.state == DAMPING:
            level = DiagnosticStatus.ERROR
        common = {
            'session': robot.holder,
            'sample_age_p50_us': self.age.quantile_ns(0.5) // 1000,
            'sample_age_p99_us': self.age.quantile_ns(0.99) // 1000,
            **robot.counts,
        }
        name = f'{self.get_fully_qualified_name()}: {self.KIND}'
        texts = [robot.state_text, *problems]
        return robot_status(name, robot.robot.name, level, texts, {**common, **entries})
