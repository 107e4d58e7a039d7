"""Start, pause, restart and stop of a policy's reference motion, by the operator."""

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.motion.clock import JUMP
from kinfer_ros.policy.motion.clock import PLAY

START, PAUSE, RESTART, STOP = 'start', 'pause', 'restart', 'stop'
WORDS = (START, PAUSE, RESTART, STOP)
"""What can be asked for."""


class MotionControl:
    """
    What the operator asks of the motion; the policy reads it as its input `motion_control`.

    :ivar value: [2]: 1 while the motion plays; in the tick in which it begins again 1, in the one
        in which it ends -1.
    """

    def __init__(self) -> None:
        self.value: Float32 = np.zeros(2, np.float32)

    def reset(self, *, wait: bool) -> None:
        """Begin a run. :param wait: at the first frame, until the motion is started."""
        self.value[PLAY], self.value[JUMP] = float(not wait), 0.0

    def apply(self, word: str) -> None:
        """Do one of WORDS in the next tick."""
        self.value[PLAY] = float(word in (START, RESTART))
        self.value[JUMP] = {RESTART: 1.0, STOP: -1.0}.get(word, 0.0)

    def begin_tick(self) -> None:
        """Forget the restart or the stop of the last tick."""
        self.value[JUMP] = 0.0
