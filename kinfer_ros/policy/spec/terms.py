"""Reads the terms of an observation: one entry of `observation.terms` of a policy spec.

Each source accepts only the keys that have a meaning for it. Format: docs/specs.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.policy.spec.scan import read_scan
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_vectors import MAX_COUNT
from kinfer_ros.yaml_vectors import Bounds
from kinfer_ros.yaml_vectors import Vector
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

JOINT_SOURCES = {'joint_positions': 'rad', 'joint_velocities': 'rad/s'}
VECTOR_SOURCES = {
    'gyroscope': 'rad/s',
    'accelerometer': 'm/s^2',
    'gravity': 'as its unit says',
    'linear_velocity': 'm/s',
    'imu_linear_velocity': 'm/s',
}
ACTION, COMMAND, PHASE, CONSTANT = 'last_action', 'command', 'phase', 'constant'
QUATERNION, EULER, TIME = 'quaternion', 'euler', 'time'
STEP, FIRST_STEP = 'step', 'first_step'
STEPS = (STEP, FIRST_STEP)
NETWORK = 'network'
HEIGHT_SCAN = 'height_scan'
REFERENCE_POSITIONS, REFERENCE_VELOCITIES = (
    'reference_joint_positions',
    'reference_joint_velocities',
)
REFERENCE_ANCHOR, MOTION_FRAME = 'reference_anchor_orientation', 'motion_frame'
REFERENCE_JOINTS = {REFERENCE_POSITIONS: 'rad', REFERENCE_VELOCITIES: 'rad/s'}
NOT_KNOWN = {
    'reference_anchor_position': (
        "the position of the motion's anchor in the robot's, which needs the robot's position in "
        'the world, without drift, and the lengths of its links: no sensor here gives them. Train '
        "without it, in the project's task without state estimation (BeyondMimic: "
        'Tracking-Flat-G1-Wo-State-Estimation-v0; mjlab: '
        'Mjlab-Tracking-Flat-Unitree-G1-No-State-Estimation), and do not feed zeros in its place'
    ),
    'base_position': "the robot's position in the world, which no sensor here gives",
}
"""Sources that cannot be had, and why."""
MOTION_SOURCES = (*REFERENCE_JOINTS, REFERENCE_ANCHOR, MOTION_FRAME)
SOURCES = (
    *JOINT_SOURCES, *VECTOR_SOURCES, QUATERNION, EULER, COMMAND, ACTION, PHASE, TIME, *STEPS,
    NETWORK, HEIGHT_SCAN, *MOTION_SOURCES, CONSTANT,
)  # fmt: skip
COLUMNS = ('r00', 'r01', 'r10', 'r11', 'r20', 'r21')
"""The first two columns of a rotation matrix, row by row, as motion tracking takes them."""

XYZ = ('x', 'y', 'z')
RPY = ('roll', 'pitch', 'yaw')
FRAMES = ('base', 'imu')
UNIT, METRIC = 'unit', 'm/s^2'
MAX_LENGTH = 1000
"""Frames of history, or ticks back; 20 s at 50 Hz."""
MAX_STEP = 2**24
"""Of the step number, where the count stays: float32 holds every whole number up to here."""


@dataclass(frozen=True)
class Term:
    """One term: value = clip_scaled(scale * clip(source + offset)), number by number."""

    source: str
    names: tuple[str, ...]
    """Name of each number: a joint, an axis, a command entry, a foot's encoding."""
    unit: str
    """Of the source, before offset, clip and scale."""
    offset: Vector
    scale: Vector
    clip: Bounds | None
    clip_scaled: Bounds | None
    history: int | None
    """Frames of this term; None: the observation's."""
    frame: str = 'base'
    """Of a vector or an orientation: base or imu."""
    relative: bool = False
    """Joint positions: the default pose is subtracted."""
    order: str = 'wxyz'
    """Of a quaternion."""
    which: str = 'raw'
    """Of the last action: raw, scaled or target."""
    ago: int = 1
    """Of the last action: ticks back."""
    encoding: tuple[str, ...] = ()
    """Of the phase: sin, cos, phase."""
    layout: str = 'grouped'
    """Of the phase: by encoding (grouped) or by foot (interleaved)."""
    entries: tuple[str | float, ...] = ()
    """Of the command or a constant: names of entries, or numbers as constants."""
    last: int | None = None
    """Of the step number: the highest."""
    restarts: bool = False
    """After it: True from 0 again, False it stays."""
    network: str = ''
    """Of the output of a network: its name."""
    output: str | None = None
    """Of it: the output's name; None where it has only one."""
    scan: HeightScan | None = None
    """Of a height scan: its points."""

    @property
    def size(self) -> int:
        """Numbers in one frame."""
        return len(self.names)


