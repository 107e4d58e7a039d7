"""Guards on the samples of one sensor topic: fresh, in order, finite, alive.

Without this module a dead sensor would be read for ever: the last sample stays where it is, and
a policy does not notice that the world has stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.control.guards.verdict import OK
from kinfer_ros.control.guards.verdict import Verdict
from kinfer_ros.control.guards.verdict import fault
from kinfer_ros.control.guards.verdict import warn
from kinfer_ros.control.settings import LiveSettings

TOO_LARGE = 1e12
"""Sum of the squares of a source's numbers. No robot measures a million of anything, and beyond
float32 a number that is finite here would be infinite for the policy and the limits."""


@dataclass
class TickContext:
    """
    When a tick is, and in which circumstances; one object, refilled each tick.

    :ivar now_ns: the control clock.
    :ivar stamp_now_ns: now on the clock of the stamps.
    :ivar stamps_hold: False while stamps cannot be judged because their clock has just jumped.
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
    Judges the newest sample of one source.

    Its age is looked at twice: by its stamp, and by when it came on the control clock, which no
    one can set. A source that is silent is found by either, whatever happens to the clocks.

    :ivar source: the topic, for texts.
    """

    def __init__(
        self,
        source: str,
        values: Float64,
        names: list[str],
        tunables: LiveSettings,
        *,
        may_rest: bool = False,
    ) -> None:
        """
        :param values: the source's numbers, a live view; `names` says what each is.
        :param may_rest: it is no sign of a fault when they do not change: an estimator holds the
            velocity of a standing robot at zero.
        """
        self.source = source
        self._values = values
        self._names = names
        self._tunables = tunables
        self._may_rest = may_rest
        self._last_sum = math.nan
        self.restart()

    def restart(self) -> None:
        """Forget what came before: a new session begins."""
        self._stamp_ns = -1
        self._came_ns = -1
        self._changed_ns = -1
        self._disorder = -1

    def check(self, stamp_ns: int, disorder: int, moment: TickContext) -> Verdict:
        """
        Judge the newest sample.

        :param disorder: how many samples so far were older than the one before them.
        """
        if stamp_ns != self._stamp_ns or self._came_ns < 0:
            self._stamp_ns = stamp_ns
            self._came_ns = moment.now_ns
        verdict = self._age(moment)
        if verdict is not OK:
            return verdict
        # Finite only if every number is, and the same only if (nearly always) none has changed.
        total = float(self._values.dot(self._values))
        if not total < TOO_LARGE:
            return self._not_finite()
        if total != self._last_sum or not moment.running or self._may_rest:
            self._last_sum = total
            self._changed_ns = self._came_ns
        elif self._came_ns - self._changed_ns > self._tunables.frozen_timeout * 1e9:
            verdict = self._frozen()
        if verdict is OK and disorder != self._disorder >= 0:
            verdict = warn(
                'order',
                f'{self.source}: {disorder - self._disorder} samples were older than the one '
                'before them, and were passed over: are there two publishers?',
            )
        self._disorder = disorder
        return verdict

    def _age(self, moment: TickContext) -> Verdict:
        if not self._stamp_ns:
            return fault('stale', f'no message yet on {self.source}')
        tunables = self._tunables
        limit = tunables.stale_timeout * 1e9
        silent = moment.now_ns - self._came_ns
        age = moment.stamp_now_ns - self._stamp_ns if moment.stamps_hold else silent
        if silent > limit and age < silent:
            age = silent
        if age > limit:
            # By its stamp a source that stopped is too old a little before it is too silent.
            late = (
                ''
                if silent > limit / 2
                else '; samples arrive, so they are held up, or the clocks of the hosts differ'
            )
            return fault(
                'stale',
                f'{self.source} is stale: the newest sample is {age / 1e6:.0f} ms old, '
                f'at most {limit / 1e6:.0f} ms are accepted{late}',
            )
        if age < -tunables.clock_tolerance * 1e9:
            return fault(
                'future',
                f'{self.source} is stamped {-age / 1e6:.0f} ms in the future: the clocks of the '
                'hosts differ (chrony or ptp sets them)',
            )
        return OK

    def _not_finite(self) -> Verdict:
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

    def _frozen(self) -> Verdict:
        limit = self._tunables.frozen_timeout
        if not limit:
            return OK
        return fault(
            'frozen',
            f'{self.source} is frozen: none of its numbers has changed for {limit:g} s, though '
            'samples arrive: the driver repeats itself (frozen_timeout 0 turns this off)',
        )


class ClockGuard:
    """
    Watches the two clocks a tick lives by.

    A jump of the stamps' clock (somebody set the time) is warned about, and stamps are not judged
    until samples from after it can be there. A control clock that goes back is a fault: ramps and
    watchdogs would wait for the past.
    """

    JUMP_NS = 100_000_000
    """Smaller ones pass for the time between reading two clocks on a busy machine."""

    def __init__(self, tunables: LiveSettings) -> None:
        self._tunables = tunables
        self.restart()

    def restart(self) -> None:
        """Forget what came before: a new session begins."""
        self._now_ns = -1
        self._offset_ns = 0
        self._hold_until_ns = -1

    def check(self, moment: TickContext) -> Verdict:
        """Judge the clocks, and set `moment.stamps_hold`."""
        now_ns = moment.now_ns
        offset_ns = moment.stamp_now_ns - now_ns
        first = self._now_ns < 0
        back_ns, jump_ns = self._now_ns - now_ns, offset_ns - self._offset_ns
        self._now_ns, self._offset_ns = now_ns, offset_ns
        moment.stamps_hold = now_ns > self._hold_until_ns
        if first:
            return OK
        if back_ns > 0:
            return fault(
                'clock',
                f'the control clock went back by {back_ns / 1e9:.3f} s: is there more than one '
                'publisher of /clock?',
            )
        if abs(jump_ns) > self.JUMP_NS:
            self._hold_until_ns = now_ns + round(self._tunables.stale_timeout * 1e9)
            moment.stamps_hold = False
            return warn('clock', f'the clock of the stamps jumped by {jump_ns / 1e9:+.3f} s')
        return OK
