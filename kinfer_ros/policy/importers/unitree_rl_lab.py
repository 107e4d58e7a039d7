"""Reads unitree_rl_lab's deploy.yaml, which has no joint names: they come from elsewhere.

Semantics as in unitree_rl_lab's runtime (deploy/include/isaaclab): `joint_ids_map` gives the motor
of each policy joint; `stiffness` and `damping` are in the motor order of the SDK, all else in
policy order; the `clip` of an action applies to the target; the frames of a term are together,
oldest first, unless `use_gym_history` is set. Where ids have gaps (unitree_rl_mjlab's g1_23dof)
there are as many gains as joints, in policy order.
"""

import math
from collections.abc import Sequence
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import refuse_stiff_wheels
from kinfer_ros.policy.importers.contract import spec_term
from kinfer_ros.policy.importers.scans import draft_scan
from kinfer_ros.policy.importers.unitree_motion import MOTION_TERMS
from kinfer_ros.policy.importers.unitree_motion import draft_motion
from kinfer_ros.policy.importers.unitree_motion import read_motion_terms
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec.terms import MAX_LENGTH
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import is_float32
from kinfer_ros.yaml_vectors import read_bounds
from kinfer_ros.yaml_vectors import read_vector

SWITCHES = ('use_gym_history', 'scale_first')
RANGES = {'lin_vel_x': 'xvel', 'lin_vel_y': 'yvel', 'ang_vel_z': 'yawrate'}
POSITION, VELOCITY = 'JointPositionAction', 'JointVelocityAction'
ACTIONS = {POSITION: 'rad', VELOCITY: 'rad/s'}
"""Kinds of actions, with the unit of their targets."""
MAX_ID = 4096
WHOLE = (None, [None, None, None], 'slice(None, None, None)')
"""All joints: nothing, or slice(None) as the loader reads it, or as text."""


def is_deploy_yaml(root: Section) -> bool:
    """Whether the content is that of a deploy.yaml."""
    return root.has('joint_ids_map') and root.has('observations')


def joint_count(root: Section) -> int:
    """Return how many joints a deploy.yaml has; 0 where its list is none."""
    value = root.plain('joint_ids_map')
    return len(value) if isinstance(value, list) else 0


def read_deploy(file: YamlFile, motors: Sequence[str], source: str) -> ImportedContract:
    """
    Read a contract from a deploy.yaml.

    :param file: read leniently; keys that are not read are listed.
    :param motors: joint names in the SDK's order, or of the used ids alone.
    :param source: where these names come from, for the report.
    :raises ModelError: keys are missing or wrong, each with its line.
    """
    root = file.root
    ids = _read_ids_map(root)
    joints = [motors[at] for at in _places(root, ids, motors, source)]
    pose = _vector(root, 'default_joint_pos', joints, 'rad')
    name = file.path.parent.name or file.path.stem
    contract = ImportedContract(name, joints, pose or [], robot_joints=list(motors))
    contract.assume(f'joint names: {source}, in the order of the SDK (the file has no names)')
    for key, attribute in (('stiffness', 'kp'), ('damping', 'kd')):
        setattr(contract, attribute, _read_by_motor(contract, root, key, ids))
    if root.plain('step_dt') is None:
        contract.assume('control rate: 50 Hz (the file has no step_dt)')
    else:
        period = root.number('step_dt', 's', 1.0 / MAX_RATE_HZ, 10.0)
        contract.control_rate = round(1.0 / period, 6) if period > 0.0 else 50.0
    _read_commands(contract, root)
    _read_action(contract, root)
    _read_observations(contract, root)
    draft_motion(contract, file.path.parent)
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _read_ids_map(root: Section) -> list[int]:
    """:return: the motor of each policy joint; raises at once, since all else needs it."""
    value = root.plain('joint_ids_map')
    good = isinstance(value, list) and value and all(_is_id(entry) for entry in value)
    if not good or len(set(value)) != len(value):
        text = f'found {format_value(value)}, expected different whole numbers from 0 on'
        raise root.error(text, 'joint_ids_map')
    return [int(entry) for entry in value]


def _places(root: Section, ids: list[int], motors: Sequence[str], source: str) -> list[int]:
    """:return: index in `motors` of each policy joint."""
    if max(ids) < len(motors):
        return ids
    if len(motors) == len(ids):
        ranks = {motor: rank for rank, motor in enumerate(sorted(ids))}
        return [ranks[motor] for motor in ids]
    raise root.error(
        f'found ids up to {max(ids)}, expected at most {len(motors) - 1}: {source} names '
        f'{len(motors)} joints ({", ".join(motors)}), and not just the {len(ids)} in use',
        'joint_ids_map',
    )


