"""The policy node that one would write in an afternoon: what ours is compared with.

A callback for every message, joints looked up by name in each tick, `session.run` with a dict, a
new message for each command; no guards, no log. Prints its figures as JSON when it is interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
import time

import numpy as np
import onnxruntime as ort
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState


class PlainNode(Node):
    """Sensors in, policy, commands out."""

    def __init__(self, model: str, rate: float, joints: list[str]) -> None:
        super().__init__('plain_node')
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        self.joints = joints
        self.carry = np.zeros(len(joints), np.float32)
        self.joint_state: JointState | None = None
        self.imu: Imu | None = None
        self.ticks: list[int] = []
        self.age: list[int] = []
        self.create_subscription(
            JointState, 'joint_states', self.on_joints, qos_profile_sensor_data
        )
        self.create_subscription(Imu, 'imu/data', self.on_imu, qos_profile_sensor_data)
        self.publisher = self.create_publisher(JointState, 'joint_commands', 1)
        self.timer = self.create_timer(1.0 / rate, self.on_timer)

    def on_joints(self, message: JointState) -> None:
        """Keep it."""
        self.joint_state = message

    def on_imu(self, message: Imu) -> None:
        """Keep it."""
        self.imu = message

    def on_timer(self) -> None:
        """One tick."""
        now = time.monotonic_ns()
        if self.joint_state is None or self.imu is None:
            return
        if not self.ticks:
            print('stepping', flush=True)
        self.ticks.append(now)
        position = dict(zip(self.joint_state.name, self.joint_state.position, strict=True))
        velocity = dict(zip(self.joint_state.name, self.joint_state.velocity, strict=True))
        q, gyro = self.imu.orientation, self.imu.angular_velocity
        w, x, y, z = q.w, q.x, q.y, q.z
        gravity = [-2 * (x * z - w * y), -2 * (y * z + w * x), -(1 - 2 * (x * x + y * y))]
        observation = {
            'joint_angles': [position[name] for name in self.joints],
            'joint_angular_velocities': [velocity[name] for name in self.joints],
            'projected_gravity': [9.81 * value for value in gravity],
            'gyroscope': [gyro.x, gyro.y, gyro.z],
            'command': [0.0, 0.0, 0.0],
        }
        inputs = {key: np.array(value, np.float32) for key, value in observation.items()}
        action, self.carry = self.session.run(None, inputs | {'carry': self.carry})
        message = JointState(name=self.joints, position=[float(value) for value in action])
        message.header.stamp = self.joint_state.header.stamp
        message.header.frame_id = 'plain'
        self.publisher.publish(message)
        stamp = message.header.stamp
        self.age.append(time.time_ns() - stamp.sec * 1_000_000_000 - stamp.nanosec)


def main() -> None:
    """Spin until interrupted: MODEL RATE JOINTS [--ros-args ...]."""
    model, rate, joints = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = PlainNode(model, rate, [f'joint_{index}' for index in range(joints)])
    stop: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stop.append(number))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not stop:
        executor.spin_once()  # sensors wake it
    print(json.dumps({'ticks_ns': node.ticks, 'age_ns': node.age}))


if __name__ == '__main__':
    main()
