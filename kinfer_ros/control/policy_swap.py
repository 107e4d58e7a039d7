"""A policy that is to take over from another, from the request to its one answer.

The blending of the two policies is in control/policy_runner.py.
"""

from __future__ import annotations

from collections.abc import Callable

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.control.policy_runner import PolicyRunner

Done = Callable[[str], None]
"""Called once: with '' when a policy has taken over, else with why it has not."""


class PolicySwap:
    """
    Carries out swaps on a `PolicyRunner`, one at a time.

    :ivar count: policies that have taken over so far.
    """

    def __init__(
        self, runner: PolicyRunner, command: CommandVector, say: Callable[[str], None]
    ) -> None:
        """:param say: takes what belongs in the record of this tick."""
        self.count = 0
        self._runner = runner
        self._command = command
        self._say = say
        self._wanted: tuple[BoundPolicy, Done] | None = None
        self._done: Done | None = None

    def request(self, bound: BoundPolicy, done: Done) -> None:
        """Ask for a policy; the next `begin` obeys."""
        self.refuse('another swap came')
        self._wanted = bound, done

    def refuse(self, reason: str) -> None:
        """Answer a swap that has not begun, if there is one."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted[1](reason)

    def roll_back(self, reason: str) -> None:
        """End a swap that has begun, if there is one."""
        if self._runner.swapping:
            self._runner.roll_back(reason)
            self.settle()

    def begin(self, now_ns: int, blend_ns: int | None) -> None:
        """
        Begin the swap that was asked for, if one was.

        :param blend_ns: time in which to take over; None where no policy runs.
        """
        if self._wanted is None:
            return
        self.roll_back('another swap came')
        (bound, self._done), self._wanted = self._wanted, None
        if blend_ns is None:
            self._runner.replace(bound)
            self.settle()
            return
        self._runner.swap(bound, now_ns, blend_ns)
        self._say(f'swap: model {_name(bound)} begins to take over')

    def settle(self) -> None:
        """Answer the swap that has begun, once it has ended either way."""
        if self._done is None or self._runner.swapping:
            return
        done, self._done = self._done, None
        reason, self._runner.swap_failed = self._runner.swap_failed, ''
        bound = self._runner.bound
        if reason:
            self._say(f'swap rolled back: {reason}')
        else:
            self._command.set_ranges(bound.policy.contract.command_ranges)
            self.count += 1
            self._say(f'swap: model {_name(bound)} has taken over')
        done(reason)


def _name(bound: BoundPolicy) -> str:
    return bound.policy.contract.sha256[:12]
