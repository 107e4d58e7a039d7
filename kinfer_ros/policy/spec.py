"""Reads a policy spec (YAML): the contract of an ONNX file that takes one flat vector.

Isaac Lab, mjlab, MuJoCo Playground and legged_gym export only the network; order, units and scales
of its numbers are known to the training code alone. A spec states them, and is read strictly: all
problems are reported at once, with their lines. Format: docs/specs.md.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec_terms import MAX_LENGTH
from kinfer_ros.policy.spec_terms import Term
from kinfer_ros.policy.spec_terms import TermNames
from kinfer_ros.policy.spec_terms import read_term
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import Bounds
from kinfer_ros.yaml_vectors import Vector
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

WRAPS = ('pi', 'two_pi', 'none')
STILL = ('run', 'zero', 'hold', 'reset', 'set')
REFERENCES = ('default_pose', 'zero', 'joint_positions', 'last_target')
BY_NAME, BY_POSITION = 'by_name', 'by_position'


@dataclass(frozen=True)
class Phase:
    """A gait clock: one angle a foot, advanced by 2 pi frequency / control_rate each step."""

    frequency: float | str
    """Hz, or the command entry that gives it."""
    start: Vector
    """rad for each foot, at the first step."""
    wrap: str
    """pi: to [-pi, pi); two_pi: to [0, 2 pi); none."""
    below: float
    """The command is zero when the norm of all its entries is at most this."""
    still: str
    """What the clock does then: run, zero (encodings are 0), hold, reset (to start) or set."""
    value: float
    """rad, for `set`."""


@dataclass(frozen=True)
class History:
    """How frames are stacked into the flat vector."""

    length: int = 1
    per_frame: bool = False
    """True: whole frames in sequence; False: each term's frames together."""
    newest_first: bool = False
    zero_fill: bool = False
    """True: missing frames are zero; False: the first frame is repeated."""


@dataclass(frozen=True)
class ActionSpec:
    """target = clip_target(reference + offset + scale * clip(output)), in `joints` order."""

    output: str | None
    joints: tuple[str, ...]
    scale: Vector
    offset: Vector
    clip: Bounds | None
    target_clip: Bounds | None
    relative_to: str
    """default_pose, zero (the action is a position), joint_positions or last_target."""


@dataclass(frozen=True)
class States:
    """Which output of the network feeds which input in the next step."""

    pair: str | dict[str, str]
    """by_name, by_position, or {input: output}."""
    initial: dict[str, Any]
    """A number or a flat list, by input; zero for the others."""


@dataclass(frozen=True)
class PolicySpec:
    """The contract of a flat policy; vectors are in `joints` order unless stated otherwise."""

    path: Path
    sha256: str
    """Of the spec file."""
    name: str
    control_rate_hz: float
    joints: tuple[str, ...]
    default_pose: Vector
    """rad"""
    start_pose: Vector
    """rad; defaults to the default pose."""
    kp: Vector | None
    kd: Vector | None
    torque_limit: Vector | None
    undamped: bool
    """kp 1 and kd 0 for every joint are meant so."""
    commands: dict[str, tuple[float, float] | None]
    """Entries of the command vector, in order; each with its range in the training, if known."""
    phase: Phase | None
    input: str | None
    """Name of the network's input; optional where there is only one."""
    history: History
    clip: tuple[float, float] | None
    """Of the whole vector."""
    terms: tuple[Term, ...]
    action: ActionSpec
    states: States | None

    def frames(self, term: Term) -> int:
        """Number of frames of a term in the vector."""
        return self.history.length if term.history is None else term.history

    @property
    def observation_size(self) -> int:
        """Length of the flat vector."""
        return sum(term.size * self.frames(term) for term in self.terms)


def load_spec(path: str | os.PathLike[str]) -> PolicySpec:
    """
    Read a policy spec.

    :raises ModelError: with every problem and its line.
    """
    file = YamlFile(Path(path), 'policy spec', ModelError)
    spec = _read(file)
    file.finish()
    return spec


def _read(file: YamlFile) -> PolicySpec:
    root = file.root
    joints = read_names(root, 'joints')
    default_pose = _required(root, 'default_pose', joints, 'rad')
    commands = _read_commands(root)
    phase = _read_phase(root, tuple(commands))
    action = _read_action(root, joints)
    kp, kd, torque, undamped = _read_gains(root, joints)
    known = TermNames(joints, action.joints, tuple(commands), len(phase.start) if phase else 0)
    observation = root.section('observation')
    return PolicySpec(
        path=file.path,
        sha256=hashlib.sha256(file.path.read_bytes()).hexdigest(),
        name=root.string('name', file.path.stem),
        control_rate_hz=root.number('control_rate', 'Hz', 0.1, MAX_RATE_HZ),
        joints=joints,
        default_pose=default_pose,
        start_pose=read_vector(root, 'start_pose', joints, 'rad') or default_pose,
        kp=kp,
        kd=kd,
        torque_limit=torque,
        undamped=undamped,
        commands=commands,
        phase=phase,
        input=_optional_text(observation, 'input'),
        history=_read_history(observation),
        clip=None if observation is None else _read_range(observation, 'clip', '1'),
        terms=_read_terms(observation, known),
        action=action,
        states=_read_states(root),
    )


def _required(section: Section, key: str, names: tuple[str, ...], unit: str) -> Vector:
    vector = read_vector(section, key, names, unit)
    if vector is None:
        section.problem(f"missing key '{key}'")
        return (0.0,) * len(names)
    return vector


def _optional_text(section: Section | None, key: str) -> str | None:
    return section.string(key) if section is not None and section.has(key) else None


