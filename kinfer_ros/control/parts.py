"""What a controller is built from: its inputs, which others write, and its own parts."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from kinfer_ros.arrays import Float64
from kinfer_ros.contract.activation import ActivationChecks
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.gain_ramp import GainRamp
from kinfer_ros.control.guards.body import Health
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.policy_runner import PolicyRunner
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import REPLAYED
from kinfer_ros.control.settings import LiveSettings

_COMMAND = Verdict(Level.LIMIT, 'command', 'the command was beyond its range')
_ACCELERATION = Verdict(Level.LIMIT, 'acceleration', 'the command changed too fast')


@dataclass(frozen=True)
class ControlInputs:
    """What a tick reads: a robot link or a simulation writes it, between two ticks."""

    frame: SensorFrame
    command: CommandVector
    health: Health

    def forget(self) -> None:
        """Begin anew, after a session: the robot side may come back with another clock."""
        self.frame.restart()
        self.health.forget()


@dataclass(frozen=True)
class Parts:
    """
    The parts of a controller, which nobody else reaches into.

    :ivar start_pose: [N] rad, robot joint order.
    :ivar live: the live settings; the guards, the limiter and the command read them.
    """

    inputs: ControlInputs
    guards: GuardSet
    checks: ActivationChecks
    limiter: TargetLimiter
    runner: PolicyRunner
    start_pose: Float64
    live: LiveSettings

    def observe(self, now_ns: int, period_s: float, *, running: bool) -> None:
        """Bring the command up to date, and fill the policy's inputs."""
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
        """Take other live settings, if there are any, and move the gain ramp by `step` at most."""
        changed = self.live.adopt(live) if live is not None else ()
        moved = gain_ramp.approach(self.live, step)
        if changed:
            self.guards.stats.said += changed
            self.guards.retune()
        if changed or moved:
            self.limiter.retune(gain_ramp.kp_factor, gain_ramp.kd_factor)

    def resume_state(self, gain_ramp: GainRamp) -> dict[str, Any]:
        """What a replay needs, beside the carry, to begin at the step that was just run."""
        bound = self.runner.bound
        # Row by row: both rows taken at once are not contiguous, and orjson wants that.
        last, smooth = (row[bound.joints] for row in self.limiter.before)
        return {
            'model': bound.policy.contract.sha256[:12],
            'began_ns': self.runner.began_ns,
            'last': last,
            'smooth': smooth,
            'factors': asdict(gain_ramp),
            'settings': {name: getattr(self.live, name) for name in REPLAYED},
        }
