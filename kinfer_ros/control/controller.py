"""The modes of a robot under a policy, and what is sent in each: one call a tick.

Without this module a policy would be live from its first message on, from whatever pose the
robot is in, and go on after a fault. The table of modes is in docs/modes.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.guards import FiniteGuard
from kinfer_ros.control.guards import PositionLimits
from kinfer_ros.control.guards import StaleGuard
from kinfer_ros.control.guards import TiltGuard
from kinfer_ros.control.observation import Observation
from kinfer_ros.control.sensors import SensorFrame

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

DAMPING_FRAMES = 5
"""Damping commands sent at the end of a fade: one may be lost, five in a row are not."""


class Mode(StrEnum):
    """What the policy node is doing with the robot."""

    INACTIVE = 'inactive'
    RAMP = 'ramp'
    HOLD = 'hold'
    RUN = 'run'
    FADE = 'fade'
    DAMP = 'damp'
    FAULT = 'fault'


class Send(Enum):
    """What a tick asks the bridge for."""

    NOTHING = 0
    POSITION = 1
    DAMPING = 2


class SteppedPolicy(Protocol):
    """The part of a policy that the tick uses."""

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


@dataclass(frozen=True)
class Settings:
    """
    Times and speeds of the modes.

    :ivar period_ns: control period.
    :ivar ramp_speed: rad/s, fastest joint on the way to the start pose.
    :ivar fade_ns: time in which a deactivation takes the stiffness away.
    :ivar auto_run: go on to `run` when the ramp is done, without a start request.
    :ivar duration_ns: end the run (fade) after this time in `run`; 0 never.
    """

    period_ns: int
    ramp_speed: float = 0.5
    fade_ns: int = 1_000_000_000
    auto_run: bool = False
    duration_ns: int = 0


@dataclass(frozen=True)
class Parts:
    """
    What a controller is built from.

    :ivar joints: place of each of the policy's joints in the robot's order.
    :ivar start_pose: [N] rad, robot joint order.
    """

    policy: SteppedPolicy
    frame: SensorFrame
    command: CommandVector
    observation: Observation
    joints: NDArray[np.intp]
    start_pose: Float64
    stale: StaleGuard
    finite: FiniteGuard
    tilt: TiltGuard
    limits: PositionLimits


class Controller:
    """
    Decides, once a tick, what the robot is asked to do.

    Requests (`request_run`, `request_stop`, ...) are flags that the next tick obeys, so that
    everything happens between two ticks and a logged run can be repeated.

    :ivar mode: the mode after the last tick.
    :ivar reason: why a mode was entered, '' if there is nothing to say; the first one of a fault.
    :ivar send: what the last tick asks for.
    :ivar target: [N] rad, robot joint order, valid when `send` is POSITION.
    :ivar ran: the last tick ran the policy, and its action was accepted.
    :ivar action: [P] the policy's action as it gave it, valid when `ran`.
    :ivar carry_in: the carry that went into that step; valid until the next tick.
    :ivar events: what happened in the last tick, in words.
    :ivar counts: how often each kind of thing happened since construction.
    :ivar policy_ns: time the last inference took, on the stage clock.
    """

    def __init__(
        self,
        parts: Parts,
        settings: Settings,
        stage_clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.parts = parts
        self.settings = settings
        self.mode = Mode.INACTIVE
        self.reason = ''
        self.send = Send.NOTHING
        self.target = parts.start_pose.copy()
        self.ran = False
        self.action: Float32 = np.zeros(len(parts.joints), dtype=np.float32)
        self.carry_in: Float32 = parts.policy.carry
        self.events: Sequence[str] = ()
        self.counts = {
            'run_ticks': 0,
            'faults': 0,
            'falls': 0,
            'limited_ticks': 0,
            'command_limited_ticks': 0,
        }
        self.policy_ns = 0
        self.run_ns = 0
        self._stage_clock = stage_clock
        self._since_ns = 0
        self._from = parts.start_pose.copy()
        self._ramp_ns = 0
        self._damping_left = 0
        self._want_run = False
        self._want_stop = ''
        self._want_fade = False
        self._want_fault = ''
        self._stamp_now_ns = 0
        self._said: list[str] = []

    # Requests, obeyed by the next tick ---------------------------------------------------

    def activate(self, now_ns: int) -> None:
        """Leave `inactive`: ramp from the pose measured now to the start pose."""
        assert self.mode is Mode.INACTIVE, self.mode
        self._want_run = self._want_fade = False
        self._want_stop = self._want_fault = ''
        self._from[:] = self.parts.frame.position
        self.target[:] = self._from  # a fade may come before the first tick
        way = float(np.abs(self._from - self.parts.start_pose).max())
        self._ramp_ns = int(way / self.settings.ramp_speed * 1e9)
        self._enter(Mode.RAMP, now_ns, '')

    def request_run(self) -> str:
        """Ask for `run`; a reason if the mode does not allow it."""
        if self.mode is not Mode.HOLD:
            return f'start is refused in mode {self.mode}: it needs mode hold'
        self._want_run = True
        return ''

    def request_stop(self, reason: str) -> None:
        """Ask for damping, latched; obeyed in every active mode."""
        self._want_stop = reason

    def request_fade(self) -> None:
        """Ask for the soft end of the session."""
        self._want_fade = True

    def request_fault(self, reason: str) -> None:
        """Ask for a fault, for a cause that only the shell around this core can see."""
        self._want_fault = reason

    def abandon(self) -> None:
        """End the session without another tick; the caller has seen to the damping frames."""
        self.mode = Mode.INACTIVE
        self.send = Send.NOTHING

    def reset_fault(self) -> str:
        """Turn `fault` into `damp` if its cause is gone; else the reason it stays."""
        if self.mode is not Mode.FAULT:
            return f'nothing to reset in mode {self.mode}'
        cause = self._sample_problem() or self.parts.tilt.check(self.parts.frame)
        if cause:
            return f'the cause is still there: {cause}'
        self._enter(Mode.DAMP, self._since_ns, 'reset')
        return ''

    # The tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int, stamp_now_ns: int) -> None:
        """
        Run one tick.

        :param now_ns: the control clock (steady on hardware, simulated time in a simulation).
        :param stamp_now_ns: now on the clock of the sensor stamps.
        """
        self._decide(now_ns, stamp_now_ns)
        # A new list each time: the log keeps it beyond this tick.
        self.events = ()
        if self._said:
            self.events, self._said = self._said, []

    def _decide(self, now_ns: int, stamp_now_ns: int) -> None:
        self._stamp_now_ns = stamp_now_ns
        self.ran = False
        self.policy_ns = 0
        if self.mode is Mode.INACTIVE:
            self.send = Send.NOTHING
            return
        self._obey_requests(now_ns)
        self._observe(now_ns)
        if self.mode is Mode.FADE:
            if self._sample_problem():
                self._ramp_ns = 0  # blind: the rest of the fade is damping
            self._fade(now_ns)
            return
        if self.mode not in (Mode.DAMP, Mode.FAULT):
            reason = self._check_sensors()
            if reason:
                self._fault(reason, now_ns)
        if self.mode in (Mode.DAMP, Mode.FAULT):
            self.send = Send.DAMPING
            return
        self._move(now_ns)

    def _obey_requests(self, now_ns: int) -> None:
        if self._want_fault:
            if self.mode not in (Mode.FAULT, Mode.FADE):
                self._fault(self._want_fault, now_ns)
            self._want_fault = ''
        if self._want_stop:
            if self.mode is Mode.FADE:
                self._ramp_ns = 0  # the rest of the fade is damping
            elif self.mode not in (Mode.DAMP, Mode.FAULT):
                self._enter(Mode.DAMP, now_ns, self._want_stop)
            self._want_stop = ''
        if self._want_fade:
            self._want_fade = False
            if self.mode is not Mode.FADE:
                self._begin_fade(now_ns, 'deactivated')

    def _observe(self, now_ns: int) -> None:
        """Fill the policy's inputs in every mode, so that the log shows what it would see."""
        parts = self.parts
        running = self.mode is Mode.RUN
        self.run_ns = now_ns - self._since_ns if running else self.run_ns
        parts.command.update(now_ns, self.settings.period_ns / 1e9)
        if parts.command.limited:
            self.counts['command_limited_ticks'] += 1
            self._said.append(f'command limited: {", ".join(parts.command.limited)}')
        if not running:
            parts.command.reset()
            parts.observation.reset()
        parts.observation.fill(self.run_ns / 1e9 if running else 0.0)

    def _sample_problem(self) -> str:
        """Why the newest sample cannot be acted upon, or ''."""
        parts = self.parts
        stale = parts.stale.check(self._stamp_now_ns, parts.frame)
        return stale or parts.finite.check(parts.frame)

    def _check_sensors(self) -> str:
        reason = self._sample_problem()
        if reason:
            return reason
        reason = self.parts.tilt.check(self.parts.frame)
        if reason:
            self.counts['falls'] += 1
        return reason

    def _move(self, now_ns: int) -> None:
        """Ramp, hold and run: all of them send a position."""
        self.send = Send.POSITION
        if self.mode is Mode.RAMP and now_ns - self._since_ns >= self._ramp_ns:
            self._enter(Mode.HOLD, now_ns, '')
            self._want_run = self.settings.auto_run
        if self.mode is Mode.HOLD and self._want_run:
            self._want_run = False
            self._start_run(now_ns)
        if self.mode is Mode.RUN:
            self._run(now_ns)
            return
        if self.mode is Mode.HOLD:
            self.target[:] = self.parts.start_pose
            return
        share = (now_ns - self._since_ns) / self._ramp_ns
        np.subtract(self.parts.start_pose, self._from, out=self.target)
        self.target *= share
        self.target += self._from

    def _start_run(self, now_ns: int) -> None:
        self.parts.policy.reset()
        self.run_ns = 0
        # Joints that the policy does not have stay at the start pose.
        self.target[:] = self.parts.start_pose
        self._enter(Mode.RUN, now_ns, '')

    def _run(self, now_ns: int) -> None:
        parts = self.parts
        if self.settings.duration_ns and self.run_ns >= self.settings.duration_ns:
            self._begin_fade(now_ns, 'duration reached')
            self._fade(now_ns)
            return
        if not parts.policy.inputs_finite():
            self._fault('an input of the policy is not finite', now_ns)
            self.send = Send.DAMPING
            return
        self.carry_in = parts.policy.carry
        begin = self._stage_clock()
        action = parts.policy.infer()
        self.policy_ns = self._stage_clock() - begin
        if not parts.policy.outputs_finite():
            # Refused: the carry stays as it was.
            bad = np.flatnonzero(~np.isfinite(action)).tolist()
            what = f'target of its joints {bad}' if bad else 'next carry'
            self._fault(f'the policy gave a non-finite {what}', now_ns)
            self.send = Send.DAMPING
            return
        parts.policy.accept()
        self.action = action
        self.ran = True
        self.counts['run_ticks'] += 1
        self.target[parts.joints] = action
        if parts.limits.apply(self.target):
            self.counts['limited_ticks'] += 1
            self._said.append('position limit')

    # Modes -------------------------------------------------------------------------------

    def _enter(self, mode: Mode, now_ns: int, reason: str) -> None:
        self.mode = mode
        self.reason = reason
        self._since_ns = now_ns
        self._said.append(f'mode {mode}: {reason}' if reason else f'mode {mode}')

    def _fault(self, reason: str, now_ns: int) -> None:
        self.counts['faults'] += 1
        self._enter(Mode.FAULT, now_ns, reason)

    def _begin_fade(self, now_ns: int, reason: str) -> None:
        # From a position mode the stiffness is taken away slowly; a damped robot has none left.
        stiff = self.mode in (Mode.RAMP, Mode.HOLD, Mode.RUN)
        self._ramp_ns = self.settings.fade_ns if stiff else 0
        self._damping_left = DAMPING_FRAMES
        self._from[:] = self.target
        self._enter(Mode.FADE, now_ns, reason)

    def _fade(self, now_ns: int) -> None:
        """
        Let the stiffness go: the target moves from where it was to where the joint is.

        With torque = kp (target - q) - kd qd this is the same as taking kp down to zero and
        keeping kd, but needs no change of gains, which travel apart from the commands.
        """
        elapsed = now_ns - self._since_ns
        position = self.parts.frame.position
        if elapsed < self._ramp_ns and np.isfinite(position).all():
            np.subtract(self._from, position, out=self.target)
            self.target *= 1.0 - elapsed / self._ramp_ns
            self.target += position
            self.parts.limits.apply(self.target)
            self.send = Send.POSITION
            return
        self.send = Send.DAMPING
        self._damping_left -= 1
        if self._damping_left <= 0:
            self._enter(Mode.INACTIVE, now_ns, self.reason)
