"""The policy's command vector, filled by name from cmd_vel and policy_command.

Commands older than `command_timeout` count as lost.
"""

import math
from collections.abc import Container
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from kinfer_ros.control.settings import LiveSettings
from kinfer_ros.control.settings import Triple
from kinfer_ros.errors import ContractError

TWIST_ENTRIES = ('xvel', 'yvel', 'yawrate')
"""Entries that a Twist sets, in the order linear.x, linear.y, angular.z (m/s, m/s, rad/s)."""

HEADING = 'yaw'
"""An absolute heading, rad: kinfer 0.5 policies turn by integrating the yaw rate into it."""

NAMED_ENTRIES = (
    'baseheight', 'baseroll', 'basepitch',
    'rshoulderpitch', 'rshoulderroll', 'rshoulderyaw', 'relbowpitch', 'rwristroll',
    'lshoulderpitch', 'lshoulderroll', 'lshoulderyaw', 'lelbowpitch', 'lwristroll',
    'rgripper', 'lgripper',
    'rwristgripper', 'lwristgripper', 'relbowroll', 'lelbowroll',
)  # fmt: skip
"""K-Scale's other entries, the last four by names of early pyfirmware: neutral is zero,
`policy_command` sets them."""

# pyfirmware renamed its grippers. `relbowroll` is no other name of another entry: in its time two
# orders of the arm's entries were in use.
_OTHER_NAMES = {
    'rgripper': 'rwristgripper', 'lgripper': 'lwristgripper',
    'rwristgripper': 'rgripper', 'lwristgripper': 'lgripper',
}  # fmt: skip

MAX_VALUE = 1e6
"""Larger commands are refused, whatever their unit."""

NO_LIMITS = (0.0, 0.0, 0.0)
"""command_limit or command_acceleration where there is none."""

NEUTRAL = 0.01
"""Smaller commands count as neutral: a stick does not rest exactly in its centre."""


