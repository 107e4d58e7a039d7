"""Reads the tensors of a LEAPP bundle, and says which term of a spec fills an input.

A tensor is known by what Isaac Lab connected it to (`isaaclab_connection`), else by its `kind`.
`element_names` has a list of names for each axis behind the batch.
"""

import json
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.spec.terms import XYZ
from kinfer_ros.text import is_name
from kinfer_ros.untrusted import json_text
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import format_value

MAX_SIZE = 16 * 1024 * 1024
"""Numbers of a tensor."""
PARTS = {'state': 3, 'command': 2, 'write': 3}
"""Words of a connection, by its first one."""
TEMPORAL = '__temporal_axis__'
JOINT_POSITIONS, JOINT_VELOCITIES = 'joint_positions', 'joint_velocities'
KIND_OF = {
    JOINT_POSITIONS: 'state/joint/position',
    JOINT_VELOCITIES: 'state/joint/velocity',
    'quaternion': 'state/body/rotation',
    'gyroscope': 'state/body/angular_velocity',
    'linear_velocity': 'state/body/linear_velocity',
    'accelerometer': 'state/body/linear_acceleration',
    'gravity': 'state/vector3d',
}
"""The kind that LEAPP has for a source of a spec."""
SOURCE_OF = {kind: source for source, kind in KIND_OF.items() if source != 'gravity'}
OF_ROBOT = {
    'joint_pos': JOINT_POSITIONS,
    'joint_vel': JOINT_VELOCITIES,
    **dict.fromkeys(('root_quat_w', 'root_link_quat_w'), 'quaternion'),
    **dict.fromkeys(('root_ang_vel_b', 'root_link_ang_vel_b', 'root_com_ang_vel_b'), 'gyroscope'),
    **dict.fromkeys(
        ('root_lin_vel_b', 'root_link_lin_vel_b', 'root_com_lin_vel_b'), 'linear_velocity'
    ),
    'projected_gravity_b': 'gravity',
}
"""Sources, by Isaac Lab's properties of an articulation."""
OF_SENSOR = {
    'quat_w': 'quaternion', 'ang_vel_b': 'gyroscope', 'lin_acc_b': 'accelerometer',
    'projected_gravity_b': 'gravity',
}  # fmt: skip
"""Sources in the frame of the IMU, by Isaac Lab's properties of a sensor."""
KEYS: dict[str, dict[str, Any]] = {
    JOINT_POSITIONS: {'relative': False},
    'gravity': {'unit': 'unit'},
}
VELOCITY_KIND = 'command/body/velocity'
ENTRIES = {
    **dict.fromkeys(('lin_vel_x', 'lin_x', 'linear_x', 'vx', 'x'), 'xvel'),
    **dict.fromkeys(('lin_vel_y', 'lin_y', 'linear_y', 'vy', 'y'), 'yvel'),
    **dict.fromkeys(('ang_vel_z', 'ang_z', 'angular_z', 'wz', 'yaw', 'yaw_rate'), 'yawrate'),
}
"""Entries of the command, by the elements of a velocity."""
STILL = ('lin_vel_z', 'lin_z', 'linear_z', 'ang_vel_x', 'ang_x', 'ang_vel_y', 'ang_y')
"""Elements of a velocity that nobody commands to a robot on legs."""


@dataclass(frozen=True)
class BundleTensor:
    """An input or output of a model, as the bundle describes it."""

    section: Section
    name: str
    kind: str | None
    connection: tuple[str, ...]
    """`state`, entity and property; `command` and name; `write`, entity and method."""
    width: int
    """Numbers."""
    names: tuple[str, ...]
    """Of each number; empty where they are not known."""


def read_tensors(model: Section, key: str) -> dict[str, BundleTensor]:
    """Read the inputs or outputs of a model, by name."""
    found: dict[str, BundleTensor] = {}
    for section in model.each(key):
        tensor = _read_tensor(section)
        if tensor.name in found:
            section.problem(f'found {tensor.name} twice, expected each name once', 'name')
        found[tensor.name] = tensor
    return found


