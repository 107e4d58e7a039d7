"""The modes of a robot under a policy, and what is sent in each: one call a tick.

Without this module a policy would be live from its first message on, from whatever pose the
robot is in, and go on after a fault. The table of modes is in docs/modes.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.guards.guard_set import GuardSet
from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.targets import TargetLimiter
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.modes import DAMPING_FRAMES
from kinfer_ros.control.modes import STIFF
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.modes import Settings
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.control.policy_runner import PolicyRunner
from kinfer_ros.control.policy_runner import scale_about
from kinfer_ros.control.sensors import SensorFrame
from kinfer_ros.control.settings import FACTOR_SPEED
from kinfer_ros.control.settings import GainRamp
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.swap import Swap

REFUSED_FORGOTTEN_AFTER = 10
"""Accepted outputs in a row after which refused ones are forgotten: by turns, they add up."""

_COMMAND = Verdict(Level.LIMIT, 'command', 'the command was beyond its range')
_ACCELERATION = Verdict(Level.LIMIT, 'acceleration', 'the command changed too fast')

SESSION_ENDED = 'the session has ended'


@dataclass(frozen=True)
class Parts:
    """
    What a controller is built from.

    :ivar start_pose: [N] rad, robot joint order.
    """

    frame: SensorFrame
    command: CommandVector
    watch: GuardSet
    limiter: TargetLimiter
    stepping: PolicyRunner
    start_pose: Float64
    tunables: LiveSettings


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
    :ivar factors: scale of the action and factors of the gains as they are in this tick.
    :ivar events: what happened in the last tick, in words.
    :ivar counts: how often each kind of thing happened since construction.
    :ivar run_ns: how long the newest run has gone on.
    """

    def __init__(self, parts: Parts, settings: Settings) -> None:
        self.parts = parts
        self.settings = settings
        self.mode = Mode.INACTIVE
        self.reason = ''
        self.send = Send.NOTHING
        self.target = parts.start_pose.copy()
        self.ran = False
        self.events: Sequence[str] = ()
        self.counts = {
            'run_ticks': 0,
            'faults': 0,
            'falls': 0,
            'limited_ticks': 0,
            'refused_outputs': 0,
        }
        self.run_ns = 0
        tunables = parts.tunables
        self.factors = GainRamp(tunables.action_scale, tunables.kp_factor, tunables.kd_factor)
        parts.limiter.retune(tunables.kp_factor, tunables.kd_factor)
        self._step = FACTOR_SPEED * settings.period_ns / 1e9
        self._moment = TickContext()
        self._since_ns = 0
        self._from = parts.start_pose.copy()
        self._ramp_ns = 0
        self._fade_ns = settings.fade_ns
        self._damping_left = 0
        self._refused = 0
        self._accepted_in_a_row = 0
        self._want_run = False
        self._want_stop = ''
        self._want_fade = False
        self._want_fault = ''
        self._want_tunables: LiveSettings | None = None
        self._swap = Swap(parts.stepping, parts.command, parts.watch.panel.say)

    # Requests, obeyed by the next tick ---------------------------------------------------

    def activate(self, now_ns: int) -> None:
        """Leave `inactive`: ramp from the pose measured now to the start pose."""
        assert self.mode is Mode.INACTIVE, self.mode
        parts = self.parts
        self._swap.refuse(SESSION_ENDED)
        self._fade_ns = self.settings.fade_ns
        self._want_run = self._want_fade = False
        self._want_stop = self._want_fault = ''
        self._from[:] = parts.frame.position
        self.target[:] = self._from  # a fade may come before the first tick
        parts.watch.restart()
        parts.limiter.restart(self._from)
        way = float(np.abs(self._from - parts.start_pose).max())
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

    def request_fade(self, most_ns: int | None = None) -> None:
        """Ask for the soft end of the session, in `most_ns` at the latest."""
        self._want_fade = True
        if most_ns is not None:
            self._fade_ns = min(self._fade_ns, most_ns)

    def request_fault(self, reason: str) -> None:
        """Ask for a fault, for a cause that only the shell around this core can see."""
        self._want_fault = reason

    def request_tunables(self, tunables: LiveSettings) -> None:
        """Ask for other live settings, all of them together; while inactive they hold at once."""
        self._want_tunables = tunables
        if self.mode is Mode.INACTIVE:
            self._follow_tunables(jump=True)

    def request_swap(self, fitted: BoundPolicy, done: Callable[[str], None]) -> None:
        """
        Ask for another policy, fitted to the same robot and contract.

        :param done: called once, with '' when the policy has taken over, else with the reason it
            was refused or rolled back.
        """
        self._swap.request(fitted, done)

    @property
    def swaps(self) -> int:
        """How many policies have taken over while active."""
        return self._swap.count

    def abandon(self) -> None:
        """End the session without another tick; the caller has seen to the damping frames."""
        self.mode = Mode.INACTIVE
        self.send = Send.NOTHING
        self._swap.refuse(SESSION_ENDED)
        self._swap.roll_back(SESSION_ENDED)

    def reset_fault(self) -> str:
        """Turn `fault` into `damp` if its cause is gone; else the reason it stays."""
        if self.mode is not Mode.FAULT:
            return f'nothing to reset in mode {self.mode}'
        cause = self._want_fault or self.parts.watch.cause(self._moment)
        if cause:
            return f'the cause is still there: {cause}'
        self._enter(Mode.DAMP, self._since_ns, 'reset')
        return ''

    # The tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int, stamp_now_ns: int, missed: int = 0) -> None:
        """
        Run one tick.

        :param now_ns: the control clock (steady on hardware, simulated time in a simulation).
        :param stamp_now_ns: now on the clock of the sensor stamps.
        :param missed: ticks that were skipped before this one.
        """
        panel = self.parts.watch.panel
        self._decide(now_ns, stamp_now_ns, missed)
        panel.end_tick()
        # A new list each time: the log keeps it beyond this tick.
        self.events = ()
        if panel.said:
            self.events, panel.said = panel.said, []

    def _decide(self, now_ns: int, stamp_now_ns: int, missed: int) -> None:
        self._moment.now_ns = now_ns
        self._moment.stamp_now_ns = stamp_now_ns
        self.ran = False
        self.parts.stepping.policy_ns = 0
        if self.mode is Mode.INACTIVE:
            self.send = Send.NOTHING
            return
        self._obey_requests(now_ns)
        self._follow_tunables()
        self._observe(now_ns)
        reason = self._check_sensors(missed)
        if self.mode is Mode.FADE:
            if reason:
                self._ramp_ns = 0  # blind: the rest of the fade is damping
            self._fade(now_ns)
            return
        if reason and self.mode is not Mode.FAULT:
            self._fault(reason, now_ns)
        if self.mode in (Mode.DAMP, Mode.FAULT):
            self.send = Send.DAMPING
            return
        self._move(now_ns)

    def _obey_requests(self, now_ns: int) -> None:
        if self._want_fault:
            reason, self._want_fault = self._want_fault, ''
            if self.mode is Mode.FADE:
                self._ramp_ns = 0  # the rest of the fade is damping
            elif self.mode is not Mode.FAULT:
                self.parts.watch.panel.note(fault('shell', reason))
                self._fault(reason, now_ns)
        if self._want_stop:
            if self.mode is Mode.FADE:
                self._ramp_ns = 0
            elif self.mode not in (Mode.DAMP, Mode.FAULT):
                self._enter(Mode.DAMP, now_ns, self._want_stop)
            self._want_stop = ''
        if self._want_fade:
            self._want_fade = False
            if self.mode is not Mode.FADE:
                self._begin_fade(now_ns, 'deactivated')
        if self.mode is Mode.FADE:
            self._swap.refuse(SESSION_ENDED)
        else:
            blend_ns = self.settings.blend_ns if self.mode is Mode.RUN else None
            self._swap.begin(now_ns, blend_ns)

    def _follow_tunables(self, *, jump: bool = False) -> None:
        parts = self.parts
        tunables, self._want_tunables = self._want_tunables, None
        changed = parts.tunables.adopt(tunables) if tunables is not None else ()
        moved = self.factors.approach(parts.tunables, math.inf if jump else self._step)
        if changed:
            parts.watch.panel.said += changed
            parts.watch.retune()
        if changed or moved:
            parts.limiter.retune(self.factors.kp_factor, self.factors.kd_factor)

    def _observe(self, now_ns: int) -> None:
        """Fill the policy's inputs in every mode, so that the log shows what it would see."""
        parts = self.parts
        running = self._moment.running = self.mode is Mode.RUN
        self.run_ns = self._elapsed_ns(now_ns) if running else self.run_ns
        command = parts.command
        command.update(now_ns, self.settings.period_ns / 1e9)
        if command.limited:
            parts.watch.panel.note(_COMMAND)
        if command.slowed:
            parts.watch.panel.note(_ACCELERATION)
        if not running:
            command.reset()
        parts.stepping.observe(now_ns, running=running)

    def _check_sensors(self, missed: int) -> str:
        watch = self.parts.watch
        stiff = self.mode in STIFF
        sent = self.target if stiff and self.send is Send.POSITION else None
        if self.mode in (Mode.FADE, Mode.FAULT):
            return watch.cause(self._moment)
        tilts = watch.panel.count('tilt', Level.FAULT)
        reason = watch.check(self._moment, sent, missed)
        if reason and stiff:
            self.counts['falls'] += watch.panel.count('tilt', Level.FAULT) - tilts
        return reason

    def _move(self, now_ns: int) -> None:
        """Ramp, hold and run: all of them send a position."""
        self.send = Send.POSITION
        if self.mode is Mode.RAMP and self._elapsed_ns(now_ns) >= self._ramp_ns:
            self._enter(Mode.HOLD, now_ns, '')
            self._want_run = self.settings.auto_run
        if self.mode is Mode.HOLD and self._want_run:
            self._want_run = False
            self._start_run(now_ns)
        if self.mode is Mode.RUN:
            self._run(now_ns)
            return
        start_pose = self.parts.start_pose
        if self.mode is Mode.HOLD:
            self.target[:] = start_pose
        else:
            np.subtract(start_pose, self._from, out=self.target)
            self.target *= self._elapsed_ns(now_ns) / self._ramp_ns
            self.target += self._from
        self._limit()

    def _start_run(self, now_ns: int) -> None:
        self.parts.stepping.start(now_ns)
        self._refused = 0
        self.run_ns = 0
        self._enter(Mode.RUN, now_ns, '')

    def _run(self, now_ns: int) -> None:
        parts = self.parts
        if self.settings.duration_ns and self.run_ns >= self.settings.duration_ns:
            self._begin_fade(now_ns, 'duration reached')
            self._fade(now_ns)
            return
        if not parts.stepping.fitted.policy.inputs_finite():
            self._refuse('input', 'an input of the policy is not finite', now_ns, at_once=True)
            return
        refused = parts.stepping.step(now_ns)
        self._swap.settle()
        if refused:
            self._refuse('output', refused, now_ns)
            return
        self._accepted_in_a_row += 1
        if self._accepted_in_a_row >= REFUSED_FORGOTTEN_AFTER:
            self._refused = 0
        self.ran = True
        self.counts['run_ticks'] += 1
        self._aim()
        self._limit()

    def _aim(self) -> None:
        """
        Turn the policy's action into the target, scaled about the start pose.

        Joints that the policy does not have are sent to the start pose, in every tick anew: the
        target still holds what the limits made of it in the last one.
        """
        stepping = self.parts.stepping
        joints, blended = stepping.fitted.joints, stepping.blended
        self.target[:] = self.parts.start_pose
        scale_about(blended, self.parts.start_pose[joints], self.factors.action_scale)
        self.target[joints] = blended

    def _limit(self) -> None:
        frame = self.parts.frame
        limited = self.parts.limiter.apply(self.target, frame.position, frame.velocity)
        if limited:
            self.counts['limited_ticks'] += 1
            for verdict in limited:
                self.parts.watch.panel.note(verdict)

    def _refuse(self, guard: str, reason: str, now_ns: int, *, at_once: bool = False) -> None:
        """Hold the last good target for some ticks, then fault; the carry stays as it was."""
        self.counts['refused_outputs'] += 1
        self._refused += 1
        self._accepted_in_a_row = 0
        if at_once or self._refused > self.parts.tunables.max_refused:
            self.parts.watch.panel.note(fault(guard, reason))
            self._fault(reason, now_ns)
            self.send = Send.DAMPING
            return
        self.parts.watch.panel.note(Verdict(Level.WARN, guard, f'{reason}: last target held'))

    # Modes -------------------------------------------------------------------------------

    def _elapsed_ns(self, now_ns: int) -> int:
        """Time in this mode; none on a clock that went back, which is for a guard to find."""
        return max(0, now_ns - self._since_ns)

    def _enter(self, mode: Mode, now_ns: int, reason: str) -> None:
        self.mode = mode
        self.reason = reason
        self._since_ns = now_ns
        self.parts.watch.panel.say(f'mode {mode}: {reason}' if reason else f'mode {mode}')
        if mode is Mode.INACTIVE:
            self._follow_tunables(jump=True)  # what was asked for in the last tick
        if mode is not Mode.RUN:
            self._swap.roll_back(f'the run ended in {mode}')

    def _fault(self, reason: str, now_ns: int) -> None:
        self.counts['faults'] += 1
        self._enter(Mode.FAULT, now_ns, reason)

    def _begin_fade(self, now_ns: int, reason: str) -> None:
        # From a position mode the stiffness is taken away slowly; a damped robot has none left.
        self._ramp_ns = self._fade_ns if self.mode in STIFF else 0
        self._damping_left = DAMPING_FRAMES
        self._from[:] = self.target
        self._enter(Mode.FADE, now_ns, reason)

    def _fade(self, now_ns: int) -> None:
        """
        Let the stiffness go: the target moves from where it was to where the joint is.

        With torque = kp (target - q) - kd qd this is the same as taking kp down to zero and
        keeping kd, but needs no change of gains, which travel apart from the commands.
        """
        elapsed = self._elapsed_ns(now_ns)
        position = self.parts.frame.position
        if elapsed < self._ramp_ns:
            np.subtract(self._from, position, out=self.target)
            self.target *= 1.0 - elapsed / self._ramp_ns
            self.target += position
            self._limit()
            self.send = Send.POSITION
            return
        self.send = Send.DAMPING
        self._damping_left -= 1
        if self._damping_left <= 0:
            self._enter(Mode.INACTIVE, now_ns, self.reason)
