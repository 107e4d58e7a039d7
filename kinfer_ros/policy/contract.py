"""A policy's contract: its inputs, outputs, joints and commands, checked against its graph.

Unknown inputs, shapes that do not match the joints or commands, and inconsistent carry shapes are
all reported in one error.
"""

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.archive import METADATA
from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.archive import parse_json_object
from kinfer_ros.policy.early_kinfer import is_early_kinfer
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.graph import Tensor
from kinfer_ros.policy.metadata import MAX_NAMES
from kinfer_ros.policy.metadata import Metadata
from kinfer_ros.policy.metadata import Problems
from kinfer_ros.policy.metadata import default_command_names
from kinfer_ros.policy.metadata import parse_metadata
from kinfer_ros.policy.spec.spec import PolicySpec

CARRY = 'carry'
MAX_CARRY = 64 * 1024 * 1024
_FLOAT32 = 'tensor(float)'
_JOINTS = 'joints'
_COMMANDS = 'commands'


@dataclass(frozen=True)
class Input:
    """One input of a policy, without the carry."""

    name: str
    shape: tuple[int, ...]
    unit: str
    meaning: str


@dataclass(frozen=True)
class Contract:
    """A policy's inputs and outputs. Sequences are in joint_names order."""

    path: Path
    sha256: str
    """Of the whole file."""
    kind: str
    """'kinfer', 'onnx' (named inputs, its own metadata) or 'spec' (one flat input)."""
    joint_names: tuple[str, ...]
    """Of the action: absolute targets, rad; of `velocity_joints` rad/s."""
    command_names: tuple[str, ...]
    """Entries of the input `command`; empty where the policy has none."""
    inputs: tuple[Input, ...]
    """In the graph's order, without the carry."""
    carry_shape: tuple[int, ...] | None
    """None where the policy keeps no state."""
    control_rate_hz: float | None
    """Rate of the training, where the file gives it."""
    joint_biases: tuple[float, ...] | None
    """Home pose, rad."""
    joint_kp: tuple[float, ...] | None
    """Position gains the policy was trained with, Nm/rad."""
    joint_kd: tuple[float, ...] | None
    """Velocity gains, Nm s/rad."""
    joint_torque_limits: tuple[float, ...] | None
    """Nm."""
    command_ranges: dict[str, tuple[float, float]]
    """Lowest and highest value of the training, by command name."""
    provenance: dict[str, Any]
    """How the policy was made, from its file."""
    metadata: dict[str, Any]
    """The whole metadata, including unknown keys."""
    spec: PolicySpec | None = None
    """The policy spec, where the contract was read from one."""
    carry_parts: dict[str, int] = field(default_factory=dict)
    """Length of each part of a flat carry, in order; see policy/memory.py."""
    assumptions: tuple[str, ...] = ()
    """Statements of the spec that no check can verify."""

    @property
    def velocity_joints(self) -> tuple[str, ...]:
        """Joints whose targets are velocities, rad/s: wheels."""
        return () if self.spec is None else self.spec.action.velocity_joints


@dataclass(frozen=True)
class _KnownInput:
    size: int | str
    """A fixed length, or _JOINTS or _COMMANDS."""
    unit: str
    meaning: str


KNOWN_INPUTS = {
    'joint_angles': _KnownInput(_JOINTS, 'rad', 'joint positions, in joint_names order'),
    'joint_angular_velocities': _KnownInput(
        _JOINTS, 'rad/s', 'joint velocities, in joint_names order'
    ),
    'projected_gravity': _KnownInput(
        3, 'm/s^2', 'gravity in the policy frame; (0, 0, -9.81) when upright, no unit vector'
    ),
    'accelerometer': _KnownInput(
        3, 'm/s^2', 'specific force in the policy frame; +9.81 on z when upright and at rest'
    ),
    'gyroscope': _KnownInput(3, 'rad/s', 'angular velocity in the policy frame'),
    'command': _KnownInput(_COMMANDS, 'of each entry', 'the command, in command_names order'),
    'time': _KnownInput(1, 's', 'time since the policy started'),
    'quaternion': _KnownInput(4, '1', 'orientation of the policy frame in the world, w x y z'),
    'initial_heading': _KnownInput(1, 'rad', 'yaw when the policy started'),
}

