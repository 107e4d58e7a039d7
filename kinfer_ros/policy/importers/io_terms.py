"""Reads the observation terms of Isaac Lab's IO_descriptors.yaml, by the functions they name."""

from collections.abc import Sequence
from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import read_open_bounds
from kinfer_ros.policy.importers.scans import draft_scan
from kinfer_ros.policy.spec.terms import MAX_LENGTH
from kinfer_ros.policy.spec.terms import XYZ
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import MAX_COUNT
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

MODULE = 'isaaclab.envs.mdp.observations'
FUNCTIONS: dict[str, dict[str, Any]] = {
    'base_lin_vel': {'source': 'linear_velocity'},
    'base_ang_vel': {'source': 'gyroscope'},
    'projected_gravity': {'source': 'gravity', 'unit': 'unit'},
    'root_quat_w': {'source': 'quaternion'},
    'imu_ang_vel': {'source': 'gyroscope', 'frame': 'imu'},
    'imu_lin_acc': {'source': 'accelerometer', 'frame': 'imu'},
    'imu_orientation': {'source': 'quaternion', 'frame': 'imu'},
    'imu_projected_gravity': {'source': 'gravity', 'unit': 'unit', 'frame': 'imu'},
    'joint_pos': {'source': 'joint_positions', 'relative': False},
    'joint_pos_rel': {'source': 'joint_positions', 'relative': True},
    'joint_vel': {'source': 'joint_velocities'},
    'joint_vel_rel': {'source': 'joint_velocities'},
    'last_action': {'source': 'last_action', 'which': 'raw'},
    'generated_commands': {'source': 'command'},
    'height_scan': {'source': 'height_scan'},
    'current_time_s': {'source': 'time'},
    'joint_pos_limit_normalized': {'source': 'joint_positions', 'relative': False},
}
"""Terms of a spec, by the functions of Isaac Lab; `joint_pos` is absolute there."""
NO_POSITION = "the robot's position in the world, which no sensor of the graph gives"
NO_SOURCE = {
    'base_pos_z': NO_POSITION,
    'root_pos_w': NO_POSITION,
    'body_pose_w': NO_POSITION,
    'root_lin_vel_w': 'a velocity in the world; linear_velocity is the one in the base',
    'root_ang_vel_w': 'angular rates in the world; gyroscope has those in the base',
    'body_projected_gravity_b': 'gravity in bodies; of the base alone it is source gravity, unit',
    'body_incoming_wrench': 'forces on bodies',
    'joint_effort': 'torques of joints, which policies here do not see',
    'image': 'an image',
    'image_features': 'features of an image',
    'remaining_time_s': 'the rest of an episode: source time, offset minus its length, scale -1',
}
"""Functions of Isaac Lab that nothing here can give, and why."""
NORMALIZED = 'joint_pos_limit_normalized'
UNITS = {
    'linear_velocity': 'm/s', 'gyroscope': 'rad/s', 'accelerometer': 'm/s^2',
    'joint_positions': 'rad', 'joint_velocities': 'rad/s',
}  # fmt: skip
"""Units that the file may have for a source."""
OFFSETS = {'joint_pos_rel': 'joint_pos_offsets', 'joint_vel_rel': 'joint_vel_offsets'}
SAME = 1e-5
"""The file has float32 numbers."""
INFORMATIVE = ('dtype', 'mdp_type', 'observation_type')
NOTES = {
    'gravity': 'gravity: a unit vector, (0, 0, -1) upright, whatever unit the file has',
    'linear_velocity': "linear velocity: the base's, in its own frame; needs odometry",
    'quaternion': 'quaternion: as it is, also with w below 0 (the file has no make_quat_unique)',
    'accelerometer': 'imu_lin_acc: with gravity, +9.81 on z at rest (gravity_bias, the default)',
}


def read_terms(
    contract: ImportedContract, sections: Sequence[Section], groups: Sequence[dict[str, Any]]
) -> None:
    """
    Read the terms of a group into the contract.

    :param groups: of the action, each with its joints.
    """
    commands = [_width(each) for each in sections if _function(each) == 'generated_commands']
    _read_commands(contract, commands)
    read = [_read_term(contract, section, groups) for section in sections]
    terms = [term for term, _ in read]
    contract.observation['terms'] = terms
    frames = [history for _, history in read]
    lengths = [length for length, _ in frames]
    flat = [flattened for length, flattened in frames if length > 1]
    per_frame = bool(flat) and not all(flat)
    if per_frame and (any(flat) or len(set(lengths)) > 1):
        sections[0].problem(
            'found history terms with and without flatten_history_dim, or lengths that differ, '
            'expected one layout: terms that are not flattened are stacked by frame'
        )
    contract.stack(terms, lengths, per_frame)
    if flat:
        contract.assume('history: oldest first, at the start the first frame repeated')
    known = sum(_width(s) * n for s, n in zip(sections, lengths, strict=True))
    contract.assume(
        f'terms: all that the policy takes, {known} numbers; Isaac Lab leaves out those without '
        "a descriptor: compare with the network's input"
    )


