"""Follows a running policy node over its topics alone, for `top` and `watch`.

It asks for nothing and publishes nothing, so it can be started beside any running robot. It leaves
~/run alone: who follows that and the commands is taken for a recorder (wait_for_recorder).
"""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from kinfer_ros.ros.context import init
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.qos import BEST_EFFORT
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.viewers.live_state import LiveState


class LiveView:
    """
    A node that listens; used as a context.

    :ivar state: the newest of everything, as of the last `poll`.
    """

    def __init__(self, namespace: str, policy_node: str, *, base: bool = False) -> None:
        """
        :param policy_node: name of the policy node, in the namespace.
        :param base: follow the IMU and odometry as well.
        """
        self.state = LiveState()
        self._context = Context()
        init(self._context, args=[])
        self._node = Node(
            'live_view',
            context=self._context,
            namespace=namespace,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._status = f'{self._node.get_namespace().rstrip("/")}/{policy_node}: policy'
        self._group = PollOnlyGroup(self._node)
        self._joints = self._subscribe(JointState, 'joint_states', BEST_EFFORT)
        self._commands = self._subscribe(JointState, 'joint_commands', BEST_EFFORT)
        self._gains = self._subscribe(JointState, 'joint_gains_in_force', LATCHED)
        self._bridge = self._subscribe(String, 'bridge_state', LATCHED)
        self._mode = self._subscribe(String, f'{policy_node}/mode', LATCHED)
        self._imu = self._subscribe(Imu, 'imu/data', BEST_EFFORT) if base else None
        self._odom = self._subscribe(Odometry, 'odom', BEST_EFFORT) if base else None
        self._diagnostics = self._subscribe(DiagnosticArray, '/diagnostics', QoSProfile(depth=10))

    def _subscribe(self, kind: Any, topic: str, qos: QoSProfile) -> Any:
        return subscribe(self._node, kind, topic, qos, self._group)

    def __enter__(self) -> 'LiveView':
        return self

    def __exit__(self, *_: object) -> None:
        self._node.destroy_node()
        self._context.try_shutdown()

    def poll(self) -> LiveState:
        """Take what has come since the last time."""
        state = self.state
        joints = take_newest(self._joints)
        if joints is not None:
            state.update_joints(
                joints.name,
                position=joints.position,
                velocity=joints.velocity,
                effort=joints.effort,
            )
        command = take_newest(self._commands)
        if command is not None:
            state.clear_targets()
            state.update_joints(command.name, target=command.position)
        self._take_base()
        gains = take_newest(self._gains)
        if gains is not None:
            state.update_joints(gains.name, torque_limit=gains.effort)
        for name, subscription in (('bridge', self._bridge), ('mode', self._mode)):
            message = take_newest(subscription)
            if message is not None:
                setattr(state, name, message.data)
        for array in take_all(self._diagnostics):
            for status in array.status:
                if status.name == self._status:
                    values = {each.key: each.value for each in status.values}
                    state.update_diagnostics(
                        int.from_bytes(status.level, 'little'), status.message, values
                    )
        return state

    def _take_base(self) -> None:
        imu = take_newest(self._imu) if self._imu else None
        if imu is not None:
            g, a = imu.angular_velocity, imu.linear_acceleration
            self.state.update_base(gyro=(g.x, g.y, g.z), accel=(a.x, a.y, a.z))
        odom = take_newest(self._odom) if self._odom else None
        if odom is not None:
            twist = odom.twist.twist
            self.state.update_base(velocity=(twist.linear.x, twist.linear.y, twist.angular.z))