class CommandVector:
    """
    Holds the newest command of each source and computes the policy's vector.

    :ivar value: [C] float32, as of the last `update`.
    :ivar limited: entries that the last `update` limited to the policy's range or command_limit.
    :ivar slowed: the last `update` limited a velocity command to command_acceleration.
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
        :param ranges: the policy's training ranges, by name; other entries are not limited.
        :param live: time-out, scale and limits of velocity commands.
        :param default: linear.x, linear.y, angular.z while there is no velocity command.
        :param extra_entries: further names that the user will send on `policy_command`.
        :raises ContractError: an entry has no source.
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
        self._limited_twist = list(default)
        self._twist = default
        self._twist_ns = -1
        self._named: dict[int, tuple[float, int]] = {}

    def set_twist(self, x: float, y: float, yaw_rate: float, now_ns: int) -> bool:
        """Take a velocity command (base frame); False, and no change, if it is not finite."""
        if not _finite((x, y, yaw_rate)):
            return False
        self._twist = (x, y, yaw_rate)
        self._twist_ns = now_ns
        return True

    def set_named(self, names: Sequence[str], values: Sequence[float], now_ns: int) -> str:
        """Take named values, which override the velocity command; :return: a refusal, or ''."""
        if len(names) != len(values) or len(names) > len(self.names):
            return (
                f'policy_command holds {len(names)} names with {len(values)} values, expected as '
                f'many of each, of {list(self.names)}'
            )
        names = [own_name(name, self._place) for name in names]
        unknown = [name for name in names if name not in self._place]
        if unknown:
            return f'policy_command names {unknown}, expected {list(self.names)}'
        if not _finite(values):
            return f'policy_command holds a value that is not finite: {list(values)}'
        for name, value in zip(names, values, strict=True):
            self._named[self._place[name]] = (float(value), now_ns)
        return ''

    def set_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Limit entries to the training ranges of another policy, by name."""
        self._ranges = [
            (self._place[name], float(np.float32(lo)), float(np.float32(hi)))
            for name, (lo, hi) in ranges.items()
            if name in self._place
        ]

    def reset(self) -> None:
        """Prepare a run: acceleration starts from zero, the heading from the present one."""
        self._limited_twist[:] = (0.0, 0.0, 0.0)
        self._heading = 0.0
        if self._heading_slot >= 0:
            self.value[self._heading_slot] = 0.0

    def not_neutral(self, now_ns: int) -> str:
        """Return which live command is not neutral, or ''."""
        if self._alive(self._twist_ns, now_ns) and any(abs(v) > NEUTRAL for v in self._twist):
            return f'cmd_vel is {self._twist}'
        # Other entries (a base height, an arm) may rest at another value than 0.
        moving = (*self._twist_slots, self._heading_slot)
        active = {
            self.names[slot]: value
            for slot, (value, since_ns) in self._named.items()
            if slot in moving and self._alive(since_ns, now_ns) and abs(value) > NEUTRAL
        }
        return f'policy_command holds {active}' if active else ''

    def _alive(self, since_ns: int, now_ns: int) -> bool:
        """Whether a command that came at `since_ns` (-1: never) is not lost."""
        return since_ns >= 0 and now_ns - since_ns <= round(self._live.command_timeout * 1e9)

    def update(self, now_ns: int, dt: float) -> None:
        """Compute `value` for a tick at `now_ns`, `dt` seconds after the last one."""
        if self.limited:
            self.limited = []
        self._limit_twist(self._requested_twist(now_ns), dt)
        value, twist = self.value, self._limited_twist
        for slot, entry in zip(self._twist_slots, twist, strict=True):
            if slot >= 0:
                value[slot] = entry
        if self._heading_slot >= 0:
            self._heading += twist[2] * dt
            value[self._heading_slot] = self._heading
        for slot, (entry, since_ns) in self._named.items():
            if slot in self._twist_slots:
                continue  # in the requested twist, so that its limits apply
            if self._alive(since_ns, now_ns):
                value[slot] = entry
            elif slot != self._heading_slot:
                value[slot] = 0.0
        self._limit()

    def twist(self) -> Triple:
        """Return the Twist that `value` tells the policy; 0 for an entry that it does not take."""
        told = self.value.tolist()
        x, y, yaw_rate = (told[slot] if slot >= 0 else 0.0 for slot in self._twist_slots)
        return x, y, yaw_rate

    def _requested_twist(self, now_ns: int) -> list[float]:
        """Return cmd_vel, scaled, with the entries that policy_command overrides."""
        twist = self._twist if self._alive(self._twist_ns, now_ns) else self._default
        scale = self._live.command_scale
        requested = [entry * factor for entry, factor in zip(twist, scale, strict=True)]
        if self._named:
            for i, slot in enumerate(self._twist_slots):
                entry, since_ns = self._named.get(slot, (0.0, -1))
                if self._alive(since_ns, now_ns):
                    requested[i] = entry
        return requested

    def _limit_twist(self, twist: Sequence[float], dt: float) -> None:
        """Apply command_limit and command_acceleration."""
        live, limited = self._live, self._limited_twist
        self.slowed = False
        if live.command_limit == live.command_acceleration == NO_LIMITS:
            limited[:] = twist
            return
        for i, entry in enumerate(twist):
            limit = live.command_limit[i]
            if limit and abs(entry) > limit:
                entry = math.copysign(limit, entry)
                self.limited.append(TWIST_ENTRIES[i])
            max_change = live.command_acceleration[i] * dt
            if max_change and abs(entry - limited[i]) > max_change:
                entry = limited[i] + math.copysign(max_change, entry - limited[i])
                self.slowed = True
            limited[i] = entry

    def _limit(self) -> None:
        values = self.value.tolist()
        for slot, lo, hi in self._ranges:
            entry = values[slot]
            if entry < lo or entry > hi:
                self.value[slot] = lo if entry < lo else hi
                self.limited.append(self.names[slot])


def own_name(name: str, names: Container[str]) -> str:
    """Return an entry's name among those of the policy, which may have it by another one."""
    other = _OTHER_NAMES.get(name, name)
    return other if name not in names and other in names else name


def _finite(values: Sequence[float]) -> bool:
    """Whether all values are finite, also as float32; NaN fails every comparison."""
    return all(abs(value) < MAX_VALUE for value in values)