def _function(section: Section) -> str:
    """:return: the name of the term's function."""
    name = section.plain('name')
    return name if isinstance(name, str) else ''


def _width(section: Section) -> int:
    """:return: numbers in one frame of a term; 0 where the file does not say."""
    shape = section.plain('shape')
    good = isinstance(shape, list) and len(shape) == 1 and type(shape[0]) is int
    return shape[0] if good and 0 < shape[0] <= MAX_COUNT else 0


def _read_commands(contract: ImportedContract, widths: list[int]) -> None:
    """The file has neither name nor entries of a command: three numbers are a velocity."""
    if widths == [len(TWIST)]:
        contract.commands = dict.fromkeys(TWIST)
        contract.assume(
            'command: vx, vy (m/s) and yaw rate (rad/s), in this order, not limited (the file has '
            'neither names nor ranges)'
        )
    elif widths:
        entries = fill_in(f'NAME of each of {sum(widths)} numbers of the commands, in their order')
        contract.commands = {entries: None}


def used_joints(sections: Sequence[Section], joints: Sequence[str]) -> list[str]:
    """Return the joints that some term has: all, where a joint term does not name them."""
    used: list[str] = []
    for section in sections:
        names = section.plain('joint_names')
        if isinstance(names, list):
            used += [name for name in names if isinstance(name, str)]
        elif 'joint' in FUNCTIONS.get(_function(section), {}).get('source', ''):
            return list(joints)
    return used


def _read_term(
    contract: ImportedContract, section: Section, groups: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], tuple[int, bool]]:
    """:return: the spec term; its frames, and whether they are one behind the other."""
    name, path = section.string('name'), section.string('full_path')
    for key in INFORMATIVE:
        section.has(key)
    module, _, function = path.rpartition('.')
    if name and path and function != name:
        section.problem(f'found {path}, expected the function {name}', 'full_path')
    width = _width(section)
    if width == 0:
        found = format_value(section.plain('shape'))
        section.problem(f'found {found}, expected [numbers of one frame]', 'shape')
    extras = section.section('extras') if section.plain('extras') is not None else None
    if extras is not None:
        extras.has('description')
        if extras.plain('modifiers'):
            extras.problem(
                'found modifiers, expected null: they cannot be translated', 'modifiers'
            )
    if name not in FUNCTIONS:
        place = _unknown(section, name, path, width)
        more, history = _overloads(section, [name] * width)
        return {'source': place} | more, history
    if module != MODULE:
        contract.assume(f'term {name}: that of Isaac Lab, although it is from {module}')
    term = dict(FUNCTIONS[name])
    if (note := NOTES.get(term['source'])) and note not in contract.assumptions:
        contract.assume(note)
    labels = _labels(contract, section, term, groups, extras)
    if width and labels and len(labels) != width:
        section.problem(
            f'found {width} numbers, expected {len(labels)}: {", ".join(labels)}', 'shape'
        )
    _read_offsets(contract, section, term, labels)
    more, history = _overloads(section, labels)
    if name == NORMALIZED:
        more = _normalized(contract, labels, more)
    return term | more, history


def _unknown(section: Section, name: str, path: str, width: int) -> str:
    """Return the place of a source that is not known, or that cannot be had."""
    if name not in NO_SOURCE:
        return fill_in(f'the source of {path}, {width} numbers: docs/specs.md')
    bodies = section.plain('body_names')
    of = f' of {format_value(bodies)}' if isinstance(bodies, list) else ''
    return fill_in(f'no source gives {path}{of}, {width} numbers: {NO_SOURCE[name]}')


def _normalized(
    contract: ImportedContract, labels: list[str], more: dict[str, Any]
) -> dict[str, Any]:
    """:return: keys of positions from -1 to 1 within the soft limits, whose share is not known."""
    limits = dict(zip(contract.joints, contract.position_limits, strict=False))
    pairs = [limits.get(name, (None, None)) for name in labels]
    known = [(low, high) for low, high in pairs if low is not None and high is not None]
    middle: Any = fill_in('rad, minus the middle of the limits, one a joint')
    scale = '2 / (the range of the soft limits), one a joint'
    if len(known) == len(labels):
        middle = collapse_equal([0.0 - (low + high) / 2 for low, high in known])
        scales = [round(2.0 / (high - low), 6) for low, high in known if high > low]
        scale = f'{scales} / soft_joint_pos_limit_factor (mostly 0.9)'
    own = f', times {more["scale"]}' if 'scale' in more else ''
    found: dict[str, Any] = {'offset': middle, 'scale': fill_in(scale + own)}
    if 'clip' in more:
        found['clip_scaled'] = fill_in(f'{more["clip"]}{own}') if own else more['clip']
    return found


