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
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.motion import MotionControl
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import REPLAYED
from kinfer_ros.control.settings import REPLAYED_WITH_WHEELS
from kinfer_ros.control.settings import LiveSettings

_COMMAND = Verdict(Level.LIMIT, 'command', 'the command was beyond its range')
_ACCELERATION = Verdict(Level.LIMIT, 'acceleration', 'the command changed too fast')


@dataclass(frozen=True)
class ControlInputs:
    """What a tick reads; a robot link or a simulation writes it between two ticks."""

    frame: SensorFrame
    command: CommandVector
    health: Health
    motion: MotionControl = field(default_factory=MotionControl)

    def forget(self) -> None:
        """Reset after a session: the robot side may return with another clock."""
        self.frame.restart()
        self.health.forget()


@dataclass(frozen=True)
class Parts:
    """
    The parts of a controller, used by it alone.

    :ivar start_pose: [N] rad, robot joint order; 0 rad/s of a wheel.
    :ivar live: read by guards, limiter and command.
    :ivar wheels: [N] the joints whose targets are velocities; None: none of them.
    """

    inputs: ControlInputs
    guards: GuardSet
    checks: ActivationChecks
    limiter: TargetLimiter
    runner: PolicyRunner
    start_pose: Float64
    live: LiveSettings
    wheels: Bools | None = None

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

    def follow_live_settings(
        self, live: LiveSettings | None, gain_ramp: GainRamp, step: float
    ) -> None:
        """Take new live settings, if there are any, and move the gain ramp by `step` at most."""
        changed = self.live.adopt(live) if live is not None else ()
        moved = gain_ramp.approach(self.live, step)
        if changed:
            self.guards.stats.events += changed
            self.guards.retune()
        if changed or moved:
            self.limiter.retune(gain_ramp.kp_factor, gain_ramp.kd_factor)

    def resume_state(self, gain_ramp: GainRamp) -> dict[str, Any]:
        """Return what a replay needs, with the carry, to begin at the last step."""
        bound = self.runner.bound
        # Row by row: orjson needs contiguous arrays.
        last, smooth = (row[bound.joints] for row in self.limiter.before)
        replayed = REPLAYED if self.wheels is None else REPLAYED_WITH_WHEELS
        return {
            'model': bound.policy.contract.sha256[:12],
            'began_ns': self.runner.began_ns,
            'last': last,
            'smooth': smooth,
            'factors': asdict(gain_ramp),
            'settings': {name: getattr(self.live, name) for name in replayed},
        }
