"""The modes of a session and what each sends; the table is in docs/modes.md."""

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
