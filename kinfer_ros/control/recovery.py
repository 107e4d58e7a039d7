"""Lets a robot that has fallen get up with a policy of its set, where the operator allows it.

Damping at once; lying still; the checks of an activation; a countdown on ~/mode; then the policy.
Whatever goes wrong on the way is a fault, latched: docs/policy_sets.md, "After a fall".
"""

import math
from collections.abc import Callable
from enum import Enum

import numpy as np

from kinfer_ros.control.guards.guard_set import TILT
from kinfer_ros.control.guards.guard_set import TRACKING
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.mode_targets import ModeTargets
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.sensors import MAX_REST_GYRO
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tick import format_mode
from kinfer_ros.policy.sets.transition import Transition

MAX_RECOVERIES = 2
"""In one activation."""
STILL_NS = 2_000_000_000
"""Time for which the robot lies still before anything else."""
ANNOUNCED_NS = 3_000_000_000
"""Time between the checks and the first target."""
TIMEOUT_NS = 20_000_000_000
"""Longest time from the fall to the first target."""
MAX_REST_SPEED = 0.5
"""rad/s of a joint up to which the robot lies still; of the base MAX_REST_GYRO."""

NAME = 'recovery'
LYING_WAIVES = frozenset({TILT})
RISING_WAIVES = frozenset({TILT, TRACKING})
"""Guards that a robot cannot pass that lies, or gets up."""


class Stage(Enum):
    """How far a recovery is."""

    NONE = 0
    LYING = 1
    ANNOUNCED = 2
    RISING = 3


class Go(Enum):
    """What the controller does next."""

    ON = 0
    WAIT = 1
    """Damp on; `text` is the reason of the mode."""
    RISE = 2
    """Run the policy from this tick on."""
    FAULT = 3


