"""The decisions of the Unitree bridge, without ROS, without DDS, with the time passed in.

Sessions, command checks and states are those of all bridges (bridges/core.py). Here: motors on and
off, damping, the remote control's stop, and who else commands the robot.
"""

from collections.abc import Callable

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.gains import Gains
from kinfer_ros.bridges.real_robot import TickedRobot
from kinfer_ros.bridges.real_robot import Timeouts
from kinfer_ros.bridges.samples import ImuSample
from kinfer_ros.bridges.samples import JointSample
from kinfer_ros.bridges.states import DAMPING
from kinfer_ros.bridges.states import DISABLED
from kinfer_ros.bridges.states import ENABLED
from kinfer_ros.bridges.unitree.drive import UnitreeDrive
from kinfer_ros.bridges.unitree.frames import Publisher
from kinfer_ros.bridges.unitree.messages import Family
from kinfer_ros.bridges.unitree.units import MotorUnits
from kinfer_ros.bridges.unitree.watch import UnitreeWatch
from kinfer_ros.errors import BridgeError
from kinfer_ros.robot.robot import Robot

OFF_NS = 100_000_000
"""Time for which `off` is written, before nothing is."""
STILL_HELD = 'the motors keep the last message'
STOPPED = "stopped by the remote control's L2 and B: call ~/enable"


class UnitreeRobot(TickedRobot):
    """
    One Unitree robot; every `now_ns` is of the steady clock.

    :param send: takes the frames for the DDS process; returns whether it could.
    :param warn: takes one line on each thing that was refused or went wrong.
    :param on_change: called after `state_text` or the gains may have changed.
    """

    COUNTERS = (
        'commands', 'refused', 'rejected', 'late', 'timeouts', 'lost', 'rivals', 'stops', 'silent',
        'clamped',
    )  # fmt: skip

    def __init__(
        self,
        robot: Robot,
        family: Family,
        timeouts: Timeouts,
        send: Callable[[bytes], bool],
        warn: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(robot, timeouts, warn, on_change)
        units = MotorUnits(robot, family)
        self.watch = UnitreeWatch(units, family, timeouts.lost_timeout_ns, warn)
        self.drive = UnitreeDrive(units, family, send)
        self._stop_held = self._stopped = False
        self._note_problem(self.watch.problem(0))

    # What comes in -----------------------------------------------------------------------

    def on_state(
        self, data: bytes, arrival_ns: int
    ) -> tuple[JointSample, ImuSample | None] | None:
        """Take a message of rt/lowstate; :return: its samples, None where it has nothing new."""
        machine = self.watch.machine
        samples = self.watch.take(data, arrival_ns)
        if self.watch.machine != machine:
            self.drive.set_machine(self.watch.machine)
        held = self.watch.remote is not None and self.watch.remote.stops
        if held and not self._stop_held and self.state != DISABLED:
            self._stopped = True
            self._give_up(STOPPED, 'stops')
        self._stop_held = held
        return samples

    def on_publishers(self, publishers: list[Publisher]) -> None:
        """Take the list of who else publishes rt/lowstate and rt/lowcmd."""
        self.watch.publishers = publishers
        problem = self.watch.rival_problem()
        if problem and self.state == ENABLED:
            self._give_up(problem, 'rivals')

    def on_silence(self) -> None:
        """Take notice that the DDS process damps the robot: this process was not run."""
        if self.state == ENABLED:
            self._give_up('this process was not run for the command time-out', 'silent')

    def tick(self, now_ns: int) -> None:
        """Check time-outs and go on switching off; call it at least every 10 ms."""
        self._check_command_timeout(now_ns)
        self._note_problem(self.watch.problem(now_ns))
        if self._off_begin_ns is not None:
            self._go_on_switching_off(now_ns - self._off_begin_ns)
        self.drive.beat(now_ns)

    # Commands ----------------------------------------------------------------------------

    def set_command_timeout(self, timeout_ns: int) -> None:
        """Change how long a session, and this process, may be silent."""
        super().set_command_timeout(timeout_ns)
        self._set_fallback()

    def _measured(self) -> Float64 | None:
        return None if self.watch.sample is None else self.watch.sample.position

    def _find_problem(self, now_ns: int) -> str:
        return self.watch.problem(now_ns) or self.watch.rival_problem()

    def _stay_damped(self) -> str:
        return STOPPED if self._stopped else self._problem or self.watch.rival_problem()

    def _move(self, target: Float64, mode: str, velocity: Float64 | None = None) -> None:
        self._target, self._damped = target, False
        self.drive.move(target, self.gains)

    def _damp(self) -> None:
        if self.state == DISABLED:
            return
        self._target, self._damped = self._present_pose(), True
        self.drive.damp(self._target, self.gains)

    def _apply_gains(self, gains: Gains) -> None:
        """Bring gains into force with the target; while disabled only keep them."""
        self.gains = gains
        if self._can_move():
            soft = gains.softened(0.0) if self._damped else gains
            self.drive.move(self._target, soft)
        self._set_fallback()
        self._on_change()

    def _set_fallback(self) -> None:
        self.drive.set_fallback(self._guard.timeout.limit_ns, self._present_pose(), self.gains)

    # Motors on and off -------------------------------------------------------------------

    def check_can_enable(self, now_ns: int) -> None:
        """:raises BridgeError: the motors must not be switched on."""
        super().check_can_enable(now_ns)
        if self._stop_held:
            raise BridgeError("not enabled: the remote control's L2 and B are held")
        if self.watch.health is not None and self.watch.health.faults:
            faults = [f'{name}: {fault}' for name, fault in self.watch.health.faults.items()]
            raise BridgeError(f'not enabled: motors report errors: {"; ".join(faults)}')

    def enable(self, now_ns: int) -> None:
        """
        Switch the motors on, in the present pose; admits every session again.

        :raises BridgeError: they must not be switched on.
        """
        self.check_can_enable(now_ns)
        self._stopped = False
        self._set_fallback()
        super().enable(now_ns)

    def on_link_lost(self, reason: str) -> None:
        """Take notice that the DDS process is gone: nothing reaches the robot any more."""
        text = f'the DDS process is gone: {reason}'
        if self.state == DISABLED:
            self._warn(text)
        else:
            self._off_begin_ns = None
            self._give_up(f'{text}; {STILL_HELD} until another one runs', 'lost')

    def on_link_back(self) -> None:
        """Another DDS process runs: damp the robot, which may hold a target."""
        self._set_fallback()
        if self.state != DISABLED:
            self._damp()
            self._enter(DAMPING, 'the DDS process was gone and runs again')

    def _go_on_switching_off(self, elapsed_ns: int) -> None:
        ramp_ns = self._timeouts.ramp_ns
        if elapsed_ns < ramp_ns:
            share = 0.0 if self._damped else 1.0 - elapsed_ns / ramp_ns
            self.drive.move(self._target, self.gains.softened(share))
        elif elapsed_ns < ramp_ns + OFF_NS:
            self.drive.off(self._target, self.gains)
        else:
            self.drive.rest()
            self._end_switching_off()
