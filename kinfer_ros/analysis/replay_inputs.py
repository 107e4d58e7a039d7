"""Gives the recorded inputs of a step to a policy, matched by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.control.policy.runner import TickPolicy
from kinfer_ros.errors import ContractError
from kinfer_ros.errors import RunError
from kinfer_ros.policy.policy import Policy
from kinfer_ros.run.record import KINFER_KEYS
from kinfer_ros.run.record import MEASURED

_BY_JOINT = ('joint_angles', 'joint_angular_velocities')
_OWN_CLOCK = ('time', 'initial_heading')
"""Inputs that count from a policy's start; the outgoing policy's are not recorded."""


class RecordedInputs:
    """
    The inputs of the current record, by the policy's input names.

    :ivar joints: the run's joint order; `commands` its command names.
    """

    def __init__(self, joints: tuple[str, ...], commands: tuple[str, ...]) -> None:
        self.joints = joints
        self.commands = commands
        self.rows: dict[str, Float32] = {}
        self._measured: list[Float32 | None] = []
        self.policy: TickPolicy | None = None

    def take(self, record: Mapping[str, Any], policy: TickPolicy) -> None:
        """Read a record's inputs; `policy` is the one that received them."""
        self.policy = policy
        rows: dict[str, Float32] = dict(record.get('inputs') or {})
        for name, key in (*KINFER_KEYS.items(), *((n, k) for k, n in MEASURED.items())):
            row = record.get(key)
            if row is not None:
                # What the policy saw may be other than what was measured, beside it.
                rows.setdefault(name, row)
        self.rows = rows
        found = [record.get(key) for key in MEASURED]
        if any(row is None for row in found):
            found = [rows.get(name) for name in _BY_JOINT]
        self._measured = found

    def share(self, other: 'RecordedInputs') -> bool:
        """
        Take the inputs of a record of another policy, while that takes over from this one's.

        :return: whether all inputs that this policy had are there; others stay as they were.
        """
        self.policy = other.policy
        orders = dict.fromkeys(_BY_JOINT, (self.joints, other.joints))
        orders['command'] = (self.commands, other.commands)
        missing = False
        for name in self.rows:
            row = other.rows.get(name)
            own, theirs = orders.get(name, ((), ()))
            if row is None or not {*own} <= {*theirs}:
                missing = missing or name not in _OWN_CLOCK
            else:
                places = [theirs.index(each) for each in own]
                self.rows[name] = row[places] if name in orders else row
        return not missing

    def measured(self, record: Mapping[str, Any]) -> Float64 | None:
        """Return positions and velocities [2 P] used for the limits; None where not recorded."""
        if any(row is None or row.size != len(self.joints) for row in self._measured):
            return None
        return np.array(self._measured, np.float64).ravel()


class RecordedObservation:
    """
    Fills one policy's inputs from RecordedInputs, in place of control/policy/inputs.py.

    :ivar joints: index of each of the policy's joints in the run's order.
    """

    def __init__(self, inputs: RecordedInputs, policy: Policy) -> None:
        """:raises ContractError: its joints or commands are not those of the run."""
        contract = policy.contract
        self._inputs = inputs
        self._policy = policy
        self.joints = _places(contract.joint_names, inputs.joints, 'joints', str(contract.path))
        commands = _places(contract.command_names, inputs.commands, 'commands', str(contract.path))
        if self.joints.size != len(inputs.joints):
            raise ContractError(
                f'{contract.path}: found {self.joints.size} joints, the run has '
                f'{len(inputs.joints)}: {list(inputs.joints)}'
            )
        self._order = dict.fromkeys(_BY_JOINT, self.joints) | {'command': commands}

    def reset(self) -> None:
        """Do nothing: the record has what a run starts with."""

    def fill(self, seconds: float) -> None:
        """
        Write the record's inputs.

        :param seconds: since this policy started; used for the outgoing policy of a swap, whose
            time is not in the record.
        :raises RunError: an input is missing in the record, or has another size.
        """
        own = self._inputs.policy is self._policy
        for name, buffer in self._policy.inputs.items():
            if name in _OWN_CLOCK and not own:
                if name == 'time':
                    buffer[0] = seconds
                continue
            row = self._inputs.rows.get(name)
            order = self._order.get(name)
            if row is not None and order is not None and order.size <= row.size:
                row = row[order]
            if row is None or row.size != buffer.size:
                found = sorted(self._inputs.rows)
                raise RunError(
                    f'{self._policy.contract.path} needs {name} of {buffer.size} numbers, which '
                    f'is not in this log; it has {found}'
                )
            buffer[...] = row.reshape(buffer.shape)


def _places(names: tuple[str, ...], order: tuple[str, ...], what: str, where: str) -> Indices:
    missing = [name for name in names if name not in order]
    if missing:
        raise ContractError(
            f'{where}: its {what} {missing} are not in this run, which has {list(order)}'
        )
    return np.array([order.index(name) for name in names], dtype=np.intp)