@dataclass(frozen=True)
class TermNames:
    """Names that a term can refer to, read before the terms."""

    joints: tuple[str, ...]
    action_joints: tuple[str, ...]
    commands: tuple[str, ...]
    feet: int
    motion: bool = False
    networks: tuple[str, ...] = ()
    """Those that run before."""


def read_term(section: Section, known: TermNames) -> Term | None:
    """Read one term; None, with the problem noted, where its source is unknown."""
    source = section.string('source')
    if source not in SOURCES:
        hint = did_you_mean(source, SOURCES)
        if source in NOT_KNOWN:
            hint = f': {NOT_KNOWN[source]}'
        section.problem(f'found {source!r}{hint}, expected one of {", ".join(SOURCES)}', 'source')
        section.allow_all_keys()
        return None
    if source in JOINT_SOURCES:
        return _joint_term(section, source, known)
    if source in VECTOR_SOURCES:
        return _vector_term(section, source)
    if source in MOTION_SOURCES:
        return _motion_term(section, source, known)
    readers = {
        QUATERNION: _quaternion_term,
        EULER: _euler_term,
        COMMAND: _command_term,
        ACTION: _action_term,
        PHASE: _phase_term,
        TIME: _time_term,
        STEP: _step_term,
        FIRST_STEP: _first_step_term,
        NETWORK: _network_term,
        HEIGHT_SCAN: _scan_term,
        CONSTANT: _constant_term,
    }
    return readers[source](section, known)


def _make_term(
    section: Section, source: str, names: Sequence[str], unit: str, **more: object
) -> Term:
    labels = tuple(names)
    history = None
    if section.has('history'):
        history = section.integer('history', 1, MAX_LENGTH)
    return Term(
        source=source,
        names=labels,
        unit=unit,
        offset=read_vector(section, 'offset', labels, unit, default=0.0) or (),
        scale=read_vector(section, 'scale', labels, '1', default=1.0) or (),
        clip=read_bounds(section, 'clip', labels, unit),
        clip_scaled=read_bounds(section, 'clip_scaled', labels, 'scaled'),
        history=history,
        **more,  # type: ignore[arg-type]
    )


def _joint_term(section: Section, source: str, known: TermNames) -> Term:
    names = read_names(section, 'joints', known.joints)
    relative = False
    if source == 'joint_positions':
        # Required: half of all policies take the one, half the other.
        relative = section.boolean('relative')
    return _make_term(section, source, names, JOINT_SOURCES[source], relative=relative)


def _motion_term(section: Section, source: str, known: TermNames) -> Term:
    if not known.motion:
        section.problem(
            f'found {source}, expected a section motion at the top of the file', 'source'
        )
    if source == MOTION_FRAME:
        return _make_term(section, source, ('frame',), 'ticks')
    if source == REFERENCE_ANCHOR:
        form = section.choice('form', ('columns', 'wxyz', 'xyzw'), 'columns')
        return _make_term(section, source, COLUMNS if form == 'columns' else form, '1', order=form)
    names = read_names(section, 'joints', known.joints)
    relative = source == REFERENCE_POSITIONS and section.boolean('relative', False)
    return _make_term(section, source, names, REFERENCE_JOINTS[source], relative=relative)


def _vector_term(section: Section, source: str) -> Term:
    unit = VECTOR_SOURCES[source]
    if source == 'gravity':
        # Required: a mistake here is a factor of 9.81.
        unit = section.choice('unit', (UNIT, METRIC))
    names = read_names(section, 'axes', XYZ)
    return _make_term(section, source, names, unit, frame=_frame(section))


def _frame(section: Section) -> str:
    return section.choice('frame', FRAMES, 'base')


