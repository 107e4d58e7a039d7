"""Runs the policy of a tick: refuses outputs that are no action, blends two policies in a swap."""

import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import NamedTuple
from typing import Protocol

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.policy.inference_watch import InferenceWatch
from kinfer_ros.control.policy.inference_watch import patience
from kinfer_ros.control.policy.swap_blend import SwapBlend
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.text import told_apart

WHEEL_UNIT = 10.0
"""rad/s of a wheel that are as plausible as 1 rad of a joint."""
CLEARLY = 0.999
"""Share of a limit below which rounding cannot matter."""


class InputSource(Protocol):
    """Fills a policy's inputs: control/policy/inputs.py, or a log in a replay."""

    def reset(self) -> None:
        """Start a run."""

    def fill(self, seconds: float) -> None:
        """Write the inputs, `seconds` after the policy's start."""


class TickPolicy(Protocol):
    """What a tick uses of a policy."""

    @property
    def contract(self) -> Contract:
        """Its joints, inputs and outputs."""

    @property
    def inputs(self) -> Mapping[str, Float32]:
        """Its input buffers by name, without the carry."""

    @property
    def carry(self) -> Float32:
        """The carry for the next `infer`."""

    @property
    def timeline(self) -> Timeline | None:
        """Its motion, if it has one."""

    @property
    def recorded(self) -> Mapping[str, Float32]:
        """Further arrays of the newest step, for the record."""

    def motion_ended(self) -> bool:
        """Whether the motion has been shown to its end."""

    def reset(self) -> None:
        """Take the initial carry."""

    def infer(self) -> Float32:
        """Run the network on its input buffers; the carry does not change."""

    def abandon(self, *, on: bool) -> None:
        """Make `infer`, which runs on another thread, fail; until called with False."""

    def inputs_finite(self) -> bool:
        """Whether all inputs are finite."""

    def outputs_finite(self) -> bool:
        """Whether action and next carry of the last `infer` are finite."""

    def non_finite(self) -> str:
        """Say which numbers of the last `infer` are not finite."""

    def accept(self) -> None:
        """Take the next carry of the last `infer`."""


@dataclass(frozen=True, eq=False)
class BoundPolicy:
    """
    A policy bound to a robot.

    :ivar joints: index of each of the policy's joints in the robot's order.
    :ivar start_pose: [N] rad, robot joint order.
    :ivar gains: with the factors of the set, robot joint order.
    :ivar name: in its policy set, or ''.
    :ivar action_scale: of the set, on top of the live setting.
    :ivar command_ranges: by entry of the command.
    :ivar stricter: settings of the set that are lower than the operator's, by name.
    :ivar load: of a set, the number in run.json's `swaps`, from 1, of a policy that was loaded
        while the node was active; 0: at configure.
    """

    policy: TickPolicy
    observation: InputSource
    joints: Indices
    start_pose: Float64
    gains: Gains
    name: str = ''
    action_scale: float = 1.0
    command_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    stricter: Mapping[str, float] = field(default_factory=dict)
    load: int = 0

    @cached_property
    def action_unit(self) -> Float32 | None:
        """[P] what counts as one rad of an action: more rad/s of a wheel; None without wheels."""
        contract = self.policy.contract
        if not contract.velocity_joints:
            return None
        units = [
            WHEEL_UNIT if name in contract.velocity_joints else 1.0
            for name in contract.joint_names
        ]
        return np.array(units, np.float32)


class PolicyStep(NamedTuple):
    """
    The newest step, for the record; its arrays are valid until the next step.

    :ivar bound: the policy; during a swap the incoming one.
    :ivar action: [P] rad, the policy's output.
    :ivar carry: the carry that the step began with.
    :ivar swapping: two policies run.
    :ivar policy_ns: time of inference.
    :ivar abandoned: an inference of this tick took too long, and was ended.
    """

    bound: BoundPolicy
    action: Float32
    carry: Float32
    swapping: bool
    policy_ns: int
    abandoned: bool = False


