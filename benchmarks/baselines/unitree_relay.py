"""The bare relay beside the Unitree bridge: lowstate to ROS, commands to lowcmd, nothing else.

One process, the fixed layout read as it stands, no session, no checks, no time-outs: when it dies,
what it wrote last stays in force. Lowstate is read in a thread, as its arrival is
stamped, and published from there; commands come through an executor. Needs cyclonedds.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from array import array
from typing import Any

import numpy as np
import rclpy
from cyclonedds.core import InstanceState
from cyclonedds.core import Policy
from cyclonedds.core import Qos
from cyclonedds.core import ReadCondition
from cyclonedds.core import SampleState
from cyclonedds.core import ViewState
from cyclonedds.core import WaitSet
from cyclonedds.domain import Domain
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from kinfer_ros.bridges.unitree import dds_types
from kinfer_ros.bridges.unitree.dds_process import CONFIGURATION
from kinfer_ros.bridges.unitree.messages import HG
from kinfer_ros.bridges.unitree.messages import CommandWriter
from kinfer_ros.bridges.unitree.messages import Layout
from kinfer_ros.robot.robot import load_robot

MACHINE = 5


class Relay(Node):
    """Messages from one side to the other."""

    def __init__(self, domain: int) -> None:
        super().__init__('unitree_relay')
        self._domain = Domain(domain, CONFIGURATION.format('lo'))
        self._participant = DomainParticipant(domain)
        self._kind = dds_types.low_command(HG)
        states = Topic(self._participant, 'rt/lowstate', dds_types.low_state(HG))
        self._states = DataReader(
            self._participant,
            states,
            qos=Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(4)),
        )
        self._writer = DataWriter(
            self._participant,
            Topic(self._participant, 'rt/lowcmd', self._kind),
            qos=Qos(Policy.Reliability.Reliable(0), Policy.History.KeepLast(1)),
        )
        robot = load_robot('g1')
        self._count = len(robot.joints)
        self._layout, self._record = Layout(HG.state), np.zeros(1, HG.state)
        self._command = CommandWriter(HG)
        self._command.fields['mode_machine'] = MACHINE
        motors = self._command.fields['motor_cmd']
        motors['mode'][: self._count] = 1
        motors['kp'][: self._count], motors['kd'][: self._count] = robot.kp, robot.kd
        self._joints = self.create_publisher(JointState, 'joint_states', qos_profile_sensor_data)
        self._imu = self.create_publisher(Imu, 'imu/data', qos_profile_sensor_data)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._state = self.create_publisher(String, 'bridge_state', latched)
        self._message = JointState(name=list(robot.joint_names))
        self.create_subscription(JointState, 'joint_commands', self.on_command, 1)
        self._state.publish(String(data='enabled'))

    def on_command(self, message: JointState) -> None:
        """Write a command, with its checksum: the robot takes no other."""
        self._command.fields['motor_cmd']['q'][: self._count] = message.position
        data = self._command.message()
        self._writer.write(dds_types.with_data(self._kind, data))

    def read(self, ended: list[int]) -> None:
        """Publish each lowstate as it comes."""
        waiting = WaitSet(self._participant)
        anything = ViewState.Any | SampleState.Any | InstanceState.Any
        waiting.attach(ReadCondition(self._states, anything))
        while not ended:
            if waiting.wait(50_000_000):
                arrival = self.get_clock().now().to_msg()
                for sample in self._states.take(N=4):
                    if hasattr(sample, 'data'):
                        self.publish(arrival, sample.data)

    def publish(self, arrival: Any, data: bytes) -> None:
        """Publish joints and IMU of a lowstate."""
        self._layout.to_struct(data, self._record.view(np.uint8))
        motors = self._record['motor_state'][0][: self._count]
        message = self._message
        message.header.stamp = arrival
        message.position = array('d', motors['q'].tolist())
        message.velocity = array('d', motors['dq'].tolist())
        message.effort = array('d', motors['tau_est'].tolist())
        self._joints.publish(message)
        state, imu = self._record['imu_state'][0], Imu()
        imu.header.stamp = arrival
        q, g, a = imu.orientation, imu.angular_velocity, imu.linear_acceleration
        q.w, q.x, q.y, q.z = state['quaternion'].tolist()
        g.x, g.y, g.z = state['gyroscope'].tolist()
        a.x, a.y, a.z = state['accelerometer'].tolist()
        self._imu.publish(imu)


def main() -> None:
    """Relay until it is interrupted."""
    ended: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: ended.append(number))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    relay = Relay(int(sys.argv[1]))
    reader = threading.Thread(target=relay.read, args=(ended,))
    reader.start()
    executor = SingleThreadedExecutor()
    executor.add_node(relay)
    begin = time.monotonic()
    while not ended and time.monotonic() - begin < 300:
        executor.spin_once(timeout_sec=0.1)
    ended.append(0)
    reader.join()


if __name__ == '__main__':
    main()
