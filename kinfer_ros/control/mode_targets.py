"""The limited target of each mode: ramp, hold, run, fade."""

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import Send
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy.swap import PolicySwap
from kinfer_ros.control.policy.via_pose import ViaPose
from kinfer_ros.control.pose_ramp import PoseRamp
from kinfer_ros.control.wheels import with_rest

ACCEPTED_TO_RESET = 10
"""Accepted outputs in a row that reset the count of refused ones."""


class ModeTargets:
    """
    Writes `target` once per tick; each method belongs to one mode.

    :ivar target: [N] rad, robot joint order.
    :ivar ramp: the ramp to the start pose, or the fade.
    :ivar swap: the swap of policies.
    :ivar via: the way to a policy through a pose.
    """

    def __init__(self, parts: Parts, counts: dict[str, int]) -> None:
        """:param counts: of the controller; counts run_ticks, limited_ticks, refused_outputs."""
        self.target: Float64 = parts.start_pose.copy()
        self.ramp = PoseRamp(len(parts.start_pose))
        self.swap = PolicySwap(parts.runner, parts.adopt, parts.guards.stats.say)
        self.via = ViaPose(parts, self.begin_here, self.start_run)
        self._counts = counts
        self._parts = parts
        self._refused = 0
        self._accepted = 0
        self._damping_left = 0

    def begin_ramp(self, speed: float) -> None:
        """Start at the measured pose; `speed` rad/s of the joint that is furthest away."""
        self.begin_here()  # a fade may come before the first tick
        distance = float(np.abs(self.target - self._parts.start_pose).max())
        self.ramp.begin(self.target, int(distance / speed * 1e9))

    def begin_here(self) -> None:
        """Begin the targets at the measured pose: nothing has held the joints until now."""
        self.target[:] = self._measured_rest()
        self._parts.limiter.restart(self.target)
        if (overrides := self._parts.inputs.overrides) is not None:
            overrides.restart()

    def ramp_to_start(self, elapsed_ns: int) -> None:
        """Mode ramp."""
        self.ramp.write(self.target, self._parts.start_pose, elapsed_ns)
        self._limit()

    def hold(self) -> None:
        """Mode hold: the start pose."""
        self.target[:] = self._parts.start_pose
        self._parts.apply_overrides(self.target)
        self._limit()

    def start_run(self, now_ns: int) -> None:
        """Start mode run: initial carry, heading and time."""
        self._parts.runner.start(now_ns)
        self._refused = 0

    def run(self, now_ns: int, scale: float) -> Verdict:
        """
        Mode run: the policy's action, scaled about its start pose.

        :return: OK; a warning where the output is refused and the last target held, with the
            carry unchanged; a fault after too many of these, or where the inference was
            abandoned.
        """
        runner = self._parts.runner
        if not runner.bound.policy.inputs_finite():
            return self._refuse('input', 'an input of the policy is not finite', at_once=True)
        refused = runner.step(now_ns)
        self.swap.answer()
        if refused:
            return self._refuse('output', refused, at_once=runner.abandoned)
        self._accepted += 1
        if self._accepted >= ACCEPTED_TO_RESET:
            self._refused = 0
        self._counts['run_ticks'] += 1
        runner.write_target(self.target, scale)
        self._parts.apply_overrides(self.target)
        self._limit()
        return OK

    def move_to_pose(self, now_ns: int) -> Send:
        """Mode run, on the way to a policy through a pose: what is sent in this tick."""
        if self.via.damping:
            return Send.DAMPING
        self.via.write(self.target, now_ns)
        self._parts.apply_overrides(self.target)
        self._limit()
        return Send.POSITION

    def begin_fade(self, duration_ns: int) -> None:
        """:param duration_ns: in which the stiffness goes; 0: there is none left."""
        self.ramp.begin(self.target, duration_ns)
        self._damping_left = DAMPING_FRAMES

    def fade(self, elapsed_ns: int) -> Send:
        """Mode fade: reduce the stiffness, then damp; what is sent in this tick."""
        if elapsed_ns >= self.ramp.duration_ns:
            self._damping_left -= 1
            return Send.DAMPING
        self.ramp.write_release(self.target, self._measured_rest(), elapsed_ns)
        self._limit()
        return Send.POSITION

    @property
    def faded(self) -> bool:
        """Whether enough damping has been sent."""
        return self._damping_left <= 0

    def _measured_rest(self) -> Float64:
        """Return the target that pushes no joint: the measured pose; a wheel's is 0 rad/s."""
        return with_rest(self._parts.inputs.frame.position, self._parts.wheels)

    def _limit(self) -> None:
        parts = self._parts
        limited = parts.limiter.apply(self.target, parts.inputs.frame.joint_values)
        if limited:
            self._counts['limited_ticks'] += 1
            for verdict in limited:
                parts.guards.stats.note(verdict)

    def _refuse(self, guard: str, reason: str, *, at_once: bool = False) -> Verdict:
        self._counts['refused_outputs'] += 1
        self._refused += 1
        self._accepted = 0
        if at_once or self._refused > self._parts.tuning.live.max_refused:
            return fault(guard, reason)
        return Verdict(Level.WARN, guard, f'{reason}: last target held')
