"""The gains that a controller asks the robot side for, tick by tick, and their version.

Topics are not ordered against each other: gains could reach a bridge after the first command that
was computed for them. Both therefore carry a version, and a bridge brings gains into force in the
instant of the first command with their version (bridges/gain_versions.py).
"""

from kinfer_ros.control.gains.policy_gains import Gains
from kinfer_ros.control.gains.ramp import GainRamp

PERIOD_NS = 100_000_000
"""Between two changes while the gain ramp moves."""


class RequestedGains:
    """
    Gains of the running policy, times the operator's factors.

    Another policy's gains are requested at once and as a whole: the version counts up. The factors
    move in steps of PERIOD_NS, small ones within a version: a robot does not wait for them. In
    lockstep it does, and each step is a version, so that a run repeats to the bit.

    :ivar policy: gains of the running policy.
    :ivar ramp: the factors as they are in this tick.
    :ivar version: of what was requested last; 0 at the start of a session, and only counts up.
    :ivar changes: how often the request has changed; another number: the gains have to be sent.
    :ivar switched: the newest change was of the version.
    """

    def __init__(self, policy: Gains, ramp: GainRamp, *, every_step: bool = False) -> None:
        """:param every_step: each step of the factors is a version of its own (lockstep)."""
        self.policy = policy
        self.ramp = ramp
        self.every_step = every_step
        self.version = 0
        self.changes = 0
        self.switched = False
        self._asked = policy
        self._asked_factors = self._factors()
        self._asked_ns = 0

    def begin_session(self) -> None:
        """Start a session, whose gains have been sent."""
        self.version, self.switched = 0, False
        self._note_asked(0)

    def now(self) -> Gains:
        """Return the gains requested in this tick."""
        kp, kd = self._factors()
        return Gains(self.policy.kp * kp, self.policy.kd * kd, self.policy.torque_limit)

    def switch(self, gains: Gains) -> bool:
        """
        Request another policy's gains in this tick; the factors stay as they are.

        Equal gains are no change: bridges need not be told.

        :return: whether they differ from those requested until now.
        """
        if gains is self.policy:
            return False
        differ = not gains.equals(self.policy)
        self.policy = gains
        return differ

    def end_tick(self, now_ns: int) -> None:
        """Decide whether the gains go out in this tick, and under which version."""
        switched = not self.policy.equals(self._asked)
        if not switched:
            self._asked = self.policy  # the same object is compared faster in the next tick
        moved = self._factors() != self._asked_factors
        if not switched and not (moved and now_ns - self._asked_ns >= PERIOD_NS):
            return
        self.changes += 1
        self.switched = switched or self.every_step
        self.version += self.switched
        self._note_asked(now_ns)

    def _note_asked(self, now_ns: int) -> None:
        self._asked, self._asked_factors = self.policy, self._factors()
        self._asked_ns = now_ns

    def _factors(self) -> tuple[float, float]:
        return self.ramp.kp_factor, self.ramp.kd_factor
