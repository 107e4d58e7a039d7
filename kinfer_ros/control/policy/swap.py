"""A swap of policies, from the request to its one answer.

control/policy/runner.py blends the two policies.
"""

from collections.abc import Callable

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.policy.runner import BoundPolicy
from kinfer_ros.control.policy.runner import PolicyRunner

Done = Callable[[str], None]
"""Called once: with '' when the policy has taken over, else with the reason it has not."""


class PolicySwap:
    """
    Runs swaps on a `PolicyRunner`, one at a time.

    :ivar count: policies that have taken over.
    """

    def __init__(
        self, runner: PolicyRunner, command: CommandVector, add_event: Callable[[str], None]
    ) -> None:
        """:param add_event: adds an event to the record of this tick."""
        self.count = 0
        self._runner = runner
        self._command = command
        self._add_event = add_event
        self._requested: tuple[BoundPolicy, Done] | None = None
        self._done: Done | None = None

    def request(self, bound: BoundPolicy, done: Done) -> None:
        """Request a policy; the next `begin` starts the swap."""
        self.refuse('another swap came')
        self._requested = bound, done

    def refuse(self, reason: str) -> None:
        """Refuse a requested swap that has not begun, if there is one."""
        requested, self._requested = self._requested, None
        if requested is not None:
            requested[1](reason)

    def roll_back(self, reason: str) -> None:
        """Roll back a swap that has begun, if there is one."""
        if self._runner.swapping:
            self._runner.roll_back(reason)
            self.answer()

    def begin(self, now_ns: int, blend_ns: int | None) -> None:
        """
        Begin the requested swap, if there is one.

        :param blend_ns: time of the blend; None where no policy runs.
        """
        if self._requested is None:
            return
        self.roll_back('another swap came')
        (bound, self._done), self._requested = self._requested, None
        if blend_ns is None:
            self._runner.replace(bound)
            self.answer()
            return
        self._runner.swap(bound, now_ns, blend_ns)
        self._add_event(f'swap: model {_name(bound)} begins to take over')

    def answer(self) -> None:
        """Answer the swap that has begun, if it has ended either way."""
        if self._done is None or self._runner.swapping:
            return
        done, self._done = self._done, None
        reason, self._runner.swap_failed = self._runner.swap_failed, ''
        bound = self._runner.bound
        if reason:
            self._add_event(f'swap rolled back: {reason}')
        else:
            self._command.set_ranges(bound.policy.contract.command_ranges)
            self.count += 1
            self._add_event(f'swap: model {_name(bound)} has taken over')
        done(reason)


def _name(bound: BoundPolicy) -> str:
    return bound.policy.contract.sha256[:12]
