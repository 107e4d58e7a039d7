"""All guards on what comes in, asked once a tick in a fixed order.

Without this module a guard that nobody asks would be no guard. The order is from cause to effect:
a stale sample explains a tilt that cannot be trusted, not the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.body import HealthGuard
from kinfer_ros.control.guards.body import JointGuard
from kinfer_ros.control.guards.body import MissedGuard
from kinfer_ros.control.guards.body import TiltGuard
from kinfer_ros.control.guards.sensor_samples import ClockGuard
from kinfer_ros.control.guards.sensor_samples import SampleGuard
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import GuardStats
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.robot.robot import Robot


class GuardSet:
    """
    The guards of one controller.

    :ivar stats: the tally of their verdicts.
    :ivar health: what the robot tells of temperatures and battery.
    """

    def __init__(self, robot: Robot, frame: SensorFrame, tunables: LiveSettings) -> None:
        self.stats = GuardStats()
        self.health = Health(robot)
        self._frame = frame
        self._tunables = tunables
        self._clock = ClockGuard(tunables)
        self._joint_samples = SampleGuard(
            'joint_states', frame.joint_values, frame.joint_value_names, tunables
        )
        self._imu_samples = SampleGuard(
            'imu/data', frame.imu_values, frame.imu_value_names, tunables
        )
        self._odom_samples = SampleGuard(
            'odom', frame.base_velocity, list('xyz'), tunables, may_rest=True
        )
        self._tilt = TiltGuard(tunables)
        self._joints = JointGuard(robot, tunables)
        self._health = HealthGuard(robot, tunables)
        self._missed = MissedGuard(tunables)
        self._changes = 0
        self._joint_stamp_ns = -1

    def retune(self) -> None:
        """Take the thresholds as they now stand."""
        self._joints.retune()

    def restart(self) -> None:
        """Forget what came before: a new session begins."""
        for guard in (
            self._clock,
            self._joint_samples,
            self._imu_samples,
            self._odom_samples,
            self._joints,
            self._missed,
        ):
            guard.restart()
        self._changes = self._frame.joint_changes

    def check(self, moment: TickContext, target: Float64 | None, missed: int) -> str:
        """
        Ask every guard, in order, up to the first fault; what is said is counted.

        :param target: what was sent last, None where no position was sent.
        :param missed: ticks skipped before this one.
        :return: the reason of a fault, or ''.
        """
        for verdict in self._verdicts(moment, target, missed):
            if verdict is not OK:
                self.stats.note(verdict)
                if verdict.level is Level.FAULT:
                    return verdict.text
        return ''

    def stale(self, moment: TickContext) -> str:
        """Say which source has no fresh sample, or ''; nothing is counted."""
        for verdict in self._sample_verdicts(moment):
            if verdict.guard == 'stale':
                return verdict.text
        return ''

    def cause(self, moment: TickContext) -> str:
        """Say what would be a fault now, or ''; nothing is counted."""
        for verdict in self._verdicts(moment, None, 0):
            if verdict.level is Level.FAULT:
                return verdict.text
        return ''

    def _verdicts(
        self, moment: TickContext, target: Float64 | None, missed: int
    ) -> Iterator[Verdict]:
        frame = self._frame
        clock = self._clock.check(moment)
        if clock is not OK:
            frame.take_any_order()
        yield clock
        yield self._missed.check(missed)
        if frame.joint_problem or frame.imu_problem:
            yield fault('sample', frame.joint_problem or frame.imu_problem)
        for verdict in self._sample_verdicts(moment):
            if verdict.guard == 'future':
                # One wrong stamp must not make every later sample an old one, for ever.
                frame.take_any_order()
            yield verdict
        moment.new_joints = frame.joint_stamp_ns != self._joint_stamp_ns
        self._joint_stamp_ns = frame.joint_stamp_ns
        yield self._tilt.check(frame.gravity)
        yield self._joints.check(frame.position, frame.velocity, target, moment)
        if frame.joint_changes != self._changes:
            self._changes = frame.joint_changes
            yield warn(
                'joints',
                'joint_states gained, lost or reordered joints; those of the robot are found by '
                'name: are there two publishers?',
            )
        yield self._health.check(self.health)

    def _sample_verdicts(self, moment: TickContext) -> tuple[Verdict, ...]:
        frame = self._frame
        found = (
            self._joint_samples.check(frame.joint_stamp_ns, frame.joint_disorder, moment),
            self._imu_samples.check(frame.imu_stamp_ns, frame.imu_disorder, moment),
        )
        if not frame.needs_odometry:
            return found
        odom = self._odom_samples.check(frame.odom_stamp_ns, frame.odom_disorder, moment)
        return (*found, odom)
