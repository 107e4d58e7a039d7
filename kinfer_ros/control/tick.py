"""What one tick of the controller decided: the mode, what is sent, and what the record needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinfer_ros.arrays import Float64
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.policy_runner import PolicyStep


@dataclass(frozen=True, slots=True)
class Tick:
    """
    The outcome of `Controller.tick`; its arrays are the controller's own, valid until the next.

    :ivar mode: the mode after the tick.
    :ivar reason: why the mode was entered, '' if there is nothing to say.
    :ivar send: what the bridge is asked for.
    :ivar target: [N] rad, robot joint order; valid where `send` is POSITION.
    :ivar events: what happened, in words.
    :ivar ran: the policy ran and its action was accepted.
    :ivar faults: how many faults there were since the controller was built.
    :ivar step: what the policy did; its action and carry are valid where `ran`.
    """

    mode: Mode
    reason: str
    send: Send
    target: Float64
    events: Sequence[str]
    ran: bool
    faults: int
    step: PolicyStep

    def __str__(self) -> str:
        """Mode and reason, as ~/mode gives them."""
        return format_mode(self.mode, self.reason)


def format_mode(mode: Mode, reason: str) -> str:
    """Mode and reason, as ~/mode gives them."""
    return f'{mode}: {reason}' if reason else str(mode)
