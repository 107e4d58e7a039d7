"""Takes over live settings in a tick: the operator's, or those of a policy where stricter."""

import math
from collections.abc import Mapping

from kinfer_ros.control.gains.ramp import FACTOR_SPEED
from kinfer_ros.control.gains.ramp import GainRamp
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import stricter_of


class LiveTuning:
    """
    The settings in force, those that are requested, and the ramp of the gain factors.

    :ivar live: in force; guards, limiter and command read it.
    """

    def __init__(
        self,
        live: LiveSettings,
        ramp: GainRamp,
        runner: PolicyRunner,
        guards: GuardSet,
        limiter: TargetLimiter,
        period_s: float,
    ) -> None:
        self.live = live
        self._operator = live.copy()
        self._requested: LiveSettings | None = None
        self._stricter: Mapping[str, float] = {}
        self._ramp = ramp
        self._runner = runner
        self._guards = guards
        self._limiter = limiter
        self._step = FACTOR_SPEED * period_s

    @property
    def requested(self) -> LiveSettings:
        """The settings as they will be in the next tick."""
        return self._requested or self.live

    def request(self, live: LiveSettings) -> None:
        """Request new settings for the next tick."""
        self._requested = live

    def follow(self, *, jump: bool = False) -> None:
        """Take over what is requested; the gain factors go a step towards it, or all the way."""
        changed = False
        if self._requested is not None:
            self._operator.adopt(self._requested)
            self._requested = None
            changed = self._adopt()
        moved = self._ramp.approach(self.live, math.inf if jump else self._step)
        if changed or moved:
            self.retune()

    def follow_policy(self) -> None:
        """Take over what the running policy makes stricter."""
        stricter = self._runner.bound.stricter
        if stricter == self._stricter:
            return  # comparing all settings would take longer than a tick
        self._stricter = stricter
        if self._adopt():
            self.retune()

    def retune(self) -> None:
        """Apply the gain factors of this tick."""
        self._limiter.retune(self._ramp.kp_factor, self._ramp.kd_factor)

    def _adopt(self) -> bool:
        changed = self.live.adopt(stricter_of(self._operator, self._stricter))
        if changed:
            self._guards.stats.events += changed
            self._guards.retune()
        return bool(changed)
