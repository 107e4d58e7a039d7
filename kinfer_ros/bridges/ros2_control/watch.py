"""Checks what joint_state_broadcaster sends: all joints of the robot, finite, and going on."""

from collections.abc import Sequence

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.bridges.samples import JointSample

MAX_KNOWN = 16
"""Lists of names remembered."""


class BroadcasterWatch:
    """
    The measured joints; every `now_ns` is of the steady clock.

    :param lost_timeout_ns: time without a usable message that counts as lost.
    """

    def __init__(self, topic: str, joint_names: tuple[str, ...], lost_timeout_ns: int) -> None:
        self._topic = topic
        self._names = joint_names
        self._lost_timeout_ns = lost_timeout_ns
        self._known: dict[tuple[str, ...], Indices | str | None] = {}
        self._refused = ''
        self.sample: JointSample | None = None
        self.messages = self.bad_messages = 0

    def take(
        self, names: Sequence[str], position: Float64, velocity: Float64, arrival_ns: int
    ) -> JointSample | None:
        """Take a message; :return: its sample, None where it is not one of all our joints."""
        found = self._find(tuple(names))
        if found is None:
            return None
        self.messages += 1
        problem = found if isinstance(found, str) else ''
        if not problem and not len(position) == len(velocity) == len(names):
            problem = 'positions or velocities are missing'
        if not problem and not isinstance(found, str):
            position, velocity = position[found], velocity[found]
            problem = self._find_not_finite(position, velocity)
        self._refused = problem
        if problem:
            self.bad_messages += 1
            return None
        self.sample = JointSample(arrival_ns, position, velocity, None)
        return self.sample

    def problem(self, now_ns: int) -> str:
        """Return why the measured pose is not known now, or ''."""
        if self.sample and now_ns - self.sample.sent_ns < self._lost_timeout_ns:
            return ''
        seconds = f' for {self._lost_timeout_ns / 1e9:g} s' if self.sample else ''
        if self._refused:
            return f'no usable {self._topic}{seconds}: {self._refused}'
        yet = seconds or ' yet: is joint_state_broadcaster active?'
        return f'no {self._topic}{yet}'

    def _find(self, names: tuple[str, ...]) -> Indices | str | None:
        """Return where our joints are, what is missing, or None where none of ours is there."""
        if names not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[names] = self._compare(names)
        return self._known[names]

    def _compare(self, names: tuple[str, ...]) -> Indices | str | None:
        index = {name: i for i, name in enumerate(names)}
        lacking = [name for name in self._names if name not in index]
        if len(lacking) == len(self._names):
            return None
        if lacking:
            return f'it lacks {", ".join(lacking)}'
        return np.array([index[name] for name in self._names], np.intp)

    def _find_not_finite(self, position: Float64, velocity: Float64) -> str:
        wrong = ~(np.isfinite(position) & np.isfinite(velocity))
        if not wrong.any():
            return ''
        names = ', '.join(name for name, bad in zip(self._names, wrong, strict=True) if bad)
        return (
            f'position or velocity of {names} is not finite: does the hardware have these state '
            'interfaces?'
        )
