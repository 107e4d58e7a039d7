"""Both ends of a Unitree bridge, each in a process of its own: a robot, and who listens to it.

    python benchmarks/_unitree.py robot DOMAIN      # rt/lowstate at 500 Hz, takes rt/lowcmd
    python benchmarks/_unitree.py listener          # joint_states in, joint_commands at 500 Hz out

Each prints its figures as JSON when it is interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from array import array
from typing import Any

import numpy as np

PERIOD_NS = 2_000_000
G1_MACHINE = 5


def robot(domain: int) -> None:
    """Say something new 500 times a second, and take what is commanded."""
    from cyclonedds.core import Policy
    from cyclonedds.core import Qos
    from cyclonedds.domain import Domain
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.pub import DataWriter
    from cyclonedds.sub import DataReader
    from cyclonedds.topic import Topic

    from kinfer_ros.bridges.unitree import dds_types
    from kinfer_ros.bridges.unitree.dds_process import CONFIGURATION
    from kinfer_ros.bridges.unitree.messages import CDR_LITTLE_ENDIAN
    from kinfer_ros.bridges.unitree.messages import HG
    from kinfer_ros.bridges.unitree.messages import WORD
    from kinfer_ros.bridges.unitree.messages import Layout
    from kinfer_ros.bridges.unitree.messages import crc32
    from kinfer_ros.robot.robot import load_robot

    configured = Domain(domain, CONFIGURATION.format('lo'))
    participant = DomainParticipant(domain)
    kind = dds_types.low_state(HG)
    states = DataWriter(participant, Topic(participant, 'rt/lowstate', kind))
    deep = Qos(Policy.Reliability.Reliable(0), Policy.History.KeepLast(100))
    command_topic = Topic(participant, 'rt/lowcmd', dds_types.low_command(HG))
    commands = DataReader(participant, command_topic, qos=deep)
    layout, record = Layout(HG.state), np.zeros(1, HG.state)
    record['imu_state']['quaternion'] = (1, 0, 0, 0)
    record['imu_state']['accelerometer'] = (0, 0, 9.81)
    record['mode_machine'] = G1_MACHINE
    home = load_robot('g1').home
    record['motor_state']['q'][0, : len(home)] = home
    taken, tick, due = 0, 0, time.monotonic_ns()
    while not _ended:
        due = max(due + PERIOD_NS, time.monotonic_ns() - PERIOD_NS)
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        tick += 1
        record['tick'] = tick
        record['motor_state']['tau_est'] = 0.001 * (tick % 1000)
        record['crc'] = crc32(record.view(WORD)[:-1])
        data = CDR_LITTLE_ENDIAN + layout.to_wire(record.view(np.uint8))
        states.write(dds_types.with_data(kind, data))
        taken += len(commands.take(N=100))
    del configured
    print(json.dumps({'states': tick, 'commands': taken}), flush=True)


class Listener:
    """Takes joint states as bytes, and says how old each is, by its stamp."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.node import Node
        from rclpy.qos import DurabilityPolicy
        from rclpy.qos import QoSProfile
        from rclpy.qos import ReliabilityPolicy
        from rclpy.signals import SignalHandlerOptions
        from sensor_msgs.msg import JointState
        from std_msgs.msg import String
        from std_srvs.srv import SetBool

        from kinfer_ros.robot.robot import load_robot

        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node('listener')
        g1 = load_robot('g1')
        best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.node.create_subscription(
            JointState, 'joint_states', self.on_joints, best_effort, raw=True
        )
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(String, 'bridge_state', self.on_state, latched)
        self._commands = self.node.create_publisher(JointState, 'joint_commands', 1)
        self._message = JointState(name=list(g1.joint_names), position=array('d', g1.home))
        self._message.header.frame_id = 'benchmark run'
        self._enable = self.node.create_client(SetBool, 'unitree_bridge/enable')
        self._request = SetBool.Request(data=True)
        self._call: Any = None
        self.heard = self.enabled = False
        self.ages: list[float] = []

    def on_joints(self, data: bytes) -> None:
        """Age in us of a message, which begins with its stamp."""
        now = time.time_ns()
        sec, nanosec = np.frombuffer(data, '<u4', 2, 4)
        self.heard = True
        self.ages.append((now - int(sec) * 1_000_000_000 - int(nanosec)) / 1000)

    def on_state(self, message: Any) -> None:
        """Remember whether the bridge is enabled."""
        self.enabled = message.data == 'enabled'

    def ask(self) -> None:
        """Enable the bridge, where there is one; a relay says enabled by itself."""
        if self._enable.service_is_ready() and (self._call is None or self._call.done()):
            self._call = self._enable.call_async(self._request)

    def command(self) -> None:
        """Send a command, as a policy of 500 Hz would."""
        self._commands.publish(self._message)


def listener() -> None:
    """Command and listen until it is interrupted."""
    from kinfer_ros.ros.executor import ControlExecutor

    listening = Listener()
    executor = ControlExecutor()
    executor.add_node(listening.node)
    due, told, asked = time.monotonic_ns(), False, 0.0
    while not _ended:
        due = max(due + PERIOD_NS, time.monotonic_ns() - PERIOD_NS)
        if listening.enabled:
            listening.command()
        elif time.monotonic() - asked > 0.5:
            asked = time.monotonic()
            listening.ask()
        while time.monotonic_ns() < due:
            executor.spin_once(timeout_sec=max(0, due - time.monotonic_ns()) / 1e9)
        if not told and listening.heard and listening.enabled:
            told = True
            print('connected', flush=True)
    print(json.dumps({'ages_us': listening.ages}), flush=True)


_ended: list[int] = []

if __name__ == '__main__':
    signal.signal(signal.SIGINT, lambda number, _: _ended.append(number))
    if sys.argv[1] == 'robot':
        robot(int(sys.argv[2]))
    else:
        listener()