def _quaternion_term(section: Section, known: TermNames) -> Term:
    order = section.choice('order', ('wxyz', 'xyzw'))
    return _make_term(section, QUATERNION, order, '1', frame=_frame(section), order=order)


def _euler_term(section: Section, known: TermNames) -> Term:
    names = read_names(section, 'angles', RPY)
    return _make_term(section, EULER, names, 'rad', frame=_frame(section))


def _command_term(section: Section, known: TermNames) -> Term:
    entries = section.plain('entries')
    if entries is None:
        entries = list(known.commands)
    good = isinstance(entries, list) and all(
        entry in known.commands or is_float32(entry) for entry in entries
    )
    if not good or not entries:
        listed = ', '.join(known.commands) or 'none: the spec has no commands'
        section.problem(
            f'found {format_value(entries)}, expected names of commands ({listed}), or numbers '
            '(constants)',
            'entries',
        )
        entries = []
    names = [str(entry) for entry in entries]
    return _make_term(section, COMMAND, names, 'of each entry', entries=tuple(entries))


def _action_term(section: Section, known: TermNames) -> Term:
    names = read_names(section, 'joints', known.action_joints)
    which = section.choice('which', ('raw', 'scaled', 'target'))
    ago = section.integer('ago', 1, MAX_LENGTH, default=1)
    unit = 'network output' if which == 'raw' else 'rad'
    return _make_term(section, ACTION, names, unit, which=which, ago=ago)


def _phase_term(section: Section, known: TermNames) -> Term:
    encodings = ('sin', 'cos', 'phase')
    encoding = read_names(section, 'encoding')
    if any(each not in encodings for each in encoding):
        section.problem(f'found {list(encoding)}, expected of {", ".join(encodings)}', 'encoding')
        encoding = ('sin',)
    # With one foot, or one encoding, both layouts are the same.
    required = known.feet > 1 and len(encoding) > 1
    layout = section.choice('layout', ('grouped', 'interleaved'), None if required else 'grouped')
    if not known.feet:
        section.problem('found a phase, expected a section phase at the top of the file', 'source')
    feet = range(known.feet)
    if layout == 'grouped':
        names = [f'{each}({foot})' for each in encoding for foot in feet]
    else:
        names = [f'{each}({foot})' for foot in feet for each in encoding]
    return _make_term(section, PHASE, names, '1', encoding=encoding, layout=layout)


def _time_term(section: Section, known: TermNames) -> Term:
    return _make_term(section, TIME, ('time',), 's')


def _step_term(section: Section, known: TermNames) -> Term:
    last, restarts = None, False
    if section.has('last'):
        last = section.integer('last', 0, MAX_STEP)
        restarts = section.choice('then', ('hold', 'restart')) == 'restart'
    return _make_term(section, STEP, ('step',), 'steps', last=last, restarts=restarts)


def _first_step_term(section: Section, known: TermNames) -> Term:
    return _make_term(section, FIRST_STEP, ('first step',), '1 or 0')


def _network_term(section: Section, known: TermNames) -> Term:
    network = section.string('name')
    if network not in known.networks:
        listed = ', '.join(known.networks) or 'none'
        hint = did_you_mean(network, known.networks)
        section.problem(
            f'found {network!r}{hint}, expected a network that runs before this one: {listed}',
            'name',
        )
    output = section.string('output') if section.has('output') else None
    count = section.integer('count', 1, MAX_COUNT)
    names = [f'{network}[{at}]' for at in range(count)]
    return _make_term(section, NETWORK, names, 'network output', network=network, output=output)


def _scan_term(section: Section, known: TermNames) -> Term:
    scan = read_scan(section)
    names = [f'point {at}' for at in range(scan.size)]
    return _make_term(section, HEIGHT_SCAN, names, 'm', scan=scan)


def _constant_term(section: Section, known: TermNames) -> Term:
    values = section.plain('values')
    if is_float32(values):
        values = [values] * section.integer('count', 1, MAX_COUNT, default=1)
    if not isinstance(values, list) or not values or not all(map(is_float32, values)):
        section.problem(f'found {format_value(values)}, expected a list of numbers', 'values')
        values = [0.0]
    return _make_term(section, CONSTANT, [f'{v:g}' for v in values], '1', entries=tuple(values))
