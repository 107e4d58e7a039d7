"""Everything that a term of a policy spec can read, in one float32 vector, and its places there.

First the named inputs, which the caller fills, then what is made of them and of the memory.
"""

from collections.abc import Mapping

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.policy.motion.reference import MOTION_CONTROL
from kinfer_ros.policy.motion.reference import ReferenceViews
from kinfer_ros.policy.motion.reference import reference_sizes
from kinfer_ros.policy.motion.timeline import Timeline
from kinfer_ros.policy.spec.action import MEASURED
from kinfer_ros.policy.spec.memory import GaitClock
from kinfer_ros.policy.spec.memory import Memory
from kinfer_ros.policy.spec.memory import read_angles
from kinfer_ros.policy.spec.memory import write_angles
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.terms import ACTION
from kinfer_ros.policy.spec.terms import COLUMNS
from kinfer_ros.policy.spec.terms import COMMAND
from kinfer_ros.policy.spec.terms import CONSTANT
from kinfer_ros.policy.spec.terms import EULER
from kinfer_ros.policy.spec.terms import FIRST_STEP
from kinfer_ros.policy.spec.terms import HEIGHT_SCAN
from kinfer_ros.policy.spec.terms import MAX_STEP
from kinfer_ros.policy.spec.terms import MOTION_FRAME
from kinfer_ros.policy.spec.terms import MOTION_SOURCES
from kinfer_ros.policy.spec.terms import NETWORK
from kinfer_ros.policy.spec.terms import PHASE
from kinfer_ros.policy.spec.terms import QUATERNION
from kinfer_ros.policy.spec.terms import REFERENCE_ANCHOR
from kinfer_ros.policy.spec.terms import RPY
from kinfer_ros.policy.spec.terms import STEPS
from kinfer_ros.policy.spec.terms import TIME
from kinfer_ros.policy.spec.terms import UNIT
from kinfer_ros.policy.spec.terms import XYZ
from kinfer_ros.policy.spec.terms import Term
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
    HEIGHT_SCAN: HEIGHT_SCAN,
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
    sizes |= {MOTION_CONTROL: 2, HEIGHT_SCAN: spec.scan.size if spec.scan else 0}
    names = {_input_name(term) for term in spec.terms if term.source in INPUT_OF}
    if MEASURED in spec.action.references:
        names.add('joint_angles')
    if spec.action.torque_clip is not None:
        names |= {'joint_angles', 'joint_angular_velocities'}
    if spec.commands:
        names.add(COMMAND)
    if spec.motion is not None:
        names.add(MOTION_CONTROL)
        if any(term.source == REFERENCE_ANCHOR for term in spec.terms):
            names |= {QUATERNION, *(('joint_angles',) if spec.motion.anchor else ())}
    bases = dict.fromkeys((*INPUT_OF.values(), MOTION_CONTROL))
    order = [name for base in bases for name in (base, base + IMU_SUFFIX)]
    return {name: sizes.get(name, 3) for name in order if name in names}


def _input_name(term: Term) -> str:
    return INPUT_OF[term.source] + (IMU_SUFFIX if term.frame == 'imu' else '')


