"""Which automatic transition of the running policy begins: its motion has ended, it is upright."""

from collections.abc import Callable
from collections.abc import Iterable

from kinfer_ros.policy.sets.transition import MOTION_ENDED
from kinfer_ros.policy.sets.transition import UPRIGHT
from kinfer_ros.policy.sets.transition import Transition

UPRIGHT_NS = 1_000_000_000
"""Time for which the conditions of UPRIGHT hold without a gap before it begins."""


class AutomaticStart:
    """Watches the conditions of the transitions that leave one policy."""

    def __init__(self) -> None:
        self._source = ''
        self._upright_ns = -1
        self._refused = False

    def restart(self) -> None:
        """Forget how long the robot has been upright."""
        self._upright_ns = -1

    def note_refused(self, transition: Transition) -> None:
        """Do not begin it again at this end of the motion."""
        self._refused = self._refused or transition.automatic == MOTION_ENDED

    def due(
        self,
        source: str,
        leaving: Iterable[Transition],
        unmet: Callable[[Transition], str],
        now_ns: int,
        *,
        ended: bool,
    ) -> Transition | None:
        """
        Return the transition that begins now, or None.

        :param source: the running policy.
        :param unmet: says which condition of a transition does not hold.
        :param ended: its motion has ended.
        """
        if source != self._source:
            self._source = source
            self.restart()
            self._refused = False
        self._refused = self._refused and ended
        may_leave = ended and not self._refused
        for each in leaving:
            if each.automatic == MOTION_ENDED and may_leave and not unmet(each):
                return each
            if each.automatic == UPRIGHT and self._is_upright(unmet(each), now_ns):
                return each
        return None

    def _is_upright(self, refusal: str, now_ns: int) -> bool:
        if refusal:
            self._upright_ns = -1
            return False
        if self._upright_ns < 0:
            self._upright_ns = now_ns
        return now_ns - self._upright_ns >= UPRIGHT_NS