class PolicyRunner:
    """
    Runs one policy, and during a swap two.

    :ivar bound: the policy that is recorded; during a swap the incoming one.
    :ivar action: [P] rad, the output of `bound`; valid after an accepted step.
    :ivar carry_in: the carry that this step began with; valid until the next one.
    :ivar blended: [P] rad, what is sent: `action`, or during a swap the blend.
    :ivar began_ns: when `bound` began, on the control clock.
    :ivar policy_ns: time of the last inference, on the stage clock.
    :ivar abandoned: an inference of this tick took too long, and was ended.
    :ivar swap_failed: why the last swap was rolled back, or ''; the owner clears it.
    """

    def __init__(
        self,
        bound: BoundPolicy,
        live: LiveSettings,
        stage_clock: Callable[[], int] = time.perf_counter_ns,
        limit_ns: Callable[[], int] = patience,
    ) -> None:
        """:param limit_ns: longest inference; a longer one is abandoned."""
        self.bound = bound
        self._live = live
        self._stage_clock = stage_clock
        self._outgoing: BoundPolicy | None = None
        self.began_ns = 0
        self._old_began_ns = 0
        self.swap_failed = ''
        self.policy_ns = 0
        self._use(bound)
        self.abandoned = False
        self._watch = InferenceWatch(limit_ns)

    def begin_tick(self) -> None:
        """Forget the inferences of the last tick."""
        self.policy_ns = 0
        self.abandoned = False

    def start(self, now_ns: int) -> None:
        """Start a run: initial carry, heading and time."""
        self._outgoing = None
        self.began_ns = now_ns
        self.bound.policy.reset()
        self.bound.observation.reset()

    def _use(self, bound: BoundPolicy) -> None:
        """Make the arrays of another policy."""
        self.bound = bound
        size = len(bound.joints)
        self.action: Float32 = np.zeros(size, dtype=np.float32)
        self.carry_in = bound.policy.carry
        self._swap_blend = SwapBlend(size)
        self.blended = self._swap_blend.blended

    def replace(self, bound: BoundPolicy) -> None:
        """Set another policy while none runs."""
        self._use(bound)
        self._outgoing = None

    def swap(self, bound: BoundPolicy, now_ns: int, blend_ns: int) -> None:
        """Blend to another policy within `blend_ns`, from its initial carry, while one runs."""
        assert self._outgoing is None, 'roll the last swap back first'
        self._outgoing = self.bound
        self._use(bound)
        order = convert = None
        if blend_ns:
            order = places(self._outgoing.joints, bound.joints)
            convert = conversion(self._outgoing, bound)
        self._swap_blend.begin(now_ns, blend_ns, order, convert)
        self._old_began_ns, self.began_ns = self.began_ns, now_ns
        bound.policy.reset()
        bound.observation.reset()

    def outcome(self) -> PolicyStep:
        """Return the newest step."""
        return PolicyStep(
            self.bound, self.action, self.carry_in, self.swapping, self.policy_ns, self.abandoned
        )

    @property
    def swapping(self) -> bool:
        """Whether two policies run."""
        return self._outgoing is not None

    def observe(self, now_ns: int, *, running: bool) -> None:
        """Fill the inputs of the running policies, and of `bound` in every mode, for the log."""
        observation = self.bound.observation
        if not running:
            observation.reset()
        observation.fill((now_ns - self.began_ns) / 1e9 if running else 0.0)
        if self._outgoing is not None:
            self._outgoing.observation.fill((now_ns - self._old_began_ns) / 1e9)

    def step(self, now_ns: int) -> str:
        """
        Run the policy on the inputs that `observe` filled.

        :return: why the output was refused, with no change; else '', with a new `blended` and
            `action` and the next carry.
        """
        self.begin_tick()
        refused, action = self._infer(self.bound)
        if self._outgoing is None:
            if not refused:
                self._accept(action)
                self.blended[...] = action
            return refused
        if refused:
            self.roll_back(refused)
            # After so long the inputs are too old for the other policy.
            return refused if self.abandoned else self.step(now_ns)
        return self._blend(self._outgoing, action, now_ns)

    def write_target(self, target: Float64, scale: float) -> None:
        """
        Write the target [N] rad: the action, scaled about the policy's start pose.

        Other joints get the start pose in every tick: the target holds the last limited values.
        """
        joints, start_pose = self.bound.joints, self.bound.start_pose
        scale *= self.bound.action_scale
        target[...] = start_pose
        if scale != 1.0:
            scale_about(self.blended, start_pose[joints], scale)
        target[joints] = self.blended

    def roll_back(self, reason: str) -> None:
        """Continue with the outgoing policy alone; `swap_failed` gets the reason."""
        assert self._outgoing is not None
        self._use(self._outgoing)
        self._outgoing = None
        self.began_ns = self._old_began_ns
        self.swap_failed = reason

    def _blend(self, outgoing: BoundPolicy, action: Float32, now_ns: int) -> str:
        share = self._swap_blend.share(now_ns)
        if share >= 1.0:
            self._outgoing = None
        else:
            refused, old = self._infer(outgoing)
            if refused:
                return refused
            outgoing.policy.accept()
            self._swap_blend.take_outgoing(old, share)
        self._accept(action)
        self._swap_blend.write(action, share)
        return ''

    def _accept(self, action: Float32) -> None:
        self.carry_in = self.bound.policy.carry
        self.bound.policy.accept()
        self.action = action

    def _infer(self, bound: BoundPolicy) -> tuple[str, Float32]:
        """Run one policy; :return: why its output is refused, or '', and the action."""
        policy, watch, failure = bound.policy, self._watch, ''
        begin = self._stage_clock()
        watch.begin(policy)
        try:
            action = policy.infer()
        except ModelError as error:
            failure = f'the policy failed: {error}'
        finally:
            told_to_end = watch.end()
            spent = self._stage_clock() - begin
            self.policy_ns += spent
        if failure and told_to_end:
            self.abandoned = True
            took, most = told_apart(spent / 1e6, watch.limit_ns() / 1e6)
            failure = (
                f"the policy's inference did not end and was abandoned after {took} ms, "
                f'at most {most} ms are borne (max_missed_ticks)'
            )
        if failure:
            return failure, self.action
        return self._implausible(bound, action), action

    def _implausible(self, bound: BoundPolicy, action: Float32) -> str:
        """Return why an output is not believed, or ''."""
        policy, limit, unit = bound.policy, self._live.max_action, bound.action_unit
        if not policy.outputs_finite():
            bad = np.flatnonzero(~np.isfinite(action)).tolist()
            if bad:
                return f'the policy gave a non-finite target of its joints {bad}'
            return f'the policy gave a non-finite number: {policy.non_finite()}'
        # Where all squares together are below the limit's, so is each number.
        if unit is None and float(action.dot(action)) < CLEARLY * limit * limit:
            return ''
        compared = action if unit is None else action / unit
        worst = int(np.abs(compared).argmax())
        if -limit <= compared[worst] <= limit:
            return ''
        wheel = unit is not None and unit[worst] > 1.0
        most = f'{WHEEL_UNIT * limit:g} (10 max_action)' if wheel else f'{limit:g} (max_action)'
        return (
            f'the policy asked its joint {worst} for {action[worst]:.4g} '
            f'{"rad/s" if wheel else "rad"}, at most {most} are believed'
        )


def places(outgoing: Indices, incoming: Indices) -> Indices | None:
    """Return where each joint of the incoming policy is in the outgoing; None if it is not."""
    order = {int(joint): place for place, joint in enumerate(outgoing)}
    found = [order.get(int(joint), -1) for joint in incoming]
    return None if -1 in found else np.array(found, dtype=np.intp)


def conversion(outgoing: BoundPolicy, incoming: BoundPolicy) -> tuple[float, Float64] | None:
    """
    Return scale and offset from an outgoing action to an incoming one with the same target.

    :return: [P] of the incoming policy's joints; None where the two mean the same.
    """
    joints = incoming.joints
    before, after = outgoing.start_pose[joints], incoming.start_pose[joints]
    if outgoing.action_scale == incoming.action_scale and np.array_equal(before, after):
        return None
    scale = outgoing.action_scale / incoming.action_scale
    return scale, after + (before - after) / incoming.action_scale - before * scale


def scale_about(blended: Float64, pose: Float64, scale: float) -> None:
    """Scale targets [P] in place about the start pose [P], rad."""
    blended -= pose
    blended *= scale
    blended += pose
