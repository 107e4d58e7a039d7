"""Reads the transitions of a policy set: from which policy to which, when, and how.

Format and meaning: docs/policy_sets.md.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from kinfer_ros.policy.sets.via import Via
from kinfer_ros.policy.sets.via import read_via
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_vectors import read_names

MAX_BLEND_S = 0.3
"""s; of a blend of 1 s half of the transitions ended in a fall."""
MOTION_ENDED = 'motion_ended'
UPRIGHT = 'upright'
FALLEN = 'fallen'
AUTOMATIC = ('no', MOTION_ENDED, UPRIGHT, FALLEN)

GET_UP_S = 10.0
"""s that a get-up may take, where the set does not say it."""
MIN_GET_UP_S, MAX_GET_UP_S = 0.5, 120.0


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
        if self.max_joint_speed is not None:
            found.append(f'max_joint_speed {self.max_joint_speed:g}')
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

    def describe_way(self) -> str:
        """Say in words what is between the two policies."""
        if self.automatic == FALLEN:
            return f'damped, lying still, in at most {self.timeout_s:g} s'
        if self.via is None:
            return f'blend {self.blend_s:g} s' if self.blend_s else 'at once'
        pose = 'a pose' if self.via.pose else 'the start pose'
        damping = f'damping {self.via.damp_s:g} s, ' if self.via.damp_s else ''
        return f'{damping}to {pose} in {self.via.duration_s:g} s'


def read_member_name(section: Section, key: str, members: Collection[str]) -> str:
    """Read a key that names a policy of the set."""
    name = section.string(key)
    if name and members and name not in members:
        hint = did_you_mean(name, members)
        section.problem(f'found {name}{hint}, expected one of {", ".join(members)}', key)
    return name


def read_transitions(root: Section, members: Collection[str]) -> tuple[Transition, ...]:
    """
    Read `transitions`.

    :param members: names of the policies.
    """
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


def _read_transition(section: Section, members: Collection[str]) -> list[Transition]:
    sources = _read_sources(section, members)
    target = read_member_name(section, 'to', members)
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


def _read_sources(section: Section, members: Collection[str]) -> tuple[str, ...]:
    if isinstance(section.plain('from'), str):
        name = section.string('from')
        if name == 'any':
            return tuple(members)
        return (read_member_name(section, 'from', members),)
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
