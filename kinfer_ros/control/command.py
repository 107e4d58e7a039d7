"""The policy's command vector, by name, from velocity commands and named values.

Without this module a 3-, 6- or 16-entry command would be filled by position, and a lost teleop
would keep the robot walking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import Triple
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


MAX_VALUE = 1e6
"""No command is as large, whatever its unit."""

NEUTRAL = 0.01
"""A command below this is a stick that does not quite rest in its middle."""


class CommandVector:
    """
    Holds the newest command of each source and gives the vector the policy sees.

    :ivar value: [C] float32, as of the last `update`.
    :ivar limited: entries brought into their range in the last `update`: the one the policy was
        trained with, or command_limit.
    :ivar slowed: the last `update` kept a velocity command to command_acceleration.
    """

    def __init__(
        self,
        names: Sequence[str],
        ranges: Mapping[str, tuple[float, float]],
        *,
        live: LiveSettings,
        default: Triple = (0.0, 0.0, 0.0),
        extra_entries: Sequence[str] = (),
    ) -> None:
        """
        :param names: the contract's command names.
        :param ranges: what the policy was trained with, by name; others are not limited.
        :param live: time-out, scale and limits of velocity commands, read live.
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
        self.slowed = False
        self._place = {name: i for i, name in enumerate(names)}
        self._twist_slots = [self._place.get(name, -1) for name in TWIST_ENTRIES]
        self._heading_slot = self._place.get(HEADING, -1)
        self._heading = 0.0
        self.set_ranges(ranges)
        self._live = live
        self._default = default
        self._shaped = list(default)
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
        if len(names) != len(values) or len(names) > len(self.names):
            return (
                f'policy_command holds {len(names)} names with {len(values)} values, expected as '
                f'many of each, of {list(self.names)}'
            )
        unknown = [name for name in names if name not in self._place]
        if unknown:
            return f'policy_command names {unknown}, expected {list(self.names)}'
        if not _usable(values):
            return f'policy_command holds a value that is not finite: {list(values)}'
        for name, value in zip(names, values, strict=True):
            self._named[self._place[name]] = (float(value), now_ns)
        return ''

    def set_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Limit entries to what another policy was trained with, by name."""
        self._ranges = [
            (self._place[name], np.float32(lo), np.float32(hi))
            for name, (lo, hi) in ranges.items()
            if name in self._place
        ]

    def reset(self) -> None:
        """Before a run: it accelerates from zero, and its heading is where the robot looks now."""
        self._shaped[:] = (0.0, 0.0, 0.0)
        self._heading = 0.0
        if self._heading_slot >= 0:
            self.value[self._heading_slot] = 0.0

    def not_neutral(self, now_ns: int) -> str:
        """Say which live command is not neutral, or '': nobody starts a robot that is pushed."""
        if self._twist_alive(now_ns) and any(abs(v) > NEUTRAL for v in self._twist):
            return f'cmd_vel is {self._twist}'
        timeout_ns = self._timeout_ns
        # Other entries (a base height, an arm) may well rest at another value than 0.
        moving = (*self._twist_slots, self._heading_slot)
        pushed = {
            self.names[slot]: value
            for slot, (value, since_ns) in self._named.items()
            if slot in moving and now_ns - since_ns <= timeout_ns and abs(value) > NEUTRAL
        }
        return f'policy_command holds {pushed}' if pushed else ''

    @property
    def _timeout_ns(self) -> int:
        return round(self._live.command_timeout * 1e9)

    def _twist_alive(self, now_ns: int) -> bool:
        return self._twist_ns >= 0 and now_ns - self._twist_ns <= self._timeout_ns

    def update(self, now_ns: int, dt: float) -> None:
        """Compute `value` for a tick at `now_ns`, `dt` seconds after the last one."""
        if self.limited:
            self.limited = []
        self._shape(self._wanted(now_ns), dt)
        value, twist = self.value, self._shaped
        for slot, entry in zip(self._twist_slots, twist, strict=True):
            if slot >= 0:
                value[slot] = entry
        if self._heading_slot >= 0:
            self._heading += twist[2] * dt
            value[self._heading_slot] = self._heading
        timeout_ns = self._timeout_ns
        for slot, (entry, since_ns) in self._named.items():
            if slot in self._twist_slots:
                continue  # in `wanted` already, so that the limits hold for it as well
            lost = now_ns - since_ns > timeout_ns
            if not lost:
                value[slot] = entry
            elif slot != self._heading_slot:
                value[slot] = 0.0
        self._limit()

    def _wanted(self, now_ns: int) -> list[float]:
        """The velocity command: cmd_vel, scaled, and what policy_command names of it."""
        twist = self._twist if self._twist_alive(now_ns) else self._default
        scale = self._live.command_scale
        wanted = [entry * factor for entry, factor in zip(twist, scale, strict=True)]
        if self._named:
            timeout_ns = self._timeout_ns
            for i, slot in enumerate(self._twist_slots):
                entry, since_ns = self._named.get(slot, (0.0, -1))
                if since_ns >= 0 and now_ns - since_ns <= timeout_ns:
                    wanted[i] = entry
        return wanted

    def _shape(self, twist: Sequence[float], dt: float) -> None:
        """Limit a velocity command, and keep it to its acceleration."""
        live, shaped = self._live, self._shaped
        self.slowed = False
        for i, wanted in enumerate(twist):
            limit = live.command_limit[i]
            if limit and abs(wanted) > limit:
                wanted = math.copysign(limit, wanted)
                self.limited.append(TWIST_ENTRIES[i])
            most = live.command_acceleration[i] * dt
            if most and abs(wanted - shaped[i]) > most:
                wanted = shaped[i] + math.copysign(most, wanted - shaped[i])
                self.slowed = True
            shaped[i] = wanted

    def _limit(self) -> None:
        for slot, lo, hi in self._ranges:
            entry = self.value[slot]
            if entry < lo or entry > hi:
                self.value[slot] = lo if entry < lo else hi
                self.limited.append(self.names[slot])


def _usable(values: Sequence[float]) -> bool:
    """Whether all values are finite, as float32 as well; NaN fails every comparison."""
    return all(abs(value) < MAX_VALUE for value in values)
