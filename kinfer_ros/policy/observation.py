"""Builds the flat observation of a policy spec from named arrays.

Index arrays are made at load. A tick gathers the numbers of all terms with one index array, scales
them as one vector, and arranges the history frames with another: a few microseconds for 29 joints
and five frames.
"""

import math
from collections.abc import Mapping

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.memory import GaitClock
from kinfer_ros.policy.memory import Memory
from kinfer_ros.policy.memory import read_angles
from kinfer_ros.policy.memory import write_angles
from kinfer_ros.policy.spec import PolicySpec
from kinfer_ros.policy.spec_terms import ACTION
from kinfer_ros.policy.spec_terms import COMMAND
from kinfer_ros.policy.spec_terms import CONSTANT
from kinfer_ros.policy.spec_terms import EULER
from kinfer_ros.policy.spec_terms import PHASE
from kinfer_ros.policy.spec_terms import QUATERNION
from kinfer_ros.policy.spec_terms import RPY
from kinfer_ros.policy.spec_terms import TIME
from kinfer_ros.policy.spec_terms import UNIT
from kinfer_ros.policy.spec_terms import XYZ
from kinfer_ros.policy.spec_terms import Term
from kinfer_ros.rotations import euler_angles

GRAVITY = 9.81
"""m/s^2: length of kinfer's `projected_gravity`."""

INPUT_OF = {
    'joint_positions': 'joint_angles',
    'joint_velocities': 'joint_angular_velocities',
    'gyroscope': 'gyroscope',
    'accelerometer': 'accelerometer',
    'gravity': 'projected_gravity',
    'linear_velocity': 'base_linear_velocity',
    'imu_linear_velocity': 'imu_linear_velocity',
    QUATERNION: QUATERNION,
    EULER: QUATERNION,
    COMMAND: COMMAND,
    TIME: TIME,
}
"""Named input of a source; the suffix `_imu` is added where the term's frame is the IMU."""
IMU_SUFFIX = '_imu'
ENCODINGS = ('sin', 'cos', 'phase')


def input_sizes(spec: PolicySpec) -> dict[str, int]:
    """Names and lengths of the input arrays that a spec's observation and action need."""
    sizes = {'joint_angles': len(spec.joints), 'joint_angular_velocities': len(spec.joints)}
    sizes |= {QUATERNION: 4, QUATERNION + IMU_SUFFIX: 4, COMMAND: len(spec.commands), TIME: 1}
    names = {_input_name(term) for term in spec.terms if term.source in INPUT_OF}
    if spec.action.relative_to == 'joint_positions':
        names.add('joint_angles')
    if spec.commands:
        names.add(COMMAND)
    bases = dict.fromkeys(INPUT_OF.values())
    order = [name for base in bases for name in (base, base + IMU_SUFFIX)]
    return {name: sizes.get(name, 3) for name in order if name in names}


def _input_name(term: Term) -> str:
    return INPUT_OF[term.source] + (IMU_SUFFIX if term.frame == 'imu' else '')


