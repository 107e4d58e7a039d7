"""The remote control, as lowstate carries it in `wireless_remote`."""

import struct
from dataclasses import dataclass

BUTTONS = (
    'R1', 'L1', 'start', 'select', 'R2', 'L2', 'F1', 'F3',
    'A', 'B', 'X', 'Y', 'up', 'right', 'down', 'left',
)  # fmt: skip
"""Buttons of a Remote, and of the messages on `joy`, in order."""
STOP = ('L2', 'B')
"""Held together they stop the robot, as they do in the robot's own controller."""
_STOP = [BUTTONS.index(name) for name in STOP]


@dataclass(frozen=True)
class Remote:
    """What the remote control shows."""

    buttons: tuple[int, ...]
    """1 or 0 for each of BUTTONS."""
    axes: tuple[float, float, float, float]
    """Left stick x and y, right stick x and y, -1 to 1."""

    @property
    def stops(self) -> bool:
        """Whether the stop combination is held."""
        return all(self.buttons[index] for index in _STOP)


def read_remote(data: bytes) -> Remote:
    """Read the 40 bytes of `wireless_remote`."""
    held = data[2] | data[3] << 8
    lx, rx, ry, ly = (struct.unpack_from('<f', data, at)[0] for at in (4, 8, 12, 20))
    return Remote(tuple(held >> bit & 1 for bit in range(len(BUTTONS))), (lx, ly, rx, ry))
