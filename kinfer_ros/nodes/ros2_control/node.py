"""
A robot behind ros2_control: the robot side of the graph over its broadcasters and a controller.

| topic | type | direction |
|---|---|---|
| joint_states | sensor_msgs/JointState, of joint_state_broadcaster | in |
| imu_sensor_broadcaster/imu | sensor_msgs/Imu | in |
| <controller>/commands | std_msgs/Float64MultiArray: rad, in the controller's order | out |
| imu/data | sensor_msgs/Imu, the same message | out |
| bridge_state | std_msgs/String: enabled, disabled, damping, with the reason | out, latched |
| joint_gains_in_force | sensor_msgs/JointState: those of the robot file | out, latched |
| /diagnostics | diagnostic_msgs/DiagnosticArray; in: the controller manager's | in, out |
| joint_commands | sensor_msgs/JointState, frame_id '<session> <mode>' | in |
| joint_gains | sensor_msgs/JointState: kp, kd, torque limit | in, latched |

Service: ~/enable (SetBool). Calls <controller>/get_parameters. Parameters:
nodes/ros2_control/parameters.py. Decisions: bridges/ros2_control/robot.py, all on the executor.
"""

import time
from array import array
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import GetParameters
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.real_robot import ENDED
from kinfer_ros.bridges.ros2_control.controller import Controller
from kinfer_ros.bridges.ros2_control.robot import Ros2ControlRobot
from kinfer_ros.bridges.ros2_control.watch import BroadcasterWatch
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.nodes.bridge_node import SENSORS
from kinfer_ros.nodes.real_bridge import STOP_TIMEOUT
from kinfer_ros.nodes.real_bridge import RealBridge
from kinfer_ros.nodes.ros2_control.parameters import Ros2ControlSettings
from kinfer_ros.nodes.ros2_control.parameters import read_settings
from kinfer_ros.ros.executor import ControlExecutor
from kinfer_ros.ros.messages import values
from kinfer_ros.ros.polling import publisher_nodes
from kinfer_ros.ros.process import run_node
from kinfer_ros.ros.qos import RELIABLE

LOOK = 0.5
"""s between two looks at the graph, and two questions to the controller."""
ANSWER_TIMEOUT = 5.0
"""s in which the controller says its parameters."""
ACTIVITY = 'Controllers Activity'
"""End of the name of a controller manager's status."""


