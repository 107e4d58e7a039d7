"""Reads a policy spec (YAML): the contract of an ONNX file that takes flat vectors.

Isaac Lab, mjlab, MuJoCo Playground and legged_gym export only the network; order, units and scales
of its numbers are known to the training code alone. A spec states them, and is read strictly: all
problems are reported at once, with their lines. Format: docs/specs.md.
"""

import hashlib
import os
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.motion.spec_motion import MotionSpec
from kinfer_ros.policy.motion.spec_motion import read_motion
from kinfer_ros.policy.spec.action import ActionSpec
from kinfer_ros.policy.spec.action import read_action
from kinfer_ros.policy.spec.action import required_vector
from kinfer_ros.policy.spec.gain_checks import check_torque_clip
from kinfer_ros.policy.spec.gain_checks import check_wheels
from kinfer_ros.policy.spec.observation import Block
from kinfer_ros.policy.spec.observation import read_observation
from kinfer_ros.policy.spec.observation import read_range
from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.policy.spec.terms import NETWORK
from kinfer_ros.policy.spec.terms import Term
from kinfer_ros.policy.spec.terms import TermNames
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import Vector
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

WRAPS = ('pi', 'two_pi', 'none')
STILL = ('run', 'zero', 'show', 'hold', 'reset', 'set')
BY_NAME, BY_POSITION = 'by_name', 'by_position'
MAX_NETWORKS = 8


@dataclass(frozen=True)
class NormFrequency:
    """A frequency linear in the norm of the command between two points, level outside."""

    norm: tuple[float, float]
    hertz: tuple[float, float]

    def at(self, norm: float) -> float:
        """Return Hz."""
        low, high = self.norm
        share = min(max((norm - low) / (high - low), 0.0), 1.0)
        return self.hertz[0] + share * (self.hertz[1] - self.hertz[0])


@dataclass(frozen=True)
class Phase:
    """A gait clock: one angle a foot, advanced by 2 pi frequency / control_rate each step."""

    frequency: 'float | str | NormFrequency'
    """Hz, the command entry that gives it, or how it follows from the norm of the command."""
    start: Vector
    """rad for each foot, at the first step."""
    wrap: str
    """pi: to [-pi, pi); two_pi: to [0, 2 pi); none."""
    below: float
    """The command is zero when the norm of all its entries is at most this."""
    still: str
    """Then: run, zero (encodings are 0), show (they are those of `value`), hold, reset or set."""
    value: float
    """rad, for `set` and `show`."""


@dataclass(frozen=True)
class States:
    """Which output of the network feeds which input in the next step."""

    pair: str | dict[str, str]
    """by_name, by_position, or {input: output}."""
    initial: dict[str, Any]
    """A number or a flat list, by input; zero for the others."""


@dataclass(frozen=True)
class NetworkSpec:
    """A network that runs before the policy's, in the same step."""

    name: str
    file: str
    """In the folder of the policy's file."""
    observation: tuple[Block, ...]
    states: States | None


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
    networks: tuple[NetworkSpec, ...]
    """Those that run before the policy's, in their order."""
    observation: tuple[Block, ...]
    """Of the policy's network."""
    action: ActionSpec
    states: States | None
    motion: MotionSpec | None = None
    """The reference motion that terms read."""

    @property
    def network_files(self) -> dict[str, str]:
        """Files of the networks that run before the policy's, by name."""
        return {network.name: network.file for network in self.networks}

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Of all networks, in their order."""
        own = (block for network in self.networks for block in network.observation)
        return (*own, *self.observation)

    @property
    def network_outputs(self) -> dict[tuple[str, str | None], int]:
        """Numbers of each output that terms read, by network and output."""
        terms = (term for term in self.terms if term.source == NETWORK)
        return {(term.network, term.output): term.size for term in terms}

    @property
    def terms(self) -> tuple[Term, ...]:
        """Of all blocks, in their order."""
        return tuple(term for block in self.blocks for term in block.terms)

    @property
    def scan(self) -> HeightScan | None:
        """The height scan that terms read; they agree on its points."""
        return next((term.scan for term in self.terms if term.scan is not None), None)

    @property
    def level_ground(self) -> Vector:
        """The height scan on level ground, m: the height that the training subtracts."""
        term = next(term for term in self.terms if term.scan is not None)
        assert term.scan is not None
        heights = dict(zip(term.scan.places(), term.offset, strict=True))
        return tuple(-heights[place] for place in range(term.scan.size))

    def frames(self, term: Term) -> int:
        """Number of frames of a term in its vector."""
        return next(block.frames(term) for block in self.blocks if term in block.terms)

    @property
    def observation_size(self) -> int:
        """Numbers that the policy's network takes in a step."""
        return sum(block.size for block in self.observation)


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
    default_pose = required_vector(root, 'default_pose', joints, 'rad')
    commands = _read_commands(root)
    phase = _read_phase(root, tuple(commands))
    action = read_action(root, joints)
    kp, kd, torque, undamped = _read_gains(root, joints, action.velocity_joints)
    motion = read_motion(root, joints)
    known = TermNames(
        joints,
        action.joints,
        tuple(commands),
        len(phase.start) if phase else 0,
        motion=motion is not None,
    )
    networks = _read_networks(root, known)
    known = replace(known, networks=tuple(network.name for network in networks))
    spec = PolicySpec(
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
        networks=networks,
        observation=read_observation(root, known),
        action=action,
        states=_read_states(root),
        motion=motion,
    )
    _check_networks(root, spec)
    check_torque_clip(root, spec.action, spec.joints, (spec.kp, spec.kd))
    scans = {replace(term.scan, order='') for term in spec.terms if term.scan is not None}
    if len(scans) > 1:
        root.problem('found terms of height scans with other points, expected one scan for all')
    return spec