SPEC_INPUTS = KNOWN_INPUTS | {
    'base_linear_velocity': _KnownInput(
        3, 'm/s', 'velocity of the base in the policy frame, from odometry'
    ),
    'imu_linear_velocity': _KnownInput(
        3, 'm/s', 'velocity of the IMU in the policy frame, from odometry, gyroscope and its place'
    ),
    'height_scan': _KnownInput(
        'points', 'm', "how far the ground at each point is below the base's origin"
    ),
    'motion_control': _KnownInput(
        2,
        '1, 0 or -1',
        'whether the motion plays; 1: it begins again, -1: it is stopped',
    ),
}
"""Inputs of a policy spec; a kinfer file has no linear velocity, and no height scan."""
ODOMETRY_INPUTS = ('base_linear_velocity', 'imu_linear_velocity')


def takes_odometry(names: Iterable[str]) -> bool:
    """Whether a policy with these inputs needs odometry."""
    return any(name.startswith(ODOMETRY_INPUTS) for name in names)


def read_metadata(archive: Archive, step: Graph) -> tuple[dict[str, Any], Metadata]:
    """
    Read the metadata of a policy file, raw and typed.

    A bare ONNX file has it in its custom metadata: as JSON under `kinfer_metadata`, or at least
    the key `joint_names` (a JSON list, or names separated by commas).

    :raises ModelError: it is missing or wrong.
    """
    if archive.init_fn is not None:
        return archive.metadata, parse_metadata(archive.metadata, f'{archive.path}: {METADATA}')
    where = f'{archive.path}: custom metadata'
    if is_early_kinfer(node.name for node in step.inputs):
        raise ModelError(
            f'{archive.path}: is a file of kinfer before 0.4, which has no joint names; expected a'
            ' policy spec beside it. Make one with `python -m kinfer_ros import'
            f' {archive.path.name} --joint-names NAME ...` (docs/policies.md, kinfer before 0.4)'
        )
    raw: dict[str, Any] = {}
    if 'kinfer_metadata' in step.metadata:
        raw = parse_json_object(step.metadata['kinfer_metadata'], f'{where}: kinfer_metadata')
    elif 'joint_names' in step.metadata:
        raw = {
            key: _parse_name_list(step.metadata[key], f'{where}: {key}')
            for key in ('joint_names', 'command_names')
            if key in step.metadata
        }
    else:
        found = ', '.join(sorted(step.metadata)) or 'nothing'
        raise ModelError(
            f'{where}: found {found}; expected the key kinfer_metadata (JSON) or joint_names. A'
            f' bare ONNX file without joint names (inputs: {_format_nodes(step.inputs)}) needs a'
            ' policy spec that names them: load_model(path, spec=...), spec:=, --spec'
            ' (docs/specs.md; `import` makes one from the files of an exporter)'
        )
    return raw, parse_metadata(raw, where)


def build_contract(
    archive: Archive,
    step: Graph,
    raw: dict[str, Any],
    metadata: Metadata,
    initial_carry_shape: tuple[int, ...] | None,
) -> Contract:
    """
    Check the graph against its metadata and make the contract.

    :param initial_carry_shape: shape of init_fn's output; None for a bare ONNX file.
    :raises ModelError: naming every input, output or key that does not fit.
    """
    problems = Problems(str(step.where))
    commands = _command_names(step, metadata, problems)
    inputs = _check_inputs(step, len(metadata.joint_names), len(commands), problems)
    _check_outputs(step, len(metadata.joint_names), archive, problems)
    carry_shape = _check_carry(step, metadata, initial_carry_shape, problems)
    _check_ranges(metadata, commands, problems)
    problems.raise_if_any()
    return Contract(
        path=archive.path,
        sha256=archive.sha256,
        kind='onnx' if archive.init_fn is None else 'kinfer',
        joint_names=metadata.joint_names,
        command_names=commands,
        inputs=inputs,
        carry_shape=carry_shape,
        control_rate_hz=metadata.control_rate_hz,
        joint_biases=metadata.joint_biases,
        joint_kp=metadata.joint_kp,
        joint_kd=metadata.joint_kd,
        joint_torque_limits=metadata.joint_torque_limits,
        command_ranges=_field_ranges(metadata, commands) | metadata.command_ranges,
        provenance=metadata.provenance,
        metadata=raw,
        assumptions=metadata.notes,
    )


def _parse_name_list(text: str, where: str) -> list[Any]:
    if text.lstrip().startswith('['):
        names = parse_json_object(f'{{"names": {text}}}', where)['names']
        return list(names)
    return [name.strip() for name in text.split(',')]


def _command_names(step: Graph, metadata: Metadata, problems: Problems) -> tuple[str, ...]:
    """Names from the file, else the default names for its number of commands."""
    node = _find_node(step.inputs, 'command')
    if node is None:
        return ()
    if metadata.command_names is not None:
        return metadata.command_names
    count: int | str | None = metadata.num_commands
    if count is None and len(node.shape) == 1:
        count = node.shape[0]
    if isinstance(count, int) and 0 <= count <= MAX_NAMES:
        return default_command_names(count)
    problems.add('input command', f'shape {_format_shape(node.shape)}', 'a vector of fixed length')
    return ()


