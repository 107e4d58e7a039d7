"""A scripted policy node for tests of the bridges, which run in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import DescribeParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from sensor_msgs.msg import Joy
from std_msgs.msg import String

from helpers.processes import domain
from helpers.processes import domain_environment
from kinfer_ros.nodes import NODES

TIMEOUT = 30.0

ROOT = Path(__file__).resolve().parents[2]
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
DEEP = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def environment() -> dict[str, str]:
    """Environment of a graph of this test process."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    return domain_environment(PYTHONPATH=path)


def start_bridge(
    namespace: str, *parameters: str, node: str = 'mujoco_bridge'
) -> subprocess.Popen[str]:
    """Start a bridge with `name:=value` parameters."""
    arguments = ['-r', f'__ns:=/{namespace}']
    arguments += [word for parameter in parameters for word in ('-p', parameter)]
    return subprocess.Popen(
        [sys.executable, '-m', NODES[node][0], '--ros-args', *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(namespace: str, *parameters: str, node: str = 'mujoco_bridge') -> str:
    """Start a bridge with a wrong parameter; return its error, which must be one line."""
    process = start_bridge(namespace, *parameters, node=node)
    try:
        _, text = process.communicate(timeout=20.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 2
    lines = [line for line in text.splitlines() if line]
    assert len(lines) == 1, text
    assert lines[0].startswith('error: ')
    return lines[0]


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Interrupt a process; return its exit code and what it wrote on stderr."""
    process.send_signal(signal.SIGINT)
    try:
        _, text = process.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, text


class Client:
    """Collects what the bridge in a namespace publishes, and commands it."""

    def __init__(self, namespace: str) -> None:
        os.environ.update(environment())
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain())
        self.node = Node('client', namespace=namespace, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.newest: dict[str, object] = {}
        self.samples: list[tuple[float, ...]] = []
        self.counters: dict[str, str] = {}
        self.keep_samples = False
        self.order: list[tuple[str, int]] = []
        self._sender = self.node.create_publisher(JointState, 'joint_commands', RELIABLE)
        self._gains = self.node.create_publisher(JointState, 'joint_gains', LATCHED)

    def listen(self, *, lockstep: bool = False) -> None:
        """Subscribe to everything."""
        sensors = DEEP if lockstep else BEST_EFFORT
        for kind, topic, qos in (
            (JointState, 'joint_states', sensors),
            (Imu, 'imu/data', sensors),
            (Odometry, 'odom', sensors),
            (Clock, '/clock', DEEP),
            (String, 'bridge_state', LATCHED),
            (JointState, 'joint_gains_in_force', LATCHED),
            (JointState, 'joint_temperatures', BEST_EFFORT),
            (BatteryState, 'battery_state', BEST_EFFORT),
            (Joy, 'joy', 10),
            (DiagnosticArray, '/diagnostics', 10),
        ):
            self.node.create_subscription(kind, topic, self._taker(topic), qos)

    def _taker(self, topic: str):
        def take(message) -> None:
            status = getattr(message, 'status', [])
            if status and not status[0].name.startswith(f'{self.node.get_namespace()}/'):
                return  # all bridges of a graph share this topic
            self.newest[topic] = message
            if status:
                self.counters = {v.key: v.value for v in message.status[0].values}
            if self.keep_samples and topic in ('joint_states', 'imu/data', 'odom', '/clock'):
                self.order.append((topic, stamp(message)))
                self.samples.append(numbers(message))

        return take

    def count(self, name: str) -> int:
        """Return one of the bridge's counters, as of its newest diagnostics."""
        return int(self.counters.get(name, 0))

    @property
    def state(self) -> str:
        """Newest bridge_state."""
        message = self.newest.get('bridge_state')
        return message.data if message else ''

    def spin_until(self, condition, patience: float = TIMEOUT) -> None:
        """Serve callbacks until a condition holds; fail when it does not within the patience."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f'waited in vain; {self.state}; {self.counters}'
            self.executor.spin_once(timeout_sec=0.05)

    def spin_for(self, seconds: float) -> None:
        """Serve callbacks for a time that is itself what the test is about."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)

    def send(
        self,
        position,
        mode: str = 'hold',
        session: str = 'aaaaaaaa',
        stamp_ns: int = 0,
        names=None,
        version: str = '',
    ) -> None:
        """Send one command; None asks for damping."""
        joints = self.newest['joint_states']
        message = JointState(name=list(joints.name if names is None else names))
        message.header.frame_id = f'{session} {mode} {version}'.strip()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        if position is None:
            message.velocity = array('d', [0.0] * len(message.name))
        else:
            message.position = array('d', position)
        self._sender.publish(message)

    def send_gains(self, names, kp, kd, torque, frame_id: str = '') -> None:
        """Ask for gains."""
        message = JointState(
            name=list(names),
            position=array('d', kp),
            velocity=array('d', kd),
            effort=array('d', torque),
        )
        message.header.frame_id = frame_id
        self._gains.publish(message)

    def call(self, kind, name: str, request):
        """Call a service and return its answer."""
        client = self.node.create_client(kind, name)
        self.spin_until(client.service_is_ready)
        future = client.call_async(request)
        self.spin_until(future.done)
        return future.result()

    def commanding(self, position, seconds: float, mode: str = 'hold', **kwargs) -> None:
        """Send a command every 20 ms for a time, as a policy node would."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.send(position, mode, **kwargs)
            self.spin_for(0.02)

    def close(self) -> None:
        """Leave the graph."""
        self.executor.shutdown(timeout_sec=0.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def running_bridge(
    namespace: str, *parameters: str, node: str = 'mujoco_bridge', lockstep: bool = False
) -> Iterator[tuple[Client, subprocess.Popen[str]]]:
    """Run a bridge and a client that listens to it; both end with the block."""
    client = Client(namespace)
    process = start_bridge(namespace, *parameters, node=node)
    try:
        client.listen(lockstep=lockstep)
        yield client, process
    finally:
        client.close()
        process.kill()
        process.communicate()


def interrupt_twice(client: Client, process: subprocess.Popen[str], state: str) -> str:
    """Interrupt a bridge, and again once it published this state; return its stderr."""
    process.send_signal(signal.SIGINT)
    client.spin_until(lambda: client.state.startswith(state), 5.0)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=40)
    assert process.returncode == 0, text
    assert 'Traceback' not in text
    return text


def describe_parameters(client: Client, node: str, names: list[str]) -> list:
    """Return the descriptors of parameters, which must all have a description."""
    answer = client.call(
        DescribeParameters, f'{node}/describe_parameters', DescribeParameters.Request(names=names)
    )
    assert all(descriptor.description for descriptor in answer.descriptors)
    return answer.descriptors


def stamp(message) -> int:
    """Stamp of a message in ns."""
    time_ = message.clock if isinstance(message, Clock) else message.header.stamp
    return time_.sec * 10**9 + time_.nanosec


def numbers(message) -> tuple[float, ...]:
    """Return all numbers of a message; serialized bytes differ in their padding."""
    found: list[float] = []
    for field in message.get_fields_and_field_types():
        value = getattr(message, field)
        if hasattr(value, 'get_fields_and_field_types'):
            found += numbers(value)
        elif isinstance(value, float | int):
            found.append(value)
        elif not isinstance(value, str | list):
            found += [float(entry) for entry in value]
    return tuple(found)
