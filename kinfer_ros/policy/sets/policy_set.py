"""Reads a policy set (YAML): the policies of one robot, and how one follows another.

Format and meaning: docs/policy_sets.md.
"""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ConfigError
from kinfer_ros.file_kind import SET_HEAD
from kinfer_ros.file_kind import is_policy_set
from kinfer_ros.policy.sets.via import Via
from kinfer_ros.policy.sets.via import read_via
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_vectors import read_names

KEYS = ('enter', 'policies', 'transitions')
MAX_POLICIES = 32
MAX_BLEND_S = 0.3
"""s; of a blend of 1 s half of the transitions ended in a fall."""
MIN_SCALE = 0.01
NO_LIMIT = (0.0, 0.0, 0.0)
NO_BUTTON = -1
MAX_BUTTON = 255

MOTION_ENDED = 'motion_ended'
UPRIGHT = 'upright'
FALLEN = 'fallen'
AUTOMATIC = ('no', MOTION_ENDED, UPRIGHT, FALLEN)

GET_UP_S = 10.0
"""s that a get-up may take, where the set does not say it."""
MIN_GET_UP_S, MAX_GET_UP_S = 0.5, 120.0

OVERRIDE_OBSERVATIONS = ('measured', 'default')
"""What a policy can see of a joint that another node moves."""

STRICTER = (
    'max_tilt', 'position_margin', 'joint_speed_factor', 'tracking_error', 'tracking_time',
    'target_slew', 'max_action',
)  # fmt: skip
"""Settings that a policy of a set may lower; the parameter of the same name is never raised."""


@dataclass(frozen=True)
class Direction:
    """Where gravity has to point in the base frame."""

    axis: tuple[float, float, float]
    """Unit vector."""
    within: float
    """rad"""


@dataclass(frozen=True)
class Conditions:
    """What has to hold for a transition; None and False: no condition."""

    max_tilt: float | None = None
    """rad from upright."""
    gravity: Direction | None = None
    neutral: bool = False
    """No velocity is commanded."""
    motion_ended: bool = False
    pose_within: float | None = None
    """rad, of each joint from the start pose of the entered policy."""

    def describe(self) -> str:
        """Say in words what has to hold; '' for nothing."""
        found = []
        if self.max_tilt is not None:
            found.append(f'max_tilt {self.max_tilt:g}')
        if self.gravity is not None:
            axis = ', '.join(f'{value:g}' for value in self.gravity.axis)
            found.append(f'gravity within {self.gravity.within:g} of [{axis}]')
        found += ['command_neutral'] if self.neutral else []
        found += ['motion_ended'] if self.motion_ended else []
        if self.pose_within is not None:
            found.append(f'pose_within {self.pose_within:g}')
        return ', '.join(found)


@dataclass(frozen=True)
class Transition:
    """How one policy follows another."""

    source: str
    target: str
    blend_s: float
    """Time in which the targets of the two are blended; 0: at once."""
    automatic: str
    """One of AUTOMATIC: what starts it unasked."""
    conditions: Conditions
    via: Via | None = None
    """The pose through which it leads."""
    timeout_s: float = 0.0
    """Of FALLEN: s within which the get-up policy has to lead on to another one."""


@dataclass(frozen=True)
class MemberSpec:
    """A policy of a set: its files and its own settings."""

    name: str
    model: Path
    spec: Path | None
    action_scale: float
    kp_factor: float
    kd_factor: float
    command_limit: tuple[float, float, float]
    """m/s, m/s, rad/s; 0: none of its own."""
    stricter: dict[str, float] = field(default_factory=dict)
    """Values of STRICTER."""
    button: int = NO_BUTTON
    """Of the joystick, from 0; it asks for this policy."""
    override_observation: str = ''
    """One of OVERRIDE_OBSERVATIONS; '': as the parameter of the same name."""

    def settings(self) -> dict[str, Any]:
        """Return the settings of the file that are not the default, by key."""
        own = {
            'action_scale': (self.action_scale, 1.0),
            'kp_factor': (self.kp_factor, 1.0),
            'kd_factor': (self.kd_factor, 1.0),
            'command_limit': (self.command_limit, NO_LIMIT),
            'button': (self.button, NO_BUTTON),
            'override_observation': (self.override_observation, ''),
        }
        found = {key: value for key, (value, default) in own.items() if value != default}
        return found | self.stricter

    @property
    def has_factors(self) -> bool:
        """Whether its gains are not those of the policy."""
        return (self.kp_factor, self.kd_factor) != (1.0, 1.0)