class Ros2ControlBridge(RealBridge):
    """A robot behind ros2_control as a node; call `stop` before `destroy_node`."""

    KIND = 'ros2_control robot'
    POLL_PERIOD = 0.001

    def __init__(self, node_name: str = 'ros2_control_bridge', **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter or the robot's YAML cannot be used."""
        super().__init__(node_name, **kwargs)

    def _set_up(self) -> None:
        settings = read_settings(self)
        self._begin()
        self._make_state_publishers()
        self._imu = self._publisher(Imu, 'imu/data', SENSORS)
        commands = f'{settings.controller}/commands'
        self._commands = self._publisher(Float64MultiArray, commands, RELIABLE)
        names = settings.robot.joint_names
        self._controller = Controller(
            settings.controller, names, check_active=settings.check_active
        )
        self._watch = BroadcasterWatch(
            settings.joint_states_topic, names, settings.timeouts.lost_timeout_ns
        )
        self.robot = Ros2ControlRobot(
            settings.robot,
            self._controller,
            self._watch,
            settings.timeouts,
            settings.damping,
            self._send,
            self._warn,
            lambda: self._publish_changes() if hasattr(self, 'robot') else None,
        )
        self._publish_changes()
        self._joints_of = self.create_client(
            GetParameters, f'{settings.controller}/get_parameters'
        )
        self._asked: Any = None
        self._asked_s = 0.0
        self._listen(settings)
        self._serve(self._look, LOOK)
        self.get_logger().info(
            f'robot {settings.robot.name} through {self._commands.topic_name}; a controller has '
            'no watchdog: if this process is killed, the last target stays in force'
        )

    def _listen(self, settings: Ros2ControlSettings) -> None:
        topic = settings.joint_states_topic
        again = self.resolve_topic_name(topic) != self.resolve_topic_name('joint_states')
        self._joints = self._publisher(JointState, 'joint_states', SENSORS) if again else None
        self._subscribe(JointState, topic, self._on_joints, SENSORS)
        self._subscribe_bytes(Imu, settings.imu_topic, self._imu.publish, SENSORS)
        if settings.check_active:
            self._subscribe(
                DiagnosticArray, '/diagnostics', self._on_diagnostics, QoSProfile(depth=10)
            )

    def stop(self) -> None:
        """Let the joints yield for the ramp time, publish the state; safe to call again."""
        if self._stopped or not hasattr(self, 'robot'):
            return
        self._stopped = True
        self.robot.disable(ENDED, time.monotonic_ns())
        deadline = time.monotonic() + STOP_TIMEOUT
        executor = ControlExecutor(context=self.context)
        executor.add_node(self)
        try:
            while self.robot.state != DISABLED and time.monotonic() < deadline:
                executor.spin_once(timeout_sec=0.1)
        finally:
            executor.remove_node(self)
            executor.shutdown(timeout_sec=0.0)
        self.robot.note_end()
        self._wait_until_state_is_sent()

    # The robot ---------------------------------------------------------------------------

    def _on_joints(self, message: JointState) -> None:
        position, velocity = values(message.position), values(message.velocity)
        sample = self._watch.take(message.name, position, velocity, time.monotonic_ns())
        if self._joints is not None and sample is not None:
            self._joints.publish(message)
        if sample is not None:
            self.robot.on_joints()

    def _send(self, target: Float64) -> None:
        self._commands.publish(Float64MultiArray(data=array('d', target)))

    # The controller ----------------------------------------------------------------------

    def _look(self) -> None:
        """See who publishes and listens; ask the controller while nothing is commanded."""
        topic = self._commands.topic_name
        self._controller.listeners = self.count_subscribers(topic)
        own = self.get_fully_qualified_name()
        others = self.count_publishers(topic) - 1
        names = [name for name in publisher_nodes(self, topic) if name != own] if others else []
        self._controller.rivals = names or ['another node'] * (others > 0)
        if self._asked is not None and time.monotonic() - self._asked_s > ANSWER_TIMEOUT:
            self._joints_of.remove_pending_request(self._asked)
            self._asked = None
            self._controller.on_silence(ANSWER_TIMEOUT)
        if self._asked is None and self.robot.state == DISABLED:
            self._ask()

    def _ask(self) -> None:
        if not self._joints_of.service_is_ready():
            return
        request = GetParameters.Request(names=['joints', 'interface_name'])
        self._asked, self._asked_s = self._joints_of.call_async(request), time.monotonic()
        self._asked.add_done_callback(self._on_parameters)

    def _on_parameters(self, future: Any) -> None:
        if future is not self._asked or future.cancelled():
            return
        self._asked = None
        found = [*future.result().values, ParameterValue(), ParameterValue()][:2]
        joints, interface = found
        self._controller.on_parameters(
            joints.string_array_value
            if joints.type == ParameterType.PARAMETER_STRING_ARRAY
            else None,
            interface.string_value if interface.type == ParameterType.PARAMETER_STRING else None,
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """Find the controller's state in what its controller manager says."""
        name = self._controller.name.rpartition('/')[2]
        for status in message.status:
            if not status.name.endswith(ACTIVITY):
                continue
            for entry in status.values:
                if entry.key in (name, f'{name}.state'):  # Humble says the name alone
                    self._controller.on_state(entry.value, time.monotonic_ns())

    # On the executor ---------------------------------------------------------------------

    def _after_poll(self) -> None:
        self.robot.tick(time.monotonic_ns())

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        def enable(on: bool) -> None:
            now_ns = time.monotonic_ns()
            self.robot.enable(now_ns) if on else self.robot.disable('by request', now_ns)

        return self._answer_enable(enable, request, response)

    def _describe(self) -> DiagnosticStatus:
        robot, watch, now_ns = self.robot, self._watch, time.monotonic_ns()
        problems = [watch.problem(now_ns), self._controller.problem(now_ns)]
        entries = {
            'controller': self._commands.topic_name.removesuffix('/commands'),
            'joint_states': watch.messages,
            'bad_joint_states': watch.bad_messages,
            'targets_sent': robot.sent,
            'gains': 'those of the robot file, which the drives have',
        }
        new = [text for text in problems if text and text not in robot.state_text]
        return self._status(new, entries)


def main(args: list[str] | None = None) -> int:
    """Run the bridge as a process; return its exit code."""
    return run_node(Ros2ControlBridge, args)


if __name__ == '__main__':
    raise SystemExit(main())
