"""A wire between bridge and policy node that can be tampered with, and an ear on the commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Imu
from sensor_msgs.msg import JointState
from sensor_msgs.msg import Joy

from kinfer_ros.bridges.command import parse_sender
from kinfer_ros.errors import BridgeError
from kinfer_ros.ros.messages import stamp_ns
from kinfer_ros.ros.qos import LATCHED

Change = Callable[[Any], Any]
"""Takes a message and returns the one to hand on, or None to keep it back."""

REMAPS = {'joint_states': 'raw/joint_states', 'imu/data': 'raw/imu/data'}
"""What the bridge has to be started with."""


HELD_GAINS = {'joint_gains': 'held/joint_gains'}
"""The same, for gains that go through the relay."""


@dataclass(frozen=True)
class Sent:
    """One message that was seen on joint_commands."""

    stamp: int
    session: str
    mode: str
    targets: list[float]
    version: int = 0

    @property
    def damping(self) -> bool:
        """It asks for damping, not for a position."""
        return not self.targets


class Wire:
    """
    One topic on its way.

    :ivar change: what is done to each message from the stamp `since` on; None: nothing.
    :ivar first: stamp of the first message that was tampered with, or 0.
    :ivar last: stamp of the newest message that was handed on as it was.
    """

    def __init__(self, node: Node, kind: type, topic: str, qos: QoSProfile) -> None:
        self.change: Change | None = None
        self.since = 0
        self.first = 0
        self.last = 0
        self._out = node.create_publisher(kind, topic, qos)
        node.create_subscription(kind, f'raw/{topic}', self._on_message, qos)

    def tamper(self, change: Change, since: int = 0) -> None:
        """Change all messages with a stamp of `since` ns or later."""
        self.since, self.first, self.change = since, 0, change

    def mend(self) -> None:
        """Hand everything on as it comes."""
        self.change = None

    def _on_message(self, message: Any) -> None:
        stamp = stamp_ns(message.header)
        change = self.change
        if change is not None and stamp >= self.since:
            self.first = self.first or stamp
            message = change(message)
        else:
            self.last = stamp
        if message is not None:
            self._out.publish(message)


class GainsWire:
    """
    The gains on their way to a bridge that was started with HELD_GAINS.

    :ivar change: what is done to each message; None: nothing.
    """

    def __init__(self, node: Node) -> None:
        self.change: Change | None = None
        self._kept: list[JointState] = []
        self._out = node.create_publisher(JointState, 'held/joint_gains', LATCHED)
        node.create_subscription(JointState, 'joint_gains', self._on_message, LATCHED)

    def hold(self) -> None:
        """Keep everything back."""
        self.change = lambda message: self._kept.append(message)

    def release(self) -> None:
        """Hand on what was kept back, and everything from now on."""
        self.change = None
        for message in self._kept:
            self._out.publish(message)

    def _on_message(self, message: JointState) -> None:
        if self.change is not None:
            message = self.change(message)
        if message is not None:
            self._out.publish(message)


class Relay:
    """
    Hands sensor samples on, in a thread and a node of its own.

    :ivar joints: the wire of joint_states.
    :ivar imu: the wire of imu/data.
    :ivar gains: the wire of joint_gains.
    :ivar commands: what was seen on joint_commands.
    :ivar buttons: of the joystick, said 20 times a second; None: there is none.
    """

    def __init__(self, domain_id: int, *, reliable: bool) -> None:
        """:param reliable: as in lockstep, where no sample may be lost."""
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain_id)
        node = self._node = Node('relay', context=self._context, use_global_arguments=False)
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=5, reliability=reliability)
        self.joints = Wire(node, JointState, 'joint_states', qos)
        self.imu = Wire(node, Imu, 'imu/data', qos)
        self.gains = GainsWire(node)
        self.commands: list[Sent] = []
        node.create_subscription(JointState, 'joint_commands', self._hear, QoSProfile(depth=100))
        self.buttons: list[int] | None = None
        self._joy = node.create_publisher(Joy, 'joy', QoSProfile(depth=20))
        node.create_timer(0.05, self._say_joy)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name='relay', daemon=True)
        self._thread.start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *what: object) -> None:
        self._ending.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._context.try_shutdown()

    def mend(self) -> None:
        """Tamper with nothing any more."""
        self.joints.mend()
        self.imu.mend()
        self.gains.release()

    def publisher(self, kind: type, topic: str) -> Publisher:
        """Return a publisher of this node."""
        return self._node.create_publisher(kind, topic, QoSProfile(depth=1))

    def _say_joy(self) -> None:
        if self.buttons is not None:
            self._joy.publish(Joy(buttons=self.buttons))

    def _hear(self, message: JointState) -> None:
        try:
            session, mode, version = parse_sender(message.header.frame_id)
        except BridgeError:
            return  # of an intruder
        stamp, targets = stamp_ns(message.header), list(message.position)
        self.commands.append(Sent(stamp, session, mode, targets, version))

    def _serve(self) -> None:
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self._node)
        while not self._ending.is_set():
            executor.spin_once(timeout_sec=0.05)
        # All of it in the thread that used it.
        executor.remove_node(self._node)
        executor.shutdown()
        self._node.destroy_node()
