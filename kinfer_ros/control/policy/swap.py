"""One policy takes over from another, from the request to its one answer.

control/policy/runner.py blends the two policies.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner

LOADED = 'swap: policy '
IN_PLACE = ' is in place'
"""Of a policy of a set that was loaded and did not run."""

Done = Callable[[str], None]
"""Called once: with '' when the policy has taken over, else with the reason it has not."""


@dataclass(frozen=True)
class Takeover:
    """
    A policy that is to take over.

    :ivar blend_ns: time of the blend; 0: at once.
    :ivar what: what events call it.
    """

    bound: BoundPolicy
    blend_ns: int
    done: Done
    what: str


def loaded(bound: BoundPolicy, blend_ns: int, done: Done) -> Takeover:
    """Return the takeover of a policy that was loaded while another one runs."""
    return Takeover(bound, blend_ns, done, describe_load(bound))


def describe_load(bound: BoundPolicy) -> str:
    """Name a policy that was loaded while active, for events; a replay reads them."""
    if bound.load:
        return f'{LOADED}{bound.name}, load {bound.load}'
    return f'swap: model {bound.policy.contract.sha256[:12]}'


class PolicySwap:
    """
    Lets policies take over on a `PolicyRunner`, one at a time.

    :ivar count: policies that have taken over.
    """

    def __init__(
        self,
        runner: PolicyRunner,
        adopt: Callable[[BoundPolicy], None],
        add_event: Callable[[str], None],
    ) -> None:
        """
        :param adopt: takes over what else belongs to a policy, at once.
        :param add_event: adds an event to the record of this tick.
        """
        self.count = 0
        self._runner = runner
        self._adopt = adopt
        self._add_event = add_event
        self._requested: Takeover | None = None
        self._begun: Takeover | None = None

    def request(self, takeover: Takeover) -> None:
        """Request a policy; the next `begin` starts it."""
        self.refuse('another swap came')
        self._requested = takeover

    def refuse(self, reason: str) -> None:
        """Refuse a requested policy that has not begun, if there is one."""
        requested, self._requested = self._requested, None
        if requested is not None:
            requested.done(reason)

    def roll_back(self, reason: str) -> None:
        """Return to the outgoing policy, if two run."""
        if self._runner.swapping:
            self._runner.roll_back(reason)
            self.answer()

    def begin(self, now_ns: int, *, running: bool) -> None:
        """
        Begin the requested takeover, if there is one.

        :param running: a policy runs.
        """
        if self._requested is None:
            return
        self.roll_back('another swap came')
        takeover, self._requested = self._requested, None
        self._begun = takeover
        if not running:
            self._runner.replace(takeover.bound)
            self._adopt(takeover.bound)
            self.answer()
            return
        self._runner.swap(takeover.bound, now_ns, takeover.blend_ns)
        self._adopt(takeover.bound)
        self._add_event(f'{takeover.what} begins to take over')

    def answer(self) -> None:
        """Answer the takeover that has begun, if it has ended either way."""
        if self._begun is None or self._runner.swapping:
            return
        takeover, self._begun = self._begun, None
        reason, self._runner.swap_failed = self._runner.swap_failed, ''
        if reason:
            self._adopt(self._runner.bound)
            self._add_event(f'swap rolled back: {reason}')
        else:
            self.count += 1
            self._add_event(f'{takeover.what} has taken over')
        takeover.done(reason)
