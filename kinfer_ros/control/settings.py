"""What may be changed while a robot is live: scales, filters and the thresholds of the guards.

Every number here is a parameter of the policy node by the same name. Without this module a
default would stand in two places, and a change would reach one half of a tick and not the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from typing import Any

from kinfer_ros.errors import ConfigError

Triple = tuple[float, float, float]
"""linear.x, linear.y (m/s), angular.z (rad/s)."""

MAX_VALUE = 1e6
"""Of a number in a triple, which ROS has no ranges for: beyond, a command would overflow."""


@dataclass(frozen=True)
class SessionSettings:
    """
    What stays as it is from configure on.

    :ivar period_ns: control period.
    :ivar ramp_speed: rad/s, fastest joint on the way to the start pose.
    :ivar fade_ns: time in which a deactivation takes the stiffness away.
    :ivar auto_run: go on to `run` when the ramp is done, without a start request.
    :ivar duration_ns: end the run (fade) after this time in `run`; 0 never.
    :ivar blend_ns: time in which a policy that is swapped in takes over.
    :ivar default_command: linear.x, linear.y (m/s), angular.z (rad/s) while none is alive.
    :ivar command_entries: names promised on `policy_command` beyond the known ones.
    """

    period_ns: int
    ramp_speed: float = 0.5
    fade_ns: int = 1_000_000_000
    auto_run: bool = False
    duration_ns: int = 0
    blend_ns: int = 500_000_000
    default_command: tuple[float, float, float] = (0.0, 0.0, 0.0)
    command_entries: tuple[str, ...] = ()


@dataclass
class LiveSettings:
    """
    Live settings of one controller; its guards read them, only `adopt` changes them.

    Angles in rad, times in s. A threshold of 0 turns a guard off where its comment says so.
    """

    action_scale: float = 1.0
    """Share of the policy's way from the start pose that is sent."""
    kp_factor: float = 1.0
    """On the stiffness that the policy was trained with."""
    kd_factor: float = 1.0
    """On the damping."""
    command_scale: Triple = (1.0, 1.0, 1.0)
    """On cmd_vel."""
    command_limit: Triple = (0.0, 0.0, 0.0)
    """Largest velocity command, either way; 0: only the range of the policy limits it."""
    command_acceleration: Triple = (0.0, 0.0, 0.0)
    """Largest change of the velocity command a second; 0: none."""
    command_timeout: float = 0.5
    """Age from which a command counts as lost."""
    target_lowpass: float = 0.0
    """Hz, corner of the low-pass on targets; 0: none."""
    target_slew: float = 60.0
    """rad/s, fastest change of a target."""
    torque_band: float = 0.0
    """Share of a joint's torque limit that a target may ask for; 0: the bridge's limit alone."""
    stale_timeout: float = 0.25
    """Oldest sensor sample that is acted upon."""
    clock_tolerance: float = 0.05
    """How far a stamp may lie ahead: clocks of two hosts are never equal."""
    frozen_timeout: float = 0.5
    """Longest time in `run` without any change of a sensor's numbers; 0: off."""
    max_tilt: float = 1.0
    """Of the base from upright."""
    position_margin: float = 0.2
    """How far a joint may be measured outside its limits."""
    joint_speed_factor: float = 1.5
    """On the robot YAML's velocity_limit: faster is a fault; 0: off."""
    tracking_error: float = 1.5
    """Between target and measured position; 0: off."""
    tracking_time: float = 1.0
    """How long a joint may be off by more than `tracking_error`."""
    max_action: float = 50.0
    """An action further than this from zero is refused."""
    max_refused: int = 3
    """Ticks for which the last good target is held when the policy's output is refused."""
    max_missed_ticks: int = 20
    """Missed ticks, less one for each ten in time, that are borne."""
    max_temperature: float = 90.0
    """deg C, of a joint, where the robot tells; a warning comes 10 below."""
    min_battery: float = 0.05
    """Charge from 0 to 1, where the robot tells; a warning comes at twice that; 0: off."""

    def adopt(self, other: LiveSettings) -> list[str]:
        """Take over every value; say which changed, as the log has it."""
        changed = []
        for name, old in asdict(self).items():
            new = getattr(other, name)
            if new != old:
                setattr(self, name, new)
                changed.append(f'set {name} {_text(old)} -> {_text(new)}')
        return changed

    def copy(self) -> LiveSettings:
        """Return one with the same values, to be changed and adopted."""
        return LiveSettings(**asdict(self))


NAMES = tuple(field.name for field in fields(LiveSettings))


REPLAYED = (
    'action_scale', 'kp_factor', 'kd_factor', 'target_lowpass', 'target_slew', 'torque_band',
    'max_action',
)  # fmt: skip
"""Those that stand between a policy's inputs and what is sent: a replay follows them."""


def live_settings_from(values: Mapping[str, Any]) -> LiveSettings:
    """
    Make settings of parameter values, by name; names that are none of theirs are passed over.

    :raises ConfigError: naming every value that is not finite, and every triple that is not one
        or out of range; ROS keeps single numbers to their ranges.
    """
    problems = []
    found: dict[str, Any] = {}
    for name, default in asdict(LiveSettings()).items():
        value = values.get(name, default)
        numbers = list(value) if isinstance(default, tuple) else [value]
        if len(numbers) != (3 if isinstance(default, tuple) else 1):
            problems.append(
                f'{name}: found {numbers}, expected three numbers: linear.x, linear.y, angular.z'
            )
        elif not all(math.isfinite(number) for number in numbers):
            problems.append(f'{name}: found {value}, expected finite numbers')
        elif isinstance(default, tuple) and not 0.0 <= min(numbers) <= max(numbers) <= MAX_VALUE:
            problems.append(f'{name}: found {numbers}, expected 0 to {MAX_VALUE:g}')
        else:
            found[name] = tuple(map(float, value)) if isinstance(default, tuple) else value
    if problems:
        raise ConfigError('; '.join(f'parameter {problem}' for problem in problems))
    return LiveSettings(**found)


def _text(value: object) -> str:
    """Numbers as Python reads them back, to the bit."""
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
