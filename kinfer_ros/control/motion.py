"""Start, pause, restart and stop of a policy's reference motion, by the operator."""

from collections.abc import Callable

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.control.modes import Mode
from kinfer_ros.control.policy.runner import PolicyRunner
from kinfer_ros.policy.motion.clock import JUMP
from kinfer_ros.policy.motion.clock import PLAY
from kinfer_ros.policy.motion.spec_motion import STOP as END_STOP

START, PAUSE, RESTART, STOP = 'start', 'pause', 'restart', 'stop'
WORDS = (START, PAUSE, RESTART, STOP)
"""What can be asked for."""
MOTION_ENDED = 'the motion has ended'


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


class OperatedMotion:
    """
    What the operator asks of the running policy's motion, and its end.

    :ivar requested: one of WORDS for the next tick, or ''.
    """

    def __init__(
        self, runner: PolicyRunner, control: MotionControl, add_event: Callable[[str], None]
    ) -> None:
        """:param add_event: adds an event to the record of this tick."""
        self.requested = ''
        self._runner = runner
        self._control = control
        self._add_event = add_event
        self._ended = False

    def request(self, word: str, mode: Mode) -> str:
        """Request one of WORDS; :return: why it is refused, or ''."""
        policy = self._runner.bound.policy
        if policy.timeline is None:
            return f'motion {word} is refused: the policy has no motion'
        if mode is not Mode.RUN:
            return f'motion {word} is refused in mode {mode}: it needs mode run'
        if word == START and policy.motion_ended():
            return f'motion {word} is refused: it has ended; restart begins it again'
        self.requested = word
        return ''

    def apply(self, mode: Mode) -> None:
        """Do what was requested."""
        word, self.requested = self.requested, ''
        if word and mode is Mode.RUN:
            self._control.apply(word)
            self._add_event(f'motion {word}')

    def follow(self) -> str:
        """Say that the motion has ended; :return: why the robot is to stop with it, or ''."""
        policy = self._runner.bound.policy
        before, self._ended = self._ended, policy.motion_ended()
        if not self._ended or before:
            return ''
        self._add_event(MOTION_ENDED)
        stops = policy.timeline is not None and policy.timeline.spec.end == END_STOP
        return MOTION_ENDED if stops else ''
