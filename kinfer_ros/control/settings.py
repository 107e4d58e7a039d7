"""Settings of the controller: fixed for a session (SessionSettings), or live (LiveSettings)."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from typing import Any

from kinfer_ros.control.overrides.settings import NO_OVERRIDES
from kinfer_ros.control.overrides.settings import OverrideSettings
from kinfer_ros.control.policy.inference_watch import PATIENCE_NS
from kinfer_ros.errors import ConfigError
from kinfer_ros.parameters import setting

Triple = tuple[float, float, float]
"""linear.x, linear.y (m/s), angular.z (rad/s)."""

MAX_VALUE = 1e6
"""Limit of a number in a triple: ROS has no ranges for arrays, and a command could overflow."""


@dataclass(frozen=True)
class SessionSettings:
    """
    Settings that are fixed from configure on.

    :ivar period_ns: control period.
    :ivar ramp_speed: rad/s, fastest joint on the way to the start pose.
    :ivar fade_ns: time in which a deactivation takes the stiffness away.
    :ivar auto_run: go on to `run` when the ramp is done, without a start request.
    :ivar duration_ns: end the run (fade) after this time in `run`; 0 never.
    :ivar blend_ns: time in which a policy that is swapped in takes over.
    :ivar default_command: linear.x, linear.y (m/s), angular.z (rad/s) while none is alive.
    :ivar command_entries: names promised on `policy_command` beyond the known ones.
    :ivar overrides: joints that another node may move.
    :ivar allow_recovery: a policy of the set may get up after a fall.
    :ivar max_ramp: rad, farthest joint from the start pose at the begin of that policy.
    :ivar real_time: a robot waits for each tick; False in lockstep, simulation and replay.
    """

    period_ns: int
    ramp_speed: float = 0.5
    fade_ns: int = 1_000_000_000
    auto_run: bool = False
    duration_ns: int = 0
    blend_ns: int = 500_000_000
    default_command: tuple[float, float, float] = (0.0, 0.0, 0.0)
    command_entries: tuple[str, ...] = ()
    overrides: OverrideSettings = NO_OVERRIDES
    allow_recovery: bool = False
    max_ramp: float = 2.0
    real_time: bool = False

    def longest_inference_ns(self, live: 'LiveSettings') -> int:
        """Return the time after which an inference is abandoned: the ticks that may be missed."""
        limit = max(1, live.max_missed_ticks) * self.period_ns
        return limit if self.real_time else max(limit, PATIENCE_NS)


@dataclass
class LiveSettings:
    """
    Settings of one controller that may change while it runs; only `adopt` changes them.

    Each field is a parameter of the policy node by the same name, with this default, unit, text
    and range.
    """

    # fmt: off
    action_scale: float = setting(
        1.0, '', "Share of the policy's offset from the start pose that is sent; changes by 1 a "
        'second.', 0.0, 2.0)
    kp_factor: float = setting(
        1.0, '', 'Factor on the stiffness of the policy; changes by 1 a second.', 0.0, 2.0)
    kd_factor: float = setting(
        1.0, '', 'Factor on the damping of the policy; changes by 1 a second.', 0.0, 4.0)
    command_scale: Triple = setting(
        (1.0, 1.0, 1.0), '', 'Factors on linear.x, linear.y, angular.z of cmd_vel.')
    command_limit: Triple = setting(
        (0.0, 0.0, 0.0), 'm/s, m/s, rad/s', 'Largest velocity command in either direction; 0: the '
        'range of the policy alone.')
    command_acceleration: Triple = setting(
        (0.0, 0.0, 0.0), 'm/s^2, m/s^2, rad/s^2', 'Largest change of the velocity command; 0: no '
        'limit.')
    command_timeout: float = setting(
        0.5, 's', 'A cmd_vel older than this is lost: the neutral command is used.', 0.01, 60.0)
    target_lowpass: float = setting(
        0.0, 'Hz', 'Corner of a first-order low-pass on the targets; 0: none.', 0.0, 1000.0)
    target_slew: float = setting(60.0, 'rad/s', 'Fastest change of a target.', 0.1, 1000.0)
    wheel_slew: float = setting(
        1000.0, 'rad/s^2', 'Fastest change of the velocity target of a wheel.', 0.1, 1e5)
    torque_band: float = setting(
        0.0, '', "Share of a joint's torque limit that a target may ask for through its gains; 0: "
        "the bridge's torque limit alone. Set 1 where the drives do not limit their torque.",
        0.0, 10.0)
    stale_timeout: float = setting(
        0.25, 's', 'A sensor sample older than this is a fault.', 0.001, 10.0)
    clock_tolerance: float = setting(
        0.05, 's', 'A sensor stamp further in the future is a fault: the clocks of the hosts '
        'differ.', 0.0, 10.0)
    frozen_timeout: float = setting(
        0.5, 's', 'A sensor whose numbers do not change for this long in mode run is a fault; 0: '
        'off.', 0.0, 60.0)
    max_tilt: float = setting(
        1.0, 'rad', 'A base tilted further than this from upright is a fault (a fall).', 0.0, 3.15)
    position_margin: float = setting(
        0.2, 'rad', 'A joint measured further than this outside its limits is a fault.',
        0.0, 100.0)
    joint_speed_factor: float = setting(
        1.5, '', "Factor on a joint's velocity_limit: a joint faster for 3 ticks is a fault; 0: "
        'off.', 0.0, 100.0)
    tracking_error: float = setting(
        1.5, 'rad', 'A joint off its target by more than this for tracking_time is a fault; 0: '
        'off.', 0.0, 100.0)
    tracking_time: float = setting(
        1.0, 's', 'How long a joint may be off its target by more than tracking_error.', 0.0, 60.0)
    max_action: float = setting(
        50.0, 'rad', 'A policy output further than this from zero is refused; of a wheel, ten '
        'times as many rad/s.', 0.1, 1000.0)
    max_refused: int = setting(
        3, 'ticks', "How long the last target is held when the policy's output is refused; then a "
        'fault.', 0, 1000)
    max_missed_ticks: int = setting(
        20, '', 'Missed ticks tolerated; more are a fault. Ten ticks in time make up for one.',
        0, 100000)
    max_temperature: float = setting(
        90.0, 'deg C', 'A hotter joint is a fault (needs joint_temperatures); a warning comes 10 '
        'below.', 0.0, 1000.0)
    min_battery: float = setting(
        0.05, '0 to 1', 'A lower charge is a fault (needs battery_state); a warning comes at '
        'twice this; 0: off.', 0.0, 1.0)
    # fmt: on

    def adopt(self, other: 'LiveSettings') -> list[str]:
        """Take over every value; :return: the changes, as the step log has them."""
        changed = []
        for name, old in asdict(self).items():
            new = getattr(other, name)
            if new != old:
                setattr(self, name, new)
                changed.append(f'set {name} {_text(old)} -> {_text(new)}')
        return changed

    def copy(self) -> 'LiveSettings':
        """Return a copy, to be changed and adopted."""
        return LiveSettings(**asdict(self))


def stricter_of(live: LiveSettings, lower: Mapping[str, float]) -> LiveSettings:
    """Return a copy with each of `lower` that is stricter; 0 of a setting is off."""
    found = live.copy()
    for name, value in lower.items():
        setattr(found, name, min(value, getattr(live, name) or value))
    return found


NAMES = tuple(field.name for field in fields(LiveSettings))

REPLAYED = (
    'action_scale', 'kp_factor', 'kd_factor', 'target_lowpass', 'target_slew', 'torque_band',
    'max_action',
)  # fmt: skip
"""Settings that change what is sent for given policy inputs: a replay follows them."""

REPLAYED_WITH_WHEELS = (*REPLAYED, 'wheel_slew')
"""The same, of a policy that drives wheels."""


def live_settings_from(values: Mapping[str, Any]) -> LiveSettings:
    """
    Make settings of parameter values by name; other names are ignored.

    :raises ConfigError: naming every value that is not finite, and every triple of a wrong length
        or out of range. ROS keeps single numbers to their ranges.
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
