"""The policy node's topics: sensors and commands in, joint commands and gains out.

| topic | type | |
|---|---|---|
| joint_states | sensor_msgs/JointState | in |
| imu/data | sensor_msgs/Imu | in |
| odom | nav_msgs/Odometry | in: distance; a sensor where the policy has a velocity input |
| height_scan | sensor_msgs/Image, 32FC1 | in: a sensor where the policy takes one |
| cmd_vel | geometry_msgs/Twist or TwistStamped | in |
| policy_command | sensor_msgs/JointState | in: named values for any command entry |
| joint_overrides | sensor_msgs/JointState | in: targets of joints that another node moves |
| joint_temperatures | sensor_msgs/JointState | in: named values, position = deg C |
| battery_state | sensor_msgs/BatteryState | in: percentage, 0 to 1 |
| joint_gains_in_force, bridge_state | sensor_msgs/JointState, std_msgs/String | in, latched |
| joint_commands | sensor_msgs/JointState | out |
| joint_gains | sensor_msgs/JointState | out, latched |
| ~/mode, ~/run | std_msgs/String | out, latched |
| ~/events | rcl_interfaces/Log | out: event_topic.py |

No executor serves these subscriptions: the node polls them, in the tick and in lifecycle
transitions, where callbacks do not run.
"""

import time
import uuid
from typing import Any

from geometry_msgs.msg import Twist
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Image
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from kinfer_ros.bridges.gain_versions import format_gains_sender
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.gains.handshake import GainsEcho
from kinfer_ros.control.gains.handshake import GainsHandshake
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.sensors import MAX_JOINTS
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.tick import Tick
from kinfer_ros.errors import ConfigError
from kinfer_ros.errors import MessageError
from kinfer_ros.nodes.policy.event_topic import EventTopic
from kinfer_ros.nodes.policy.joint_overrides import JointOverrideTopic
from kinfer_ros.nodes.policy.joint_states import JointStates
from kinfer_ros.ros.live.live_check import Sources
from kinfer_ros.ros.messages import CommandMessages
from kinfer_ros.ros.messages import OdometrySample
from kinfer_ros.ros.messages import gains_message
from kinfer_ros.ros.messages import read_imu_bytes
from kinfer_ros.ros.messages import read_joints
from kinfer_ros.ros.messages import read_odometry_sample
from kinfer_ros.ros.messages import read_scan_bytes
from kinfer_ros.ros.polling import PollOnlyGroup
from kinfer_ros.ros.polling import subscribe
from kinfer_ros.ros.polling import take_all
from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.polling import take_waiting_bytes
from kinfer_ros.ros.qos import BEST_EFFORT
from kinfer_ros.ros.qos import LATCHED
from kinfer_ros.ros.qos import LATCHED_HISTORY
from kinfer_ros.ros.qos import LOCKSTEP
from kinfer_ros.ros.qos import RELIABLE
from kinfer_ros.ros.qos import RELIABLE_SENSORS
from kinfer_ros.ros.qos import SENSORS
from kinfer_ros.ros.qos_check import QosCheck
from kinfer_ros.run.odometer import Odometer

QUERY_PERIOD = 10
"""s between two queries of the types on cmd_vel while the number of publishers is constant."""
TYPE_TIMEOUT = 1.0
"""s of silence of a type on cmd_vel after which the other one is tried, if it is published."""

CMD_VEL_TYPES = {'twist': Twist, 'twist_stamped': TwistStamped}


