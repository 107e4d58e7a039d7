"""Reads a policy set (YAML): the policies of one robot, and how one follows another.

Format and meaning: docs/policy_sets.md.
"""

import os
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ConfigError
from kinfer_ros.file_kind import SET_HEAD
from kinfer_ros.file_kind import is_policy_set
from kinfer_ros.policy.sets.transition import FALLEN
from kinfer_ros.policy.sets.transition import Transition
from kinfer_ros.policy.sets.transition import read_member_name
from kinfer_ros.policy.sets.transition import read_transitions
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile

KEYS = ('enter', 'policies', 'transitions')
MAX_POLICIES = 32
MIN_SCALE = 0.01
NO_LIMIT = (0.0, 0.0, 0.0)
NO_BUTTON = -1
MAX_BUTTON = 255

OVERRIDE_OBSERVATIONS = ('measured', 'default')
"""What a policy can see of a joint that another node moves."""

STRICTER = (
    'max_tilt', 'position_margin', 'joint_speed_factor', 'tracking_error', 'tracking_time',
    'target_slew', 'max_action',
)  # fmt: skip
"""Settings that a policy of a set may lower; the parameter of the same name is never raised."""


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
    entry = read_member_name(root, 'enter', members)
    transitions = read_transitions(root, members)
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