class Recovery:
    """
    Decides in each tick after a fall what follows; the controller carries it out.

    :ivar fall: why the robot fell, while it recovers; else ''.
    :ivar text: where the recovery stands; of a fault, why it ended.
    :ivar count: recoveries of this activation.
    :ivar more_checks: checks of the owner before the policy begins: bridge, operator; a refusal
        or ''.
    """

    def __init__(self, parts: Parts, settings: SessionSettings, targets: ModeTargets) -> None:
        self.fall = self.text = ''
        self.count = 0
        self.more_checks: Callable[[], str] = str
        self.allowed = settings.allow_recovery
        self._max_ramp = settings.max_ramp
        self._parts = parts
        self._targets = targets
        self._stage = Stage.NONE
        self._transition: Transition | None = None
        self._fell_ns = self._since_ns = 0
        parts.guards.looks_past_tilt = self.allowed

    @property
    def waits(self) -> bool:
        """Whether the robot is damped until it gets up."""
        return self._stage in (Stage.LYING, Stage.ANNOUNCED)

    def restart(self) -> None:
        """Begin an activation."""
        self.count = 0
        self.cancel()

    def cancel(self) -> None:
        """End it; every guard holds again."""
        self.fall, self._stage = '', Stage.NONE
        self._parts.guards.waived = frozenset()

    def judge(self, mode: Mode, reason: str, first_cause: str) -> str:
        """
        Judge the fault of a guard; `begin` follows where the robot may recover.

        :param reason: of the fault.
        :param first_cause: what explains it better than its guard, or ''.
        :return: the reason of the fault where it stays one; '' where the robot recovers.
        """
        parts = self._parts
        alone = parts.guards.tilt_alone and not first_cause
        if not (self.allowed and alone and mode is Mode.RUN) or self._targets.via.active:
            return reason
        self._transition = parts.transitions.after_fall()
        if self._transition is None:
            return reason
        if self.count >= MAX_RECOVERIES:
            return f'{reason} (it has recovered {self.count} times: activate it anew)'
        return ''

    def begin(self, fall: str, now_ns: int) -> None:
        """Begin, damped from this tick on; :param fall: why the robot fell."""
        assert self._transition is not None
        self.count += 1
        self.fall, self._stage = fall, Stage.LYING
        self._fell_ns = self._since_ns = now_ns
        self._describe(now_ns)

    def follow(self, now_ns: int) -> Go:
        """Go on in this tick, before the guards."""
        go = Go.ON
        if self._stage is Stage.RISING:
            go = self._follow_rising(now_ns)
        elif self._stage is not Stage.NONE:
            go = self._follow_lying(now_ns)
        if self.fall:
            self._waive()
        return go

    def look_onward(self) -> None:
        """End it where another policy has taken over, before the next tick may lead back."""
        swapping = self._parts.runner.swapping  # it may still be rolled back
        if self._stage is Stage.RISING and not self._runs and not swapping:
            self._say(f'{self._title} has ended')
            self.cancel()

    def describe(self) -> str:
        """Say for diagnostics where it stands: the stage, and how many there were."""
        return f'{self._stage.name.lower()}, {self.count} of {MAX_RECOVERIES}'

    def _follow_lying(self, now_ns: int) -> Go:
        if now_ns - self._fell_ns >= TIMEOUT_NS:
            return self._give_up(
                f'the robot has not lain still for long enough within {TIMEOUT_NS / 1e9:g} s'
            )
        if not self._is_still():
            self._stage, self._since_ns = Stage.LYING, now_ns
        waited = now_ns - self._since_ns
        if self._stage is Stage.LYING and waited >= STILL_NS:
            if refusal := self._refusal(now_ns):
                return self._give_up(refusal)
            self._announce(now_ns)
        elif self._stage is Stage.ANNOUNCED and waited >= ANNOUNCED_NS:
            refusal = self._refusal(now_ns)
            return self._give_up(refusal) if refusal else self._rise(now_ns)
        self._describe(now_ns)
        return Go.WAIT

    def _rise(self, now_ns: int) -> Go:
        """Start the policy, from the joints as they are measured."""
        self._stage, self._since_ns = Stage.RISING, now_ns
        self._targets.begin_here()
        self._targets.start_run(now_ns)
        return Go.RISE

    def _follow_rising(self, now_ns: int) -> Go:
        assert self._transition is not None
        self.look_onward()  # a way through a pose has begun
        timeout_ns = self._transition.timeout_s * 1e9
        if self._runs and self.fall and now_ns - self._since_ns >= timeout_ns:
            return self._give_up(
                f'policy {self._transition.target} has led on to no other one within '
                f'{self._transition.timeout_s:g} s (timeout_s)'
            )
        return Go.ON

    def _is_still(self) -> bool:
        """A NaN is not still."""
        frame = self._parts.inputs.frame
        turning = math.sqrt(float(frame.gyro.dot(frame.gyro)))
        return turning <= MAX_REST_GYRO and bool(
            float(np.abs(frame.velocity).max()) <= MAX_REST_SPEED
        )

    def _refusal(self, now_ns: int) -> str:
        """Return which check of an activation does not hold, or ''; the guards run in any case."""
        assert self._transition is not None
        parts = self._parts
        return (
            parts.transitions.fall_refusal(self._transition, now_ns)
            or parts.checks.lying_refusal(now_ns, self._entered.start_pose, self._max_ramp)
            or self.more_checks()
        )

    def _announce(self, now_ns: int) -> None:
        """Take over the gains of the policy already: the last checks find them in force."""
        if self._parts.runner.bound is not self._entered:
            self._parts.runner.replace(self._entered)
            self._parts.adopt(self._entered)
        self._stage, self._since_ns = Stage.ANNOUNCED, now_ns

    def _waive(self) -> None:
        guards = self._parts.guards
        if self._stage is not Stage.RISING:
            guards.waived = LYING_WAIVES
        elif self._runs:
            guards.waived = RISING_WAIVES
        else:
            guards.waived = frozenset()

    def _give_up(self, text: str) -> Go:
        self.text = f'{self._title}: {text}'
        self._parts.guards.stats.note(fault(NAME, self.text))
        return Go.FAULT

    def _describe(self, now_ns: int) -> None:
        """Say where it stands, where that is new."""
        assert self._transition is not None
        if self._stage is Stage.LYING:
            still = f'damped until it has lain still for {STILL_NS / 1e9:g} s'
            text = f'{self._title}: {self.fall}; {still}'
        else:
            left = math.ceil((self._since_ns + ANNOUNCED_NS - now_ns) / 1e9)
            text = f'{self._title}: policy {self._transition.target} begins in {left} s'
        if text != self.text:
            self.text = text
            self._say(f'mode {format_mode(Mode.DAMP, text)}')

    @property
    def _entered(self) -> BoundPolicy:
        """The policy to get up with; ~/load_model may put another version in place."""
        assert self._transition is not None
        return self._parts.transitions.members[self._transition.target]

    @property
    def _runs(self) -> bool:
        """Whether a version of the policy to get up with runs."""
        assert self._transition is not None
        return self._parts.runner.bound.name == self._transition.target

    @property
    def _title(self) -> str:
        return f'{NAME} {self.count} of {MAX_RECOVERIES}'

    def _say(self, text: str) -> None:
        self._parts.guards.stats.say(text)
