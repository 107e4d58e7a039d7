"""Guards on sensor samples (stale, future, order, frozen, finite) and on the clocks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.text import told_apart

TOO_LARGE = 1e12
"""Limit of the sum of squares of a source's numbers: no robot measures a million of anything, and
a number that float32 cannot hold would be infinite for the policy and the limits."""


@dataclass
class TickContext:
    """
    Time and state of a tick that guards need; one object, refilled each tick.

    :ivar now_ns: the control clock.
    :ivar stamp_now_ns: the same instant on the clock of the stamps.
    :ivar stamps_hold: False while stamps cannot be checked because their clock has jumped.
    :ivar running: the mode is `run`.
    :ivar new_joints: a joint sample has come since the last tick.
    """

    now_ns: int = 0
    stamp_now_ns: int = 0
    stamps_hold: bool = True
    running: bool = False
    new_joints: bool = True


class SampleGuard:
    """
    Checks the newest sample of one source.

    Its age is taken from its stamp and from its arrival on the control clock, which cannot be
    set: a silent source is found whatever happens to the clocks.

    :ivar source: the topic, for texts.
    """

    def __init__(
        self,
        source: str,
        values: Float64,
        names: list[str],
        live: LiveSettings,
        *,
        may_be_constant: bool = False,
        missing: Callable[[], list[str]] = list,
        silence: Callable[[str], str] = 'no message yet on {}'.format,
    ) -> None:
        """
        :param values: live view of the source's numbers; `names` has the name of each.
        :param may_be_constant: unchanged numbers are no fault: an estimator holds the velocity of
            a standing robot at zero.
        :param missing: returns what the newest messages lack.
        :param silence: says why there is no sample of a source yet.
        """
        self.source = source
        self._values = values
        self._names = names
        self._live = live
        self._may_be_constant = may_be_constant
        self._missing = missing
        self._silence = silence
        self._last = b''
        self.retune()
        self.restart()

    def retune(self) -> None:
        """Take over changed thresholds."""
        self._oldest_ns = self._live.stale_timeout * 1e9
        self._most_ahead_ns = self._live.clock_tolerance * 1e9

    def restart(self) -> None:
        """Reset the state: a new session begins."""
        self._stamp_ns = -1
        self._came_ns = -1
        self._changed_ns = -1
        self._disorder = -1

    def is_fresh(self, stamp_ns: int, disorder: int, context: TickContext) -> bool:
        """
        Whether this is a new sample, in time, in order and with other numbers.

        Then `check` finds at most that it is not finite, and its ages begin anew as they do there.
        """
        age = context.stamp_now_ns - stamp_ns
        numbers = self._values.tobytes()
        if (
            not 0 < stamp_ns != self._stamp_ns
            or disorder != self._disorder
            or not -self._most_ahead_ns <= age <= self._oldest_ns
            or numbers == self._last
        ):
            return False
        self._stamp_ns, self._last = stamp_ns, numbers
        self._came_ns = self._changed_ns = context.now_ns
        return True

    def finite(self) -> bool:
        """Whether all numbers are finite and can have been measured."""
        # The sum is finite only if every number is.
        return float(self._values.dot(self._values)) < TOO_LARGE

    def check(self, stamp_ns: int, disorder: int, context: TickContext) -> Verdict:
        """
        Check the newest sample.

        :param disorder: number of samples so far that were older than the one before them.
        """
        if stamp_ns != self._stamp_ns or self._came_ns < 0:
            self._stamp_ns = stamp_ns
            self._came_ns = context.now_ns
        verdict = self._check_age(context)
        if verdict is not OK:
            return verdict
        if not self.finite():
            return self._finite_fault()
        numbers = b'' if self._may_be_constant else self._values.tobytes()
        if numbers != self._last or not context.running or self._may_be_constant:
            self._last = numbers
            self._changed_ns = self._came_ns
        elif self._came_ns - self._changed_ns > self._live.frozen_timeout * 1e9:
            verdict = self._frozen_fault()
        if verdict is OK and disorder != self._disorder >= 0:
            verdict = warn(
                'order',
                f'{self.source}: {disorder - self._disorder} samples were older than the one '
                'before them, and were passed over: are there two publishers?',
            )
        self._disorder = disorder
        return verdict

    def is_silent(self, context: TickContext) -> bool:
        """Whether nothing has come for half the time-out, so that the source may have ended."""
        return self._came_ns >= 0 and context.now_ns - self._came_ns > self._oldest_ns / 2

    def _check_age(self, context: TickContext) -> Verdict:
        if not self._stamp_ns:
            return fault('stale', self._silence(self.source))
        limit = self._oldest_ns
        silent = context.now_ns - self._came_ns
        age = context.stamp_now_ns - self._stamp_ns if context.stamps_hold else silent
        if silent > limit and age < silent:
            age = silent
        if age > limit:
            # A source that stopped is too old by its stamp a little before it is by its arrival.
            hint = (
                ''
                if silent > limit / 2
                else '; samples arrive, so they are held up, or the clocks of the hosts differ'
            )
            lacks = self._missing()
            sample = f'sample of {", ".join(lacks)}' if lacks else 'sample'
            found, most = told_apart(age / 1e6, limit / 1e6)
            return fault(
                'stale',
                f'{self.source} is stale: the newest {sample} is {found} ms old, '
                f'at most {most} ms are accepted{hint}',
            )
        if age < -self._most_ahead_ns:
            return fault(
                'future',
                f'{self.source} is stamped {-age / 1e6:.0f} ms in the future: the clocks of the '
                'hosts differ (chrony or ptp sets them)',
            )
        return OK

    def _finite_fault(self) -> Verdict:
        bad = np.flatnonzero(~np.isfinite(self._values))
        if not bad.size:
            first = int(np.abs(self._values).argmax())
            return fault(
                'finite',
                f'{self.source}: {self._names[first]} is {self._values[first]:.3g}, too large to '
                'be measured',
            )
        first = int(bad[0])
        return fault(
            'finite',
            f'{self.source}: {self._names[first]} is {self._values[first]}, not a finite number',
        )

    def _frozen_fault(self) -> Verdict:
        limit = self._live.frozen_timeout
        if not limit:
            return OK
        return fault(
            'frozen',
            f'{self.source} is frozen: none of its numbers has changed for {limit:g} s, though '
            'samples arrive: the driver repeats itself (frozen_timeout 0 turns this off)',
        )


class ClockGuard:
    """
    Checks the control clock and the clock of the stamps.

    A jump of the stamps' clock (somebody set the time) is a warning, and stamps are not checked
    until samples from after it can have arrived. A control clock that goes back is a fault: ramps
    and time-outs would stop.
    """

    JUMP_NS = 100_000_000
    """Smaller differences may be the time between two clock readings on a busy machine."""

    def __init__(self, live: LiveSettings) -> None:
        self._live = live
        self.restart()

    def restart(self) -> None:
        """Reset the state: a new session begins."""
        self._now_ns = -1
        self._offset_ns = 0
        self._hold_until_ns = -1

    def is_steady(self, context: TickContext) -> bool:
        """Whether both clocks went on together, as they do in nearly every tick."""
        now_ns = context.now_ns
        offset_ns = context.stamp_now_ns - now_ns
        if (
            not 0 <= self._now_ns <= now_ns
            or now_ns <= self._hold_until_ns
            or abs(offset_ns - self._offset_ns) > self.JUMP_NS
        ):
            return False
        self._now_ns, self._offset_ns = now_ns, offset_ns
        context.stamps_hold = True
        return True

    def check(self, context: TickContext) -> Verdict:
        """Check the clocks, and set `context.stamps_hold`."""
        now_ns = context.now_ns
        offset_ns = context.stamp_now_ns - now_ns
        first = self._now_ns < 0
        back_ns, jump_ns = self._now_ns - now_ns, offset_ns - self._offset_ns
        self._now_ns, self._offset_ns = now_ns, offset_ns
        context.stamps_hold = now_ns > self._hold_until_ns
        if first:
            return OK
        if back_ns > 0:
            return fault(
                'clock',
                f'the control clock went back by {back_ns / 1e9:.3f} s: is there more than one '
                'publisher of /clock?',
            )
        if abs(jump_ns) > self.JUMP_NS:
            self._hold_until_ns = now_ns + round(self._live.stale_timeout * 1e9)
            context.stamps_hold = False
            return warn('clock', f'the clock of the stamps jumped by {jump_ns / 1e9:+.3f} s')
        return OK
