"""Several policy nodes in one process on one executor: `_composed.py COUNT FOLDER NAME:=VALUE...`.

Each is in a namespace of its own, /robot_0 and on, and has its runs in FOLDER/runs_0 and on.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kinfer_ros.nodes.policy.node import PolicyNode
from kinfer_ros.ros.executor import ControlExecutor


def make_node(index: int, folder: str, parameters: list[str]) -> PolicyNode:
    """One robot's node."""
    words = [word for each in parameters for word in ('-p', each)]
    runs = ['-p', f'runs_dir:={folder}/runs_{index}']
    return PolicyNode(
        namespace=f'robot_{index}',
        cli_args=['--ros-args', *words, *runs],
        use_global_arguments=False,
    )


def main() -> None:
    """Spin until a signal comes, then end all nodes together: each takes a second to fade."""
    count, folder, parameters = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    executor = ControlExecutor()
    nodes = [make_node(index, folder, parameters) for index in range(count)]
    for node in nodes:
        executor.add_node(node)
    running = False
    while not stop.is_set():
        executor.spin_once(timeout_sec=0.1)
        if not running and all(node.state == 'active' for node in nodes):
            running = True
            print('all active', flush=True)
    for node in nodes:
        node.request_end('stopped by a signal')
    while not all(node.finished for node in nodes):
        executor.spin_once(timeout_sec=0.1)
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