def _is_id(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < MAX_ID and value == int(value)


def _vector(section: Section, key: str, names: Sequence[str], unit: str) -> list[float] | None:
    """Read one number for each name; None, with the problem noted, where there are none."""
    if section.plain(key) is None:
        section.problem(f"missing key '{key}'", key if section.has(key) else '')
        return None
    values = read_vector(section, key, names, unit)
    return None if values is None else list(values)


def _read_by_motor(
    contract: ImportedContract, root: Section, key: str, ids: list[int]
) -> list[float] | None:
    value = root.plain(key)
    if value is None:
        return None
    good = isinstance(value, list) and all(is_float32(v) and v >= 0.0 for v in value)
    if good and len(value) > max(ids):
        contract.assume(f'{key}: in SDK order, all other lists in policy order')
        return [float(value[at]) for at in ids]
    if good and len(value) == len(ids):
        contract.assume(f'{key}: in policy order, since the ids have gaps')
        return [float(entry) for entry in value]
    expected = f'numbers from 0 on, one a motor ({max(ids) + 1} or more) or joint ({len(ids)})'
    root.problem(f'found {format_value(value)}, expected a list of {expected}', key)
    return None


def _read_commands(contract: ImportedContract, root: Section) -> None:
    contract.commands = dict.fromkeys(TWIST)
    commands = _optional(root, 'commands')
    velocity = _optional(commands, 'base_velocity')
    ranges = _optional(velocity, 'ranges')
    if commands is not None:
        _refuse_other_commands(commands)
    for theirs, ours in RANGES.items():
        if ranges is not None and ranges.plain(theirs) is not None:
            bounds = read_bounds(ranges, theirs, (theirs,), 'm/s or rad/s')
            if bounds is not None:
                contract.commands[ours] = [bounds[0][0], bounds[1][0]]
    free = [name for name, pair in contract.commands.items() if pair is None]
    if free:
        contract.assume(f'command ranges: none for {", ".join(free)}; they are not limited')


def _refuse_other_commands(commands: Section) -> None:
    others = [key for key in commands.keys() if key != 'base_velocity']  # noqa: SIM118
    for key in others:
        if commands.plain(key) is not None:
            commands.problem(
                'found a command that is not base_velocity, expected that alone: write a policy '
                'spec by hand (docs/specs.md)',
                key,
            )


def _optional(section: Section | None, key: str) -> Section | None:
    """Return the mapping under a key; None where it is absent or null."""
    if section is None or section.plain(key) is None:
        return None
    return section.section(key)


def _read_ids(section: Section, key: str, joints: Sequence[str]) -> list[str] | None:
    """Read the joints of a list of policy indices; None for all of them."""
    value = section.plain(key)
    if value in WHOLE:
        return None
    good = (
        isinstance(value, list)
        and value
        and all(_is_id(entry) and entry < len(joints) for entry in value)
    )
    if not good:
        section.problem(
            f'found {format_value(value)}, expected null or a list of indices below {len(joints)}',
            key,
        )
        return None
    return [joints[int(entry)] for entry in value]


def _read_action(contract: ImportedContract, root: Section) -> None:
    actions = root.section('actions')
    if actions is None:
        return
    kinds = list(actions.keys())
    if not kinds or not set(kinds) <= set(ACTIONS):
        found = ', '.join(kinds) or 'none'
        root.problem(f'found {found}, expected {" or ".join(ACTIONS)}, or both', 'actions')
        actions.allow_all_keys()
        return
    sections = {kind: each for kind in kinds if (each := actions.section(kind)) is not None}
    chosen = {
        kind: _read_ids(each, 'joint_ids', contract.joints) for kind, each in sections.items()
    }
    moved = [name for names in chosen.values() for name in names or contract.joints]
    if twice := sorted({name for name in moved if moved.count(name) > 1}):
        actions.allow_all_keys()
        root.problem(
            f'found {", ".join(twice)} in {" and ".join(kinds)}, expected joint_ids of each, with '
            'no joint twice',
            'actions',
        )
        return
    contract.set_action(
        [_read_group(contract, each, kind, chosen[kind]) for kind, each in sections.items()]
    )
    if len(kinds) > 1:
        contract.assume(f'output of the network: {", then ".join(kinds)}, as in the file')
    refuse_stiff_wheels(root, 'stiffness', contract)


def _read_group(
    contract: ImportedContract, action: Section, kind: str, chosen: list[str] | None
) -> dict[str, Any]:
    """:return: a group of the spec's action."""
    unit = ACTIONS[kind]
    names = chosen or contract.joints
    scale = _vector(action, 'scale', names, f'{unit} per unit')
    group: dict[str, Any] = {'relative_to': 'default_pose'}
    if kind == VELOCITY:
        group = {'target': 'velocity'}
    if chosen is not None:
        group['joints'] = chosen
    group['scale'] = collapse_equal(scale or [1.0])
    offset = [0.0] * len(names)
    if action.plain('offset') is not None:
        offset = list(read_vector(action, 'offset', names, unit) or offset)
    pose = dict(zip(contract.joints, contract.default_pose or (), strict=False))
    if kind == VELOCITY:
        if any(offset):
            group['offset'] = collapse_equal(offset)
    elif offset != [pose.get(name) for name in names]:
        group['relative_to'] = 'zero'
        group['offset'] = collapse_equal(offset)
    if read_bounds(action, 'clip', names, unit) is not None:
        group['target_clip'] = action.plain('clip')
        contract.assume(
            f'clip of the action: applied to the target, in {unit}, as its runtime does'
        )
    return group


# Observation -----------------------------------------------------------------------------


def _read_observations(contract: ImportedContract, root: Section) -> None:
    terms = root.section('observations')
    if terms is None:
        return
    keys = terms.keys()
    groups = [key for key in keys if _is_group(terms.plain(key))]
    if len(groups) > 1:
        found = ', '.join(groups)
        root.problem(
            f'found the groups {found}, expected one: a network with several observation inputs '
            'cannot be imported',
            'observations',
        )
        return
    if groups:
        contract.observation['input'] = groups[0]
        inner = terms.section(groups[0])
        if inner is None:
            return
        terms, keys = inner, inner.keys()
    per_frame = _switch(terms, 'use_gym_history')
    scale_first = _switch(terms, 'scale_first')
    if not terms.has('scale_first'):
        contract.assume('clip of a term: applied before its scale (the file has no scale_first)')
    names = [key for key in keys if key not in SWITCHES]
    found_terms: list[tuple[dict[str, Any], int]] = []
    for name in names:
        if name in MOTION_TERMS:
            found_terms += read_motion_terms(contract, terms, name)
        else:
            found_terms.append(_read_term(contract, terms, name, scale_first))
    listed = [term for term, _ in found_terms]
    lengths = [length for _, length in found_terms]
    if max(lengths, default=1) > 1:
        contract.assume('history: oldest first, at the start the first frame repeated')
    contract.stack(listed, lengths, per_frame)
    contract.observation['terms'] = listed


def _switch(terms: Section, key: str) -> bool:
    return terms.plain(key) is not None and terms.boolean(key)


def _is_group(entry: Any) -> bool:
    return isinstance(entry, dict) and any(
        isinstance(value, dict) and 'history_length' in value for value in entry.values()
    )


def _read_term(
    contract: ImportedContract, terms: Section, name: str, scale_first: bool
) -> tuple[dict[str, Any], int]:
    """:return: the spec term and its frames."""
    try:
        term = spec_term(name, '')
    except ModelError as error:
        terms.problem(str(error).removeprefix(': '), name)
        return {'source': 'gyroscope'}, 1
    entry = _optional(terms, name)
    if entry is None:
        return term, 1
    parameters = _optional(entry, 'params')
    if term['source'] == 'gravity':
        contract.assume('gravity: a unit vector, (0, 0, -1) upright')
    if term['source'] == 'phase':
        _read_phase(contract, entry, parameters)
    scene = _optional(parameters, 'asset_cfg')
    chosen = None if scene is None else _read_ids(scene, 'joint_ids', contract.joints)
    if chosen is not None:
        term['joints'] = chosen
    labels = _labels(contract, term)
    if term['source'] == 'height_scan':
        scales = entry.plain('scale')
        count = len(scales) if isinstance(scales, list) else 0
        labels = ['point'] * max(count, 1)
        draft_scan(term, count)
    if entry.plain('scale') is not None:
        scale = read_vector(entry, 'scale', labels, '1')
        if scale is not None and set(scale) != {1.0}:
            term['scale'] = collapse_equal(scale)
    if read_bounds(entry, 'clip', labels, 'as the term') is not None:
        term['clip_scaled' if scale_first else 'clip'] = entry.plain('clip')
    if entry.plain('history_length') is None:
        return term, 1
    return term, max(1, entry.integer('history_length', 0, MAX_LENGTH))


def _labels(contract: ImportedContract, term: dict[str, Any]) -> list[str]:
    """:return: a name for each number of one frame of a term."""
    source = term['source']
    if source in ('joint_positions', 'joint_velocities'):
        return list(term.get('joints', contract.joints))
    if source == 'last_action':
        return contract.action_joints
    if source == 'phase':
        return list(term['encoding'])
    if source == 'command':
        return list(term.get('entries', TWIST))
    return ['w', 'x', 'y', 'z'] if source == 'quaternion' else ['x', 'y', 'z']


def _read_phase(contract: ImportedContract, entry: Section, parameters: Section | None) -> None:
    if parameters is None:
        entry.problem("missing key 'params', with the period of the gait")
        return
    period = parameters.number('period', 's', 1e-3, 1e3)
    if math.isfinite(period):
        start = math.tau / period / contract.control_rate
        contract.phase = {'frequency': 1.0 / period, 'start': [start], 'wrap': 'two_pi'}
        contract.assume(
            'gait clock: moves on before the first step, and while the command is zero'
        )
