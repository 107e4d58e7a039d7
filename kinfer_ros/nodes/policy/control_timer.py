"""The rclpy timer of a control loop, on the steady clock or on /clock."""

from collections.abc import Callable

from rclpy.clock import JumpHandle
from rclpy.node import Node
from rclpy.timer import Timer

from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.executor import ControlExecutor
from kinfer_ros.ros.executor import ControlTimerGroup
from kinfer_ros.ros.rclpy_internals import call_if_ready


class ControlTimer:
    """Calls back once per control period, from `start` to `stop`."""

    def __init__(
        self, node: Node, clocks: Clocks, period_ns: int, *, spin_ns: int, lockstep: bool
    ) -> None:
        """:param spin_ns: how long before a tick is due the executor watches the clock."""
        self._node = node
        self._clocks = clocks
        self._period_ns = period_ns
        self._spin_ns = spin_ns
        self._lockstep = lockstep
        self._timer: Timer | None = None
        self._jumps: JumpHandle | None = None

    def start(self, callback: Callable[[], None]) -> int:
        """Start; :return: when it fires first, on the control clock, ns."""
        sim_time = self._clocks.sim_time
        timer = self._node.create_timer(
            self._period_ns / 1e9,
            callback,
            # No thread can sleep until a simulated time.
            callback_group=None if sim_time else ControlTimerGroup(self._spin_ns),
            clock=self._clocks.timer,
        )
        self._timer = timer
        # The exact period: a float in s may be 1 ns short.
        timer.timer_period_ns = self._period_ns
        if isinstance(executor := self._node.executor, ControlExecutor) and not self._lockstep:
            executor.place(timer)
        if sim_time and not self._lockstep:
            # A timer restarts its period when its clock goes back: if that happens often, it
            # never fires, and the clock guard does not run.
            self._jumps = self._clocks.on_jump_back(callback)
        return int(self._clocks.control_now() + timer.time_until_next_call())

    def look(self) -> bool:
        """Take the newest /clock; :return: whether that made a tick due, which was called."""
        self._clocks.catch_up()
        timer = self._timer
        if timer is None or not call_if_ready(timer):
            return False
        timer.callback()
        return True

    def stop(self) -> None:
        """Stop; no call follows."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        if self._jumps is not None:
            self._jumps.unregister()
            self._jumps = None
