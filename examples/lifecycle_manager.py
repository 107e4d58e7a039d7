"""Brings lifecycle nodes up in order and down again by service calls, like Nav2's manager.

    python examples/lifecycle_manager.py policy_node [more nodes ...]

The policy node needs nothing else from a manager; leave its `autostart` off.
"""

from __future__ import annotations

import signal
import sys

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

TIMEOUT = 60.0
"""s per transition: configure waits for sensors, deactivate for the fade."""

UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


class Manager(Node):
    """Calls `change_state` of the managed nodes."""

    def __init__(self, names: list[str]) -> None:
        super().__init__('lifecycle_manager')
        self._names = names

    def change(self, name: str, transition: int) -> bool:
        """Request a transition; :return: whether it succeeded."""
        client = self.create_client(ChangeState, f'{name}/change_state')
        if not client.wait_for_service(TIMEOUT):
            self.get_logger().error(f'{name}: no such lifecycle node')
            return False
        request = ChangeState.Request(transition=Transition(id=transition))
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self, future, timeout_sec=TIMEOUT)
        answer = future.result() if future.done() else None
        done = answer is not None and bool(answer.success)
        self.get_logger().info(f'{name}: transition {transition} {"done" if done else "refused"}')
        return done

    def up(self) -> bool:
        """Configure and activate all, in order; :return: False at the first refusal."""
        return all(self.change(name, each) for each in UP for name in self._names)

    def down(self) -> None:
        """Deactivate and clean up all, in reverse order."""
        for each in DOWN:
            for name in reversed(self._names):
                self.change(name, each)


def main() -> int:
    """Bring the nodes up, and down again after Ctrl-C."""
    # rclpy's own handlers would end the context that is needed to bring the nodes down.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    manager = Manager(remove_ros_args(sys.argv)[1:])
    try:
        if not manager.up():
            return 1
        signal.pause()
    except KeyboardInterrupt:
        manager.down()
    finally:
        rclpy.shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
