"""A robot behind ros2_control, played by this project: broadcasters, controller, manager.

As a program it is the robot, and does what lines of JSON on its input say. The controller does
what forward_controllers_base.cpp of ros2_controllers does: it drops a message with a number that
is not finite, fails on one of another length and then is inactive, keeps the last one for ever,
and knows none after its activation. The joints follow it at once or, with the option `speed`, are
those of a biped in MuJoCo, whose time passes at this speed and is on /clock.
"""

from __future__ import annotations

import json
import math
import select
import sys
import time
from array import array
from typing import Any

import numpy as np

from helpers.peers.peer_process import PeerProcess
from kinfer_ros.robot.robot import load_robot

PERIOD = 0.005
BIPED = load_robot('biped')
ORDER = tuple(reversed(BIPED.joint_names))
"""The controller's order is not the robot file's."""
CONTROLLER = 'forward_position_controller'
REST: dict[str, Any] = {
    'active': 'active', 'publishes': True, 'says_state': True, 'rival': False,
    'nan_velocity': False, 'pose': BIPED.home.tolist(),
}  # fmt: skip
"""Settings that end what a test has changed."""


class Ros2ControlPeer(PeerProcess):
    """The robot's process, from outside; used as a context, it never outlives the test."""

    def __init__(self, environment: dict[str, str], namespace: str, **options: Any) -> None:
        words = json.dumps({'namespace': namespace, **options})
        super().__init__('ros2_control_peer', words, environment=environment)