def _read_gains(
    root: Section, joints: tuple[str, ...]
) -> tuple[Vector | None, Vector | None, Vector | None, bool]:
    section = root.section('gains') if root.has('gains') else None
    if section is None:
        return None, None, None, False
    return (
        read_vector(section, 'kp', joints, 'Nm/rad', minimum=0.0),
        read_vector(section, 'kd', joints, 'Nm s/rad', minimum=0.0),
        read_vector(section, 'torque_limit', joints, 'Nm', minimum=0.0),
        section.boolean('undamped', False),
    )


def _read_commands(root: Section) -> dict[str, tuple[float, float] | None]:
    section = root.section('commands') if root.has('commands') else None
    if section is None:
        return {}
    names = section.keys()
    return {name: _read_range(section, name, "in the entry's unit") for name in names}


def _read_range(section: Section, key: str, unit: str) -> tuple[float, float] | None:
    bounds = read_bounds(section, key, (key,), unit)
    return None if bounds is None else (bounds[0][0], bounds[1][0])


def _read_phase(root: Section, commands: tuple[str, ...]) -> Phase | None:
    section = root.section('phase') if root.has('phase') else None
    if section is None:
        return None
    frequency = section.plain('frequency')
    if isinstance(frequency, dict) and list(frequency) == ['command']:
        frequency = frequency['command']
    if frequency not in commands and not is_float32(frequency):
        expected = 'a number (Hz) or {command: NAME} with one of the commands: '
        expected += ', '.join(commands) or 'none'
        section.problem(f'found {format_value(frequency)}, expected {expected}', 'frequency')
        frequency = 1.0
    start = section.plain('start')
    if not isinstance(start, list) or not start or not all(map(is_float32, start)):
        expected = 'a list of numbers (rad), one for each foot'
        section.problem(f'found {format_value(start)}, expected {expected}', 'start')
        start = [0.0]
    still, below, value = _read_when_still(section, commands)
    return Phase(
        frequency=frequency,
        start=tuple(float(angle) for angle in start),
        wrap=section.choice('wrap', WRAPS, 'pi'),
        below=below,
        still=still,
        value=value,
    )


def _read_when_still(phase: Section, commands: tuple[str, ...]) -> tuple[str, float, float]:
    section = phase.section('when_still') if phase.has('when_still') else None
    if section is None:
        return 'run', 0.0, 0.0
    if not commands:
        section.problem('found a rule for a zero command, expected commands in the spec')
    still = section.choice('do', STILL)
    value = section.number('value', 'rad') if still == 'set' else 0.0
    return still, section.number('below', 'norm of the command', 0.0), value


def _read_history(observation: Section | None) -> History:
    section = (
        observation.section('history') if observation and observation.has('history') else None
    )
    if section is None:
        return History()
    return History(
        length=section.integer('length', 1, MAX_LENGTH),
        per_frame=section.choice('layout', ('per_term', 'per_frame')) == 'per_frame',
        newest_first=section.choice('order', ('oldest_first', 'newest_first')) == 'newest_first',
        zero_fill=section.choice('first', ('repeat', 'zero')) == 'zero',
    )


def _read_terms(observation: Section | None, known: TermNames) -> tuple[Term, ...]:
    if observation is None:
        return ()
    per_frame = observation.plain('history') or {}
    per_frame = isinstance(per_frame, dict) and per_frame.get('layout') == 'per_frame'
    terms = []
    for section in observation.each('terms'):
        term = read_term(section, known)
        if term is None:
            continue
        if per_frame and term.history is not None:
            section.problem(
                'found a length for one term, expected none: with the layout per_frame all terms '
                'have the same number of frames',
                'history',
            )
        if not observation.has('history') and (term.history or 1) > 1:
            section.problem(
                'found frames to stack, expected observation.history (length, layout, order, '
                'first) as well',
                'history',
            )
        terms.append(term)
    return tuple(terms)


def _read_action(root: Section, joints: tuple[str, ...]) -> ActionSpec:
    section = root.section('action')
    if section is None:
        return ActionSpec(None, joints, (1.0,) * len(joints), (0.0,) * len(joints), None, None, '')
    names = read_names(section, 'joints', joints)
    return ActionSpec(
        output=_optional_text(section, 'output'),
        joints=names,
        scale=_required(section, 'scale', names, 'rad per unit'),
        offset=read_vector(section, 'offset', names, 'rad', default=0.0) or (),
        clip=read_bounds(section, 'clip', names, 'network output'),
        target_clip=read_bounds(section, 'target_clip', names, 'rad'),
        # Required: whether the default pose is added is forgotten most often.
        relative_to=section.choice('relative_to', REFERENCES),
    )


def _read_states(root: Section) -> States | None:
    section = root.section('states') if root.has('states') else None
    if section is None:
        return None
    pair = section.plain('pair')
    named = isinstance(pair, dict) and all(
        isinstance(word, str) for item in pair.items() for word in item
    )
    if not named and pair not in (BY_NAME, BY_POSITION):
        expected = f'{BY_NAME}, {BY_POSITION} or {{input: output, ...}}'
        section.problem(f'found {format_value(pair)}, expected {expected}', 'pair')
        pair = BY_NAME
    initial = section.plain('initial') or {}
    if not isinstance(initial, dict) or not all(map(_is_initial, initial.values())):
        expected = '{input: number, or a flat list of numbers}'
        section.problem(f'found {format_value(initial)}, expected {expected}', 'initial')
        initial = {}
    return States(pair, initial)


def _is_initial(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(is_float32, value))
    return is_float32(value)