def _check_inputs(
    step: Graph, joints: int, commands: int, problems: Problems
) -> tuple[Input, ...]:
    sizes = {_JOINTS: (joints, ', one a joint'), _COMMANDS: (commands, ', one a command')}
    inputs = []
    for node in step.inputs:
        known = KNOWN_INPUTS.get(node.name)
        if node.name == CARRY:
            continue
        if known is None:
            problems.add(f'input {node.name!r}', 'an unknown name', _known_names(node.name))
            continue
        size, why = (known.size, '') if isinstance(known.size, int) else sizes[known.size]
        _check_tensor(f'input {node.name}', node, (size,), why, problems)
        inputs.append(Input(node.name, (size,), known.unit, known.meaning))
    return tuple(inputs)


def _check_outputs(step: Graph, joints: int, archive: Archive, problems: Problems) -> None:
    count = len(step.outputs)
    has_carry = _find_node(step.inputs, CARRY) is not None
    if archive.init_fn is not None and count != 2:
        problems.add(
            'outputs', _format_nodes(step.outputs), 'exactly two: the action, the next carry'
        )
    elif count > 2 or count < 1 + has_carry:
        problems.add(
            'outputs', _format_nodes(step.outputs), 'the action, and the carry if it has one'
        )
    if step.outputs:
        action = step.outputs[0]
        what = f'first output {action.name!r} (the action)'
        _check_tensor(what, action, (joints,), ', one a joint', problems)


def _check_carry(
    step: Graph,
    metadata: Metadata,
    initial: tuple[int, ...] | None,
    problems: Problems,
) -> tuple[int, ...] | None:
    """Return the carry's shape; init_fn, input, output and carry_size must agree on it."""
    source = 'as init_fn gives it'
    node = _find_node(step.inputs, CARRY)
    if initial is None:
        if node is None:
            return None
        source = 'as the input carry has it'
        initial = tuple(size for size in node.shape if isinstance(size, int) and size >= 0)
    if math.prod(initial) > MAX_CARRY:
        problems.add('carry', f'shape {_format_shape(initial)}', f'at most {MAX_CARRY} numbers')
    if node is not None:
        fixed = 'fixed sizes' if len(initial) != len(node.shape) else ''
        _check_tensor('input carry', node, initial, f', {fixed or source}', problems)
    if len(step.outputs) > 1:
        output = step.outputs[1]
        what = f'second output {output.name!r} (the next carry)'
        _check_tensor(what, output, initial, f', {source}', problems)
    if metadata.carry_size is not None and metadata.carry_size != initial:
        found = f'carry_size {list(metadata.carry_size)}'
        problems.add(METADATA, found, f'{list(initial)}, {source}')
    return initial if node is not None else None


def _check_tensor(
    what: str, node: Tensor, shape: tuple[int, ...], why: str, problems: Problems
) -> None:
    if node.dtype != _FLOAT32:
        problems.add(what, node.dtype, f'{_FLOAT32} (float32)')
    if node.shape != shape:
        problems.add(what, f'shape {_format_shape(node.shape)}', f'{_format_shape(shape)}{why}')


def _check_ranges(metadata: Metadata, commands: tuple[str, ...], problems: Problems) -> None:
    for name in metadata.command_ranges:
        if name not in commands:
            expected = f'one of the command names: {", ".join(commands) or "none"}'
            problems.add(f'command_ranges.{name}', 'an unknown command', expected)


def _field_ranges(metadata: Metadata, commands: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """:return: ranges of command_type_info, for the commands that the network takes."""
    found = metadata.fields.items()
    return {name: bounds for name, bounds in found if name in commands and bounds is not None}


def _known_names(name: str) -> str:
    names = [*KNOWN_INPUTS, CARRY]
    close = difflib.get_close_matches(name, names, 1)
    hint = f' (did you mean {close[0]}?)' if close else ''
    return f'one of {", ".join(names)}{hint}; a model with other inputs needs a policy spec'


def _find_node(nodes: tuple[Tensor, ...], name: str) -> Tensor | None:
    return next((node for node in nodes if node.name == name), None)


def _format_nodes(nodes: tuple[Tensor, ...]) -> str:
    return ', '.join(f'{node.name}{_format_shape(node.shape)}' for node in nodes) or 'none'


def _format_shape(shape: tuple[int | str | None, ...]) -> str:
    return f'({", ".join("?" if size is None else str(size) for size in shape)})'