def _read_tensor(section: Section) -> BundleTensor:
    for key in ('dtype', 'type'):
        section.has(key)
    shape = _read_shape(section)
    sizes = isinstance(shape, list) and all(type(v) is int and 0 < v <= MAX_SIZE for v in shape)
    if not sizes or math.prod(shape) > MAX_SIZE:
        section.problem(f'found {format_value(shape)}, expected sizes from 1 on', 'shape')
        shape = [1]
    width = math.prod(shape)
    connection = (_text(section, 'isaaclab_connection') or '').split(':')
    if len(connection) != PARTS.get(connection[0]):
        connection = [':'.join(connection)] if connection[0] else []
    return BundleTensor(
        section=section,
        name=section.string('name'),
        kind=_text(section, 'kind'),
        connection=tuple(connection),
        width=width,
        names=_read_names(section, width),
    )


def _read_shape(section: Section) -> Any:
    """:return: the shape, which older versions write as the text of a list."""
    value = section.plain('shape')
    if not isinstance(value, str):
        return value
    try:
        return json.loads(json_text(value))
    except (ValueError, RecursionError):
        return value


def _text(section: Section, key: str) -> str | None:
    return None if section.plain(key) is None else section.string(key)


def _read_names(section: Section, width: int) -> tuple[str, ...]:
    """:return: a name for each number; empty where the file has none, or the problem is noted."""
    value = section.plain('element_names')
    period = section.plain('temporal_period_ms')
    if period is not None or (isinstance(value, list) and TEMPORAL in value):
        section.problem(
            'found values of several ticks, expected those of one: an input with a temporal axis '
            'cannot be imported yet',
            'element_names',
        )
        return ()
    if value is None:
        return ()
    axes = [value] if isinstance(value, list) and value and is_name(value[0]) else value
    lists: list[list[str]] = []
    good = isinstance(axes, list)
    for axis in axes if good else ():
        good = good and (axis is None or (isinstance(axis, list) and all(map(is_name, axis))))
        lists += [axis] if axis else []
    if not good or (len(lists) == 1 and len(lists[0]) != width):
        section.problem(
            f'found {format_value(value)}, expected a list for each axis, here of {width} names',
            'element_names',
        )
        return ()
    wide = [axis for axis in lists if len(axis) > 1] or lists[:1]
    fits = len(wide) == 1 and len(wide[0]) == width and len(set(wide[0])) == width
    return tuple(wide[0]) if fits else ()


def moved_robot(free: Sequence[BundleTensor], used: Sequence[BundleTensor]) -> str:
    """Return Isaac Lab's name of the articulation that the outputs move."""
    written = [each.connection[1] for each in used if each.connection[:1] == ('write',)]
    seen = [
        each.connection[1]
        for each in free
        if each.connection[:1] == ('state',) and each.connection[2] in ('joint_pos', 'joint_vel')
    ]
    return next(iter((*written, *seen)), 'robot')


def joint_source(tensor: BundleTensor, robot: str) -> bool:
    """Whether a tensor has a number for each joint of the robot."""
    source = SOURCE_OF.get(tensor.kind or '')
    if tensor.connection[:1] == ('state',):
        source = OF_ROBOT.get(tensor.connection[2]) if tensor.connection[1] == robot else None
    return source in (JOINT_POSITIONS, JOINT_VELOCITIES)