class FlatObservation:
    """
    Builds the flat vector from named arrays, and the memory after a step.

    :ivar inputs: the arrays to fill, by name: views of one buffer.
    :ivar buffer: that buffer.
    """

    def __init__(self, spec: PolicySpec, memory: Memory, flat: Float32) -> None:
        """:param flat: buffer for the vector, [observation_size]; the network's input."""
        self._spec = spec
        self._memory = memory
        self._flat = flat
        self._lay_out_values()
        self._lay_out_frame()
        self._lay_out_history()
        self._gait_clock = self._make_gait_clock()

    # At load -----------------------------------------------------------------------------

    def _lay_out_values(self) -> None:
        """Lay out one vector of everything a term can read: the inputs, then derived values."""
        spec, parts = self._spec, self._memory.parts
        sizes = input_sizes(spec)
        constants = [v for t in spec.terms for v in t.entries if not isinstance(v, str)]
        feet = len(spec.phase.start) if spec.phase else 0
        derived = {
            'euler': 3 * any(t.source == EULER and t.frame == 'base' for t in spec.terms),
            'euler_imu': 3 * any(t.source == EULER and t.frame == 'imu' for t in spec.terms),
            'actions': parts['actions'].stop - parts['actions'].start,
            'targets': parts['targets'].stop - parts['targets'].start,
            'encodings': len(ENCODINGS) * feet,
            'constants': len(constants),
        }
        self._starts: dict[str, int] = {}
        size = 0
        for name, count in (sizes | derived).items():
            self._starts[name] = size
            size += count
        self._values = np.zeros(size, np.float32)
        views = {
            name: self._values[start : start + (sizes | derived)[name]]
            for name, start in self._starts.items()
        }
        views['constants'][:] = constants
        self.buffer = self._values[: sum(sizes.values())]
        self.inputs: Mapping[str, Float32] = {name: views[name] for name in sizes}
        self._command = views.get(COMMAND, np.zeros(0, np.float32))
        self._encodings = views['encodings'] if feet else None
        self._euler_views = [
            (views[QUATERNION + suffix], views['euler' + suffix])
            for suffix in ('', IMU_SUFFIX)
            if derived['euler' + suffix]
        ]
        # Parts of the memory, and the views they are copied to.
        self._copied_parts = [(parts[n], views[n]) for n in ('actions', 'targets') if derived[n]]

    def _lay_out_frame(self) -> None:
        """Make index, gain, bounds and scale of every number of a frame."""
        spec = self._spec
        index: list[int] = []
        gain: list[float] = []
        self._constant = 0
        for term in spec.terms:
            places, gains = self._places(term)
            index += places
            gain += gains
        offset = np.array([v for t in spec.terms for v in self._offset(t)], np.float32)
        scale = np.array([v for t in spec.terms for v in t.scale], np.float32)
        self._index = np.array(index, np.intp)
        self._steps: list[tuple[np.ufunc, Float32]] = []
        self._add_step(np.multiply, np.array(gain, np.float32), 1.0)
        self._add_step(np.add, offset, 0.0)
        self._add_clip_steps('clip')
        self._add_step(np.multiply, scale, 1.0)
        self._add_clip_steps('clip_scaled')

    def _add_step(self, operation: np.ufunc, operand: Float32, neutral: float) -> None:
        """Add an operation to the tick, unless it has no effect."""
        if (operand != neutral).any():
            self._steps.append((operation, operand))

    def _add_clip_steps(self, key: str) -> None:
        bounds = _bounds(self._spec.terms, key)
        if bounds is not None:
            self._steps += [(np.maximum, bounds[0]), (np.minimum, bounds[1])]

    def _offset(self, term: Term) -> list[float]:
        if not term.relative:
            return list(term.offset)
        pose = dict(zip(self._spec.joints, self._spec.default_pose, strict=True))
        return [more - pose[name] for name, more in zip(term.names, term.offset, strict=True)]

    def _places(self, term: Term) -> tuple[list[int], list[float]]:
        """Index of each number of a term among the values, and its unit conversion factor."""
        one = [1.0] * term.size
        if term.source == ACTION:
            return self._action_places(term)
        if term.source == PHASE:
            start = self._starts['encodings']
            feet = range(len(self._spec.phase.start)) if self._spec.phase else range(0)
            encodings = [ENCODINGS.index(each) for each in term.encoding]
            if term.layout == 'grouped':
                order = [(foot, each) for each in encodings for foot in feet]
            else:
                order = [(foot, each) for foot in feet for each in encodings]
            return [start + len(ENCODINGS) * foot + each for foot, each in order], one
        if term.source in (COMMAND, CONSTANT):
            return [self._entry_place(entry) for entry in term.entries], one
        if term.source == EULER:
            suffix = IMU_SUFFIX if term.frame == 'imu' else ''
            return [self._starts['euler' + suffix] + RPY.index(name) for name in term.names], one
        start = self._starts[_input_name(term)]
        if term.source == QUATERNION:
            return [start + 'wxyz'.index(letter) for letter in term.order], one
        if term.source == TIME:
            return [start], one
        order_of = XYZ if term.names and term.names[0] in XYZ else self._spec.joints
        if term.source == 'gravity' and term.unit == UNIT:
            one = [1.0 / GRAVITY] * term.size
        return [start + order_of.index(name) for name in term.names], one

    def _action_places(self, term: Term) -> tuple[list[int], list[float]]:
        action = self._spec.action
        block = 'targets' if term.which == 'target' else 'actions'
        start = self._starts[block] + (term.ago - 1) * len(action.joints)
        places = [action.joints.index(name) for name in term.names]
        gains = [action.scale[at] if term.which == 'scaled' else 1.0 for at in places]
        return [start + at for at in places], gains

    def _entry_place(self, entry: str | float) -> int:
        if isinstance(entry, str):
            return self._starts[COMMAND] + list(self._spec.commands).index(entry)
        self._constant += 1
        return self._starts['constants'] + self._constant - 1

    def _lay_out_history(self) -> None:
        """Make the index of every number of the flat vector in the frames, oldest first."""
        spec, depth, size = self._spec, self._memory.depth, self._memory.frame_size
        self._window = self._flat if depth == 1 else np.zeros(depth * size, np.float32)
        self._past = self._window[: (depth - 1) * size]
        self._frame = self._window[(depth - 1) * size :]
        starts = np.cumsum([0, *(term.size for term in spec.terms)])
        numbers = [start + np.arange(t.size) for start, t in zip(starts, spec.terms, strict=False)]

        def frames(count: int) -> list[int]:
            back = range(count)  # 0 is the newest
            return [depth - 1 - b for b in (back if spec.history.newest_first else reversed(back))]

        if spec.history.per_frame:
            order = [frame * size + part for frame in frames(depth) for part in numbers]
        else:
            order = [
                frame * size + part
                for term, part in zip(spec.terms, numbers, strict=True)
                for frame in frames(spec.frames(term))
            ]
        self._order = np.concatenate(order).astype(np.intp) if order else np.zeros(0, np.intp)
        # Index of the newest frame in a flat vector built by the caller.
        newest = {int(at): where for where, at in enumerate(self._order)}
        first = (depth - 1) * size
        self._newest = np.array([newest[first + at] for at in range(size)], np.intp)

    def _make_gait_clock(self) -> GaitClock | None:
        spec = self._spec
        if spec.phase is None:
            return None
        frequency = spec.phase.frequency
        slot = list(spec.commands).index(frequency) if isinstance(frequency, str) else None
        return GaitClock(spec.phase, 1.0 / spec.control_rate_hz, slot)

    # In the tick -------------------------------------------------------------------------

    def build(self, memory: Float32) -> None:
        """Write the flat vector from the current inputs and the memory before the step."""
        for part, view in self._copied_parts:
            view[:] = memory[part]
        for quaternion, euler in self._euler_views:
            euler[:] = euler_angles(*quaternion.tolist())
        if self._gait_clock is not None and self._encodings is not None:
            angles = read_angles(memory, self._memory.parts)
            self._encodings[:] = self._gait_clock.encode(angles, self._command)
        # mode='clip' is numpy's fastest; every index is in range.
        self._values.take(self._index, out=self._frame, mode='clip')
        for operation, operand in self._steps:
            operation(self._frame, operand, out=self._frame)
        if self._memory.depth > 1:
            self._recall_frames(memory)
            self._window.take(self._order, out=self._flat, mode='clip')
        if self._spec.clip is not None:
            np.clip(self._flat, *self._spec.clip, out=self._flat)

    def _recall_frames(self, memory: Float32) -> None:
        """Copy the past frames before the newest; at the start, repeat the newest."""
        parts = self._memory.parts
        filled = memory[parts['filled']]
        if filled.size and not filled[0]:
            self._past.reshape(-1, self._memory.frame_size)[:] = self._frame
        else:
            self._past[:] = memory[parts['frames']]

    def set_flat(self, flat: Float32, memory: Float32) -> None:
        """Use a flat vector as it is; its newest frame enters the history."""
        self._flat[:] = flat
        if self._memory.depth > 1:
            flat.take(self._newest, out=self._frame, mode='clip')
            self._recall_frames(memory)

    def update_memory(
        self, memory: Float32, following: Float32, action: Float32, target: Float32
    ) -> None:
        """
        Write the memory after a step into `following`.

        :param action: the network's output, clipped. :param target: rad; both in action order.
        """
        parts, size = self._memory.parts, self._memory.action_size
        if self._memory.depth > 1:
            following[parts['frames']] = self._window[self._memory.frame_size :]
            following[parts['filled']] = 1.0
        for name, newest in (('actions', action), ('targets', target)):
            part = parts[name]
            if part.stop > part.start:
                following[part.start : part.start + size] = newest
                following[part.start + size : part.stop] = memory[part.start : part.stop - size]
        if self._gait_clock is not None:
            angles = self._gait_clock.advance(read_angles(memory, parts), self._command)
            write_angles(following, parts, angles)


def _bounds(terms: tuple[Term, ...], key: str) -> tuple[Float32, Float32] | None:
    """Return the bounds of a whole frame; None where no term has any."""
    if all(getattr(term, key) is None for term in terms):
        return None
    low: list[float] = []
    high: list[float] = []
    for term in terms:
        bounds = getattr(term, key) or ((-math.inf,) * term.size, (math.inf,) * term.size)
        low += bounds[0]
        high += bounds[1]
    return np.array(low, np.float32), np.array(high, np.float32)
