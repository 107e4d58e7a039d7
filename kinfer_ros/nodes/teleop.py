"""The ROS side of `teleop`: ranges of the command, the command sent, services, and policies.

| topic | type | |
|---|---|---|
| /diagnostics | diagnostic_msgs/DiagnosticArray | in: names and ranges of the command, policies |
| policy_node/mode | std_msgs/String | in, latched |
| policy_command | sensor_msgs/JointState | out: all entries by name |
"""

from typing import Any

from rcl_interfaces.srv import SetParametersAtomically
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from kinfer_ros.cli.live.teleop_steering import Steering
from kinfer_ros.commands.policy_choice import PolicyChoice
from kinfer_ros.commands.ranges import Ranges
from kinfer_ros.ros.live.policy_commands import PolicyCommands
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.viewers.live_state import describe_gone

SERVICES = ('start', 'stop', 'reset')


class SteeringNode:
    """
    A node that steers one policy node.

    :ivar message: the newest answer of a service, or an error.
    """

    def __init__(self, context: Context, namespace: str, policy_node: str) -> None:
        self._mode = ''
        self.message = ''
        self._node = Node(
            'teleop',
            context=context,
            namespace=namespace,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        node = self._node
        self._publisher = node.create_publisher(JointState, 'policy_command', QoSProfile(depth=10))
        group = PollOnlyGroup(node)
        self._commands = PolicyCommands(node, policy_node, group)
        self._modes = subscribe(node, String, f'{policy_node}/mode', LATCHED, group)
        self._services = {
            name: node.create_client(Trigger, f'{policy_node}/{name}') for name in SERVICES
        }
        self._policy_parameters = node.create_client(
            SetParametersAtomically, f'{policy_node}/set_parameters_atomically'
        )
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown(timeout_sec=0.0)
        self._node.destroy_node()

    def poll(self) -> None:
        """Take new messages and answers, without waiting."""
        self._commands.poll()
        self.message = self._commands.problem or self.message
        mode = take_newest(self._modes)
        if mode is not None:
            self._mode = mode.data
        self._executor.spin_once(timeout_sec=0.0)  # answers of services

    @property
    def ranges(self) -> Ranges | None:
        """Of the policy's command entries; None before the policy node published them."""
        return self._commands.ranges

    @property
    def seen(self) -> dict[str, float]:
        """The command that the policy saw last, by name."""
        return self._commands.seen

    @property
    def policies(self) -> PolicyChoice:
        """Those of the policy node's set."""
        return self._commands.policies

    @property
    def mode(self) -> str:
        """Mode and reason of the policy node, or that it is gone."""
        return describe_gone(self._commands.heard_s) or self._mode

    def send(self, steering: Steering) -> None:
        """Publish every entry of the command, if there are any."""
        if not steering.entries:
            return
        message = JointState()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.name = [entry.name for entry in steering.entries]
        message.position = [entry.value for entry in steering.entries]
        self._publisher.publish(message)

    def wait_until_sent(self, seconds: float) -> None:
        """Wait until subscribers have acknowledged the command."""
        self._publisher.wait_for_all_acked(Duration(seconds=seconds))

    def call(self, name: str) -> None:
        """Call one of SERVICES of the policy node; its answer is then in `message`."""
        client = self._services[name]
        if not client.service_is_ready():
            self.message = f'{name}: no policy node answers'
            return
        self.message = f'{name}: requested'
        client.call_async(Trigger.Request()).add_done_callback(
            lambda future: self._on_answer(name, future)
        )

    def ask_policy(self, name: str) -> None:
        """Ask for a policy of the set; the answer is then in `message`."""
        if not self._policy_parameters.service_is_ready():
            self.message = f'policy {name}: no policy node answers'
            return
        self.message = f'policy {name}: requested'
        request = SetParametersAtomically.Request(
            parameters=[Parameter('policy', value=name).to_parameter_msg()]
        )
        self._policy_parameters.call_async(request).add_done_callback(
            lambda future: self._on_policy(name, future)
        )

    def _on_policy(self, name: str, future: Any) -> None:
        result = future.result().result
        verdict = 'asked for' if result.successful else f'refused: {result.reason}'
        self.message = f'policy {name}: {verdict}'

    def _on_answer(self, name: str, future: Any) -> None:
        response = future.result()
        verdict = 'done' if response.success else 'refused'
        self.message = f'{name}: {verdict}: {response.message}'
