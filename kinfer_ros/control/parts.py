"""Inputs and parts of a controller."""

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from kinfer_ros.arrays import Bools
from kinfer_ros.arrays import Float64
from kinfer_ros.contract.start_state import ActivationChecks
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.gains.requested import RequestedGains
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.targets import POSITION
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.modes import STIFF
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.policy.transitions import Transitions
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import REPLAYED
from kinfer_ros.control.settings import REPLAYED_WITH_WHEELS
from kinfer_ros.control.tuning.live_tuning import LiveTuning

_COMMAND = Verdict(Level.LIMIT, 'command', 'the command was beyond its range')
_ACCELERATION = Verdict(Level.LIMIT, 'acceleration', 'the command changed too fast')


@dataclass(frozen=True)
class ControlInputs:
    """What a tick reads; a robot link or a simulation writes it between two ticks."""

    frame: SensorFrame
    command: CommandVector
    health: Health
    motion: MotionControl = field(default_factory=MotionControl)
    overrides: JointOverrides | None = None

    def forget(self) -> None:
        """Reset after a session: the robot side may return with another clock."""
        self.frame.restart()
        self.health.forget()


@dataclass(frozen=True)
class Parts:
    """
    The parts of a controller, used by it alone.

    :ivar start_pose: [N] rad, of a wheel 0 rad/s, robot joint order; of the policy that is first.
    :ivar gains: what the running policy asks of the bridge.
    :ivar wheels: [N] the joints whose targets are velocities; None: none of them.
    """

    inputs: ControlInputs
    guards: GuardSet
    checks: ActivationChecks
    limiter: TargetLimiter
    runner: PolicyRunner
    gains: RequestedGains
    start_pose: Float64
    tuning: LiveTuning
    transitions: Transitions
    wheels: Bools | None = None

    def adopt(self, bound: BoundPolicy) -> None:
        """Take over all that belongs to a policy besides its steps: gains, ranges, guards."""
        self.inputs.command.set_ranges(bound.command_ranges)
        self.adopt_gains(bound)
        self.tuning.follow_policy()

    def adopt_gains(self, bound: BoundPolicy) -> None:
        """Take over the gains alone: they go out with the command of this tick."""
        own = bound.gains
        if self.gains.switch(own):
            self.limiter.set_gains(own.kp, own.kd, own.torque_limit)
            self.tuning.retune()

    def observe(self, now_ns: int, period_s: float, *, running: bool) -> None:
        """Update the command, and fill the policy's inputs."""
        command = self.inputs.command
        command.update(now_ns, period_s)
        if command.limited:
            self.guards.stats.note(_COMMAND)
        if not running:
            command.reset()  # the next run accelerates from zero
        elif command.slowed:
            self.guards.stats.note(_ACCELERATION)
        self.runner.observe(now_ns, running=running)

    def begin_overrides(self, context: TickContext) -> None:
        """Look at the messages of a node that may move joints."""
        overrides = self.inputs.overrides
        if overrides is None:
            return
        overrides.begin_tick(context.now_ns, context.stamp_now_ns)
        if overrides.problem:
            self.guards.stats.note(warn('override', overrides.problem))

    def apply_overrides(self, target: Float64) -> None:
        """Replace the targets [N], rad, of the joints that another node moves."""
        overrides = self.inputs.overrides
        if overrides is None:
            return
        overrides.apply(target, self.limiter.last)
        self.guards.stats.events += overrides.events
        if overrides.beyond:
            self.guards.stats.note(POSITION)

    def with_overrides(self, reason: str) -> str:
        """Return the reason of a mode, and who moves which joints in this tick."""
        overrides = self.inputs.overrides
        moved = overrides.describe() if overrides is not None else ''
        return f'{reason}; {moved}' if reason and moved else reason or moved

    def check_guards(
        self,
        context: TickContext,
        mode: Mode,
        sent: Float64 | None,
        missed: int,
        counts: dict[str, int],
    ) -> str:
        """
        Run the guards.

        :param sent: the last target sent, None if no position was sent.
        :param counts: gets the falls.
        :return: the reason for a fault, or ''.
        """
        guards, stiff = self.guards, mode in STIFF
        if mode in (Mode.FADE, Mode.FAULT):
            return guards.cause(context)
        reason = guards.check(context, sent if stiff else None, missed)
        if reason and stiff:
            counts['falls'] += guards.fell
        return reason

    def resume_state(self, gain_ramp: GainRamp) -> dict[str, Any]:
        """Return what a replay needs, with the carry, to begin at the last step."""
        bound = self.runner.bound
        # Row by row: orjson needs contiguous arrays.
        smooth, last = (row[bound.joints] for row in self.limiter.before)
        replayed = REPLAYED if self.wheels is None else REPLAYED_WITH_WHEELS
        return {
            'model': bound.policy.contract.sha256[:12],
            **({'policy': bound.name} if bound.name else {}),
            **({'load': bound.load} if bound.load else {}),
            'began_ns': self.runner.began_ns,
            'last': last,
            'smooth': smooth,
            'factors': asdict(gain_ramp),
            'settings': {name: getattr(self.tuning.live, name) for name in replayed},
        }
