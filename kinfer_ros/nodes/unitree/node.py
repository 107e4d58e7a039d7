"""
A Unitree robot: the robot side of the graph for G1 and Go2, over the robot's own DDS.

| topic | type | direction |
|---|---|---|
| joint_states | sensor_msgs/JointState | out |
| imu/data | sensor_msgs/Imu | out |
| bridge_state | std_msgs/String: enabled, disabled, damping, with the reason | out, latched |
| joint_gains_in_force | sensor_msgs/JointState: kp, kd, torque limit | out, latched |
| joint_temperatures | sensor_msgs/JointState: deg C | out |
| battery_state | sensor_msgs/BatteryState, where lowstate has it | out |
| joy | sensor_msgs/Joy: the remote control | out |
| /diagnostics | diagnostic_msgs/DiagnosticArray | out |
| joint_commands | sensor_msgs/JointState, frame_id '<session> <mode>' | in |
| joint_gains | sensor_msgs/JointState: kp, kd, torque limit | in, latched |

Service: ~/enable (SetBool). Parameters: nodes/unitree/parameters.py. Decisions:
bridges/unitree/robot.py, guarded by one lock. A thread takes what the DDS process sends
(bridges/unitree/link.py), publishes samples and checks time-outs; the executor's thread hands over
the messages that it receives.
"""

import itertools
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import BatteryState
from sensor_msgs.msg import Joy
from std_srvs.srv import SetBool

from kinfer_ros.bridges import SECOND
from kinfer_ros.bridges.real_robot import ENDED
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.unitree import frames
from kinfer_ros.bridges.unitree.link import Link
from kinfer_ros.bridges.unitree.robot import UnitreeRobot
from kinfer_ros.bridges.unitree.switcher import CHECK_MODE
from kinfer_ros.bridges.unitree.switcher import TIMEOUT
from kinfer_ros.bridges.unitree.switcher import check_none_active
from kinfer_ros.bridges.unitree.watch import Health
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import KinferRosError
from kinfer_ros.nodes.real_bridge import STOP_TIMEOUT
from kinfer_ros.nodes.real_bridge import RealBridge
from kinfer_ros.nodes.sample_messages import battery_message
from kinfer_ros.nodes.unitree.diagnostics import describe
from kinfer_ros.nodes.unitree.parameters import UnitreeSettings
from kinfer_ros.nodes.unitree.parameters import read_settings
from kinfer_ros.ros.process import run_node

WAIT = 0.005
"""s for which the thread waits for a frame before it checks time-outs."""
JOY_PERIOD_NS = SECOND // 50


