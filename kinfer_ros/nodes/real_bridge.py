"""What the bridges of real robots do alike as nodes: commands, ~/enable, parameters, health."""

import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.control.timing import Histogram
from kinfer_ros.errors import KinferRosError
from kinfer_ros.nodes.bridge_node import SENSORS
from kinfer_ros.nodes.bridge_node import BridgeNode
from kinfer_ros.nodes.sample_messages import SampleMessages
from kinfer_ros.nodes.sample_messages import robot_status
from kinfer_ros.nodes.sample_messages import temperatures_message
from kinfer_ros.robot.robot import Robot
from kinfer_ros.ros.executor import ControlTimerGroup
from kinfer_ros.ros.parameters import value
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_waiting_bytes

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

    KIND: ClassVar[str]
    """Name of such a robot on /diagnostics."""
    POLL_PERIOD: ClassVar[float] = 0.0
    """s between two looks for messages, where they are so many that a callback for each, at 0.3 ms
    of CPU, costs more than all the rest; 0: callbacks."""
    robot: Any

    def _begin(self) -> None:
        """Make what the rest relies on; call it first in `_set_up`."""
        self.failure: KinferRosError | None = None
        self.finished = False
        self.age = Histogram()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._poll_group = PollOnlyGroup(self)
        self._polled: list[tuple[Subscription, Callable[[bytes], None]]] = []

    def _make_sample_publishers(self, robot: Robot) -> None:
        """Make the publishers of samples and of what motors report."""
        self._messages = SampleMessages(robot)
        self._make_publishers()
        self._temperatures = self._publisher(JointState, 'joint_temperatures', SENSORS)
        self._battery = self._publisher(BatteryState, 'battery_state', SENSORS)

    def _serve(self, check: Callable[[], None], period: float) -> None:
        """Obey from now on: topics, ~/enable, parameters; `check` is called periodically."""
        self._make_subscriptions()
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.add_post_set_parameters_callback(self._apply_parameters)
        self.create_timer(period, check, clock=self._steady)
        self.create_timer(1.0, self._publish_health, clock=self._steady)
        if self.POLL_PERIOD:
            group = ControlTimerGroup()
            self.create_timer(self.POLL_PERIOD, self._poll, group, clock=self._steady)

    @property
    def core(self) -> BridgeCore:
        """What the robot obeys."""
        core: BridgeCore = self.robot
        return core

    # What a subclass adds ----------------------------------------------------------------

    def _use(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a method of the robot: on its thread, or under its lock, if it has one."""
        function(*arguments)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        raise NotImplementedError

    def _describe(self) -> DiagnosticStatus:
        """Describe the robot, by `_status`."""
        raise NotImplementedError

    def _after_poll(self) -> None:
        """Do what is to be done after each look for messages."""

    def _health(self) -> Any:
        """Return what the motors report, where it is new enough, or None."""
        return None

    def _battery_message(self, health: Any) -> BatteryState | None:
        return None

    # Shared ------------------------------------------------------------------------------

    def _subscribe_bytes(
        self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile
    ) -> None:
        if not self.POLL_PERIOD:
            self._call_back(kind, topic, callback, qos)
            return
        events = SubscriptionEventCallbacks(use_default_callbacks=False)
        made = subscribe(self, kind, topic, qos, self._poll_group, event_callbacks=events)
        self._polled.append((made, callback))

    def _poll(self) -> None:
        """Hand over the messages that have come; timers may have no turn on a busy machine."""
        self._beat()
        for subscription, callback in self._polled:
            for data, _ in take_waiting_bytes(subscription):
                callback(data)
        self._after_poll()

    def _on_command(self, message: JointState) -> None:
        now_ns = time.monotonic_ns()
        read = self._read_command(message)
        if read is None:
            return
        command, age_ns = read
        if age_ns:
            self.age.record(age_ns)
        self._use(self._command, command, now_ns, age_ns)

    def _command(self, command: Command, now_ns: int, age_ns: int) -> None:
        self.robot.command(command, now_ns, age_ns)

    def _refuse(self, text: str) -> None:
        self._use(self.core.refuse, text)

    def _set_gains(
        self, names: list[str], gains: tuple[Any, Any, Any], session: str, version: int
    ) -> None:
        self._use(self.core.set_gains, names, gains, session, version)
        self._use(self.core.answer_waiting, time.monotonic_ns())

    def _apply_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == 'command_timeout':
                self._use(self.core.set_command_timeout, round(parameter.value * SECOND))

    def _publish_changes(self) -> None:
        """Publish the state and the gains where they have changed."""
        if self._publish_state(self.robot.state_text):
            self.get_logger().info(f'state {self.robot.state_text}')
        self._publish_gains(self.robot.robot.joint_names, self.robot.gains)

    def _publish_health(self) -> None:
        health, messages = self._health(), []
        if health is not None:
            temperatures = temperatures_message(self.robot.robot, health.temperature)
            battery = self._battery_message(health)
            messages = [(self._temperatures, temperatures), (self._battery, battery)]
        self._publish_report(self._describe(), messages)

    def _status(self, problems: Sequence[str], entries: Mapping[str, object]) -> DiagnosticStatus:
        """Make the entry on /diagnostics: the worst of the state and the problems."""
        robot = self.robot
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