def read_term(contract: ImportedContract, tensor: BundleTensor, robot: str) -> dict[str, Any]:
    """
    Return the term that fills an input; a place to fill in where none is known to.

    :param robot: Isaac Lab's name of the articulation that is moved.
    """
    kind = tensor.kind or ''
    if tensor.connection[:1] == ('command',) or kind.startswith('command/'):
        return _command(contract, tensor)
    source, frame = SOURCE_OF.get(kind), 'base'
    if tensor.connection[:1] == ('state',):
        _, entity, name = tensor.connection
        source = OF_ROBOT.get(name) if entity == robot else OF_SENSOR.get(name)
        frame = 'base' if entity == robot else 'imu'
    elif source is not None and not joint_source(tensor, robot):
        contract.assume(
            f'input {tensor.name}: of the base, in its own frame (the file has {kind})'
        )
    if source is None:
        known = ', '.join(filter(None, (':'.join(tensor.connection), kind))) or 'no kind'
        return {'source': fill_in(f'{tensor.width} numbers, {known}: docs/specs.md')}
    if tensor.kind not in (None, KIND_OF[source]):
        tensor.section.problem(f'found {kind}, expected {KIND_OF[source]}, of {source}', 'kind')
    term = {'source': source, **KEYS.get(source, {})}
    if source == 'accelerometer':
        contract.assume(f'input {tensor.name}: with gravity, +9.81 on z at rest')
        frame = 'imu'
    if frame == 'imu':
        term['frame'] = frame
    return term | _named(contract, tensor, source)


def _named(contract: ImportedContract, tensor: BundleTensor, source: str) -> dict[str, Any]:
    """:return: keys of a term that name its numbers."""
    names = list(tensor.names)
    if source in (JOINT_POSITIONS, JOINT_VELOCITIES):
        if not names:
            return {'joints': fill_in(f'{tensor.width} names, in the order of the network')}
        return {'joints': names} if names != contract.joints else {}
    letters = [name.lower().removeprefix('q') for name in names]
    if source == 'quaternion':
        _expect_width(tensor, 4)
        order = ''.join(letters)
        if names and order not in ('wxyz', 'xyzw'):
            tensor.section.problem(f'found {names}, expected qx, qy, qz, qw', 'element_names')
        return {'order': order or fill_in('xyzw, as in Isaac Lab 3, or wxyz')}
    if names and not (set(letters) <= set(XYZ) and len(set(letters)) == len(letters)):
        tensor.section.problem(f'found {names}, expected of x, y, z', 'element_names')
    elif names and letters != list(XYZ):
        return {'axes': letters}
    elif not names:
        _expect_width(tensor, 3)
    return {}


def _expect_width(tensor: BundleTensor, width: int) -> None:
    if tensor.width != width:
        tensor.section.problem(f'found {tensor.width} numbers, expected {width}', 'shape')


def _command(contract: ImportedContract, tensor: BundleTensor) -> dict[str, Any]:
    """:return: the term of a command; a velocity is known by its kind or its elements."""
    names: Sequence[str] = tensor.names
    if not names and tensor.kind == VELOCITY_KIND and tensor.width == len(TWIST):
        names = ('lin_vel_x', 'lin_vel_y', 'ang_vel_z')
        contract.assume(f'input {tensor.name}: vx, vy (m/s) and yaw rate (rad/s), in this order')
    entries: list[Any] = [_entry(name) for name in names]
    if tensor.kind not in (None, VELOCITY_KIND) or not entries or None in entries:
        contract.commands |= {fill_in(f'names of the entries of {tensor.name}'): None}
        what = f'{tensor.kind or "no kind"}: {", ".join(names) or "unnamed"}'
        return {'source': 'command', 'entries': fill_in(f'{tensor.width} entries, {what}')}
    if still := [name for name, entry in zip(names, entries, strict=True) if entry == 0.0]:
        contract.assume(f'input {tensor.name}: 0 for {", ".join(still)}')
    own: Mapping[str, None] = dict.fromkeys(entry for entry in entries if isinstance(entry, str))
    if not contract.commands:
        contract.assume(f'command ranges: none for {", ".join(own)}; they are not limited')
    contract.commands |= own
    return {'source': 'command', 'entries': entries}


def _entry(name: str) -> str | float | None:
    """:return: the entry of the command for an element of a velocity; 0 for one that has none."""
    return 0.0 if name in STILL else ENTRIES.get(name)
