"""Runs the policy of a tick: refuses what cannot be an action, blends two policies in a swap."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.contract import Contract


class Observes(Protocol):
    """What fills a policy's inputs: sensors (control/policy_inputs.py), or a log in a replay."""

    def reset(self) -> None:
        """Start of a run."""

    def fill(self, seconds: float) -> None:
        """Write the inputs, `seconds` after the policy began."""


class TickPolicy(Protocol):
    """The part of a policy that the tick uses."""

    @property
    def contract(self) -> Contract:
        """What it takes and gives."""

    @property
    def inputs(self) -> Mapping[str, Float32]:
        """Its live input buffers, by name, without the carry."""

    @property
    def carry(self) -> Float32:
        """The carry that goes into the next `infer`."""

    def reset(self) -> None:
        """Start afresh: the initial carry."""

    def infer(self) -> Float32:
        """Run the network on its input buffers; the carry stays."""

    def inputs_finite(self) -> bool:
        """Whether every number in the inputs is finite."""

    def outputs_finite(self) -> bool:
        """Whether action and next carry of the last `infer` are finite."""

    def accept(self) -> None:
        """Take over the carry of the last `infer`."""


@dataclass(frozen=True, eq=False)
class BoundPolicy:
    """
    A policy on a robot.

    :ivar joints: place of each of the policy's joints in the robot's order.
    """

    policy: TickPolicy
    observation: Observes
    joints: Indices


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """
    What the newest step did, as the record holds it; arrays are valid until the next step.

    :ivar bound: the policy that ran; during a swap the incoming one.
    :ivar action: [P] rad, as the policy gave it.
    :ivar carry: the carry that went into it.
    :ivar swapping: two policies run.
    :ivar policy_ns: time that inference took.
    """

    bound: BoundPolicy
    action: Float32
    carry: Float32
    swapping: bool
    policy_ns: int


