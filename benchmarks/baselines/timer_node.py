"""A node with a timer and nothing else: how punctual rclpy is by itself. HZ SECONDS."""

from __future__ import annotations

import json
import sys
import time

import rclpy
from rclpy.node import Node


def main() -> None:
    """Tick for some seconds, then print when each tick came, ns, as JSON."""
    rate, seconds = float(sys.argv[1]), float(sys.argv[2])
    rclpy.init(args=[])
    node = Node('timer_node')
    ticks: list[int] = []
    node.create_timer(1.0 / rate, lambda: ticks.append(time.monotonic_ns()))
    while len(ticks) < rate * seconds:
        rclpy.spin_once(node, timeout_sec=1.0)
    print(json.dumps({'ticks_ns': ticks}))


if __name__ == '__main__':
    main()
