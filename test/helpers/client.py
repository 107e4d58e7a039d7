"""A ROS client for tests: calls services and waits for messages, with bounds on every wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)

CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE
CLEANUP = Transition.TRANSITION_CLEANUP


class Client:
    """A node of the test's own, on the domain of the processes it started."""

    def __init__(self, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain_id)
        self.node = Node('test_client', context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.node.destroy_node()
        self._context.try_shutdown()

    def spin_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Serve this node until a condition holds; :return: whether it came true."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def follow(self, msg_type: Any, topic: str, qos: QoSProfile = LATCHED) -> list[Any]:
        """Return a list that fills with the messages of a topic as this client is served."""
        seen: list[Any] = []
        self.node.create_subscription(msg_type, topic, seen.append, qos)
        return seen

    def call(self, srv_type: Any, name: str, request: Any, timeout: float = 20.0) -> Any:
        """Call a service and return its response."""
        client = self.node.create_client(srv_type, name)
        assert self.spin_until(client.service_is_ready, timeout), f'no service {name}'
        future = client.call_async(request)
        assert self.spin_until(future.done, timeout), f'{name} did not answer in {timeout:g} s'
        self.node.destroy_client(client)
        return future.result()

    def trigger(self, name: str) -> Any:
        """Call a Trigger service."""
        return self.call(Trigger, name, Trigger.Request())

    def transition(self, node: str, transition: int) -> bool:
        """Ask a lifecycle node for a transition; :return: whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, f'{node}/change_state', request).success)