class Sources:
    """
    The values of a tick that terms read.

    :ivar inputs: the arrays to fill, by name: views of one buffer.
    :ivar buffer: that buffer.
    :ivar values: all values.
    :ivar network_outputs: where an output of a network that has run is to be written, by the
        names of network and output.
    """

    def __init__(self, spec: PolicySpec, memory: Memory, timeline: Timeline | None = None) -> None:
        self._spec = spec
        self._memory = memory
        parts = memory.parts
        sizes = input_sizes(spec)
        constants = [v for t in spec.terms for v in t.entries if not isinstance(v, str)]
        feet = len(spec.phase.start) if spec.phase else 0
        self._counters = [term for term in spec.terms if term.source in STEPS]
        derived = {
            'euler': 3 * any(t.source == EULER and t.frame == 'base' for t in spec.terms),
            'euler_imu': 3 * any(t.source == EULER and t.frame == 'imu' for t in spec.terms),
            'actions': parts['actions'].stop - parts['actions'].start,
            'targets': parts['targets'].stop - parts['targets'].start,
            'encodings': len(ENCODINGS) * feet,
            'constants': len(constants),
            'counters': len(self._counters),
        }
        derived |= reference_sizes(spec)
        derived |= {_network_block(*key): size for key, size in spec.network_outputs.items()}
        self._starts: dict[str, int] = {}
        size = 0
        for name, count in (sizes | derived).items():
            self._starts[name] = size
            size += count
        self.values: Float32 = np.zeros(size, np.float32)
        views = {
            name: self.values[start : start + (sizes | derived)[name]]
            for name, start in self._starts.items()
        }
        views['constants'][:] = constants
        self.buffer = self.values[: sum(sizes.values())]
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
        # Parts of the memory: the newest action or target; older ones, and where they were before.
        size = memory.action_size
        kept = {n: parts[n] for n in ('actions', 'targets') if parts[n].stop > parts[n].start}
        self._newest = [
            (slice(part.start, part.start + size), name == 'actions')
            for name, part in kept.items()
        ]
        self._earlier = [
            (slice(part.start + size, part.stop), slice(part.start, part.stop - size))
            for part in kept.values()
            if part.stop - part.start > size
        ]
        self._counts = parts['step'].stop > parts['step'].start
        self._counter_views = views['counters']
        self._reference = None
        if timeline is not None:
            self._reference = ReferenceViews(spec, timeline, self.inputs, views)
        self.network_outputs = {key: views[_network_block(*key)] for key in spec.network_outputs}
        self._gait_clock = self._make_gait_clock()
        # Numbers of constants and counters that `places` has given out.
        self._taken = {'constants': 0, 'counters': 0}

    # At load -----------------------------------------------------------------------------

    def places(self, term: Term) -> tuple[list[int], list[float]]:
        """
        Return the index of each number of a term in `values`, and its unit conversion factor.

        Once for each term, in their order.
        """
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
        if term.source in STEPS:
            return [self._next_place('counters')], one
        if term.source in MOTION_SOURCES:
            return self._reference_places(term), one
        if term.source == NETWORK:
            start = self._starts[_network_block(term.network, term.output)]
            return list(range(start, start + term.size)), one
        if term.source == EULER:
            suffix = IMU_SUFFIX if term.frame == 'imu' else ''
            return [self._starts['euler' + suffix] + RPY.index(name) for name in term.names], one
        start = self._starts[_input_name(term)]
        if term.source == QUATERNION:
            return [start + 'wxyz'.index(letter) for letter in term.order], one
        if term.source == TIME:
            return [start], one
        if term.scan is not None:
            return [start + place for place in term.scan.places()], one
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

    def _reference_places(self, term: Term) -> list[int]:
        if term.source == MOTION_FRAME:
            return [self._starts[MOTION_FRAME]]
        if term.source == REFERENCE_ANCHOR:
            if term.order == 'columns':
                return [self._starts['anchor_columns'] + at for at in range(len(COLUMNS))]
            return [self._starts['anchor_quaternion'] + 'wxyz'.index(each) for each in term.order]
        return [self._starts[term.source] + self._spec.joints.index(name) for name in term.names]

    def _entry_place(self, entry: str | float) -> int:
        if isinstance(entry, str):
            return self._starts[COMMAND] + list(self._spec.commands).index(entry)
        return self._next_place('constants')

    def _next_place(self, block: str) -> int:
        self._taken[block] += 1
        return self._starts[block] + self._taken[block] - 1

    def _make_gait_clock(self) -> GaitClock | None:
        spec = self._spec
        if spec.phase is None:
            return None
        frequency = spec.phase.frequency
        slot = list(spec.commands).index(frequency) if isinstance(frequency, str) else None
        return GaitClock(spec.phase, 1.0 / spec.control_rate_hz, slot)

    # In the tick -------------------------------------------------------------------------

    def refresh(self, memory: Float32) -> None:
        """Make the derived values from the current inputs and the memory before the step."""
        for part, view in self._copied_parts:
            view[:] = memory[part]
        for quaternion, euler in self._euler_views:
            euler[:] = euler_angles(*quaternion.tolist())
        if self._gait_clock is not None and self._encodings is not None:
            angles = read_angles(memory, self._memory.parts)
            self._encodings[:] = self._gait_clock.encode(angles, self._command)
        if self._reference is not None:
            self._reference.refresh(memory[self._memory.parts['motion']])
        if self._counters:
            step = int(memory[self._memory.parts['step'].start])
            self._counter_views[:] = [_count(term, step) for term in self._counters]

    @property
    def recorded(self) -> dict[str, Float32]:
        """What of the newest step goes into the record besides inputs and outputs."""
        return {} if self._reference is None else self._reference.recorded

    def motion_ended(self, memory: Float32) -> bool:
        """Whether the motion has been shown to its end."""
        if self._reference is None:
            return False
        return self._reference.has_ended(memory[self._memory.parts['motion']])

    def update_memory(
        self, memory: Float32, following: Float32, action: Float32, target: Float32
    ) -> None:
        """
        Write what follows a step, without the frames, into `following`.

        :param action: the networks' output, clipped. :param target: rad; both in action order.
        """
        for newest, of_action in self._newest:
            following[newest] = action if of_action else target
        for later, earlier in self._earlier:
            following[later] = memory[earlier]
        if self._gait_clock is not None:
            parts = self._memory.parts
            angles = self._gait_clock.advance(read_angles(memory, parts), self._command)
            write_angles(following, parts, angles)
        if self._reference is not None:
            self._reference.advance(following[self._memory.parts['motion']])
        if self._counts:
            step = self._memory.parts['step']
            following[step] = np.minimum(memory[step] + 1.0, MAX_STEP)


def _network_block(network: str, output: str | None) -> str:
    return f'network {network}' if output is None else f'network {network} output {output}'


def _count(term: Term, step: int) -> float:
    """Return the value of a counter term in step number `step`, from 0."""
    if term.source == FIRST_STEP:
        return float(step == 0)
    if term.last is None:
        return float(step)
    return float(step % (term.last + 1) if term.restarts else min(step, term.last))
