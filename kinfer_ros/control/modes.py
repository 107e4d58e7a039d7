"""The modes of a session and what each sends; the table is in docs/modes.md.

Without names of their own, modes would be strings that two files spell differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from enum import StrEnum

DAMPING_FRAMES = 5
"""Damping commands sent at the end of a fade: one may be lost, five in a row are not."""


class Mode(StrEnum):
    """What the policy node is doing with the robot."""

    INACTIVE = 'inactive'
    RAMP = 'ramp'
    HOLD = 'hold'
    RUN = 'run'
    FADE = 'fade'
    DAMP = 'damp'
    FAULT = 'fault'


STIFF = (Mode.RAMP, Mode.HOLD, Mode.RUN)
"""Modes in which the robot is held or moved by targets."""


class Send(Enum):
    """What a tick asks the bridge for."""

    NOTHING = 0
    POSITION = 1
    DAMPING = 2


@dataclass(frozen=True)
class Settings:
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
