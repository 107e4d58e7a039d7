"""The control clock and the clock of message stamps of a node.

The control clock is steady, so setting the wall clock does not stretch a control period; with
use_sim_time both are /clock.
"""

import time
from collections.abc import Callable

from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.clock import JumpHandle
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from kinfer_ros.ros.polling import take_newest
from kinfer_ros.ros.rclpy_internals import clock_source


class Clocks:
    """
    Control clock and stamp clock of a node.

    :ivar sim_time: the node lives on /clock.
    :ivar steady: the steady clock, for timers that must go on without /clock.
    :ivar timer: the clock that the control timer runs on.
    """

    def __init__(self, node: Node) -> None:
        self.sim_time = bool(node.get_parameter('use_sim_time').value)
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._node_clock = node.get_clock()
        self._clock_subscription, self._set_clock = clock_source(node)
        self.timer = self._node_clock if self.sim_time else self.steady

    def control_now(self) -> int:
        """Control clock, ns: steady on hardware, the node's clock under use_sim_time."""
        return self.stamp_now() if self.sim_time else time.monotonic_ns()

    def on_jump_back(self, callback: Callable[[], None]) -> JumpHandle:
        """Call back whenever /clock goes back; :return: a handle, to `unregister`."""
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
        )
        return self._node_clock.create_jump_callback(
            threshold, post_callback=lambda jump: callback()
        )

    def catch_up(self) -> None:
        """
        Take the newest /clock, which stands still while no callback runs, as in a transition.

        A schedule that began at an old time would find all the ticks since then missed.
        """
        subscription = self._clock_subscription()
        message = take_newest(subscription) if subscription is not None else None
        if message is not None:
            self._set_clock(message)

    def stamp_now(self) -> int:
        """Clock of the message stamps, ns: without simulated time the system's, asked directly."""
        return int(self._node_clock.now().nanoseconds) if self.sim_time else time.time_ns()
