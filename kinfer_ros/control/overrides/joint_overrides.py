"""Moves the targets of joints over to those of another node, and back to the policy's.

Once a tick, after the policy's targets and before their limits: the share of the other node grows
to 1 within `time_s`; once it is silent, the distance to the policy's target shrinks at
`return_speed`.
"""

from collections.abc import Hashable
from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.control.overrides.inbox import OverrideInbox
from kinfer_ros.control.overrides.inbox import listed
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.robot.robot import Robot

SAY_NS = 1_000_000_000
"""Between two events once BURST have come at once; and how long a refused message is a warning."""
BURST = 4


class JointOverrides:
    """
    The joints that another node may move; J of them.

    :ivar inbox: its messages.
    :ivar hidden: a policy sees the joints in the start pose, by the share `hiding` [J].
    :ivar hidden_by_default: those of a set that do not say what they see.
    :ivar commanded: [J] rad, replaces the target before its limits; NaN where a joint is free.
    :ivar active: in this tick `commanded` has a number.
    :ivar beyond: in this tick a target was beyond the joint limits.
    :ivar events: of this tick, for the log; rate-limited.
    """

    def __init__(
        self, settings: OverrideSettings, robot: Robot, period_s: float, *, hidden: bool = False
    ) -> None:
        """
        :param hidden: a policy of the set is not to see what is measured.
        :raises ValueError: a joint is none of the robot's.
        """
        names = settings.joints
        size = len(names)
        self.places = np.array([robot.joint_names.index(name) for name in names], np.intp)
        limits = np.array([robot.lower[self.places], robot.upper[self.places]])
        self.inbox = OverrideInbox(names, robot.joint_names, limits)
        self.hidden = settings.hidden or hidden
        self.hidden_by_default = settings.hidden
        self.hiding: Float64 = np.zeros(size)
        self.commanded: Float32 = np.full(size, np.nan, np.float32)
        self._share_step = period_s / max(settings.time_s, period_s)
        self._return_step = settings.return_speed * period_s
        self._alive = np.zeros(size, bool)
        self._busy, self._silent = np.zeros(size, bool), np.zeros(size, bool)
        self._share, self._offset = np.zeros(size), np.zeros(size)
        self._own, self._mixed, self._scratch = np.zeros(size), np.zeros(size), np.zeros(size)
        self.events: Sequence[str] = ()
        self.restart()

    def restart(self) -> None:
        """Begin a session with all joints free."""
        self.inbox.restart()
        self._alive.fill(False)
        for array in (self._share, self._offset, self.hiding):
            array.fill(0.0)
        self.active = self.beyond = False
        self._idle = True
        self._state: tuple[bool, bytes, Hashable] = (False, b'', None)
        self._said: tuple[bool, bytes, Hashable] = self._state
        self._text = ''
        self._now_ns = self._spent_ns = 0

    def begin_tick(self, now_ns: int, stamp_now_ns: int) -> None:
        """Look at which joints the other node moves now; nothing is moved before `apply`."""
        self.active = self.beyond = False
        self.events = ()
        self.inbox.alive(now_ns, stamp_now_ns, self._alive)
        self._now_ns = now_ns

    @property
    def problem(self) -> str:
        """Why a message was refused a moment ago, or ''."""
        inbox = self.inbox
        return inbox.problem if self._now_ns - inbox.problem_ns <= SAY_NS else ''

    def apply(self, target: Float64, last: Float64) -> None:
        """
        Replace the targets of the joints that another node moves, or moved a moment ago.

        :param target: [N] rad, the policy's, or the start pose; changed in place.
        :param last: [N] rad, as sent in the last tick.
        """
        if self._alive.any() or not self._idle:
            np.take(target, self.places, out=self._own)
            self._begin_return(last)
            np.add(self._share, self._share_step, out=self._share, where=self._alive)
            np.minimum(self._share, 1.0, out=self._share)
            self._shrink_offset()
            np.not_equal(self._offset, 0.0, out=self._busy)
            self._busy |= self._alive
            self._replace(target)
            self._say()

    def _replace(self, target: Float64) -> None:
        self.active = bool(self._busy.any())
        if self.active:
            self._mix()
            target[self.places] = self._own
            self.beyond = bool((self._alive & self.inbox.beyond).any())
        if self.hidden:
            self.hiding += np.where(self._busy, self._share_step, -self._share_step)
            np.clip(self.hiding, 0.0, 1.0, out=self.hiding)
        # Once more after the last joint is back, and until an event could be said.
        self._idle = not (self.active or self.hiding.any() or self._said[0])

    def _begin_return(self, last: Float64) -> None:
        """Where a joint has fallen silent, go back from where it was sent last."""
        np.greater(self._share, 0.0, out=self._silent)
        self._silent &= ~self._alive
        if not self._silent.any():
            return
        np.take(last, self.places, out=self._scratch)
        self._scratch -= self._own
        np.copyto(self._offset, self._scratch, where=self._silent)
        self._share[self._silent] = 0.0

    def _shrink_offset(self) -> None:
        np.abs(self._offset, out=self._scratch)
        self._scratch -= self._return_step
        np.maximum(self._scratch, 0.0, out=self._scratch)
        np.copysign(self._scratch, self._offset, out=self._offset)

    def _mix(self) -> None:
        """Compute `commanded`, float32 as the log has it, and put it into the own targets."""
        mixed = self._mixed
        np.add(self._own, self._offset, out=mixed)
        np.subtract(self.inbox.target, mixed, out=self._scratch)
        self._scratch *= self._share
        mixed += self._scratch
        self.commanded.fill(np.nan)
        np.copyto(self.commanded, mixed, where=self._busy, casting='same_kind')
        np.copyto(self._own, self.commanded, where=self._busy)

    # For people ------------------------------------------------------------------------------

    def describe(self) -> str:
        """Say who moves which joints in this tick, or ''; for diagnostics."""
        return self._text if self.active else ''

    def _say(self) -> None:
        """Note who moves what as an event where it changes; rate-limited."""
        moved = self._alive.tobytes()
        owner = self.inbox.owner  # its name as well: DDS may tell it after the first messages
        state = (self.active, moved if any(moved) else b'', owner)
        if state != self._state:
            self._state = state
            self._text = self._describe(owner.name if owner else '')
        spent_ns = max(self._spent_ns, self._now_ns)
        if state != self._said and spent_ns - self._now_ns <= (BURST - 1) * SAY_NS:
            self._said, self._spent_ns = state, spent_ns + SAY_NS
            self.events = (f'override: {self._text}',)

    def _describe(self, owner: str) -> str:
        names = [name for name, on in zip(self.inbox.joints, self._alive, strict=True) if on]
        if names:
            return f'{owner} moves {listed(names)}'
        return f'{owner} is silent: its joints go back' if self.active else 'all joints are back'