@dataclass(frozen=True)
class PolicySet:
    """
    The policies of one robot.

    :ivar entry: the policy that runs first.
    """

    path: Path
    entry: str
    members: dict[str, MemberSpec]
    transitions: tuple[Transition, ...]

    @property
    def buttons(self) -> dict[str, int]:
        """Return the joystick's button of each policy that has one."""
        return {
            name: each.button for name, each in self.members.items() if each.button != NO_BUTTON
        }

    def between(self, source: str, target: str) -> Transition | None:
        """Return the direct transition, if there is one."""
        return next((t for t in self.leaving(source) if t.target == target), None)

    def leaving(self, source: str) -> list[Transition]:
        """Return the transitions that start at a policy; the one after a fall leads nobody on."""
        return [
            each for each in self.transitions if each.source == source and each.automatic != FALLEN
        ]

    @cached_property
    def automatic(self) -> dict[str, list[Transition]]:
        """The transitions that begin by themselves in a policy, by its name."""
        found = {name: self.leaving(name) for name in self.members}
        return {name: [t for t in each if t.automatic != 'no'] for name, each in found.items()}

    def after_fall(self, source: str) -> Transition | None:
        """Return the transition from a policy in which the robot has fallen, if there is one."""
        falls = (each for each in self.transitions if each.automatic == FALLEN)
        return next((each for each in falls if each.source == source), None)

    @property
    def recovers(self) -> bool:
        """Whether there is a policy to get up with."""
        return any(each.automatic == FALLEN for each in self.transitions)

    def route(self, source: str, target: str) -> list[Transition]:
        """Return the fewest transitions that lead from one policy to another; empty: none do."""
        paths: list[list[Transition]] = [[each] for each in self.leaving(source)]
        seen = {source}
        while paths:
            path = paths.pop(0)
            last = path[-1].target
            if last == target:
                return path
            if last not in seen:
                seen.add(last)
                paths += [[*path, each] for each in self.leaving(last)]
        return []


ALONE = ''
"""Name of a policy without a set."""


def set_of_one(model: Path, spec: Path | None) -> PolicySet:
    """Return the set of a policy that runs alone."""
    member = MemberSpec(ALONE, model, spec, 1.0, 1.0, 1.0, NO_LIMIT)
    return PolicySet(model, ALONE, {ALONE: member}, ())


def is_set_file(path: Path) -> bool:
    """Whether a file is a policy set: by its text, or a YAML where a policy is expected."""
    if path.suffix.lower() in ('.yaml', '.yml'):
        return True
    try:
        if not path.is_file():  # opening a FIFO waits for its other end
            return False
        with path.open('rb') as file:
            return is_policy_set(file.read(SET_HEAD))
    except (OSError, ValueError):
        return False


def load_policy_set(path: str | os.PathLike[str]) -> PolicySet:
    """
    Read a policy set; the files of its policies are not opened.

    :raises ConfigError: with every problem and its line.
    """
    file = YamlFile(Path(path), 'policy set', ConfigError)
    root = file.root
    if not {*KEYS} & {*root.keys()}:
        raise ConfigError(
            f'policy set {path}: found {", ".join(root.keys())}; expected {", ".join(KEYS)}. A '
            'policy spec is given beside its model (spec), a robot file as robot'
        )
    members = _read_members(root, file.path.parent)
    entry = _read_member_name(root, 'enter', members)
    transitions = _read_transitions(root, members)
    file.finish()
    return PolicySet(file.path, entry, members, transitions)


def _read_members(root: Section, folder: Path) -> dict[str, MemberSpec]:
    section = root.section('policies')
    if section is None:
        return {}
    sections = section.sections()
    if not 1 <= len(sections) <= MAX_POLICIES:
        root.problem(f'found {len(sections)}, expected 1 to {MAX_POLICIES} policies', 'policies')
    members = {name: _read_member(name, each, folder) for name, each in sections.items()}
    _check_buttons(sections, members)
    return members


def _check_buttons(sections: dict[str, Section], members: dict[str, MemberSpec]) -> None:
    """A button asks for one policy."""
    used: dict[int, str] = {}
    for name, member in members.items():
        if member.button == NO_BUTTON:
            continue
        first = used.setdefault(member.button, name)
        if first != name:
            sections[name].problem(
                f'found {member.button}, which {first} has; expected a button of its own', 'button'
            )


def _read_member(name: str, section: Section, folder: Path) -> MemberSpec:
    spec = section.string('spec') if section.has('spec') else ''
    limits = section.numbers('command_limit', 3, 'm/s, m/s, rad/s', NO_LIMIT)
    if min(limits) < 0.0:
        section.problem(f'found {list(limits)}, expected 0 (none) or more', 'command_limit')
    stricter = {
        key: section.number(key, 'as the parameter', 0.0) for key in STRICTER if section.has(key)
    }
    return MemberSpec(
        name=name,
        model=folder / section.string('model'),
        spec=folder / spec if spec else None,
        action_scale=section.number('action_scale', 'a factor', MIN_SCALE, 2.0, 1.0),
        kp_factor=section.number('kp_factor', 'a factor', 0.0, 2.0, 1.0),
        kd_factor=section.number('kd_factor', 'a factor', 0.0, 4.0, 1.0),
        command_limit=(limits[0], limits[1], limits[2]),
        stricter=stricter,
        button=section.integer('button', 0, MAX_BUTTON, NO_BUTTON),
        override_observation=section.choice('override_observation', OVERRIDE_OBSERVATIONS)
        if section.has('override_observation')
        else '',
    )


