"""What all bridge nodes do alike: topics, bridge_state, gains in force, time-out parameter."""

import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.ending import BridgeEnd
from kinfer_ros.bridges.gain_versions import parse_gains_sender
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import MessageError
from kinfer_ros.ros.cdr_check import read_message
from kinfer_ros.ros.messages import gains_message
from kinfer_ros.ros.messages import read_command
from kinfer_ros.ros.messages import values
from kinfer_ros.ros.polling import take_waiting_bytes
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.ros.qos import RELIABLE
from kinfer_ros.stalls import ADVICE
from kinfer_ros.stalls import StallMeter

BEAT_PERIOD = 0.05
"""s between two looks whether this process was run."""
SENSORS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


class BridgeNode(Node):
    """A robot side as a node; call `stop` before `destroy_node`."""

    def __init__(self, node_name: str, **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter or a file of the robot cannot be used."""
        super().__init__(node_name, **kwargs)
        self._stopped = False
        self._ending: BridgeEnd | None = None
        self._published_state = ''
        self._published_gains: object = None
        self._handed_over: list[Subscription] = []
        self._stalls = StallMeter(round(BEAT_PERIOD * 1e9))
        try:
            self._set_up()
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self.create_timer(BEAT_PERIOD, self._beat, clock=steady)
        except BaseException:
            self._end_thread()
            self.destroy_node()
            raise

    @property
    def core(self) -> BridgeCore:
        """What the robot obeys."""
        raise NotImplementedError

    def look(self) -> bool:
        """
        Hand over the messages that wait, without the executor.

        A bridge in lockstep has it called for the next command; see SteppedNode.

        :return: whether there were any.
        """
        waiting = [(each.callback, take_waiting_bytes(each)) for each in self._handed_over]
        for callback, messages in waiting:
            for data, _ in messages:
                callback(data)
        return any(messages for _, messages in waiting)

    def lingers(self) -> bool:
        """After a signal: whether to go on, because a session is fading; see bridges/ending.py."""
        now = time.monotonic_ns()
        if self._ending is None:
            self._ending = BridgeEnd(self.core, now)
        return not self._stopped and self._ending.goes_on(now)

    def _beat(self) -> None:
        """Notice that the process was not run: its samples and time-outs were late."""
        if self._stalls.beat(time.monotonic_ns()):
            self.core.counts['stalls'] = self._stalls.count
            self.get_logger().warning(f'{self._stalls.describe()}: {ADVICE}')

    def _set_up(self) -> None:
        """Read the parameters, make the robot and its topics, and start."""
        raise NotImplementedError

    def _end_thread(self) -> None:
        """End the thread that uses the robot, if there is one."""

    def _on_command(self, message: JointState) -> None:
        """Obey or refuse a message on joint_commands."""
        raise NotImplementedError

    def _set_gains(
        self, names: list[str], gains: tuple[Any, Any, Any], session: str, version: int
    ) -> None:
        """Hand gains of a message on joint_gains to the robot; on its thread, if it has one."""
        self.core.set_gains(names, gains, session, version)
        self.core.answer_waiting(time.monotonic_ns())

    def _make_publishers(self, sensors: QoSProfile = SENSORS) -> None:
        self._joints = self._publisher(JointState, 'joint_states', sensors)
        self._imu = self._publisher(Imu, 'imu/data', sensors)
        self._make_state_publishers()

    def _make_state_publishers(self) -> None:
        self._state = self._publisher(String, 'bridge_state', LATCHED)
        self._gains = self._publisher(JointState, 'joint_gains_in_force', LATCHED)
        self._diagnostics = self._publisher(DiagnosticArray, '/diagnostics', 10)

    def _make_subscriptions(self) -> None:
        self._subscribe(JointState, 'joint_commands', self._on_command, RELIABLE)
        self._subscribe(JointState, 'joint_gains', self._on_gains, LATCHED)

    def _publisher(self, kind: type, topic: str, qos: QoSProfile | int) -> Publisher:
        """Make a publisher without rclpy's QoS event handlers: each costs 20 us per wake-up."""
        events = PublisherEventCallbacks(use_default_callbacks=False)
        return self.create_publisher(kind, topic, qos, event_callbacks=events)

    def _subscribe(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile
    ) -> None:
        """Hand over the messages of a topic; those that are none of their kind are left out."""

        def on_bytes(data: bytes) -> None:
            try:
                message = read_message(data, kind, topic)
            except MessageError as error:
                self._warn(f'{error}: passed over')
            else:
                callback(message)

        self._subscribe_bytes(kind, topic, on_bytes, qos)

    def _subscribe_bytes(
        self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile
    ) -> None:
        self._call_back(kind, topic, callback, qos)

    def _call_back(
        self, kind: type, topic: str, callback: Callable[[bytes], None], qos: QoSProfile
    ) -> None:
        """Have each message handed over by the executor."""
        events = SubscriptionEventCallbacks(use_default_callbacks=False)
        self._handed_over.append(
            self.create_subscription(kind, topic, callback, qos, event_callbacks=events, raw=True)
        )

    def _on_gains(self, message: JointState) -> None:
        gains = (values(message.position), values(message.velocity), values(message.effort))
        try:
            session, version = parse_gains_sender(message.header.frame_id)
        except BridgeError as error:
            self._refuse(f'joint_gains: {error}')
        else:
            self._set_gains(message.name, gains, session, version)

    def _refuse(self, text: str) -> None:
        """Count a message that was refused, and warn why."""
        self.core.refuse(text)

    def _publish_state(self, text: str) -> bool:
        """Publish the state if it has changed; :return: whether it has."""
        changed = text != self._published_state
        if changed:
            self._published_state = text
            self._state.publish(String(data=text))
        return changed

    def _publish_gains(
        self, names: Sequence[str], gains: Gains, frame_id: str | None = None
    ) -> None:
        """
        Publish the gains in force if they are others than those published last.

        :param frame_id: their session and version; default: those of the core.
        """
        if gains is not self._published_gains:
            self._published_gains = gains
            sender = self.core.gains_frame_id if frame_id is None else frame_id
            message = gains_message(names, gains.kp, gains.kd, gains.torque_limit, sender)
            self._gains.publish(message)

    def _publish_report(
        self, status: DiagnosticStatus, messages: Sequence[tuple[Publisher, Any]]
    ) -> None:
        """Publish what a robot reports of itself, with one stamp; a message None is left out."""
        stamp = self.get_clock().now().to_msg()
        report = DiagnosticArray(status=[status])
        for publisher, message in (*messages, (self._diagnostics, report)):
            if message is not None:
                message.header.stamp = stamp
                publisher.publish(message)

    def _read_command(self, message: JointState) -> tuple[Command, int] | None:
        """:return: a command and the age of its sample, ns (0: unknown); None if it is refused."""
        try:
            command = read_command(message)
        except BridgeError as error:
            self._refuse(f'joint_commands: {error}')
            return None
        now_ns = self.get_clock().now().nanoseconds
        return command, now_ns - command.stamp_ns if command.stamp_ns else 0

    def _answer_enable(
        self,
        enable: Callable[[bool], None],
        request: SetBool.Request,
        response: SetBool.Response,
    ) -> SetBool.Response:
        """Answer ~/enable with the state, or with the BridgeError of `enable`."""
        try:
            enable(request.data)
            response.success, response.message = True, self.core.state_text
        except BridgeError as error:
            self.get_logger().error(str(error))
            response.success, response.message = False, str(error)
        return response

    def _wait_until_state_is_sent(self) -> None:
        self._state.wait_for_all_acked(Duration(seconds=0.2))

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=1.0)
