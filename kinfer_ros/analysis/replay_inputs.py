"""Gives the recorded inputs of a step to a policy, by name, whatever order it wants them in.

Without this module only the policy that made a log could be run on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.policy_runner import TickPolicy
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.record import KINFER_KEYS
from kinfer_ros.run.record import MEASURED

Float64 = Float64

_BY_JOINT = ('joint_angles', 'joint_angular_velocities')
_OWN_CLOCK = ('time', 'initial_heading')
"""Inputs that count from when a policy began: those of the outgoing one are not recorded."""


class Feed:
    """
    The inputs of the record at hand, by the policy's own names.

    :ivar joints: the run's joint order; `commands` its command names.
    """

    def __init__(self, joints: tuple[str, ...], commands: tuple[str, ...]) -> None:
        self.joints = joints
        self.commands = commands
        self.rows: dict[str, Float32] = {}
        self.followed: TickPolicy | None = None

    def take(self, record: Mapping[str, Any], followed: TickPolicy) -> None:
        """Take a record's inputs; `followed` is the policy whose they are."""
        self.followed = followed
        rows: dict[str, Float32] = dict(record.get('inputs') or {})
        for name, key in (*KINFER_KEYS.items(), *((n, k) for k, n in MEASURED.items())):
            row = record.get(key)
            if row is not None:
                rows[name] = row
        self.rows = rows

    def measured(self, record: Mapping[str, Any]) -> tuple[Float64, Float64] | None:
        """Positions and velocities [P] that the limits were applied with; None where not known."""
        found = [self.rows.get(name) for name in _BY_JOINT]
        if any(row is None or row.size != len(self.joints) for row in found):
            return None
        position, velocity = (np.asarray(row, np.float64) for row in found)
        return position, velocity


class FedObservation:
    """
    Fills one policy's inputs from a Feed; stands where control/policy_inputs.py stands in a tick.

    :ivar joints: place of each of the policy's joints in the run's order.
    """

    def __init__(self, feed: Feed, policy: Policy) -> None:
        """:raises ContractError: its joints or commands are not those of the run."""
        contract = policy.contract
        self._feed = feed
        self._policy = policy
        self.joints = _places(contract.joint_names, feed.joints, 'joints', str(contract.path))
        commands = _places(contract.command_names, feed.commands, 'commands', str(contract.path))
        if self.joints.size != len(feed.joints):
            raise ContractError(
                f'{contract.path}: found {self.joints.size} joints, the run has '
                f'{len(feed.joints)}: {list(feed.joints)}'
            )
        self._order = dict.fromkeys(_BY_JOINT, self.joints) | {'command': commands}

    def reset(self) -> None:
        """Start of a run: nothing to do, the record has it."""

    def fill(self, seconds: float) -> None:
        """
        Write the record's inputs.

        :param seconds: since this policy began; for the outgoing one of a swap, whose own time is
            not in the record.
        :raises RunError: the record lacks an input, or it has another size.
        """
        own = self._feed.followed is self._policy
        for name, buffer in self._policy.inputs.items():
            if name in _OWN_CLOCK and not own:
                if name == 'time':
                    buffer[0] = seconds
                continue
            row = self._feed.rows.get(name)
            order = self._order.get(name)
            if row is not None and order is not None and order.size <= row.size:
                row = row[order]
            if row is None or row.size != buffer.size:
                found = sorted(self._feed.rows)
                raise RunError(
                    f'{self._policy.contract.path} takes {name} of {buffer.size} numbers, which '
                    f'this log does not hold; it has {found}'
                )
            buffer[...] = row.reshape(buffer.shape)


def _places(wanted: tuple[str, ...], found: tuple[str, ...], what: str, where: str) -> Indices:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ContractError(
            f'{where}: its {what} {missing} are not in this run, which has {list(found)}'
        )
    return np.array([found.index(name) for name in wanted], dtype=np.intp)