class UnitreeBridge(RealBridge):
    """A Unitree robot as a node; call `stop` before `destroy_node`."""

    KIND = 'Unitree robot'
    POLL_PERIOD = 0.002
    _thread: threading.Thread  # not set where `_set_up` has failed

    def __init__(self, node_name: str = 'unitree_bridge', **kwargs: Any) -> None:
        """:raises KinferRosError: a parameter or the robot's YAML cannot be used."""
        super().__init__(node_name, **kwargs)

    def _set_up(self) -> None:
        settings = read_settings(self)
        self._begin()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._crash: BaseException | None = None
        self._check_switcher = settings.check_switcher
        self._numbers = itertools.count(time.time_ns())
        self._answers: dict[int, frames.Answer] = {}
        self._answered = threading.Condition()
        self._joy_ns = 0
        self._make_sample_publishers(settings.robot)
        self._joy = self._publisher(Joy, 'joy', 10)
        self._settings = settings
        self._link = self._open_link()
        self.robot = self._make_robot(settings)
        self._publish_changes()
        self._thread = threading.Thread(target=self._run, name='unitree', daemon=True)
        self._thread.start()
        self._serve(self._check_thread, 0.1)
        self.get_logger().info(
            f'robot {settings.robot.name} (unitree_{settings.family.name}) on '
            f'{settings.interface}, domain {settings.domain}; process '
            f'{self._link.process.pid} writes rt/lowcmd: if it is killed, the last target stays '
            'in force'
        )

    def _open_link(self) -> Link:
        settings = self._settings
        return Link(settings.interface, settings.domain, settings.family.name)

    def _make_robot(self, settings: UnitreeSettings) -> UnitreeRobot:
        return UnitreeRobot(
            settings.robot,
            settings.family,
            settings.timeouts,
            lambda frame: self._link.send(frame),
            self._warn,
            lambda: self._publish_changes() if hasattr(self, 'robot') else None,
        )

    def _end_thread(self) -> None:
        if hasattr(self, '_thread'):
            self._ended.set()
            self._thread.join(2.0)
        if hasattr(self, '_link'):
            self._link.close()

    def stop(self) -> None:
        """Ramp down, switch the motors off, publish the state, end; safe to call again."""
        if self._stopped or not hasattr(self, '_thread'):
            return
        self._stopped = True
        with self._lock:
            self.robot.disable(ENDED, time.monotonic_ns())
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.robot.state != DISABLED and self._thread.is_alive():
            if time.monotonic() > deadline:
                self.get_logger().error('the motors were not switched off: they are damped')
                break
            time.sleep(0.01)
        self._end_thread()
        self.robot.note_end()
        self._wait_until_state_is_sent()

    # On the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                for frame in frames.without_old_states(self._link.receive(WAIT)):
                    self._on_frame(frame)
                if self._link.lost:
                    self._reopen()
                with self._lock:
                    self.robot.tick(time.monotonic_ns())
        except BaseException as error:
            self._crash = error

    def _reopen(self) -> None:
        """Start another DDS process: the robot may hold its last target."""
        with self._lock:
            self.robot.on_link_lost(self._link.lost)
        self._link.close()
        self._link = self._open_link()
        with self._lock:
            self.robot.on_link_back()

    def _on_frame(self, frame: bytes) -> None:
        kind = frame[:1]
        if kind == frames.STATE:
            self._on_state(*frames.read_state(frame))
        elif kind == frames.PUBLISHERS:
            with self._lock:
                self.robot.on_publishers(frames.read_publishers(frame))
        elif kind == frames.ANSWER:
            with self._answered:
                answer = frames.read_answer(frame)
                self._answers[answer.number] = answer
                self._answered.notify_all()
        elif kind == frames.DAMPED:
            with self._lock:
                self.robot.on_silence()
        elif kind == frames.FAILED:
            self._link.lost = frame[1:].decode(errors='replace')

    def _on_state(self, arrival_ns: int, data: bytes) -> None:
        """Publish what a lowstate has, stamped with its arrival."""
        with self._lock:
            samples = self.robot.on_state(data, arrival_ns)
        if samples is None:
            return
        joints, imu = samples
        now_ns = self.get_clock().now().nanoseconds
        self._messages.stamp(now_ns - (time.monotonic_ns() - arrival_ns))
        self._joints.publish(self._messages.fill_joints(joints))
        if imu is not None:
            self._imu.publish(self._messages.fill_imu(imu))
        remote = self.robot.watch.remote
        if remote is not None and arrival_ns - self._joy_ns >= JOY_PERIOD_NS:
            self._joy_ns = arrival_ns
            message = Joy(axes=array('f', remote.axes), buttons=array('i', remote.buttons))
            message.header.stamp = self._messages.joints.header.stamp
            self._joy.publish(message)

    # On the executor ---------------------------------------------------------------------

    def _use(self, function: Callable[..., object], *arguments: object) -> None:
        with self._lock:
            function(*arguments)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        def enable(on: bool) -> None:
            self._enable() if on else self._disable()

        return self._answer_enable(enable, request, response)

    def _enable(self) -> None:
        self._locked(self.robot.check_can_enable)
        if self._check_switcher:
            try:
                check_none_active(self._ask(CHECK_MODE))
            except BridgeError as error:
                raise BridgeError(f'not enabled: {error}') from None
        self._locked(self.robot.enable)

    def _disable(self) -> None:
        self._locked(lambda now_ns: self.robot.disable('by request', now_ns))
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.robot.state != DISABLED:
            if time.monotonic() > deadline:
                raise BridgeError('the motors were not switched off: they are damped')
            time.sleep(0.01)

    def _locked(self, decide: Callable[[int], None]) -> None:
        with self._lock:
            decide(time.monotonic_ns())

    def _ask(self, api_id: int) -> frames.Answer | None:
        """Ask the motion switcher; :return: its answer, None where there is none in time."""
        number = next(self._numbers)
        self._link.send(frames.ask_frame(number, api_id))
        with self._answered:
            self._answered.wait_for(lambda: number in self._answers, TIMEOUT)
            return self._answers.pop(number, None)

    def _check_thread(self) -> None:
        """End the bridge if its thread has ended, by a bug or without a DDS process."""
        if isinstance(self._crash, KinferRosError):
            self.failure, self.finished = self._crash, True
        elif self._crash is not None:
            raise self._crash

    def _health(self) -> Health | None:
        watch = self.robot.watch
        return None if watch.problem(time.monotonic_ns()) else watch.health

    def _battery_message(self, health: Health) -> BatteryState | None:
        return battery_message(*health.battery) if health.battery else None

    def _describe(self) -> DiagnosticStatus:
        return self._status(*describe(self.robot, time.monotonic_ns()))


def main(args: list[str] | None = None) -> int:
    """Run the bridge as a process; return its exit code."""
    return run_node(UnitreeBridge, args)


if __name__ == '__main__':
    raise SystemExit(main())
