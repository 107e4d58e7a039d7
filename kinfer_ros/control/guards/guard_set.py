"""GuardSet: all guards on inputs, run once a tick, from cause to effect (stale before tilt)."""

from collections.abc import Iterator

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.body import HealthGuard
from kinfer_ros.control.guards.body import JointGuard
from kinfer_ros.control.guards.body import MissedGuard
from kinfer_ros.control.guards.body import TiltGuard
from kinfer_ros.control.guards.quick_look import QuickLook
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

TILT, TRACKING = 'tilt', 'tracking'
BRIDGE_GONE = 'has the bridge ended?'


class GuardSet:
    """
    The guards of one controller.

    :ivar stats: counts of their verdicts.
    :ivar health: reported temperatures and battery charge.
    :ivar waived: of the guards tilt and tracking those that do not hold now.
    :ivar looks_past_tilt: `check` runs the guards after a fault of tilt as well.
    :ivar fell: the last `check` found the fault of tilt.
    :ivar tilt_alone: the last `check` found the fault of tilt, and no other one.
    """

    def __init__(
        self, robot: Robot, frame: SensorFrame, live: LiveSettings, wheels: Bools | None = None
    ) -> None:
        """:param wheels: [N] the joints whose targets are velocities; None: none of them."""
        self.stats = GuardStats()
        self.health = Health(robot)
        self._frame = frame
        self._live = live
        self._clock = ClockGuard(live)
        self._joint_samples = SampleGuard(
            'joint_states',
            frame.joint_values,
            frame.joint_value_names,
            live,
            missing=frame.missing_joints,
            silence=frame.silence,
        )
        self._imu_samples = SampleGuard(
            'imu/data', frame.imu_values, frame.imu_value_names, live, silence=frame.silence
        )
        self._odom_samples = SampleGuard(
            'odom',
            frame.base_velocity,
            list('xyz'),
            live,
            may_be_constant=True,
            silence=frame.silence,
        )
        self._scan_samples = SampleGuard(
            'height_scan',
            frame.scan,
            [f'point {at}' for at in range(frame.scan.size)],
            live,
            may_be_constant=True,
            silence=frame.silence,
        )
        self._tilt = TiltGuard(live)
        self._joints = JointGuard(robot, live, wheels)
        self._numbers = QuickLook(frame, self._joints, live)
        self._health = HealthGuard(robot, live)
        self._missed = MissedGuard(live)
        self._changes = 0
        self._joint_stamp_ns = -1
        self.waived: frozenset[str] = frozenset()
        self.looks_past_tilt = self.fell = self.tilt_alone = False

    def retune(self) -> None:
        """Take over changed thresholds."""
        for samples in (
            self._joint_samples,
            self._imu_samples,
            self._odom_samples,
            self._scan_samples,
        ):
            samples.retune()
        self._joints.retune()
        self._numbers.retune()

    def restart(self) -> None:
        """Reset the state of all guards: a new session begins."""
        for guard in (
            self._clock,
            self._joint_samples,
            self._imu_samples,
            self._odom_samples,
            self._scan_samples,
            self._joints,
            self._missed,
        ):
            guard.restart()
        self._changes = self._frame.joint_changes

    def check(self, context: TickContext, target: Float64 | None, missed: int) -> str:
        """
        Run the guards in order up to the first fault, and count their verdicts.

        :param target: the last target sent, None if no position was sent.
        :param missed: ticks skipped before this one.
        :return: the text of the fault, or ''.
        """
        self.fell = self.tilt_alone = False
        if self._is_clear(context, target, missed):
            return ''
        fall = ''
        for verdict in self._verdicts(context, target, missed):
            self.stats.note(verdict)
            if verdict.level is not Level.FAULT:
                continue
            if fall:
                self.tilt_alone = False
                return f'{fall}; {verdict.text}'
            self.fell = verdict.guard == TILT
            if not (self.fell and self.looks_past_tilt):
                return verdict.text
            fall, self.tilt_alone = verdict.text, True
        return fall

    def stale(self, context: TickContext) -> str:
        """:return: which source has no fresh sample, or ''; nothing is counted."""
        for verdict in self._sample_verdicts(context):
            if verdict.guard == 'stale':
                return verdict.text
        return ''

    def cause(self, context: TickContext) -> str:
        """:return: the text of the first fault now, or ''; nothing is counted."""
        for verdict in self._verdicts(context, None, 0):
            if verdict.level is Level.FAULT:
                return verdict.text
        return ''

    def _is_clear(self, context: TickContext, target: Float64 | None, missed: int) -> bool:
        """
        Whether no guard has anything to say: a look that nearly every tick ends with.

        A guard that is passed here is passed in `_verdicts` as well, and in the same state.
        """
        frame = self._frame
        clear = (
            not (missed or self.waived or frame.needs_odometry or frame.scan_shape[0])
            and not (frame.joint_problem or frame.imu_problem or frame.scan_problem)
            and self._clock.is_steady(context)
            and self._joint_samples.is_fresh(frame.joint_stamp_ns, frame.joint_disorder, context)
            and self._imu_samples.is_fresh(frame.imu_stamp_ns, frame.imu_disorder, context)
            and self._numbers.is_clear(target)
            and frame.joint_changes == self._changes
            and self._health.check(self.health) is OK
        )
        if clear:
            self._missed.check(missed)
            self._joints.restart()
            self._joint_stamp_ns = frame.joint_stamp_ns
        return clear

    def _verdicts(
        self, context: TickContext, target: Float64 | None, missed: int
    ) -> Iterator[Verdict]:
        """Give what is not OK."""
        frame = self._frame
        clock = self._clock.check(context)
        if clock is not OK:
            frame.take_any_order()
            yield clock
        missing = self._missed.check(missed)
        if missing is not OK:
            yield missing
        if problem := frame.joint_problem or frame.imu_problem or frame.scan_problem:
            yield fault('sample', problem)
        for verdict in self._sample_verdicts(context):
            if verdict is OK:
                continue
            if verdict.guard == 'future':
                # Otherwise one wrong stamp would make every later sample an old one.
                frame.take_any_order()
            yield verdict
        context.new_joints = frame.joint_stamp_ns != self._joint_stamp_ns
        self._joint_stamp_ns = frame.joint_stamp_ns
        tilt = OK if TILT in self.waived else self._tilt.check(frame.gravity)
        if tilt is not OK:
            yield tilt
        followed = None if TRACKING in self.waived else target
        joints = self._joints.check(frame.position, frame.velocity, followed, context)
        if joints is not OK:
            yield joints
        if frame.joint_changes != self._changes:
            self._changes = frame.joint_changes
            yield warn(
                'joints',
                'joint_states gained, lost or reordered joints; those of the robot are found by '
                'name: are there two publishers?',
            )
        health = self._health.check(self.health)
        if health is not OK:
            yield health

    def _sample_verdicts(self, context: TickContext) -> tuple[Verdict, ...]:
        frame = self._frame
        joints = self._joint_samples.check(frame.joint_stamp_ns, frame.joint_disorder, context)
        imu = self._imu_samples.check(frame.imu_stamp_ns, frame.imu_disorder, context)
        if joints.guard == 'stale' and self._imu_samples.is_silent(context):
            joints = fault('stale', f'{joints.text}; imu/data is silent, too: {BRIDGE_GONE}')
        elif imu.guard == 'stale' and self._joint_samples.is_silent(context):
            imu = fault('stale', f'{imu.text}; joint_states is silent, too: {BRIDGE_GONE}')
        found: tuple[Verdict, ...] = (joints, imu)
        if frame.needs_odometry:
            odom = self._odom_samples.check(frame.odom_stamp_ns, frame.odom_disorder, context)
            found = (*found, odom)
        if frame.needs_scan:
            scan = self._scan_samples.check(frame.scan_stamp_ns, frame.scan_disorder, context)
            found = (*found, scan)
        return found
