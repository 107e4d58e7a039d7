"""The result of one tick of the controller."""

from collections.abc import Sequence
from typing import NamedTuple

from kinfer_ros.arrays import Float64
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.modes import Send
from kinfer_ros.control.policy.runner import PolicyStep


class Tick(NamedTuple):
    """
    The result of `Controller.tick`; its arrays are the controller's own, valid until the next.

    :ivar mode: the mode after the tick.
    :ivar reason: why the mode was entered, or ''.
    :ivar target: [N] rad, of a wheel rad/s, robot joint order; valid where `send` is POSITION.
    :ivar position: [N] rad, `target` as it is sent; of a wheel the measured one.
    :ivar velocity: [N] rad/s, the targets of wheels, 0 for others; None without wheels.
    :ivar ran: the policy ran and its action was accepted.
    :ivar faults: faults since the controller was built.
    :ivar step: the policy's step; its action and carry are valid where `ran`.
    :ivar gains_version: of the gains that the target was computed for.
    """

    mode: Mode
    reason: str
    send: Send
    target: Float64
    position: Float64
    velocity: Float64 | None
    events: Sequence[str]
    ran: bool
    faults: int
    step: PolicyStep
    gains_version: int = 0

    def __str__(self) -> str:
        """Return mode and reason, as on ~/mode."""
        return format_mode(self.mode, self.reason)


def format_mode(mode: Mode, reason: str) -> str:
    """Return mode and reason, as on ~/mode."""
    return f'{mode}: {reason}' if reason else str(mode)
