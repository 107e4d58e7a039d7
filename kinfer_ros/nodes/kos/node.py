"""A robot behind a KOS server in the graph: K-Bot, Z-Bot, kos-sim.

| topic | type | |
|---|---|---|
| joint_states | sensor_msgs/JointState | out |
| imu/data | sensor_msgs/Imu, in the IMU's frame | out |
| joint_temperatures | sensor_msgs/JointState: deg C, if the robot reports it | out |
| battery_state | sensor_msgs/BatteryState, if the robot reports it | out |
| bridge_state | std_msgs/String: enabled, disabled or damping, with the reason | out, latched |
| joint_gains_in_force | sensor_msgs/JointState: kp, kd, torque limit | out, latched |
| /diagnostics | diagnostic_msgs/DiagnosticArray | out |
| joint_commands | sensor_msgs/JointState, frame_id '<session> <mode> [version]' | in |
| joint_gains | sensor_msgs/JointState: kp, kd, torque limit | in, latched |

Service: ~/enable (SetBool). Parameters: nodes/kos/parameters.py. Decisions: bridges/kos/robot.py,
on an asyncio loop in a thread of its own (bridges/kos/loop.py), which also publishes samples and
states; the executor's thread hands over the messages that it receives.
"""

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import BatteryState
from std_srvs.srv import SetBool

from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.kos.client import KosClient
from kinfer_ros.bridges.kos.loop import KosLoop
from kinfer_ros.bridges.kos.loop import ReadSchedule
from kinfer_ros.bridges.kos.robot import KosRobot
from kinfer_ros.bridges.kos.sample import Health
from kinfer_ros.bridges.kos.units import JointUnits
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.errors import BridgeError
from kinfer_ros.nodes.kos.diagnostics import describe
from kinfer_ros.nodes.kos.messages import battery_message
from kinfer_ros.nodes.kos.parameters import KosSettings
from kinfer_ros.nodes.kos.parameters import read_settings
from kinfer_ros.nodes.real_bridge import STOP_TIMEOUT
from kinfer_ros.nodes.real_bridge import RealBridge
from kinfer_ros.ros.process import run_node

ENABLE_TIMEOUT = 10.0
"""s for which a caller of ~/enable waits."""
CRASH_CHECK_PERIOD = 0.1
"""s between two checks of the reading thread."""


class KosBridge(RealBridge):
    """A KOS robot as a node; call `stop` before `destroy_node`."""

    KIND = 'KOS robot'
    robot: KosRobot
    _loop: KosLoop  # not set where `_set_up` has failed

    def __init__(self, node_name: str = 'kos_bridge', **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter or the robot's YAML cannot be used."""
        super().__init__(node_name, **kwargs)

    def _set_up(self) -> None:
        settings = read_settings(self)
        self._begin()
        self._auto_enable = settings.auto_enable
        self._make_sample_publishers(settings.robot)
        self.schedule = ReadSchedule(settings.period_ns, settings.lead_ns)
        self._loop = KosLoop(lambda: self._make_robot(settings), self.schedule, self._on_sample)
        self._loop.start()
        self._serve(self._check_crash, CRASH_CHECK_PERIOD)
        self._loop.hand_over(self._publish_changes)
        address, backend = settings.connection.address, settings.backend.name
        self.get_logger().info(
            f'robot {settings.robot.name} through {backend} at {address}; KOS has no watchdog: if '
            'this process is killed, the last target stays in force'
        )

    def _make_robot(self, settings: KosSettings) -> KosRobot:
        client = KosClient(settings.connection, JointUnits(settings.robot).ids)
        # Reads, and with them callbacks of this node, begin before `start` returns.
        self.robot = KosRobot(
            settings.robot,
            client,
            settings.backend,
            settings.gyro_factor,
            settings.timeouts,
            self._warn,
            self._publish_changes,
        )
        return self.robot

    def _end_thread(self) -> None:
        if hasattr(self, '_loop'):
            self._loop.stop()

    def stop(self) -> None:
        """Damp, switch the torque off, publish the state, end the thread; safe to call again."""
        if self._stopped or not hasattr(self, '_loop'):
            return
        self._stopped = True
        try:
            self._loop.run_and_wait(self.robot.stop(), STOP_TIMEOUT)
            if self.robot.torque_is_unknown:
                self.get_logger().error(self.robot.state_text)
        except BridgeError as error:
            self.get_logger().error(f'{error}: its torque may be on')
        self._end_thread()
        self._publish_changes()
        self._wait_until_state_is_sent()

    # On the loop -------------------------------------------------------------------------

    def _on_sample(self, joints: JointSample | None, imu: ImuSample | str, sent_ns: int) -> None:
        """Publish complete samples, stamped with the time of the request."""
        now_ns = self.get_clock().now().nanoseconds
        self._messages.stamp(now_ns - (time.monotonic_ns() - sent_ns))
        if joints is not None:
            self._joints.publish(self._messages.fill_joints(joints))
        if isinstance(imu, ImuSample):
            self._imu.publish(self._messages.fill_imu(imu))
        if self._auto_enable and joints is not None:
            self._auto_enable = False
            self.robot.enable_at_start()

    def _publish_changes(self) -> None:
        robot = self.robot
        if self._publish_state(robot.state_text):
            self.get_logger().info(f'state {robot.state_text}')
        gains = robot.in_force
        if gains is not None:
            self._publish_gains(robot.robot.joint_names, gains, robot.in_force_frame_id)

    # On the executor ---------------------------------------------------------------------

    def _use(self, function: Callable[..., object], *arguments: object) -> None:
        self._loop.hand_over(function, *arguments)

    def _command(self, command: Command, now_ns: int, age_ns: int) -> None:
        super()._command(command, now_ns, age_ns)
        self.schedule.on_command(now_ns)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        try:
            done, text = self._loop.run_and_wait(self.robot.enable(request.data), ENABLE_TIMEOUT)
        except BridgeError as error:
            done, text = False, str(error)
        response.success, response.message = done, text
        if not done:
            self.get_logger().error(text)
        return response

    def _check_crash(self) -> None:
        """End the bridge if its reads have ended, which is a bug."""
        if self._loop.crash is not None:
            raise self._loop.crash

    def _health(self) -> Health | None:
        watch = self.robot.watch
        return watch.health if watch.connected else None

    def _battery_message(self, health: Health) -> BatteryState | None:
        return battery_message(health)

    def _describe(self) -> DiagnosticStatus:
        return self._status(*describe(self.robot, self.schedule))


def main(args: list[str] | None = None) -> int:
    """Run the bridge as a process; return its exit code."""
    return run_node(KosBridge, args)


if __name__ == '__main__':
    raise SystemExit(main())
