"""The policy's command vector, by name, from velocity commands and named values.

Without this module a 3-, 6- or 16-entry command would be filled by position, and a lost teleop
would keep the robot walking.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from kinfer_ros.errors import ContractError

TWIST_ENTRIES = ('xvel', 'yvel', 'yawrate')
"""Entries a Twist gives, in the order linear.x, linear.y, angular.z (m/s, m/s, rad/s)."""

HEADING = 'yaw'
"""An absolute heading, rad: kinfer 0.5 policies turn by integrating the yaw rate into it."""

NAMED_ENTRIES = (
    'baseheight', 'baseroll', 'basepitch',
    'rshoulderpitch', 'rshoulderroll', 'rshoulderyaw', 'relbowpitch', 'rwristroll',
    'lshoulderpitch', 'lshoulderroll', 'lshoulderyaw', 'lelbowpitch', 'lwristroll',
    'rgripper', 'lgripper',
)  # fmt: skip
"""K-Scale's other entries: neutral is zero, `policy_command` sets them."""


LARGEST = 1e6
"""No command is as large, whatever its unit."""


class CommandVector:
    """
    Holds the newest command of each source and gives the vector the policy sees.

    :ivar value: [C] float32, as of the last `update`.
    :ivar limited: entries brought into the policy's training range in the last `update`.
    """

    def __init__(
        self,
        names: Sequence[str],
        ranges: Mapping[str, tuple[float, float]],
        *,
        timeout_ns: int,
        default: tuple[float, float, float] = (0.0, 0.0, 0.0),
        extra_entries: Sequence[str] = (),
    ) -> None:
        """
        :param names: the contract's command names.
        :param ranges: what the policy was trained with, by name; others are not limited.
        :param timeout_ns: age from which a command counts as lost.
        :param default: linear.x, linear.y, angular.z while no velocity command is alive.
        :param extra_entries: further names that the user promises to send on `policy_command`.
        :raises ContractError: an entry that no source can give.
        """
        known = (*TWIST_ENTRIES, HEADING, *NAMED_ENTRIES, *extra_entries)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ContractError(
                f'command entries without a source: {unknown}; cmd_vel gives {TWIST_ENTRIES}, '
                f'policy_command gives {NAMED_ENTRIES}; expected entries: {list(names)}. '
                'Publish the missing ones on policy_command and name them in the parameter '
                'policy_command_entries'
            )
        self.names = tuple(names)
        self.value = np.zeros(len(names), dtype=np.float32)
        self.limited: list[str] = []
        self._place = {name: i for i, name in enumerate(names)}
        self._twist_slots = [self._place.get(name, -1) for name in TWIST_ENTRIES]
        self._heading_slot = self._place.get(HEADING, -1)
        self._heading = 0.0
        self._ranges = [
            (self._place[name], np.float32(lo), np.float32(hi))
            for name, (lo, hi) in ranges.items()
            if name in self._place
        ]
        self._timeout_ns = timeout_ns
        self._default = default
        self._twist = default
        self._twist_ns = -1
        self._named: dict[int, tuple[float, int]] = {}

    def set_twist(self, x: float, y: float, yaw_rate: float, now_ns: int) -> bool:
        """Take a velocity command (base frame); False and no change if it cannot be one."""
        if not _usable((x, y, yaw_rate)):
            return False
        self._twist = (x, y, yaw_rate)
        self._twist_ns = now_ns
        return True

    def set_named(self, names: Sequence[str], values: Sequence[float], now_ns: int) -> str:
        """Take named values that override the velocity command; a reason if they are refused."""
        unknown = [name for name in names if name not in self._place]
        if unknown or len(names) != len(values):
            return f'policy_command names {unknown or list(names)}, expected {list(self.names)}'
        if not _usable(values):
            return f'policy_command holds a value that is not finite: {list(values)}'
        for name, value in zip(names, values, strict=True):
            self._named[self._place[name]] = (float(value), now_ns)
        return ''

    def reset(self) -> None:
        """Start of a run: the commanded heading is where the robot looks now."""
        self._heading = 0.0
        if self._heading_slot >= 0:
            self.value[self._heading_slot] = 0.0

    def update(self, now_ns: int, dt: float) -> None:
        """Compute `value` for a tick at `now_ns`, `dt` seconds after the last one."""
        alive = self._twist_ns >= 0 and now_ns - self._twist_ns <= self._timeout_ns
        twist = self._twist if alive else self._default
        value = self.value
        for slot, entry in zip(self._twist_slots, twist, strict=True):
            if slot >= 0:
                value[slot] = entry
        if self._heading_slot >= 0:
            self._heading += twist[2] * dt
            value[self._heading_slot] = self._heading
        for slot, (entry, since_ns) in self._named.items():
            lost = now_ns - since_ns > self._timeout_ns
            if not lost:
                value[slot] = entry
            elif slot not in self._twist_slots and slot != self._heading_slot:
                value[slot] = 0.0
        self._limit()

    def _limit(self) -> None:
        if self.limited:
            self.limited = []
        for slot, lo, hi in self._ranges:
            entry = self.value[slot]
            if entry < lo or entry > hi:
                self.value[slot] = lo if entry < lo else hi
                self.limited.append(self.names[slot])


def _usable(values: Sequence[float]) -> bool:
    """Whether all values are finite, as float32 as well; NaN fails every comparison."""
    return all(abs(value) < LARGEST for value in values)
