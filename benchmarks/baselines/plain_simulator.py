"""The plain rclpy node that one would write around MuJoCo: MJCF HZ.

A timer steps the physics and publishes a joint state, an IMU sample and odometry, as messages
that are filled at each sample. It obeys nobody: targets stay at the keyframe `home`.
"""

from __future__ import annotations

import signal
import sys
import threading

import mujoco
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState


class PlainSimulator(Node):
    """Physics and three topics."""

    def __init__(self, path: str, rate: float) -> None:
        super().__init__('plain_simulator')
        self._model = mujoco.MjModel.from_xml_path(path)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_resetDataKeyframe(self._model, self._data, self._model.key('home').id)
        self._steps = max(1, round(1.0 / rate / self._model.opt.timestep))
        self._joints = self.create_publisher(JointState, 'joint_states', 10)
        self._imu = self.create_publisher(Imu, 'imu/data', 10)
        self._odometry = self.create_publisher(Odometry, 'odom', 10)
        joints = range(1, self._model.njnt)
        self._state = JointState(name=[self._model.joint(joint).name for joint in joints])
        self._orientation, self._pose = Imu(), Odometry()
        self.create_timer(1.0 / rate, self._step)

    def _step(self) -> None:
        data = self._data
        mujoco.mj_step(self._model, data, nstep=self._steps)
        now = self.get_clock().now().to_msg()
        self._state.header.stamp = self._orientation.header.stamp = self._pose.header.stamp = now
        self._state.position = data.qpos[7:].tolist()
        self._state.velocity = data.qvel[6:].tolist()
        self._state.effort = data.qfrc_actuator[6:].tolist()
        imu, pose = self._orientation, self._pose.pose.pose
        turn, gyro, accel = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        turn.w, turn.x, turn.y, turn.z = data.qpos[3:7].tolist()
        gyro.x, gyro.y, gyro.z = data.qvel[3:6].tolist()
        accel.x, accel.y, accel.z = data.qacc[:3].tolist()
        pose.position.x, pose.position.y, pose.position.z = data.qpos[:3].tolist()
        pose.orientation = turn
        self._joints.publish(self._state)
        self._imu.publish(imu)
        self._odometry.publish(self._pose)


def main() -> None:
    """Spin until a signal comes."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = PlainSimulator(sys.argv[1], float(sys.argv[2]))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print('simulating', flush=True)
    while not stop.is_set():
        executor.spin_once(timeout_sec=0.1)


if __name__ == '__main__':
    main()