def _labels(
    contract: ImportedContract,
    section: Section,
    term: dict[str, Any],
    groups: Sequence[dict[str, Any]],
    extras: Section | None,
) -> list[str]:
    """:return: a name for each number of a frame; adds those that the term has to name."""
    source = term['source']
    unit = None if extras is None else extras.plain('units')
    if source in UNITS and unit not in (None, UNITS[source]) and extras is not None:
        extras.problem(f'found {format_value(unit)}, expected {UNITS[source]}', 'units')
    if source in ('joint_positions', 'joint_velocities'):
        names = list(read_names(section, 'joint_names', contract.joints))
        if names and names != contract.joints:
            term['joints'] = names
        return names
    if source == 'last_action':
        return _acting(term, groups, _width(section))
    if source == 'height_scan':
        draft_scan(term, _width(section))
        return ['point'] * _width(section)
    if source == 'time':
        return ['time']
    if source == 'command':
        if set(contract.commands) == set(TWIST):
            return list(TWIST)
        term['entries'] = fill_in(f'{_width(section)} names of commands')
        return ['entry'] * _width(section)
    return _axes(term, extras)


def _acting(term: dict[str, Any], groups: Sequence[dict[str, Any]], width: int) -> list[str]:
    """:return: the joints of the last action: of all groups, or of the ones of that width."""
    moved = [name for group in groups for name in group['joints']]
    own = [group['joints'] for group in groups if len(group['joints']) == width]
    if width != len(moved) and len(own) > 1:
        # Of one action, by name, which the file does not have.
        term['joints'] = fill_in(f'joints of the action that the training names: {own}')
        return ['joint'] * width
    if width != len(moved) and len(own) == 1:
        term['joints'] = own[0]
        return list(own[0])
    return moved


def _axes(term: dict[str, Any], extras: Section | None) -> list[str]:
    """:return: the axes of a vector or the letters of a quaternion, in the order of the file."""
    value = None if extras is None else extras.plain('axes')
    letters = [str(each).lower() for each in value] if isinstance(value, list) and value else None
    if term['source'] == 'quaternion':
        order = ''.join(letters or ())
        if letters is None:
            order = fill_in('wxyz before Isaac Lab 3, xyzw since')
        elif order not in ('wxyz', 'xyzw') and extras is not None:
            extras.problem(f'found {format_value(value)}, expected W, X, Y, Z', 'axes')
        term['order'] = order
        return list('wxyz')
    if value is None:
        return list(XYZ)
    if extras is not None and (
        letters is None or len(set(letters)) != len(letters) or not set(letters) <= set(XYZ)
    ):
        extras.problem(f'found {format_value(value)}, expected of X, Y, Z', 'axes')
        return []
    if letters != list(XYZ):
        term['axes'] = letters
    return letters or []


def _read_offsets(
    contract: ImportedContract, section: Section, term: dict[str, Any], labels: list[str]
) -> None:
    """Read what is subtracted from positions or velocities, where it is not the default pose."""
    key = OFFSETS.get(_function(section))
    if key is None or section.plain(key) is None or not labels:
        return
    values = read_vector(section, key, labels, 'rad or rad/s') or ()
    pose = contract.by_joint(contract.default_pose)
    rest = [pose.get(name, 0.0) if term.get('relative') else 0.0 for name in labels]
    if all(abs(a - b) < SAME for a, b in zip(values, rest, strict=True)):
        return
    if 'relative' in term:
        term['relative'] = False
    term['offset'] = collapse_equal([0.0 - value for value in values])


def _overloads(section: Section, labels: list[str]) -> tuple[dict[str, Any], tuple[int, bool]]:
    """:return: scale and clip of a term, as keys of the spec; its frames, and their layout."""
    found: dict[str, Any] = {}
    own = section.section('overloads') if section.plain('overloads') is not None else None
    if own is None:
        return found, (1, True)
    if own.plain('scale') is not None and labels:
        scale = read_vector(own, 'scale', labels, '1')
        if scale is not None and set(scale) != {1.0}:
            found['scale'] = collapse_equal(scale)
    bounds = read_open_bounds(own, 'clip', ('all',), 'as the term')
    if bounds is not None:
        found['clip'] = bounds[0]
    length, flat = 1, True
    if own.plain('history_length') is not None:
        length = max(1, own.integer('history_length', 0, MAX_LENGTH))
    if own.plain('flatten_history_dim') is not None:
        flat = own.boolean('flatten_history_dim')
    return found, (length, flat)
