"""A policy that is to take over from another, from the request to its one answer.

Without this module a caller could wait for ever, or be told that a policy has taken over that runs
no more.
"""

from __future__ import annotations

from collections.abc import Callable

from kinfer_ros.control.command import CommandVector
from kinfer_ros.control.policy_runner import BoundPolicy
from kinfer_ros.control.policy_runner import PolicyRunner

Done = Callable[[str], None]
"""Called once: with '' when a policy has taken over, else with why it has not."""


class Swap:
    """
    Carries out swaps on a `PolicyRunner`, one at a time.

    :ivar count: policies that have taken over so far.
    """

    def __init__(
        self, stepping: PolicyRunner, command: CommandVector, say: Callable[[str], None]
    ) -> None:
        """:param say: takes what belongs in the record of this tick."""
        self.count = 0
        self._stepping = stepping
        self._command = command
        self._say = say
        self._wanted: tuple[BoundPolicy, Done] | None = None
        self._done: Done | None = None

    def request(self, fitted: BoundPolicy, done: Done) -> None:
        """Ask for a policy; the next `begin` obeys."""
        self.refuse('another swap came')
        self._wanted = fitted, done

    def refuse(self, reason: str) -> None:
        """Answer a swap that has not begun, if there is one."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted[1](reason)

    def roll_back(self, reason: str) -> None:
        """End a swap that has begun, if there is one."""
        if self._stepping.swapping:
            self._stepping.roll_back(reason)
            self.settle()

    def begin(self, now_ns: int, blend_ns: int | None) -> None:
        """
        Begin the swap that was asked for, if one was.

        :param blend_ns: time in which to take over; None where no policy runs.
        """
        if self._wanted is None:
            return
        self.roll_back('another swap came')
        (fitted, self._done), self._wanted = self._wanted, None
        if blend_ns is None:
            self._stepping.replace(fitted)
            self.settle()
            return
        self._stepping.swap(fitted, now_ns, blend_ns)
        self._say(f'swap: model {_name(fitted)} begins to take over')

    def settle(self) -> None:
        """Answer the swap that has begun, once it has ended either way."""
        if self._done is None or self._stepping.swapping:
            return
        done, self._done = self._done, None
        reason, self._stepping.swap_failed = self._stepping.swap_failed, ''
        fitted = self._stepping.fitted
        if reason:
            self._say(f'swap rolled back: {reason}')
        else:
            self._command.set_ranges(fitted.policy.contract.command_ranges)
            self.count += 1
            self._say(f'swap: model {_name(fitted)} has taken over')
        done(reason)


def _name(fitted: BoundPolicy) -> str:
    return fitted.policy.contract.sha256[:12]