def _read_member_name(section: Section, key: str, members: dict[str, MemberSpec]) -> str:
    name = section.string(key)
    if name and members and name not in members:
        hint = did_you_mean(name, members)
        section.problem(f'found {name}{hint}, expected one of {", ".join(members)}', key)
    return name


def _read_transitions(root: Section, members: dict[str, MemberSpec]) -> tuple[Transition, ...]:
    found: dict[tuple[str, str], Transition] = {}
    automatic: set[tuple[str, str]] = set()
    for section in root.each('transitions') if root.has('transitions') else ():
        for each in _read_transition(section, members):
            pair = (each.source, each.target)
            if pair in found:
                section.problem(f'{each.source} to {each.target} is there twice, expected once')
            if each.automatic != 'no' and (each.source, each.automatic) in automatic:
                section.problem(
                    f'{each.source} has two automatic transitions for {each.automatic}, '
                    'expected one',
                    'automatic',
                )
            automatic.add((each.source, each.automatic))
            found[pair] = each
    _check_onward(root, found.values())
    return tuple(found.values())


def _check_onward(root: Section, transitions: Collection[Transition]) -> None:
    """A get-up from which nothing leads on would always end in its time-out."""
    left = {each.source for each in transitions if each.automatic != FALLEN}
    for name in dict.fromkeys(t.target for t in transitions if t.automatic == FALLEN):
        if name and name not in left:
            root.problem(
                f'found no transition that leads on from {name}, which is entered after a fall; '
                f'expected one, such as {{from: {name}, to: ..., automatic: {UPRIGHT}, '
                'conditions: {max_tilt: 0.3}}',
                'transitions',
            )


def _read_transition(section: Section, members: dict[str, MemberSpec]) -> list[Transition]:
    sources = _read_sources(section, members)
    target = _read_member_name(section, 'to', members)
    blend_s = section.number('blend_s', 's', 0.0, MAX_BLEND_S, 0.0)
    automatic = section.choice('automatic', AUTOMATIC, 'no')
    conditions, via = _read_conditions(section), read_via(section)
    timeout_s = 0.0
    if automatic == FALLEN:
        timeout_s = section.number('timeout_s', 's', MIN_GET_UP_S, MAX_GET_UP_S, GET_UP_S)
        _check_fallen(section, conditions)
    elif section.has('timeout_s'):
        section.number('timeout_s', 's')
        section.problem(f'expected none: only automatic: {FALLEN} has a time-out', 'timeout_s')
    if automatic == UPRIGHT and conditions.max_tilt is None:
        section.problem(
            f'{UPRIGHT} needs conditions: {{max_tilt: ...}}: from which tilt on it is upright',
            'automatic',
        )
    if via is not None and blend_s:
        section.problem('expected none beside via_pose: no policy runs on the way', 'blend_s')
    return [
        Transition(source, target, blend_s, automatic, conditions, via, timeout_s)
        for source in sources
        if source != target
    ]


def _check_fallen(section: Section, conditions: Conditions) -> None:
    """A fallen robot is damped, and lies: what cannot be on that way is refused."""
    for key in ('blend_s', 'via_pose'):
        if section.has(key):
            section.problem('expected none: a robot that has fallen begins as it lies', key)
    tilted = conditions.max_tilt is not None
    for key, given in {'max_tilt': tilted, 'motion_ended': conditions.motion_ended}.items():
        if given:
            section.problem(f'{key} does not hold of a robot that has fallen', 'conditions')


def _read_sources(section: Section, members: dict[str, MemberSpec]) -> tuple[str, ...]:
    if isinstance(section.plain('from'), str):
        name = section.string('from')
        if name == 'any':
            return tuple(members)
        return (_read_member_name(section, 'from', members),)
    return (
        read_names(section, 'from', tuple(members)) if section.has('from') else _missing(section)
    )


def _missing(section: Section) -> tuple[str, ...]:
    section.problem("missing key 'from': a policy, a list of them, or any")
    return ()


def _read_conditions(transition: Section) -> Conditions:
    section = transition.section('conditions') if transition.has('conditions') else None
    if section is None:
        return Conditions()

    def optional(key: str, largest: float) -> float | None:
        return section.number(key, 'rad', 0.0, largest) if section.has(key) else None

    return Conditions(
        max_tilt=optional('max_tilt', math.pi),
        gravity=_read_direction(section),
        neutral=section.boolean('command_neutral', False),
        motion_ended=section.boolean('motion_ended', False),
        pose_within=optional('pose_within', 10.0),
    )


def _read_direction(conditions: Section) -> Direction | None:
    section = conditions.section('gravity') if conditions.has('gravity') else None
    if section is None:
        return None
    x, y, z = section.numbers('direction', 3, 'in the base frame')
    norm = math.sqrt(x * x + y * y + z * z)
    if not norm > 1e-6:
        section.problem('found no length, expected a direction such as [0, 0, -1]', 'direction')
        norm = 1.0
    return Direction((x / norm, y / norm, z / norm), section.number('within', 'rad', 0.0, math.pi))
