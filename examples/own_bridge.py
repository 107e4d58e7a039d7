"""A bridge for a robot of your own (docs/bridges.md): put your transport into `Motors`."""

import time
from functools import partial
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from kinfer_ros.bridges import samples
from kinfer_ros.bridges import states
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.errors import BridgeError
from kinfer_ros.nodes.bridge_node import BridgeNode
from kinfer_ros.nodes.sample_messages import SampleMessages
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.ros.process import run_node

COMMAND_TIMEOUT_NS = 500_000_000


class Motors:
    """The transport. This one is a robot in memory, whose joints go where they are told."""

    def __init__(self, robot: Robot) -> None:
        self.position, self.velocity = robot.home.copy(), np.zeros(len(robot.joints))

    def write(self, target: np.ndarray, gains: Gains) -> None:
        """Send targets (rad) with their gains, in the robot's joint order."""
        self.position = self.position + 0.1 * (gains.kp > 0) * (target - self.position)

    def off(self) -> None:
        """Switch the motors off."""

    def read(self) -> tuple[samples.JointSample, samples.ImuSample]:
        """Read joints and IMU; raise BridgeError where the robot does not answer."""
        imu = samples.ImuSample((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 9.81))
        return samples.JointSample(
            time.monotonic_ns(), self.position, 0 * self.position, None
        ), imu


class OwnRobot(BridgeCore):
    """What the robot obeys; sessions, checks and time-outs are BridgeCore's."""

    COUNTERS = ('commands', 'refused', 'rejected', 'late', 'timeouts', 'lost')

    def __init__(self, robot: Robot, motors: Motors, *callbacks: Any) -> None:
        super().__init__(robot, COMMAND_TIMEOUT_NS, *callbacks)
        self.robot, self.motors = robot, motors
        self.gains = Gains(robot.kp.copy(), robot.kd.copy(), robot.torque_limit.copy())
        self.target: np.ndarray | None = None  # None: damped

    def tick(self) -> tuple[samples.JointSample, samples.ImuSample] | None:
        """Write what is in force; :return: a sample. Called periodically."""
        self._check_command_timeout(time.monotonic_ns())
        try:
            sample = self.motors.read()
        except BridgeError as error:
            if self.state == states.ENABLED:
                self._damp_because(str(error), 'lost')
            return None
        if self.state != states.DISABLED:
            gains = self.gains.softened(0.0) if self.target is None else self.gains
            self.motors.write(self._current_target(), gains)
        return sample

    def command(self, command: Command, age_ns: int) -> None:
        """Obey or refuse a command."""
        if self._admit(command.session):
            self._obey(command, time.monotonic_ns(), age_ns)

    def enable(self, on: bool) -> None:
        """Hold the present pose, or switch off; raise BridgeError where it must not move."""
        self.target = None
        if not on:
            self.motors.off()
            self._enter(states.DISABLED, 'by request')
            return
        if outside := samples.find_outside(self._current_target(), self.robot):
            raise BridgeError(f'not enabled: {outside}')
        self._guard.unblock_all()
        self.target = self._check_target(self._current_target())
        self._enter(states.ENABLED)

    def _current_target(self) -> np.ndarray:
        return (self.motors.read()[0].position if self.target is None else self.target).copy()

    def _check_target(self, target: np.ndarray) -> np.ndarray:
        return np.clip(target, self.robot.lower, self.robot.upper)

    def _move(self, target: np.ndarray, mode: str, velocity: np.ndarray | None) -> None:
        self.target = target

    def _damp(self) -> None:
        self.target = None

    def _requested_gains(self) -> Gains:
        return self.gains

    def _apply_gains(self, gains: Gains) -> None:
        self.gains = gains
        self._on_change()


class OwnBridge(BridgeNode):
    """The robot as a node: messages in and out, a timer, ~/enable."""

    def _set_up(self) -> None:
        robot = load_robot(self.declare_parameter('robot', 'biped').value)
        self._make_publishers()
        self.robot = OwnRobot(robot, Motors(robot), self._warn, self._publish_changes)
        self._messages = SampleMessages(robot)
        self._publish_changes()
        self._make_subscriptions()
        self.create_service(SetBool, '~/enable', partial(self._answer_enable, self.robot.enable))
        self.create_timer(0.005, self._tick)

    @property
    def core(self) -> BridgeCore:
        """What the robot obeys."""
        return self.robot

    def stop(self) -> None:
        """Switch off: the bridge ends."""
        self.robot.enable(False)

    def _tick(self) -> None:
        sample = self.robot.tick()
        if sample is not None:
            self._messages.stamp(self.get_clock().now().nanoseconds)
            self._joints.publish(self._messages.fill_joints(sample[0]))
            self._imu.publish(self._messages.fill_imu(sample[1]))

    def _publish_changes(self) -> None:
        self._publish_state(self.robot.state_text)
        self._publish_gains(self.robot.robot.joint_names, self.robot.gains)

    def _on_command(self, message: JointState) -> None:
        read = self._read_command(message)
        if read is not None:
            self.robot.command(*read)


if __name__ == '__main__':
    raise SystemExit(run_node(lambda: OwnBridge('own_bridge')))
