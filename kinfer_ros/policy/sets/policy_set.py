"""Reads a policy set (YAML): the policies of one robot, and how one follows another.

Format and meaning: docs/policy_sets.md.
"""

import math
import os
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from kinfer_ros.errors import ConfigError
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_vectors import read_names

MAX_POLICIES = 32
MAX_BLEND_S = 0.3
"""s; of a blend of 1 s half of the transitions ended in a fall."""
MIN_SCALE = 0.01

MOTION_ENDED = 'motion_ended'
AUTOMATIC = ('no', MOTION_ENDED)

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
    max_joint_speed: float | None = None
    """rad/s, of each joint: the robot is at rest."""


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

    def between(self, source: str, target: str) -> Transition | None:
        """Return the direct transition, if there is one."""
        return next((t for t in self.leaving(source) if t.target == target), None)

    def leaving(self, source: str) -> list[Transition]:
        """Return the transitions that start at a policy."""
        return [each for each in self.transitions if each.source == source]

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
    member = MemberSpec(ALONE, model, spec, 1.0, 1.0, 1.0, (0.0, 0.0, 0.0))
    return PolicySet(model, ALONE, {ALONE: member}, ())


def load_policy_set(path: str | os.PathLike[str]) -> PolicySet:
    """
    Read a policy set; the files of its policies are not opened.

    :raises ConfigError: with every problem and its line.
    """
    file = YamlFile(Path(path), 'policy set', ConfigError)
    root = file.root
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
    return {name: _read_member(name, each, folder) for name, each in sections.items()}


def _read_member(name: str, section: Section, folder: Path) -> MemberSpec:
    spec = section.string('spec') if section.has('spec') else ''
    limits = section.numbers('command_limit', 3, 'm/s, m/s, rad/s', (0.0, 0.0, 0.0))
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
    return tuple(found.values())


def _read_transition(section: Section, members: dict[str, MemberSpec]) -> list[Transition]:
    sources = _read_sources(section, members)
    target = _read_member_name(section, 'to', members)
    blend_s = section.number('blend_s', 's', 0.0, MAX_BLEND_S, 0.0)
    automatic = section.choice('automatic', AUTOMATIC, 'no')
    conditions = _read_conditions(section)
    return [
        Transition(source, target, blend_s, automatic, conditions)
        for source in sources
        if source != target
    ]


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

    def optional(key: str, largest: float, unit: str = 'rad') -> float | None:
        return section.number(key, unit, 0.0, largest) if section.has(key) else None

    return Conditions(
        max_tilt=optional('max_tilt', math.pi),
        gravity=_read_direction(section),
        neutral=section.boolean('command_neutral', False),
        motion_ended=section.boolean('motion_ended', False),
        pose_within=optional('pose_within', 10.0),
        max_joint_speed=optional('max_joint_speed', 100.0, 'rad/s'),
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