class Joints:
    """Joints of no mass, which go a part of the way to their targets each time."""

    def __init__(self) -> None:
        self.position, self.velocity = BIPED.home.copy(), 0 * BIPED.home

    def step(self, target: np.ndarray | None) -> None:
        if target is not None:
            self.position = self.position + 0.3 * (target - self.position)

    def imu(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return np.array([1.0, 0, 0, 0]), np.zeros(3), np.array([0, 0, 9.81])

    def facts(self) -> dict[str, Any]:
        return {'position': self.position.tolist()}


class Biped:
    """The biped of the package in MuJoCo; its drives have the robot file's gains."""

    def __init__(self, speed: float) -> None:
        from kinfer_ros.bridges.mujoco.robot import MujocoRobot

        self._robot = MujocoRobot(BIPED)
        self._speed, self._stepped_ns, self._due_ns = speed, time.monotonic_ns(), 0
        self.position, self.velocity = BIPED.home.copy(), 0 * BIPED.home

    def release(self) -> None:
        """Let the base go, which hangs so far."""
        self._robot.hold_base(False)

    def step(self, target: np.ndarray | None) -> None:
        if target is not None:
            self._robot.set_target(target)
        now_ns = time.monotonic_ns()
        # Time in which this process was not run is not made up for: the policy was not told.
        self._due_ns += round(self._speed * min(now_ns - self._stepped_ns, 20_000_000))
        self._stepped_ns = now_ns
        steps = (self._due_ns - self._robot.time_ns) // self._robot.timestep_ns
        self._robot.step(max(0, steps))
        self._robot.joint_state(self.position, self.velocity, np.empty(len(BIPED.joints)))

    @property
    def time_ns(self) -> int:
        """Simulated time."""
        return self._robot.time_ns + 1_000_000_000

    def imu(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        read = np.empty(4), np.empty(3), np.empty(3)
        self._robot.imu(*read)
        return read

    def facts(self) -> dict[str, Any]:
        place = np.empty(3)
        self._robot.base(place, np.empty(4), np.empty(3), np.empty(3))
        return {'position': self.position.tolist(), 'base': place.tolist()}


class Inside:
    """The robot: every public attribute that is a setting can be changed from outside."""

    def __init__(self, options: dict[str, Any]) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.node import Node
        from rclpy.qos import QoSProfile
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import Imu
        from sensor_msgs.msg import JointState
        from std_msgs.msg import Float64MultiArray
        from std_msgs.msg import String

        rclpy.init(args=[])
        space = options['namespace']
        self._plant = Biped(options['speed']) if 'speed' in options else Joints()
        self._joints = list(options.get('joints', ORDER))
        self._manager = Node('controller_manager', namespace=space)
        self._controller = Node(CONTROLLER, namespace=space)
        given = {'joints': self._joints, 'interface_name': options.get('interface', 'position')}
        for name, value in given.items():
            if name not in options.get('without', ()):
                self._controller.declare_parameter(name, value)
        # SystemDefaultsQoS: reliable, of depth 10.
        qos = QoSProfile(depth=10)
        self._clock = self._manager.create_publisher(Clock, '/clock', qos)
        self._states = self._manager.create_publisher(JointState, 'joint_states', qos)
        self._imu = self._manager.create_publisher(Imu, 'imu_sensor_broadcaster/imu', qos)
        self._diagnostics = self._manager.create_publisher(DiagnosticArray, '/diagnostics', qos)
        topic = f'{CONTROLLER}/commands'
        self._controller.create_subscription(Float64MultiArray, topic, self._on_command, qos)
        self._make_rival = lambda: self._manager.create_publisher(Float64MultiArray, topic, qos)
        self._rival: Any = None
        self._make_clock = Clock
        self._manager.create_subscription(String, 'policy_node/mode', self._on_mode, qos)
        self._executor = rclpy.executors.SingleThreadedExecutor()
        self._executor.add_node(self._manager)
        self._executor.add_node(self._controller)
        self._command: np.ndarray | None = None
        self._told = 0.0
        self.seen = {
            'commands': 0,
            'dropped': 0,
            'failed': 0,
            'lowest': math.inf,
            'way': [0.0, 0.0],
        }
        self._running = False
        self._state = 'active'
        self.publishes = self.says_state = True
        self.nan_velocity = False

    def change(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Take settings; :return: what it has seen."""
        for name, value in settings.items():
            if name == 'rival':
                if self._rival is not None:
                    self._manager.destroy_publisher(self._rival)
                self._rival = self._make_rival() if value else None
            elif name == 'active':
                if value == 'active' != self._state:
                    self._command = None
                self._state = value
                self._told = 0.0
            elif name == 'pose':
                self._plant.position = np.array(value, float)
                self._command = None
            else:
                setattr(self, name, value)
        command = None if self._command is None else self._command.tolist()
        return {**self.seen, **self._plant.facts(), 'command': command, 'state': self._state}

    def _on_command(self, message: Any) -> None:
        if not np.isfinite(message.data).all():
            self.seen['dropped'] += 1
        elif len(message.data) != len(self._joints):
            self.seen['failed'] += 1
            self._state = 'inactive'
        else:
            self.seen['commands'] += 1
            if self._state == 'active':
                order = [self._joints.index(name) for name in BIPED.joint_names]
                self._command = np.array(message.data)[order]

    def _on_mode(self, message: Any) -> None:
        self._running = message.data.split()[0] == 'run'
        if self._running and isinstance(self._plant, Biped):
            self._plant.release()

    def step(self) -> None:
        """Move, publish, say the controller's state."""
        for _ in range(4):
            self._executor.spin_once(timeout_sec=0)
        self._plant.step(self._command)
        if self._running and isinstance(self._plant, Biped):
            x, y, z = self._plant.facts()['base']
            self.seen |= {'lowest': min(self.seen['lowest'], z), 'way': [x, y]}
        stamp = self._manager.get_clock().now().to_msg()
        if isinstance(self._plant, Biped):
            stamp.sec, stamp.nanosec = divmod(self._plant.time_ns, 1_000_000_000)
            self._clock.publish(self._make_clock(clock=stamp))
        if self.publishes:
            self._publish(stamp)
        if self.says_state and time.monotonic() - self._told > 1.0:
            self._told = time.monotonic()
            self._say_state(stamp)

    def _publish(self, stamp: Any) -> None:
        from sensor_msgs.msg import Imu
        from sensor_msgs.msg import JointState

        # In no order of ours, and with a gripper that no robot file has.
        velocity = self._plant.velocity[::-1] * (math.nan if self.nan_velocity else 1.0)
        joints = JointState(
            name=['gripper', *ORDER],
            position=array('d', [0.5, *self._plant.position[::-1]]),
            velocity=array('d', [0.0, *velocity]),
            effort=array('d', [math.nan] * (1 + len(ORDER))),
        )
        imu = Imu()
        imu.header.frame_id = BIPED.imu_frame
        q, gyro, accel = self._plant.imu()
        o, g, a = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        o.w, o.x, o.y, o.z = map(float, q)
        g.x, g.y, g.z = map(float, gyro)
        a.x, a.y, a.z = map(float, accel)
        joints.header.stamp = imu.header.stamp = stamp
        self._states.publish(joints)
        self._imu.publish(imu)

    def _say_state(self, stamp: Any) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from diagnostic_msgs.msg import DiagnosticStatus
        from diagnostic_msgs.msg import KeyValue

        said = [
            KeyValue(key='joint_state_broadcaster.state', value='active'),
            KeyValue(key=f'{CONTROLLER}.state', value=self._state),
        ]
        name = 'controller_manager: Controllers Activity'
        message = DiagnosticArray(status=[DiagnosticStatus(name=name, values=said)])
        message.header.stamp = stamp
        self._diagnostics.publish(message)


def main() -> None:
    """Be the robot until the input ends."""
    robot = Inside(json.loads(sys.argv[1]))
    due = time.monotonic()
    while True:
        robot.step()
        due = max(due + PERIOD, time.monotonic() - PERIOD)
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            line = sys.stdin.readline()
            if not line:
                return
            print(json.dumps(robot.change(json.loads(line))), flush=True)


if __name__ == '__main__':
    main()
