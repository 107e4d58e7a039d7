"""One activation of a policy node: control loop, time base and timer."""

from rclpy.node import Node

from kinfer_ros.control.loop import ControlLoop
from kinfer_ros.control.time_base import Lockstep
from kinfer_ros.control.time_base import RealTime
from kinfer_ros.control.time_base import SimTime
from kinfer_ros.nodes.policy.control_timer import ControlTimer
from kinfer_ros.nodes.policy.operator import Operator
from kinfer_ros.nodes.policy.robot_link import RobotLink
from kinfer_ros.realtime import Realtime
from kinfer_ros.realtime import RealtimeConfig
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.parameters import value
from kinfer_ros.run.session import RunSession
from kinfer_ros.run.setup import PolicySetup


class Activation:
    """
    Builds, starts and closes the loop of one activation.

    :ivar loop: stop it before `close`.
    """

    def __init__(
        self,
        node: Node,
        setup: PolicySetup,
        session: RunSession,
        link: RobotLink,
        clocks: Clocks,
        operator: Operator,
        *,
        lockstep: bool,
    ) -> None:
        controller = setup.controller
        time_base = Lockstep if lockstep else SimTime if clocks.sim_time else RealTime
        spin_ns = value(node, 'spin_us') * 1000
        self._node = node
        self._clocks = clocks
        self._lockstep = lockstep
        self._session = session
        self._controller = controller
        self._time = time_base(clocks, link, controller.inputs.frame, setup.period_ns)
        self._timer = ControlTimer(
            node, clocks, setup.period_ns, spin_ns=spin_ns, lockstep=lockstep
        )
        self.loop = ControlLoop(
            controller, self._time, link, session, operator, self._timer, link.publish_mode
        )

    @property
    def missed(self) -> int:
        """Ticks missed so far."""
        return self._time.schedule.missed

    def start(self, realtime: Realtime) -> None:
        """Apply the real-time parameters, and start the loop."""
        node = self._node
        realtime.begin(
            RealtimeConfig(
                priority=value(node, 'thread_priority'),
                cpus=tuple(cpu for cpu in value(node, 'cpu_affinity') if cpu >= 0),
                lock_memory=value(node, 'lock_memory'),
            )
        )
        for refusal in realtime.refused:
            node.get_logger().warning(f'{refusal}; see docs/performance.md, Setting up a machine')
        if not self._lockstep:
            self._clocks.catch_up()
        self.loop.start(self._clocks.control_now())

    def look(self) -> bool:
        """In lockstep: run the tick that is due by the newest /clock; :return: if one was."""
        return self._timer.look()

    def close(self) -> None:
        """Count missed ticks, and be ready for another session: it may have another clock."""
        self._session.count_schedule(self._time.schedule, self._time.stalls)
        self._controller.inputs.forget()
