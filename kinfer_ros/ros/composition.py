"""Runs the nodes of the graph in one process.

`walk` uses it where there is no `ros2 launch`.
"""

import threading
import time
from importlib import import_module
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from kinfer_ros.launching.graph import NodeSpec
from kinfer_ros.launching.graph import ros_arguments
from kinfer_ros.nodes import NODES
from kinfer_ros.ros.executor import ControlExecutor

STOP_TIMEOUT = 4.0
BRIDGES = ('mujoco_bridge', 'kos_bridge', 'unitree_bridge', 'ros2_control_bridge')
ENDING_ORDER = (
    'udp_commands',
    'command_sequences',
    'policy_node',
    *BRIDGES,
    'robot_state',
    'recorder',
)


class Composition:
    """
    The nodes of the graph in this process, each on an executor and thread of its own.

    :ivar policy: the policy node.
    """

    def __init__(self, context: Context, specs: list[NodeSpec], arguments: dict[str, str]) -> None:
        """:raises KinferRosError: a node could not be made; those made before are gone again."""
        self._context = context
        self._threads: list[threading.Thread] = []
        self._running = threading.Event()
        self._crash: BaseException | None = None
        self.nodes: dict[str, Any] = {}
        try:
            for spec in specs:
                self.nodes[spec.executable] = _node_class(spec.executable)(
                    context=context,
                    namespace=arguments['namespace'],
                    cli_args=ros_arguments(spec, arguments['params_file']),
                    use_global_arguments=False,
                )
        except BaseException:
            self._destroy()
            raise
        self.policy = self.nodes['policy_node']

    def start(self) -> None:
        """Start a thread for each node, the policy's last."""
        self._running.set()
        for name in self.nodes:
            if name != 'policy_node':
                self._start_thread(name)
        self._start_thread('policy_node')

    def _start_thread(self, name: str) -> None:
        thread = threading.Thread(
            target=self._spin, args=(self.nodes[name],), name=name, daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _spin(self, node: Node) -> None:
        executor = ControlExecutor(context=self._context)
        executor.add_node(node)
        try:
            while self._running.is_set() and not getattr(node, 'finished', False):
                executor.spin_once(timeout_sec=0.1)
        except BaseException as error:
            self._crash = error
        finally:
            executor.remove_node(node)
            executor.shutdown(timeout_sec=0.0)

    @property
    def ended(self) -> bool:
        """The policy node has nothing more to do, or a node has crashed."""
        return self.policy.finished or self._crash is not None

    def stop(self) -> None:
        """Stop the policy first, then the bridge, the recorder last; raise what crashed."""
        if not self.policy.finished:
            self.policy.request_end('stopped by a signal')
            deadline = time.monotonic() + STOP_TIMEOUT
            while not self.ended and self._threads and time.monotonic() < deadline:
                time.sleep(0.01)
        self._running.clear()
        for thread in self._threads:
            thread.join(1.0)
        for name in ENDING_ORDER:
            # The recorder goes on until the other publishers have left.
            if name in self.nodes:
                node = self.nodes.pop(name)
                if hasattr(node, 'stop'):
                    node.stop()
                node.destroy_node()
        if self._crash is not None:
            raise self._crash

    def _destroy(self) -> None:
        for node in self.nodes.values():
            node.destroy_node()


def import_nodes(specs: list[NodeSpec]) -> None:
    """Import the nodes' modules, which takes a second or two."""
    for spec in specs:
        _node_class(spec.executable)


def _node_class(executable: str) -> Any:
    module, name = NODES[executable]
    return getattr(import_module(module), name)
