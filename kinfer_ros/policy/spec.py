"""Reads a policy spec: the contract of an ONNX file that takes one flat vector, as one YAML.

Isaac Lab, mjlab, MuJoCo Playground and legged_gym export a network and nothing else: which number
stands where, in which unit and scale, is known to the training code alone. A spec writes it down
once, and is read strictly: what is misspelt, missing or of the wrong length is an error with its
line, all of them at once. Format: docs/policies.md.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec_terms import MAX_LENGTH
from kinfer_ros.policy.spec_terms import Known
from kinfer_ros.policy.spec_terms import Term
from kinfer_ros.policy.spec_terms import read_term
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import Bounds
from kinfer_ros.yaml_vectors import Vector
from kinfer_ros.yaml_vectors import fits
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector
from kinfer_ros.yaml_vectors import shown

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
    """rad, a foot: what the first step sees."""
    wrap: str
    """pi: to [-pi, pi); two_pi: to [0, 2 pi); none."""
    below: float
    """The command is zero when the norm of all its entries is at most this."""
    still: str
    """What happens then: run, zero (encodings are 0), hold, reset (to start) or set."""
    value: float
    """rad, for `set`."""


@dataclass(frozen=True)
class History:
    """How frames are stacked into the flat vector."""

    length: int = 1
    per_frame: bool = False
    """True: whole frames one after the other; False: each term's frames together."""
    newest_first: bool = False
    zero_fill: bool = False
    """True: missing frames are zeros; False: the first frame is repeated."""


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
    """Which input of the network takes which of its outputs in the next step."""

    pair: str | dict[str, str]
    """by_name, by_position, or {input: output}."""
    initial: dict[str, Any]
    """A number or a flat list, by input; zeros for the others."""


@dataclass(frozen=True)
class PolicySpec:
    """The contract of a flat policy; vectors are in `joints` order unless said otherwise."""

    path: Path
    sha256: str
    """Of the spec file."""
    name: str
    control_rate_hz: float
    joints: tuple[str, ...]
    default_pose: Vector
    """rad"""
    start_pose: Vector
    """rad; the default pose where the file says nothing."""
    kp: Vector | None
    kd: Vector | None
    torque_limit: Vector | None
    commands: dict[str, tuple[float, float] | None]
    """In the order of the command vector; the range each was trained with, where known."""
    phase: Phase | None
    input: str | None
    """The network's input; where it has one only, it need not be named."""
    history: History
    clip: tuple[float, float] | None
    """Of the whole vector."""
    terms: tuple[Term, ...]
    action: ActionSpec
    states: States | None

    def frames(self, term: Term) -> int:
        """How many frames of a term are in the vector."""
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
    kp, kd, torque = _read_gains(root, joints)
    known = Known(joints, action.joints, tuple(commands), len(phase.start) if phase else 0)
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
        commands=commands,
        phase=phase,
        input=_optional_text(observation, 'input'),
        history=_read_history(observation),
        clip=_read_clip(observation),
        terms=_read_terms(observation, known),
        action=action,
        states=_read_states(root),
    )


def _required(section: Section, key: str, names: tuple[str, ...], unit: str) -> Vector:
    found = read_vector(section, key, names, unit)
    if found is None:
        section.problem(f"missing key '{key}'")
        return (0.0,) * len(names)
    return found


def _optional_text(section: Section | None, key: str) -> str | None:
    return section.string(key) if section is not None and section.has(key) else None


def _read_gains(
    root: Section, joints: tuple[str, ...]
) -> tuple[Vector | None, Vector | None, Vector | None]:
    if not root.has('gains'):
        return None, None, None
    section = root.section('gains')
    if section is None:
        return None, None, None
    return (
        read_vector(section, 'kp', joints, 'Nm/rad', minimum=0.0),
        read_vector(section, 'kd', joints, 'Nm s/rad', minimum=0.0),
        read_vector(section, 'torque_limit', joints, 'Nm', minimum=0.0),
    )


def _read_commands(root: Section) -> dict[str, tuple[float, float] | None]:
    if not root.has('commands'):
        return {}
    section = root.section('commands')
    found: dict[str, tuple[float, float] | None] = {}
    if section is None:
        return found
    names = section.keys()
    for name in names:
        bounds = read_bounds(section, name, (name,), "in the entry's unit")
        found[name] = None if bounds is None else (bounds[0][0], bounds[1][0])
    return found


def _read_phase(root: Section, commands: tuple[str, ...]) -> Phase | None:
    section = root.section('phase') if root.has('phase') else None
    if section is None:
        return None
    frequency = section.plain('frequency')
    if isinstance(frequency, dict) and list(frequency) == ['command']:
        frequency = frequency['command']
    if frequency not in commands and not fits(frequency):
        section.problem(
            f'found {shown(frequency)}, expected a number (Hz) or {{command: NAME}} with one of '
            f'the commands: {", ".join(commands) or "none"}',
            'frequency',
        )
        frequency = 1.0
    start = section.plain('start')
    if not isinstance(start, list) or not start or not all(map(fits, start)):
        wanted = 'a list of numbers (rad), one a foot'
        section.problem(f'found {shown(start)}, expected {wanted}', 'start')
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
        section.problem('found a rule for a command of zero, expected commands in the spec')
    still = section.choice('do', STILL)
    value = section.number('value', 'rad') if still == 'set' else 0.0
    return still, section.number('below', 'norm of the command', 0.0), value


def _read_history(observation: Section | None) -> History:
    if observation is None or not observation.has('history'):
        return History()
    section = observation.section('history')
    if section is None:
        return History()
    return History(
        length=section.integer('length', 1, MAX_LENGTH),
        per_frame=section.choice('layout', ('per_term', 'per_frame')) == 'per_frame',
        newest_first=section.choice('order', ('oldest_first', 'newest_first')) == 'newest_first',
        zero_fill=section.choice('first', ('repeat', 'zero')) == 'zero',
    )


def _read_clip(observation: Section | None) -> tuple[float, float] | None:
    if observation is None:
        return None
    bounds = read_bounds(observation, 'clip', ('observation',), '1')
    return None if bounds is None else (bounds[0][0], bounds[1][0])


def _read_terms(observation: Section | None, known: Known) -> tuple[Term, ...]:
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
                'found a length of its own, expected none: with the layout per_frame all terms '
                'have as many frames',
                'history',
            )
        if not observation.has('history') and (term.history or 1) > 1:
            section.problem(
                'found frames to stack, expected observation.history (length, layout, order, '
                'first) to say how',
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
        # Not optional: whether the default pose is added is what is most often forgotten.
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
        section.problem(
            f'found {shown(pair)}, expected {BY_NAME}, {BY_POSITION} or {{input: output, ...}}',
            'pair',
        )
        pair = BY_NAME
    initial = section.plain('initial') or {}
    if not isinstance(initial, dict) or not all(map(_is_start, initial.values())):
        section.problem(
            f'found {shown(initial)}, expected {{input: number, or a flat list of numbers}}',
            'initial',
        )
        initial = {}
    return States(pair, initial)


def _is_start(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(fits, value))
    return fits(value)