def _read_networks(root: Section, known: TermNames) -> tuple[NetworkSpec, ...]:
    section = root.section('networks') if root.has('networks') else None
    if section is None:
        return ()
    networks: list[NetworkSpec] = []
    for name, each in section.sections().items():
        before = replace(known, networks=tuple(network.name for network in networks))
        networks.append(
            NetworkSpec(
                name=name,
                file=each.string('file'),
                observation=read_observation(each, before),
                states=_read_states(each),
            )
        )
    if not 0 < len(networks) <= MAX_NETWORKS:
        root.problem(f'found {len(networks)}, expected 1 to {MAX_NETWORKS}', 'networks')
    return tuple(networks)


def _check_networks(root: Section, spec: PolicySpec) -> None:
    """Check that every network is read, and each of its outputs with one number of values."""
    outputs = spec.network_outputs
    read = {network for network, _ in outputs}
    for name in spec.network_files:
        if name not in read:
            expected = f'a term that reads it: {{source: network, name: {name}, count: N}}'
            root.problem(f'found {name}, expected {expected}', 'networks')
        if len({output is None for network, output in outputs if network == name}) > 1:
            root.problem(f'found terms of {name} with and without an output', 'networks')
    for term in spec.terms:
        size = outputs.get((term.network, term.output))
        if term.source == NETWORK and term.size != size:
            root.problem(
                f'found counts {term.size} and {size} for one output of {term.network}', 'networks'
            )


def _read_gains(
    root: Section, joints: tuple[str, ...], wheels: tuple[str, ...]
) -> tuple[Vector | None, Vector | None, Vector | None, bool]:
    section = root.section('gains') if root.has('gains') else None
    if section is None:
        return None, None, None, False
    kp = read_vector(section, 'kp', joints, 'Nm/rad', minimum=0.0)
    kd = read_vector(section, 'kd', joints, 'Nm s/rad', minimum=0.0)
    places = {name: joints.index(name) for name in wheels if name in joints}
    check_wheels(
        section,
        {name: (kp[at] if kp else 0.0, kd[at] if kd else 1.0) for name, at in places.items()},
    )
    return (
        kp,
        kd,
        read_vector(section, 'torque_limit', joints, 'Nm', minimum=0.0),
        section.boolean('undamped', False),
    )


def _read_commands(root: Section) -> dict[str, tuple[float, float] | None]:
    section = root.section('commands') if root.has('commands') else None
    if section is None:
        return {}
    names = section.keys()
    return {name: read_range(section, name, "in the entry's unit") for name in names}


def _read_phase(root: Section, commands: tuple[str, ...]) -> Phase | None:
    section = root.section('phase') if root.has('phase') else None
    if section is None:
        return None
    frequency = _read_frequency(section, commands)
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


def _read_frequency(phase: Section, commands: tuple[str, ...]) -> float | str | NormFrequency:
    value = phase.plain('frequency')
    if isinstance(value, dict) and 'norm' in value and commands:
        section = phase.section('frequency')
        assert section is not None
        norm, hertz = (
            section.numbers('norm', 2, 'of the command'),
            section.numbers('hertz', 2, 'Hz'),
        )
        if not 0.0 <= norm[0] < norm[1]:
            section.problem(f'found {list(norm)}, expected [low, high], low from 0', 'norm')
            norm = (0.0, 1.0)
        return NormFrequency((norm[0], norm[1]), (hertz[0], hertz[1]))
    if isinstance(value, dict) and list(value) == ['command']:
        value = value['command']
    if value not in commands and not is_float32(value):
        listed = ', '.join(commands) or 'none'
        expected = (
            f'a number (Hz), {{command: NAME}} with one of the commands ({listed}), or, with '
            'commands, {norm: [low, high], hertz: [at low, at high]}'
        )
        phase.problem(f'found {format_value(value)}, expected {expected}', 'frequency')
        return 1.0
    return value if isinstance(value, str) else float(value)


def _read_when_still(phase: Section, commands: tuple[str, ...]) -> tuple[str, float, float]:
    section = phase.section('when_still') if phase.has('when_still') else None
    if section is None:
        return 'run', 0.0, 0.0
    if not commands:
        section.problem('found a rule for a zero command, expected commands in the spec')
    still = section.choice('do', STILL)
    value = section.number('value', 'rad') if still in ('set', 'show') else 0.0
    return still, section.number('below', 'norm of the command', 0.0), value


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
