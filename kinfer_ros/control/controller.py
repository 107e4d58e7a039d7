"""Decides once per tick on the mode and on what is sent to the robot.

The table of modes is in docs/modes.md; control/mode_targets.py computes the target of each.
"""

from collections.abc import Sequence
from typing import Any

from kinfer_ros.control.guards.sensor_samples import TickContext
from kinfer_ros.control.guards.verdict import Level
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.mode_targets import ModeTargets
from kinfer_ros.control.modes import STIFF
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.motion import OperatedMotion
from kinfer_ros.control.parts import Parts
from kinfer_ros.control.recovery import Go
from kinfer_ros.control.recovery import Recovery
from kinfer_ros.control.requests import Requestable
from kinfer_ros.control.requests import Requests
from kinfer_ros.control.settings import SessionSettings
from kinfer_ros.control.tick import Tick
from kinfer_ros.control.tick import format_mode
from kinfer_ros.control.wheels import SentTargets

COUNTED = ('run_ticks', 'faults', 'falls', 'limited_ticks', 'refused_outputs')

RESET = 'reset'
SESSION_ENDED = 'the session has ended'
ON_THE_WAY = 'the robot was on its way through a pose: load it once the policy runs'


class Controller(Requestable):
    """
    Runs the modes of one policy on one robot.

    Others write `inputs` between two ticks. Requests take effect in the next tick, so that a
    recorded run can be replayed.

    :ivar inputs: sensors, command and health for the next tick.
    :ivar checks: the checks before an activation.
    :ivar stats: counts of the guards, and the events of the next tick.
    :ivar start_pose: [N] rad, robot joint order.
    :ivar policies: those of the set, and which runs; ask for another one there.
    :ivar wheels: [N] the joints whose targets are velocities; None: none of them.
    :ivar live: the live settings; change them with `request_live_settings`. `tuning` ramps them.
    :ivar reason: why the mode was entered, or ''; of a fault the first reason.
    :ivar target: [N] rad, of a wheel rad/s, robot joint order; valid where `send` is POSITION.
    :ivar ran: the last tick ran the policy, and its action was accepted.
    :ivar gains: the gains requested from the robot side, and their version.
    :ivar gain_ramp: scale of the action and factors of the gains in this tick.
    :ivar counts: occurrences of each of COUNTED since construction.
    :ivar run_ns: duration of the newest run.
    :ivar recovery: how far the robot is after a fall.
    :ivar first_cause: what explains a fault of the next tick better than its guard does, or ''.
    """

    def __init__(self, parts: Parts, settings: SessionSettings) -> None:
        self._parts = parts
        self.settings = settings
        self.inputs = parts.inputs
        self.checks = parts.checks
        self.stats = parts.guards.stats
        self.start_pose = parts.start_pose
        self.wheels = parts.wheels
        self.tuning = parts.tuning
        self.live = parts.tuning.live
        self.tuning.retune()
        self.policies = parts.transitions
        self.mode = Mode.INACTIVE
        self.reason = ''
        self.send = Send.NOTHING
        self.ran = False
        self.events: Sequence[str] = ()
        self.counts = dict.fromkeys(COUNTED, 0)
        self.run_ns = 0
        self.first_cause = ''
        self.gains = parts.gains
        self.gain_ramp = parts.gains.ramp
        self._context = TickContext()
        self._since_ns = 0
        self._fade_ns = settings.fade_ns
        self._motion = OperatedMotion(parts.runner, parts.inputs.motion, self.stats.say)
        self._requests = Requests()
        self._targets = ModeTargets(parts, self.counts)
        self._swap, self._via = self._targets.swap, self._targets.via
        self.recovery = Recovery(parts, settings, self._targets)
        self.target = self._targets.target
        self._sent = SentTargets(self.target, parts.wheels)

    def activate(self, now_ns: int) -> None:
        """Enter ramp: from the measured pose to the start pose."""
        assert self.mode is Mode.INACTIVE, self.mode
        self._swap.refuse(SESSION_ENDED)
        self.prepare()
        self._fade_ns = self.settings.fade_ns
        self._requests.forget_modes()
        self.gains.begin_session()
        self._parts.guards.restart()
        self.recovery.restart()
        self._targets.begin_ramp(self.settings.ramp_speed)
        self._enter(Mode.RAMP, now_ns, '')

    def prepare(self) -> None:
        """Return to the first policy of the set, whose gains the next session begins with."""
        self.policies.begin_session(self._parts.adopt)

    def abandon(self) -> None:
        """End the session without another tick; the caller sends the damping commands."""
        self.mode = Mode.INACTIVE
        self.send = Send.NOTHING
        self._swap.refuse(SESSION_ENDED)
        self._end_run(SESSION_ENDED)

    def resume_state(self) -> dict[str, Any]:
        """Return what a replay needs, with the carry, to begin at the last step."""
        return self._parts.resume_state(self.gain_ramp)

    def reset_fault(self) -> str:
        """Change `fault` to `damp` if its cause is gone; :return: why it is not, or ''."""
        if self.mode is not Mode.FAULT:
            return f'nothing to reset in mode {self.mode}'
        cause = self._requests.fault or self._parts.guards.cause(self._context)
        if cause:
            return f'the cause is still there: {cause}'
        self._enter(Mode.DAMP, self._since_ns, RESET)
        return ''

    def tick(self, now_ns: int, stamp_now_ns: int, missed: int = 0) -> Tick:
        """
        Run one tick on `inputs`.

        :param now_ns: the control clock (steady, or simulated time).
        :param stamp_now_ns: the clock of the sensor stamps.
        :param missed: ticks skipped before this one.
        """
        self.ran = False
        self._parts.runner.begin_tick()
        self._context.now_ns, self._context.stamp_now_ns = now_ns, stamp_now_ns
        if self.mode is Mode.INACTIVE:
            self.send = Send.NOTHING
        else:
            self._apply_requests(now_ns)
            self.tuning.follow()
            self._parts.begin_overrides(self._context)
            running = self._context.running = self.mode is Mode.RUN
            self.run_ns = self._elapsed_ns(now_ns) if running else self.run_ns
            self._parts.observe(now_ns, self.settings.period_ns / 1e9, running=running)
            sent = self.target if self.send is Send.POSITION else None
            reason = self._parts.check_guards(self._context, self.mode, sent, missed, self.counts)
            self._run_mode(reason, now_ns)
            self.gains.end_tick(now_ns)
        self.events = self.stats.take_events()
        self._sent.update(self.inputs.frame.position)
        reason = self._parts.with_overrides(self.reason)
        return Tick(
            self.mode, reason, self.send, self.target, self._sent.position,
            self._sent.velocity, self.events, self.ran, self.counts['faults'],
            self._parts.runner.outcome(), self.gains.version,
        )  # fmt: skip

    def _apply_requests(self, now_ns: int) -> None:
        requests, fading = self._requests, self.mode is Mode.FADE
        # First: a bridge that ends with this session, in the same moment, is no fault.
        if requests.fade and not fading:
            self._begin_fade(now_ns, 'deactivated')
        requests.fade, fading = False, self.mode is Mode.FADE
        reason, requests.fault = requests.fault, ''
        if reason and fading:
            self._targets.ramp.cut()
        elif reason and self.mode is not Mode.FAULT:
            self.stats.note(fault('shell', reason))
            self._fault(reason, now_ns)
        reason, requests.stop = requests.stop, ''
        if reason and fading:
            self._targets.ramp.cut()  # the rest of the fade is damping
        elif reason and (self.mode not in (Mode.DAMP, Mode.FAULT) or self.recovery.waits):
            self._enter(Mode.DAMP, now_ns, reason)
        self._motion.apply(self.mode)
        if fading:
            self._swap.refuse(SESSION_ENDED)
            return
        running, on_the_way = self.mode is Mode.RUN, self._via.active
        if running:
            self.policies.follow(self._swap, self._via, now_ns)
        if on_the_way or self._via.active:
            self._swap.refuse(ON_THE_WAY)  # no policy runs that it could take over from
        self._swap.begin(now_ns, running=running)
        self._recover(now_ns)

    def _recover(self, now_ns: int) -> None:
        """Go on after a fall, where the robot is getting up."""
        go = self.recovery.follow(now_ns)
        if go is Go.FAULT:
            self._fault(self.recovery.text, now_ns)
        elif go is Go.RISE:
            self._enter(Mode.RUN, now_ns, '')
            self._since_ns -= self.run_ns  # the run goes on
        elif go is Go.WAIT:
            self.reason = self.recovery.text

    def _run_mode(self, reason: str, now_ns: int) -> None:
        """:param reason: of a guard's fault, or ''."""
        if reason and self.mode is Mode.FADE:
            self._targets.ramp.cut()  # no valid sensors: the rest of the fade is damping
        elif reason and self.mode is not Mode.FAULT:
            self._fault_or_recover(reason, now_ns)
        if self.mode is Mode.FADE:
            self._fade(now_ns)
        elif self.mode in (Mode.DAMP, Mode.FAULT):
            self.send = Send.DAMPING
        else:
            self._move(now_ns)

    def _fault_or_recover(self, reason: str, now_ns: int) -> None:
        if stays := self.recovery.judge(self.mode, reason, self.first_cause):
            self._fault(stays, now_ns)
        else:
            self._enter(Mode.DAMP, now_ns, reason)
            self.recovery.begin(reason, now_ns)
            self.reason = self.recovery.text

    def _move(self, now_ns: int) -> None:
        """Ramp, hold and run: the modes that send a position."""
        self.send = Send.POSITION
        elapsed = self._elapsed_ns(now_ns)
        if self.mode is Mode.RAMP and elapsed >= self._targets.ramp.duration_ns:
            self._enter(Mode.HOLD, now_ns, '')
            self._requests.run = self.settings.auto_run
        if self.mode is Mode.HOLD and self._requests.run:
            self._requests.run = False
            self.run_ns = 0
            self._targets.start_run(now_ns)
            self._enter(Mode.RUN, now_ns, '')
            self.reason = self.policies.mode_reason()
        if self.mode is Mode.RAMP:
            self._targets.ramp_to_start(elapsed)
        elif self.mode is Mode.HOLD:
            self._targets.hold()
        else:
            self._run(now_ns)

    def _run(self, now_ns: int) -> None:
        if self.settings.duration_ns and self.run_ns >= self.settings.duration_ns:
            self._begin_fade(now_ns, 'duration reached')
            self._fade(now_ns)
            return
        if self._via.active:
            self.reason = self.policies.mode_reason() + self._via.describe()
            self.send = self._targets.move_to_pose(now_ns)
            return
        verdict = self._targets.run(now_ns, self.gain_ramp.action_scale)
        self.recovery.look_onward()
        self.ran = verdict.level is Level.OK
        self.reason = self.policies.mode_reason()
        if self.ran:
            self.request_stop(self._motion.follow() or self._requests.stop)
        else:
            self.stats.note(verdict)
        if verdict.level is Level.FAULT:
            self._fault(verdict.text, now_ns)
            self.send = Send.DAMPING

    def _elapsed_ns(self, now_ns: int) -> int:
        """Return the time in this mode; 0 if the clock went back, which a guard reports."""
        return max(0, now_ns - self._since_ns)

    def _enter(self, mode: Mode, now_ns: int, reason: str) -> None:
        self.mode, self.reason, self._since_ns = mode, reason, now_ns
        self.stats.say(f'mode {format_mode(mode, reason)}')
        if mode is Mode.INACTIVE:
            self.tuning.follow(jump=True)  # requested in the last tick
        if mode is not Mode.RUN:
            self._end_run(f'the run ended in {mode}')

    def _end_run(self, reason: str) -> None:
        self.policies.forget()
        self._swap.roll_back(reason)
        self._via.cancel()
        self.recovery.cancel()

    def _fault(self, reason: str, now_ns: int) -> None:
        self.counts['faults'] += 1
        damped = self.mode is Mode.DAMP and self.reason != RESET
        causes = [self.recovery.fall, self.first_cause]
        causes = [each for each in causes if each] or [self.reason if damped else '']
        self._enter(Mode.FAULT, now_ns, '; then: '.join(filter(None, [*causes, reason])))

    def _begin_fade(self, now_ns: int, reason: str) -> None:
        # Position modes fade the stiffness out; a damped robot has none left.
        stiff = self.mode in STIFF and self.send is not Send.DAMPING
        self._targets.begin_fade(self._fade_ns if stiff else 0)
        self._enter(Mode.FADE, now_ns, reason)

    def _fade(self, now_ns: int) -> None:
        self.send = self._targets.fade(self._elapsed_ns(now_ns))
        if self._targets.faded:
            self._enter(Mode.INACTIVE, now_ns, self.reason)