class PolicyRunner:
    """
    One policy, and for the time of a swap two.

    :ivar bound: the policy whose inputs, carry and action the record of a step holds: during a
        swap the incoming one.
    :ivar action: [P] the action of `bound` as it gave it, rad; valid after an accepted step.
    :ivar carry_in: the carry that went into that step; valid until the next one.
    :ivar blended: [P] what is to be sent: `action`, or during a swap the mixture.
    :ivar began_ns: when `bound` began, on the control clock.
    :ivar policy_ns: time the last inference took, on the stage clock.
    :ivar swap_failed: why the last swap was rolled back, or ''; read and emptied by the owner.
    """

    def __init__(
        self,
        bound: BoundPolicy,
        live: LiveSettings,
        stage_clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.bound = bound
        self._live = live
        self._stage_clock = stage_clock
        self._outgoing: BoundPolicy | None = None
        self.began_ns = 0
        self._old_began_ns = 0
        self._swap_began_ns = 0
        self._blend_ns = 0
        self.swap_failed = ''
        size = len(bound.joints)
        self.action: Float32 = np.zeros(size, dtype=np.float32)
        self.carry_in = bound.policy.carry
        self.blended = np.zeros(size)
        self._mixed = np.zeros(size)
        self.policy_ns = 0

    def start(self, now_ns: int) -> None:
        """Begin a run: fresh carry, heading and time."""
        self._outgoing = None
        self.began_ns = now_ns
        self.bound.policy.reset()
        self.bound.observation.reset()

    def replace(self, bound: BoundPolicy) -> None:
        """Take another policy while none runs."""
        self.bound = bound
        self._outgoing = None

    def swap(self, bound: BoundPolicy, now_ns: int, blend_ns: int) -> None:
        """Let another policy take over within `blend_ns`, from a fresh carry, while one runs."""
        assert self._outgoing is None, 'roll the last swap back first'
        self._outgoing, self.bound = self.bound, bound
        self._swap_began_ns, self._blend_ns = now_ns, blend_ns
        self._old_began_ns, self.began_ns = self.began_ns, now_ns
        bound.policy.reset()
        bound.observation.reset()

    def outcome(self) -> PolicyStep:
        """Describe the newest step."""
        return PolicyStep(self.bound, self.action, self.carry_in, self.swapping, self.policy_ns)

    @property
    def swapping(self) -> bool:
        """Whether two policies run."""
        return self._outgoing is not None

    def observe(self, now_ns: int, *, running: bool) -> None:
        """Fill the inputs of the policies that run, and of `bound` in every mode, for the log."""
        observation = self.bound.observation
        if not running:
            observation.reset()
        observation.fill((now_ns - self.began_ns) / 1e9 if running else 0.0)
        if self._outgoing is not None:
            self._outgoing.observation.fill((now_ns - self._old_began_ns) / 1e9)

    def step(self, now_ns: int) -> str:
        """
        Run the policy on the inputs that `observe` filled.

        :return: '' and then `blended` and `action` are new and the carry has advanced; else why
            the output was refused, and then nothing has.
        """
        self.policy_ns = 0
        refused, action = self._infer(self.bound)
        if self._outgoing is None:
            if not refused:
                self._accept(action)
                self.blended[:] = action
            return refused
        if refused:
            self.roll_back(refused)
            return self.step(now_ns)
        return self._blend(self._outgoing, action, now_ns)

    def write_target(self, target: Float64, start_pose: Float64, scale: float) -> None:
        """
        Turn the action into the target [N] rad, scaled about the start pose [N] rad.

        Joints that the policy does not have are sent to the start pose, in every tick anew: the
        target still holds what the limits made of it in the last one.
        """
        joints = self.bound.joints
        target[:] = start_pose
        scale_about(self.blended, start_pose[joints], scale)
        target[joints] = self.blended

    def roll_back(self, reason: str) -> None:
        """Go on with the outgoing policy alone; `swap_failed` says why."""
        assert self._outgoing is not None
        self.bound, self._outgoing = self._outgoing, None
        self.began_ns = self._old_began_ns
        self.swap_failed = reason

    def _blend(self, outgoing: BoundPolicy, action: Float32, now_ns: int) -> str:
        """Mix the actions of both; the share of the new one grows from tick to tick."""
        elapsed = now_ns - self._swap_began_ns
        share = elapsed / self._blend_ns if elapsed < self._blend_ns else 1.0
        if share >= 1.0:
            self._outgoing = None
        else:
            refused, old = self._infer(outgoing)
            if refused:
                return refused
            outgoing.policy.accept()
            np.multiply(old, 1.0 - share, out=self._mixed)
        self._accept(action)
        np.multiply(action, share, out=self.blended)
        if share < 1.0:
            self.blended += self._mixed
        return ''

    def _accept(self, action: Float32) -> None:
        self.carry_in = self.bound.policy.carry
        self.bound.policy.accept()
        self.action = action

    def _infer(self, bound: BoundPolicy) -> tuple[str, Float32]:
        """Run one policy; why its output is refused, or '', and the action."""
        policy = bound.policy
        begin = self._stage_clock()
        try:
            action = policy.infer()
        except ModelError as error:
            return f'the policy failed: {error}', self.action
        finally:
            self.policy_ns += self._stage_clock() - begin
        if not policy.outputs_finite():
            bad = np.flatnonzero(~np.isfinite(action)).tolist()
            what = f'target of its joints {bad}' if bad else 'next carry'
            return f'the policy gave a non-finite {what}', action
        most = self._live.max_action
        # Two reductions are half as dear as an absolute value of all.
        if action.max() > most or action.min() < -most:
            worst = int(np.abs(action).argmax())
            return (
                f'the policy asked its joint {worst} for {action[worst]:.4g} rad, '
                f'at most {most:g} (max_action) are believed',
                action,
            )
        return '', action


def scale_about(blended: Float64, pose: Float64, scale: float) -> None:
    """Scale targets [P] in place about the start pose [P], rad."""
    if scale != 1.0:
        blended -= pose
        blended *= scale
        blended += pose
