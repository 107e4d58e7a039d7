"""State of a policy with a spec between two ticks, as parts of one flat float32 carry.

History frames, past actions and the gait clock advance together, and only when a step is accepted.
A recorded carry is therefore enough to replay any step.
"""

import math

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.motion.clock import STATE as MOTION_STATE
from kinfer_ros.policy.spec.action import LAST_TARGET
from kinfer_ros.policy.spec.spec import NormFrequency
from kinfer_ros.policy.spec.spec import Phase
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.terms import ACTION
from kinfer_ros.policy.spec.terms import STEPS


class Memory:
    """
    Layout of the memory; in the carry it follows the networks' own states.

    | part | numbers | |
    |---|---|---|
    | frames | (H - 1) x F | the frames before the newest, oldest first, H the longest history |
    | filled | 1 or 0 | 0 before the first step, where missing frames repeat the first one |
    | actions | K x A | raw (clipped) outputs, newest first |
    | targets | T x A | rad, of a wheel rad/s; filtered and clipped; newest first |
    | phase, phase_low | a foot | rad; the sum of both, as one float32 would drift |
    | step | 1 or 0 | accepted steps since the start |
    | motion | 3 or 0 | ticks since the motion's start, 1 once its heading is aligned, that angle |

    With several blocks each has its frames_1, filled_1, frames_2, ... in their order.

    :ivar blocks: frames and filled of each block.
    """

    def __init__(self, spec: PolicySpec) -> None:
        self.action_size = len(spec.action.joints)
        actions = [term for term in spec.terms if term.source == ACTION]
        raw = max((term.ago for term in actions if term.which != 'target'), default=0)
        targets = max((term.ago for term in actions if term.which == 'target'), default=0)
        filters = [each for each in spec.action.filters if each is not None]
        if LAST_TARGET in spec.action.references or filters:
            targets = max(targets, 1)
        counted = any(term.source in STEPS for term in spec.terms)
        counted = counted or any(each.from_first for each in filters)
        feet = len(spec.phase.start) if spec.phase else 0
        names = _block_names(len(spec.blocks))
        sizes: dict[str, int] = {}
        for (frames, filled), block in zip(names, spec.blocks, strict=True):
            sizes[frames] = (block.depth - 1) * block.frame_size
            sizes[filled] = int(block.depth > 1 and not block.history.zero_fill)
        sizes |= {
            'actions': raw * self.action_size,
            'targets': targets * self.action_size,
            'phase': feet,
            'phase_low': feet,
            'step': int(counted),
            'motion': MOTION_STATE if spec.motion else 0,
        }
        self.parts: dict[str, slice] = {}
        self.size = 0
        for name, size in sizes.items():
            self.parts[name] = slice(self.size, self.size + size)
            self.size += size
        self.blocks = [(self.parts[frames], self.parts[filled]) for frames, filled in names]
        self.initial = self._initial(spec, targets)

    def _initial(self, spec: PolicySpec, targets: int) -> Float32:
        initial = np.zeros(self.size, np.float32)
        pose = dict(zip(spec.joints, spec.default_pose, strict=True))
        pose |= dict.fromkeys(spec.action.velocity_joints, 0.0)
        held = np.array([pose[name] for name in spec.action.joints], np.float32)
        initial[self.parts['targets']] = np.tile(held, targets)
        if spec.phase is not None:
            write_angles(initial, self.parts, spec.phase.start)
        return initial

    def sizes(self) -> dict[str, int]:
        """Length of each part that is not empty."""
        sizes = {name: part.stop - part.start for name, part in self.parts.items()}
        return {name: size for name, size in sizes.items() if size}


def _block_names(count: int) -> list[tuple[str, str]]:
    if count == 1:
        return [('frames', 'filled')]
    return [(f'frames_{at}', f'filled_{at}') for at in range(1, count + 1)]


def read_angles(memory: Float32, parts: dict[str, slice]) -> list[float]:
    """Read the angles of the gait clock, rad."""
    high, low = memory[parts['phase']].tolist(), memory[parts['phase_low']].tolist()
    return [a + b for a, b in zip(high, low, strict=True)]


def write_angles(memory: Float32, parts: dict[str, slice], angles: tuple[float, ...]) -> None:
    """Write each angle of the gait clock as the sum of two float32."""
    high = np.array(angles, np.float32)
    memory[parts['phase']] = high
    memory[parts['phase_low']] = np.array(angles, np.float64) - high


class GaitClock:
    """Rules of the gait clock: its frequency, and what it does while the command is zero."""

    def __init__(self, phase: Phase, period: float, frequency_slot: int | None) -> None:
        """
        :param period: s, of one step.
        :param frequency_slot: index of the command entry that gives the frequency.
        """
        self._phase = phase
        self._period = period
        self._slot = frequency_slot
        self._fixed = phase.frequency if isinstance(phase.frequency, float | int) else 0.0

    def encode(self, angles: list[float], command: Float32) -> list[float]:
        """Return sin, cos and the angle of each foot."""
        if self._phase.still == 'zero' and self._is_still(command):
            return [0.0] * (3 * len(angles))
        if self._phase.still == 'show' and self._is_still(command):
            angles = [self._phase.value] * len(angles)
        return [value for a in angles for value in (math.sin(a), math.cos(a), a)]

    def advance(self, angles: list[float], command: Float32) -> tuple[float, ...]:
        """Return the angles for the next step."""
        still = self._phase.still
        if still in ('hold', 'reset', 'set') and self._is_still(command):
            if still == 'hold':
                return tuple(angles)
            return self._phase.start if still == 'reset' else (self._phase.value,) * len(angles)
        increment = math.tau * self._frequency(command) * self._period
        return tuple(self._wrap(angle + increment) for angle in angles)

    def _wrap(self, angle: float) -> float:
        if self._phase.wrap == 'none':
            return angle
        wrapped = angle % math.tau
        return wrapped - math.tau if self._phase.wrap == 'pi' and wrapped >= math.pi else wrapped

    def _frequency(self, command: Float32) -> float:
        if isinstance(self._phase.frequency, NormFrequency):
            return self._phase.frequency.at(_norm(command))
        return self._fixed if self._slot is None else float(command[self._slot])

    def _is_still(self, command: Float32) -> bool:
        return _norm(command) <= self._phase.below


def _norm(command: Float32) -> float:
    return math.sqrt(float(command.dot(command)))