class RobotLink:
    """
    Subscriptions and publishers of a policy node, made once.

    :ivar gains: the gains requested and in force.
    :ivar overrides: targets of the node that moves joints.
    :ivar bridge_state: newest bridge_state, '' before the first.
    :ivar dry_run: send nothing.
    :ivar last_stamp_ns: stamp of the last command, 0 before the first.
    """

    def __init__(self, node: Node, *, lockstep: bool, cmd_vel_type: str) -> None:
        """:raises ConfigError: `cmd_vel_type` is none of auto, twist, twist_stamped."""
        if cmd_vel_type not in ('auto', *CMD_VEL_TYPES):
            raise ConfigError(
                f'parameter cmd_vel_type: found {cmd_vel_type!r}, '
                f'expected auto, {" or ".join(CMD_VEL_TYPES)}'
            )
        self._node = node
        self._group = PollOnlyGroup(node)
        self._auto_type = cmd_vel_type == 'auto'
        self._cmd_vel_publishers, self._until_query = -1, 0
        self._cmd_vel_heard = time.monotonic()
        self._qos = QosCheck(node)
        sensors = RELIABLE_SENSORS if lockstep else SENSORS
        self._joints = self._subscribe(JointState, 'joint_states', sensors)
        self._joint_states = JointStates(node, self._joints)
        self._imu = self._subscribe(Imu, 'imu/data', sensors)
        self._odom = self._subscribe(Odometry, 'odom', sensors)
        self._odom_sample: OdometrySample | None = None
        self._scan = self._subscribe(Image, 'height_scan', sensors)
        self._named = self._subscribe(JointState, 'policy_command', QoSProfile(depth=10))
        overrides = self._subscribe(JointState, 'joint_overrides', sensors)
        self.overrides = JointOverrideTopic(node, overrides)
        self._temperatures = self._subscribe(JointState, 'joint_temperatures', BEST_EFFORT)
        self._battery = self._subscribe(BatteryState, 'battery_state', BEST_EFFORT)
        self._gains_in_force = self._subscribe(JointState, 'joint_gains_in_force', LATCHED)
        self._bridge_state = self._subscribe(String, 'bridge_state', LATCHED_HISTORY)
        self._cmd_vel = self._subscribe(
            CMD_VEL_TYPES.get(cmd_vel_type, Twist), 'cmd_vel', BEST_EFFORT
        )
        self._subscriptions = (
            self._joints, self._imu, self._odom, self._scan, self._named, self._temperatures,
            self._battery, self._gains_in_force, self._bridge_state, overrides,
        )  # fmt: skip
        self.gains = GainsHandshake()
        self.bridge_state = ''
        self._published_mode = ''
        self.dry_run = False
        self.last_stamp_ns = 0
        self._last_command = b''
        self._session = ''
        self._messages: CommandMessages | None = None
        # Ordinary publishers: a lifecycle publisher cannot send the last damping commands, which
        # go out during the transition to inactive.
        commands = LOCKSTEP if lockstep else RELIABLE
        self._commands = self._publisher(JointState, 'joint_commands', commands)
        self._gains = self._publisher(JointState, 'joint_gains', LATCHED)
        self._mode = self._publisher(String, '~/mode', LATCHED)
        self._run = self._publisher(String, '~/run', LATCHED)
        self._events = EventTopic(node)

    def _subscribe(self, msg_type: Any, topic: str, qos: QoSProfile) -> Subscription:
        overriding = QoSOverridingOptions.with_default_policies()
        return subscribe(
            self._node, msg_type, topic, qos, self._group, qos_overriding_options=overriding
        )

    def _publisher(self, msg_type: Any, topic: str, qos: QoSProfile) -> Publisher:
        return self._node.create_publisher(
            msg_type,
            topic,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            # The executor would wait for each event handler in every tick.
            event_callbacks=PublisherEventCallbacks(use_default_callbacks=False),
        )

    # In ----------------------------------------------------------------------------------

    def read_sensors(self, frame: SensorFrame) -> bool:
        """
        Read the newest samples; what is no message at all is passed over with a warning.

        :return: whether a joint sample came.
        """
        samples = self._joint_states.take(frame)
        read_joints(samples, frame)
        self._read_newest(self._imu, read_imu_bytes, frame)
        if frame.needs_odometry:
            odom = self._read_newest(self._odom, read_odometry_sample)
            if odom is not None:
                frame.update_odometry(odom.linear, odom.stamp_ns)
                self._odom_sample = odom
        if frame.needs_scan:
            self._read_newest(self._scan, read_scan_bytes, frame)
        return bool(samples)

    def _read_newest(self, subscription: Subscription, read: Any, *more: SensorFrame) -> Any:
        """Return what `read` makes of the newest waiting message that is one; None without any."""
        for data, _ in reversed(take_waiting_bytes(subscription)):
            try:
                return read(data, *more)
            except MessageError as error:
                self._warn(f'{error}: passed over')
        return None

    @property
    def sources(self) -> Sources:
        """The sensor subscriptions, for checks of the messages."""
        return Sources(self._joints, self._imu, self._odom, self._scan)

    def read_commands(self, command: CommandVector, now_ns: int) -> None:
        """Read cmd_vel and policy_command; what is refused is logged once a second."""
        message = take_newest(self._cmd_vel)
        if message is not None:
            self._cmd_vel_heard = time.monotonic()
            twist = message.twist if isinstance(message, TwistStamped) else message
            if not command.set_twist(twist.linear.x, twist.linear.y, twist.angular.z, now_ns):
                self._warn('cmd_vel holds a value that is not finite: refused')
        for message in take_all(self._named):
            refused = command.set_named(message.name, message.position, now_ns)
            if refused:
                self._warn(f'{refused}: refused')

    def read_odometry(self, odometer: Odometer, stamp_ns: int = 0) -> bool:
        """Read odometry stamped `stamp_ns` or later; :return: False where it may still come."""
        sample = self._read_newest(self._odom, read_odometry_sample) or self._odom_sample
        self._odom_sample = None
        if sample is None or sample.stamp_ns < stamp_ns:
            return not stamp_ns or self._odom.get_publisher_count() == 0
        odometer.update(*sample.pose)
        return True

    def read_health(self, health: Health) -> None:
        """Read temperatures and battery."""
        message = take_newest(self._temperatures)
        if message is not None:
            for name, celsius in zip(message.name[:MAX_JOINTS], message.position, strict=False):
                if not health.set_temperature(name, celsius):
                    self._warn(f'joint_temperatures: {celsius:g} deg C of {name!r}: ignored')
        battery = take_newest(self._battery)
        if battery is None:
            return
        unknown = not battery.present and battery.percentage == 0.0  # a message not filled in
        if unknown or not health.set_battery(battery.percentage):
            self._warn(
                f'battery_state: found percentage {battery.percentage:g}, present '
                f'{battery.present}, expected 0 to 1 of a battery that is present: ignored'
            )

    def read_bridge(self) -> str:
        """
        Read the bridge's states and its gains in force.

        :return: why it was not enabled at any time since the last call, or ''.
        """
        self._read_gains()
        lapse = ''
        for state in take_all(self._bridge_state):
            self.bridge_state = state.data
            lapse = lapse or self.bridge_problem()
        return '' if self.dry_run else lapse

    def _read_gains(self) -> None:
        gains = take_newest(self._gains_in_force)
        if gains is not None:
            self.gains.in_force = GainsEcho(
                gains.name, gains.position, gains.velocity, gains.effort, gains.header.frame_id
            )

    def bridge_problem(self) -> str:
        """Return that the bridge is not enabled now, or ''."""
        enabled = self.bridge_state.startswith('enabled')
        return '' if enabled else f'the bridge is {self.bridge_state or "silent"}'

    def is_recorded(self) -> bool:
        """
        Whether one node, a recorder, subscribes to ~/run, joint_commands and the sensors.

        The replay of a bag needs the first samples of the sensors.
        """
        subscribers = [
            {
                (info.node_namespace, info.node_name)
                for info in self._node.get_subscriptions_info_by_topic(topic.topic_name)
                if not info.node_name.startswith('_')  # its name is not known yet
            }
            for topic in (self._run, self._commands, self._joints, self._imu)
        ]
        return bool(set.intersection(*subscribers))

    def qos_problem(self, topic: str) -> str:
        """Return that the QoS of a topic do not match those of its publishers, or ''."""
        self._check_qos()
        return self._qos.problem(topic)

    def follow_graph(self) -> None:
        """Follow publishers that came or left: call it once a second."""
        self._check_qos()
        self.overrides.warn_if_unwanted()
        if self._auto_type:
            self._follow_cmd_vel_type()

    def _check_qos(self) -> None:
        subscriptions = (*self._subscriptions, self._cmd_vel)
        for problem in self._qos.update(subscriptions, (self._commands, self._gains)):
            self._node.get_logger().warning(problem)

    def _follow_cmd_vel_type(self) -> None:
        """
        Subscribe to cmd_vel with the type that is published there.

        One process cannot subscribe to two types on one topic: where both are published, it takes
        the one that is alive.
        """
        topic = self._cmd_vel.topic_name
        # The query of the types takes almost a millisecond: only when their number has changed,
        # and every QUERY_PERIOD, since one may have replaced another.
        publishers, self._until_query = self._node.count_publishers(topic), self._until_query - 1
        if publishers == self._cmd_vel_publishers and self._until_query > 0:
            return
        self._cmd_vel_publishers, self._until_query = publishers, QUERY_PERIOD
        found = {info.topic_type for info in self._node.get_publishers_info_by_topic(topic)}
        types = [t for t in CMD_VEL_TYPES.values() if f'geometry_msgs/msg/{t.__name__}' in found]
        current = self._cmd_vel.msg_type
        silent = time.monotonic() - self._cmd_vel_heard > TYPE_TIMEOUT
        if len(types) > 1:
            self._until_query = 0  # look again in a second
        if types and (current not in types or (silent and len(types) > 1)):
            self._node.destroy_subscription(self._cmd_vel)
            other = next((t for t in types if t is not current), types[0])
            self._cmd_vel = self._subscribe(other, 'cmd_vel', BEST_EFFORT)
            self._cmd_vel_heard = time.monotonic()

    # Out ---------------------------------------------------------------------------------

    def begin_session(self, joint_names: tuple[str, ...]) -> None:
        """Make a new session id for the commands of this activation."""
        self._session = uuid.uuid4().hex[:8]
        self._messages = CommandMessages(joint_names, self._session, [str(mode) for mode in Mode])
        self._last_command, self.last_stamp_ns = b'', 0
        self.gains.begin_session(self._session)
        self.overrides.begin_session()

    def send(self, tick: Tick, stamp_ns: int) -> None:
        """Send the command of a tick."""
        if self._messages is None or tick.send is Send.NOTHING or self.dry_run:
            return
        self._messages.use_version(tick.gains_version)
        if tick.send is Send.POSITION:
            command = self._messages.for_position(
                tick.position, str(tick.mode), stamp_ns, tick.velocity
            )
        else:
            command = self._messages.for_damping(str(tick.mode), stamp_ns)
        self._last_command, self.last_stamp_ns = command, stamp_ns
        self._commands.publish(command)
        self._events.publish(tick.events, stamp_ns)

    def send_again(self) -> None:
        """Send the last command again."""
        self._commands.publish(self._last_command)

    def send_damping(self, stamp_ns: int) -> None:
        """Send damping commands without a tick."""
        if self._messages is None or self.dry_run:
            return
        for _ in range(DAMPING_FRAMES):
            self._commands.publish(self._messages.for_damping(str(Mode.INACTIVE), stamp_ns))

    def send_changed_gains(self) -> None:
        """Send the gains if the controller requests others; before the command for them."""
        if self.gains.is_due():
            self.send_gains(format_gains_sender(self._session, self.gains.version))

    def send_gains(self, frame_id: str = '') -> None:
        """Publish the requested gains, latched."""
        if not self.dry_run:
            names, gains = self.gains.send()
            message = gains_message(names, gains.kp, gains.kd, gains.torque_limit, frame_id)
            self._gains.publish(message)

    def gains_fault(self, *, recheck: bool = False) -> str:
        """Return the fault of the gains handshake, or ''; `recheck`: check an old echo again."""
        if self.dry_run:
            return ''
        self._read_gains()  # what came while this process was not run
        return self.gains.fault(recheck=recheck)

    def publish_mode(self, text: str) -> None:
        """Publish (latched) and log mode and reason if they are new."""
        if text == self._published_mode:
            return
        self._published_mode = text
        self._mode.publish(String(data=text))
        # Two lines of code: rclpy allows one severity per line.
        if text.startswith('fault'):
            self._node.get_logger().error(f'mode {text}')
        else:
            self._node.get_logger().info(f'mode {text}')

    def publish_run(self, path: str) -> None:
        """Publish the run directory, latched; '' when a run has ended."""
        self._run.publish(String(data=path))

    def _warn(self, text: str) -> None:
        self._node.get_logger().warning(text, throttle_duration_sec=1.0)
