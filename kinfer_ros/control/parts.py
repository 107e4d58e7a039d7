"""Inputs and parts of a controller."""

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

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
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.overrides.joint_overrides import JointOverrides
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.policy.transitions import Transitions
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import REPLAYED
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import stricter_of

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

    :ivar start_pose: [N] rad, robot joint order; of the policy that runs first.
    :ivar live: read by guards, limiter and command; of the operator, or stricter by the policy.
    :ivar operator: the live settings as the operator has them.
    :ivar gains: what the running policy asks of the bridge.
    """

    inputs: ControlInputs
    guards: GuardSet
    checks: ActivationChecks
    limiter: TargetLimiter
    runner: PolicyRunner
    gains: RequestedGains
    start_pose: Float64
    live: LiveSettings
    operator: LiveSettings
    transitions: Transitions

    def adopt(self, bound: BoundPolicy) -> None:
        """Take over all that belongs to a policy besides its steps: gains, ranges, guards."""
        self.inputs.command.set_ranges(bound.command_ranges)
        own, ramp = bound.gains, self.gains.ramp
        differ, changed = self.gains.switch(own), self._tighten(bound)
        if differ:
            self.limiter.set_gains(own.kp, own.kd, own.torque_limit)
        if differ or changed:
            self.limiter.retune(ramp.kp_factor, ramp.kd_factor)

    def _tighten(self, bound: BoundPolicy) -> bool:
        """Apply the operator's settings, or the policy's where stricter; :return: any change."""
        changed = self.live.adopt(stricter_of(self.operator, bound.stricter))
        if changed:
            self.guards.stats.events += changed
            self.guards.retune()
        return bool(changed)

    def observe(self, now_ns: int, period_s: float, *, running: bool) -> None:
        """Update the command, and fill the policy's inputs."""
        command = self.inputs.command
        command.update(now_ns, period_s)
        if command.limited:
            self.guards.stats.note(_COMMAND)
        if command.slowed:
            self.guards.stats.note(_ACCELERATION)
        if not running:
            command.reset()
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

    def follow_live_settings(
        self, live: LiveSettings | None, gain_ramp: GainRamp, step: float
    ) -> None:
        """Take new live settings, if there are any, and move the gain ramp by `step` at most."""
        changed = False
        if live is not None:
            self.operator.adopt(live)
            changed = self._tighten(self.runner.bound)
        moved = gain_ramp.approach(self.live, step)
        if changed or moved:
            self.limiter.retune(gain_ramp.kp_factor, gain_ramp.kd_factor)

    def resume_state(self, gain_ramp: GainRamp) -> dict[str, Any]:
        """Return what a replay needs, with the carry, to begin at the last step."""
        bound = self.runner.bound
        # Row by row: orjson needs contiguous arrays.
        last, smooth = (row[bound.joints] for row in self.limiter.before)
        return {
            'model': bound.policy.contract.sha256[:12],
            **({'policy': bound.name} if bound.name else {}),
            'began_ns': self.runner.began_ns,
            'last': last,
            'smooth': smooth,
            'factors': asdict(gain_ramp),
            'settings': {name: getattr(self.live, name) for name in REPLAYED},
        }
