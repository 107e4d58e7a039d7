"""The target of each mode, within the limits: ramp, hold, run and fade."""

from __future__ import annotations

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.policy_swap import PolicySwap
from kinfer_ros.control.pose_ramp import PoseRamp

REFUSED_FORGOTTEN_AFTER = 10
"""Accepted outputs in a row after which refused ones are forgotten: by turns, they add up."""


class ModeTargets:
    """
    Writes `target` once a tick; each method belongs to one mode.

    :ivar target: [N] rad, robot joint order.
    :ivar ramp: the way to the start pose, or out of the session.
    :ivar swap: the exchange of the policy while it runs.
    :ivar counts: the controller's: run_ticks, limited_ticks and refused_outputs are counted here.
    """

    def __init__(self, parts: Parts, counts: dict[str, int]) -> None:
        self.target: Float64 = parts.start_pose.copy()
        self.ramp = PoseRamp(len(parts.start_pose))
        self.swap = PolicySwap(parts.runner, parts.inputs.command, parts.guards.stats.say)
        self.counts = counts
        self._parts = parts
        self._refused = 0
        self._accepted_in_a_row = 0

    def begin_ramp(self, speed: float) -> None:
        """Start at the measured pose; `speed` rad/s of the joint with the longest way."""
        position = self._parts.inputs.frame.position
        self.target[:] = position  # a fade may come before the first tick
        self._parts.limiter.restart(position)
        distance = float(np.abs(position - self._parts.start_pose).max())
        self.ramp.begin(position, int(distance / speed * 1e9))

    def ramp_to_start(self, elapsed_ns: int) -> None:
        """Mode ramp."""
        self.ramp.write(self.target, self._parts.start_pose, elapsed_ns)
        self._limit()

    def hold(self) -> None:
        """Mode hold: the start pose."""
        self.target[:] = self._parts.start_pose
        self._limit()

    def start_run(self, now_ns: int) -> None:
        """Begin mode run: fresh carry, heading and time."""
        self._parts.runner.start(now_ns)
        self._refused = 0

    def run(self, now_ns: int, scale: float) -> Verdict:
        """
        Mode run: the policy's action, `scale` of its way from the start pose.

        :return: OK; a warning where the output was refused and the last target is held, the carry
            as it was; a fault after too many of these.
        """
        runner = self._parts.runner
        if not runner.bound.policy.inputs_finite():
            return self._refuse('input', 'an input of the policy is not finite', at_once=True)
        refused = runner.step(now_ns)
        self.swap.settle()
        if refused:
            return self._refuse('output', refused)
        self._accepted_in_a_row += 1
        if self._accepted_in_a_row >= REFUSED_FORGOTTEN_AFTER:
            self._refused = 0
        self.counts['run_ticks'] += 1
        runner.write_target(self.target, self._parts.start_pose, scale)
        self._limit()
        return OK

    def fade(self, elapsed_ns: int) -> bool:
        """Mode fade: let the stiffness go; False once it is gone and damping is left."""
        if elapsed_ns >= self.ramp.duration_ns:
            return False
        self.ramp.write_release(self.target, self._parts.inputs.frame.position, elapsed_ns)
        self._limit()
        return True

    def _limit(self) -> None:
        frame = self._parts.inputs.frame
        limited = self._parts.limiter.apply(self.target, frame.position, frame.velocity)
        self.counts['limited_ticks'] += bool(limited)
        for verdict in limited:
            self._parts.guards.stats.note(verdict)

    def _refuse(self, guard: str, reason: str, *, at_once: bool = False) -> Verdict:
        self.counts['refused_outputs'] += 1
        self._refused += 1
        self._accepted_in_a_row = 0
        if at_once or self._refused > self._parts.live.max_refused:
            return fault(guard, reason)
        return Verdict(Level.WARN, guard, f'{reason}: last target held')
