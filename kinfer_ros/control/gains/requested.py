"""The gains that the running policy asks for, and their version.

Gains change in a tick, with the policy. The command of that tick carries the new version, so that
a bridge never uses the one with the other's gains.
"""

import numpy as np

from kinfer_ros.control.gains.policy_gains import Gains


class RequestedGains:
    """
    Gains without the live factors.

    :ivar gains: of the running policy, robot joint order.
    :ivar version: counts the changes within a session, from 0.
    """

    def __init__(self, gains: Gains) -> None:
        self.gains = gains
        self.version = 0

    def begin_session(self) -> None:
        """Count from 0 again."""
        self.version = 0

    def switch(self, gains: Gains) -> bool:
        """Take the gains of another policy; :return: whether they are other gains."""
        if _equal(gains, self.gains):
            return False
        self.gains = gains
        self.version += 1
        return True


def _equal(one: Gains, other: Gains) -> bool:
    return all(
        np.array_equal(a, b)
        for a, b in (
            (one.kp, other.kp),
            (one.kd, other.kd),
            (one.torque_limit, other.torque_limit),
        )
    )
