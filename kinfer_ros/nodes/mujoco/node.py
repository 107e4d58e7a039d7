"""A MuJoCo robot in the graph, with the interface of a real one.

| topic | type | |
|---|---|---|
| joint_states | sensor_msgs/JointState | out |
| imu/data | sensor_msgs/Imu, in the IMU's frame | out |
| odom | nav_msgs/Odometry, the truth; twist in the base frame | out |
| height_scan | sensor_msgs/Image, 32FC1, if asked for | out |
| bridge_state | std_msgs/String: enabled, disabled or damping, with the reason | out, latched |
| joint_gains_in_force | sensor_msgs/JointState: kp, kd, torque limit | out, latched |
| /clock | rosgraph_msgs/Clock, if asked for (in: use_sim_time without publish_clock) | out |
| /diagnostics | diagnostic_msgs/DiagnosticArray | out |
| joint_commands | sensor_msgs/JointState, frame_id '<session> <mode> [version]' | in |
| joint_gains | sensor_msgs/JointState: kp, kd, torque limit | in, latched |

Services: ~/enable (SetBool), ~/reset (Trigger), ~/pause (SetBool), ~/step (Trigger). Parameters:
nodes/mujoco/parameters.py. Decisions: bridges/mujoco/bridge.py.

The base is held until the first command of mode `run`. In lockstep nothing moves before the first
command; a command with the stamp of the last sample is answered by the sample one control period
later, and a sample without an answer is sent again every 50 ms.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool
from std_srvs.srv import Trigger

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.command import Command
from kinfer_ros.bridges.core import BridgeCore
from kinfer_ros.bridges.mujoco.bridge import RESEND_NS
from kinfer_ros.bridges.mujoco.bridge import MujocoBridgeCore
from kinfer_ros.bridges.mujoco.height_scan import HeightScanner
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.errors import BridgeError
from kinfer_ros.nodes.bridge_node import SENSORS
from kinfer_ros.nodes.bridge_node import BridgeNode
from kinfer_ros.nodes.mujoco.messages import ScanMessage
from kinfer_ros.nodes.mujoco.messages import SensorMessages
from kinfer_ros.nodes.mujoco.parameters import read_settings
from kinfer_ros.nodes.mujoco.parameters import with_tick
from kinfer_ros.ros.clocks import Clocks
from kinfer_ros.ros.messages import gains_message
from kinfer_ros.ros.messages import read_command
from kinfer_ros.ros.process import run_node
from kinfer_ros.ros.qos import LOCKSTEP
from kinfer_ros.ros.qos import RELIABLE
from kinfer_ros.viewers.film import Film
from kinfer_ros.viewers.window import PAUSE
from kinfer_ros.viewers.window import STEP
from kinfer_ros.viewers.window import Window

LEVELS = {ENABLED: DiagnosticStatus.OK, DAMPING: DiagnosticStatus.ERROR}


class MujocoBridge(BridgeNode):
    """A simulated robot as a node; call `stop` before `destroy_node`."""

    def __init__(self, node_name: str = 'mujoco_bridge', **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter, the robot's YAML or its MJCF cannot be used."""
        super().__init__(node_name, **kwargs)

    def _set_up(self) -> None:
        settings = read_settings(self)
        robot = MujocoRobot(
            settings.robot,
            seed=settings.seed,
            imu_noise=settings.noise,
            disturbance=settings.disturbance,
            timestep=settings.timestep,
            scene=settings.scene,
        )
        timing = with_tick(settings.timing, robot.timestep_ns)
        self._clocked = settings.publish_clock
        self._slowdown = settings.slowdown
        self._choose_clock()
        self.bridge = MujocoBridgeCore(robot, timing, self._now(), self._warn)
        self._messages = SensorMessages(robot, settings.noise)
        self._scan = None
        if settings.scan is not None:
            scanner = HeightScanner(robot, settings.scan)
            self._scan = ScanMessage(scanner, timing.period_ns, robot.robot.base_frame)
        self._film = None
        self._window = None
        if settings.video:
            self._film = Film(
                settings.video,
                robot,
                waits=timing.lockstep,
                shot=settings.shot,
                say=self.get_logger().info,
            )
        if settings.viewer:
            self._window = Window(robot, settings.shot)
        self.get_logger().info(f'IMU: {robot.fitted.imu.describe()}')
        if robot.fitted.added:
            parts = '; '.join(robot.fitted.added)
            self.get_logger().info(f'added, since the MJCF lacks it: {parts}')
        if robot.fitted.unlisted:
            self.get_logger().info(f'joints without a command: {", ".join(robot.fitted.unlisted)}')
        self._make_topics(timing.lockstep)
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reset', self._on_reset)
        self.create_service(SetBool, '~/pause', self._on_pause)
        self.create_service(Trigger, '~/step', self._on_step)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        if self.get_parameter('paused').value:
            self.bridge.pause(True, self._now())
        self._start(timing.tick_ns)

    @property
    def core(self) -> BridgeCore:
        """What the robot obeys."""
        return self.bridge

    def _choose_clock(self) -> None:
        """Use the steady clock, or the /clock of another publisher."""
        clocks = Clocks(self)
        follows = clocks.sim_time and not self._clocked
        self._steady = clocks.steady
        self._pace = clocks.timer if follows else clocks.steady
        self._now: Callable[[], int] = clocks.stamp_now if follows else self._slowed_now
        if follows:
            self._jumps = clocks.on_jump_back(self._keep_in_phase)  # its publisher restarted

    def _slowed_now(self) -> int:
        """Return the steady clock, ns, as slow as the simulation is to be."""
        return int(time.monotonic_ns() / self._slowdown)

    def _make_topics(self, lockstep: bool) -> None:
        sensors = LOCKSTEP if lockstep else SENSORS
        self._make_publishers(sensors)
        self._odometry = self._publisher(Odometry, 'odom', sensors)
        if self._scan is not None:
            self._scans = self._publisher(Image, 'height_scan', sensors)
        self._clock_topic = None
        if self._clocked:
            self._clock_topic = self._publisher(ClockMessage, '/clock', RELIABLE)
        self._make_subscriptions()

    def _start(self, tick_ns: int) -> None:
        """Publish the state and the first sample, and start the timers."""
        self._publish_changes()
        self._fill()
        self._send()
        clock, steady = self._pace, self._steady
        tick_s = tick_ns / SECOND * self._slowdown
        self._tick_timer = self.create_timer(tick_s, self._on_tick, clock=clock)
        self._resend_timer = self.create_timer(RESEND_NS / SECOND, self._on_resend, clock=steady)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        pace = 'lockstep' if self.bridge.in_lockstep else f'{SECOND / tick_ns:g} Hz'
        self.get_logger().info(f'robot {self.bridge.robot.robot.name} is up in MuJoCo, {pace}')
        (self._tick_timer if self.bridge.in_lockstep else self._resend_timer).cancel()
        self._keep_in_phase()

    def stop(self) -> None:
        """Damp, publish the state, close the film; safe to call again."""
        if self._stopped:
            return
        self._stopped = True
        self.bridge.stop()
        self._publish_changes()
        self._wait_until_state_is_sent()
        if self._film is not None:
            self.get_logger().info(self._film.close())
        if self._window is not None:
            self._window.close()

    # Time --------------------------------------------------------------------------------

    @property
    def in_lockstep(self) -> bool:
        """Whether simulated time waits for commands."""
        return self.bridge.in_lockstep

    def _on_tick(self) -> None:
        if self.bridge.tick(self._now()):
            self._publish()
        self._publish_changes()
        self._look_at_window()

    def _on_resend(self) -> None:
        self._look_at_window()
        if self.bridge.resend_due(self._now()):
            self._send()
        self._check_lockstep_end()

    def _check_lockstep_end(self) -> None:
        """Switch to real time if lockstep has ended."""
        self._publish_changes()
        if not self.bridge.in_lockstep and self._tick_timer.is_canceled():
            self._resend_timer.cancel()
            self._tick_timer.reset()
            self._keep_in_phase()
            self.get_logger().info('lockstep has ended: simulated time now follows the clock')

    def _keep_in_phase(self) -> None:
        """Align physics steps with the timer: a sample is new when it is sent."""
        if not self._tick_timer.is_canceled() and self._now():  # 0: no /clock yet
            until_ns = self._tick_timer.time_until_next_call()
            self.bridge.align_steps(self._now() + int(until_ns / self._slowdown))

    def _sample_stamp(self) -> int:
        """Return the time of the present state, ns: simulated, or when it was due on the clock."""
        if self._clocked:
            return self.bridge.stamp_ns
        lag = self.bridge.lag_ns(self._now())
        return self.get_clock().now().nanoseconds - lag

    def _publish(self) -> None:
        """Publish a new state."""
        self._fill()
        self._send()
        if self._film is not None:
            self._film.show(self.bridge.stamp_ns)
            if self._film.waits:
                self._stalls.restart()  # the pause was asked for, and no clock runs
        if self._window is not None:
            self._window.show()

    def _look_at_window(self) -> None:
        """Draw the window while time stands still, too, and do what its keys ask for."""
        if self._window is None:
            return
        self._window.show()
        for asked in self._window.take_asked():
            if asked == PAUSE:
                self.set_parameters([Parameter('paused', value=not self.bridge.paused)])
            elif asked == STEP:
                self._step()
            else:
                self.bridge.reset()

    def _step(self) -> str:
        """Simulate one control period of a paused simulation; :return: why not, or ''."""
        if not self.bridge.paused:
            return 'the simulation is not paused: ~/pause first'
        if not self.bridge.step(self._now()):
            return 'no command has come for this control period: start the policy node'
        self._publish()
        return ''

    def _fill(self) -> None:
        """Read the sensors into the messages."""
        stamp_ns = self._sample_stamp()
        self._messages.fill(stamp_ns)
        if self._scan is not None:
            self._scan.fill(stamp_ns)

    def _send(self) -> None:
        """Publish the messages as they are: samples first, because the clock triggers ticks."""
        self._joints.publish(self._messages.joints())
        self._imu.publish(self._messages.imu())
        self._odometry.publish(self._messages.odometry())
        if self._scan is not None and self._scan.due:
            self._scans.publish(self._scan.message)
        if self._clock_topic is not None:
            self._clock_topic.publish(self._messages.clock())

    # Commands ----------------------------------------------------------------------------

    def _on_command(self, message: JointState) -> None:
        try:
            command = read_command(message)
        except BridgeError as error:
            self.bridge.refuse(f'joint_commands: {error}')
            return
        if self.bridge.command(command, self._now(), self._age(command)):
            self._publish()
        if self.bridge.state_text != self._published_state or command.mode == 'inactive':
            self._check_lockstep_end()
        elif self.bridge.gains_version != self._published_gains:
            self._publish_changes()

    def _age(self, command: Command) -> int:
        """Return the age of the sample that a command answers, ns; 0 if it has no stamp."""
        if not command.stamp_ns:
            return 0
        if self._clocked:
            return self.bridge.stamp_ns - command.stamp_ns
        return self.get_clock().now().nanoseconds - command.stamp_ns

    def _set_gains(
        self, names: list[str], gains: tuple[Any, Any, Any], session: str, version: int
    ) -> None:
        self.bridge.set_gains(names, gains, session, version)
        if self.bridge.answer_waiting(self._now()):
            self._publish()
        self._publish_changes()

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.bridge.enable(request.data)
        self._publish_changes()
        response.success = True
        response.message = self.bridge.state_text
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.bridge.reset()
        response.success = True
        response.message = 'back at the start with the next physics step'
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        reason = self._step()
        response.success = not reason
        response.message = reason or f'at {self.bridge.stamp_ns / SECOND:.3f} s'
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        result = self.set_parameters([Parameter('paused', value=request.data)])[0]
        response.success = result.successful
        response.message = result.reason or ('paused' if request.data else 'running')
        return response

    # Parameters --------------------------------------------------------------------------

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == 'push':
                push = parameter.value
                if len(push) != 3 or not all(map(math.isfinite, push)):
                    reason = f'push of {list(push)}, expected 3 finite numbers in m/s'
                    return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _apply_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == 'push':
                self.bridge.push(list(parameter.value))
            elif parameter.name == 'command_timeout':
                self.bridge.set_command_timeout(round(parameter.value * SECOND))
            elif parameter.name == 'paused':
                if self.bridge.pause(parameter.value, self._now()):
                    self._publish()
                self._keep_in_phase()

    # Latched topics and diagnostics ------------------------------------------------------

    def _publish_changes(self) -> None:
        bridge = self.bridge
        self._publish_state(bridge.state_text)
        if bridge.gains_version != self._published_gains:
            self._published_gains = bridge.gains_version
            for text in bridge.new_warnings():
                self.get_logger().warning(text)
            self._gains.publish(
                gains_message(
                    bridge.robot.robot.joint_names, *bridge.robot.gains(), bridge.gains_frame_id
                )
            )

    def _publish_diagnostics(self) -> None:
        bridge = self.bridge
        entries = {
            'session': bridge.holder,
            'simulated_s': f'{bridge.stamp_ns / SECOND:.3f}',
            'dropped_ms': bridge.dropped_ns // 1_000_000,
            'lockstep': bridge.in_lockstep,
            'paused': bridge.paused,
            'base_held': bridge.robot.base_is_held,
            **bridge.counts,
        }
        status = DiagnosticStatus(
            level=LEVELS.get(bridge.state, DiagnosticStatus.WARN),
            name=f'{self.get_fully_qualified_name()}: simulated robot',
            message=bridge.state_text,
            hardware_id=bridge.robot.robot.name,
            values=[KeyValue(key=key, value=str(text)) for key, text in entries.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = Time(nanoseconds=self._messages.stamp_ns).to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the bridge as a process; return its exit code."""
    return run_node(MujocoBridge, args)


if __name__ == '__main__':
    raise SystemExit(main())
