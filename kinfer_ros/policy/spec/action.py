"""Reads `action` of a policy spec: what the network's outputs mean.

One mapping for all joints, or a list of groups, each with its own joints. Format: docs/specs.md.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from kinfer_ros.policy.spec.observation import one_or_each
from kinfer_ros.policy.spec.observation import optional_text
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import Bounds
from kinfer_ros.yaml_vectors import Vector
from kinfer_ros.yaml_vectors import join_bounds
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

DEFAULT_POSE, ZERO, MEASURED, LAST_TARGET = (
    'default_pose',
    'zero',
    'joint_positions',
    'last_target',
)
REFERENCES = (DEFAULT_POSE, ZERO, MEASURED, LAST_TARGET)
VELOCITY_REFERENCES = (ZERO, LAST_TARGET)
"""Those that are a velocity."""
POSITION, VELOCITY = 'position', 'velocity'


@dataclass(frozen=True)
class TargetFilter:
    """A first-order low-pass filter: y += share * (x - y), where y is the last target."""

    share: float
    """Of the new target, over 0 to 1."""
    from_first: bool
    """
    In the first step: True takes its target as it is, False starts at the default pose, a wheel
    at rest.
    """


@dataclass(frozen=True)
class ActionGroup:
    """
    The outputs of some joints, in `joints` order.

    target = clip_target(clip_torque(filter(reference + offset + scale * clip(output)))); rad, or
    rad/s where `velocity` is set.
    """

    output: str | None
    joints: tuple[str, ...]
    scale: Vector
    offset: Vector
    clip: Bounds | None
    target_clip: Bounds | None
    relative_to: str
    """default_pose, zero (the action is a position), joint_positions or last_target."""
    filter: TargetFilter | None
    torque_clip: Vector | None = None
    """Nm: the torque that a target asks for, kp (target - q) - kd qd, is at most this."""
    velocity: bool = False
    """The targets are velocities, of wheels."""


@dataclass(frozen=True)
class ActionSpec:
    """All groups, in the order of the file; groups of one output stand in it in that order."""

    groups: tuple[ActionGroup, ...]

    @cached_property
    def joints(self) -> tuple[str, ...]:
        """Joints of all groups, in their order."""
        return tuple(name for group in self.groups for name in group.joints)

    @property
    def velocity_joints(self) -> tuple[str, ...]:
        """Joints whose targets are velocities: wheels."""
        return tuple(name for group in self.groups if group.velocity for name in group.joints)

    @property
    def outputs(self) -> dict[str | None, tuple[str, ...]]:
        """Joints of each output, in order."""
        found: dict[str | None, tuple[str, ...]] = {}
        for group in self.groups:
            found[group.output] = found.get(group.output, ()) + group.joints
        return found

    @property
    def scale(self) -> Vector:
        """Of all joints."""
        return tuple(value for group in self.groups for value in group.scale)

    @property
    def offset(self) -> Vector:
        """Of all joints, rad, or rad/s of a wheel."""
        return tuple(value for group in self.groups for value in group.offset)

    @property
    def clip(self) -> Bounds | None:
        """Of the outputs of all joints; None where there are none."""
        return join_bounds((group.clip, len(group.joints)) for group in self.groups)

    @property
    def target_clip(self) -> Bounds | None:
        """Of the targets of all joints, rad or rad/s; None where there are none."""
        return join_bounds((group.target_clip, len(group.joints)) for group in self.groups)

    @property
    def filters(self) -> tuple[TargetFilter | None, ...]:
        """The filter of each joint."""
        return tuple(group.filter for group in self.groups for _ in group.joints)

    @property
    def torque_clip(self) -> Vector | None:
        """Of all joints, Nm, infinite where there is none; None where no joint has one."""
        if all(group.torque_clip is None for group in self.groups):
            return None
        none = math.inf
        return tuple(
            limit
            for group in self.groups
            for limit in group.torque_clip or (none,) * len(group.joints)
        )

    @property
    def references(self) -> tuple[str, ...]:
        """The reference of each joint."""
        return tuple(group.relative_to for group in self.groups for _ in group.joints)

    @property
    def relative_to(self) -> str:
        """The references, each once."""
        return ', '.join(dict.fromkeys(group.relative_to for group in self.groups))


def read_action(root: Section, joints: tuple[str, ...]) -> ActionSpec:
    """Read the key `action`; `joints` are those of the spec."""
    sections = one_or_each(root, 'action')
    groups = [_read_group(section, joints, alone=len(sections) == 1) for section in sections]
    if len({group.output is None for group in groups}) > 1:
        root.problem(
            'found groups with an output and groups without, expected its name in each or in none',
            'action',
        )
    spec = ActionSpec(tuple(groups))
    twice = sorted({name for name in spec.joints if spec.joints.count(name) > 1})
    if twice:
        root.problem(f'found {", ".join(twice)} in several groups, expected each once', 'action')
    return spec


def _read_group(section: Section, joints: tuple[str, ...], *, alone: bool) -> ActionGroup:
    names = read_names(section, 'joints', joints if alone or section.has('joints') else None)
    velocity = section.choice('target', (POSITION, VELOCITY), POSITION) == VELOCITY
    unit = 'rad/s' if velocity else 'rad'
    return ActionGroup(
        output=optional_text(section, 'output'),
        joints=names,
        scale=required_vector(section, 'scale', names, f'{unit} per unit'),
        offset=read_vector(section, 'offset', names, unit, default=0.0) or (),
        clip=read_bounds(section, 'clip', names, 'network output'),
        target_clip=read_bounds(section, 'target_clip', names, unit),
        relative_to=_read_reference(section, velocity=velocity),
        filter=_read_filter(section, ZERO if velocity else DEFAULT_POSE),
        torque_clip=read_vector(section, 'torque_clip', names, 'Nm', minimum=0.0),
        velocity=velocity,
    )


def _read_reference(section: Section, *, velocity: bool) -> str:
    if not velocity:
        # Required: whether the default pose is added is forgotten most often.
        return section.choice('relative_to', REFERENCES)
    found = section.plain('relative_to')
    if found in REFERENCES and found not in VELOCITY_REFERENCES:
        section.problem(
            f'found {found}, expected {" or ".join(VELOCITY_REFERENCES)}: the target is a '
            'velocity, and that is an angle',
            'relative_to',
        )
        return ZERO
    return section.choice('relative_to', VELOCITY_REFERENCES, ZERO)


def _read_filter(group: Section, rest: str) -> TargetFilter | None:
    section = group.section('filter') if group.has('filter') else None
    if section is None:
        return None
    share = section.number('share', 'share of the new target', 0.0, 1.0)
    if share == 0.0:
        section.problem('found 0, expected more: the target would never move', 'share')
    # Required: the two differ by a jump in the first step.
    start = section.choice('start', (rest, 'first_target'))
    return TargetFilter(share, start == 'first_target')


def required_vector(section: Section, key: str, names: tuple[str, ...], unit: str) -> Vector:
    """Read a vector that may not be missing."""
    vector = read_vector(section, key, names, unit)
    if vector is None:
        section.problem(f"missing key '{key}'")
        return (0.0,) * len(names)
    return vector
