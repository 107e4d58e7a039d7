"""Start, pause and restart of a policy's reference motion, by the operator."""

import numpy as np

from kinfer_ros.arrays import Float32

START, PAUSE, RESTART = 'start', 'pause', 'restart'
WORDS = (START, PAUSE, RESTART)
"""What can be asked for."""


class MotionControl:
    """
    What the operator asks of the motion; the policy reads it as its input `motion_control`.

    :ivar value: [2]: 1 while the motion plays; 1 in the tick in which it begins again.
    """

    def __init__(self) -> None:
        self.value: Float32 = np.zeros(2, np.float32)

    def reset(self, *, wait: bool) -> None:
        """Begin a run. :param wait: at the first frame, until the motion is started."""
        self.value[:] = (float(not wait), 0.0)

    def apply(self, word: str) -> None:
        """Do one of WORDS in the next tick."""
        self.value[0] = float(word != PAUSE)
        if word == RESTART:
            self.value[1] = 1.0

    def begin_tick(self) -> None:
        """Forget the restart of the last tick."""
        self.value[1] = 0.0
