"""Reads unitree_rl_lab's deploy.yaml, which names no joint: their names come from elsewhere.

What it means was read in unitree_rl_lab's own runtime (deploy/include/isaaclab): `stiffness` and
`damping` are in the order of the SDK's motors, all else in that of the policy; `joint_ids_map`
says which motor each of the policy's joints is; `clip` of an action is applied to the target; a
term's frames stand together, oldest first, unless `use_gym_history` is set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import needed
from kinfer_ros.policy.importers.contract import numbers
from kinfer_ros.policy.importers.contract import simple
from kinfer_ros.policy.importers.contract import term_of
from kinfer_ros.yaml_file import SIZE_LIMIT

SWITCHES = ('use_gym_history', 'scale_first')
RANGES = {'lin_vel_x': 'xvel', 'lin_vel_y': 'yvel', 'ang_vel_z': 'yawrate'}


class _Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """Takes Python's own tags (`slice(None)`) for plain lists; nothing is called."""


def _python_tag(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Loader.add_multi_constructor('tag:yaml.org,2002:python/', _python_tag)


def is_deploy_yaml(content: Any) -> bool:
    """Tell whether a YAML file is one of these."""
    return isinstance(content, dict) and {'joint_ids_map', 'observations'} <= content.keys()


def read_yaml(path: Path) -> Any:
    """
    Read a YAML file of another project as plain data.

    :raises ModelError: it cannot be read.
    """
    try:
        with path.open('rb') as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise ModelError(f'{path}: is larger than {SIZE_LIMIT} bytes')
        return yaml.load(data, Loader=_Loader)  # noqa: S506  a SafeLoader
    except OSError as error:
        raise ModelError(f'{path}: cannot be read: {error.strerror}') from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        text = ' '.join(str(error).split())
        raise ModelError(f'{path}: is not YAML: {text[:200]}') from None


def read_deploy(
    path: Path, content: dict[str, Any], motors: Sequence[str], told_by: str
) -> ImportedContract:
    """
    Turn a deploy.yaml into a contract.

    :param motors: joint names in the SDK's order.
    :param told_by: where they come from, for the report.
    :raises ModelError: a key is missing, or says what is not known here.
    """
    where = str(path)
    order = [int(entry) for entry in numbers(content['joint_ids_map'], f'{where}: joint_ids_map')]
    count = len(order)
    if sorted(order) != sorted(set(order)) or not all(0 <= at < len(motors) for at in order):
        raise ModelError(
            f'{where}: joint_ids_map: found {order}, expected each of 0 to {len(motors) - 1} at '
            f'most once: {told_by} names {len(motors)} joints: {", ".join(motors)}'
        )
    joints = [motors[at] for at in order]
    pose = numbers(needed(content, 'default_joint_pos', where), 'default_joint_pos', count)
    found = ImportedContract(
        path.parent.name or path.stem, joints, pose, robot_joints=list(motors)
    )
    found.assume(f'joint names: {told_by}, in the order of the SDK (the file has no names)')
    found.assume('stiffness and damping are in SDK order, all other lists in policy order')
    found.kp = _by_motor(content, 'stiffness', order, where)
    found.kd = _by_motor(content, 'damping', order, where)
    if content.get('step_dt') is None:
        found.assume('control rate: 50 Hz (the file has no step_dt)')
    else:
        found.control_rate = round(1.0 / float(content['step_dt']), 6)
    _read_commands(found, content)
    _read_action(found, content, pose, where)
    _read_observations(found, content, where)
    return found


def _by_motor(
    content: dict[str, Any], key: str, order: list[int], where: str
) -> list[float] | None:
    if content.get(key) is None:
        return None
    values = numbers(content[key], f'{where}: {key}')
    if max(order) >= len(values):
        raise ModelError(f'{where}: {key}: found {len(values)} numbers, expected one a motor')
    return [values[at] for at in order]


def _read_commands(found: ImportedContract, content: dict[str, Any]) -> None:
    commands = content.get('commands') or {}
    ranges = (commands.get('base_velocity') or {}).get('ranges') or {}
    found.commands = dict.fromkeys(TWIST)
    for theirs, ours in RANGES.items():
        if ranges.get(theirs) is not None:
            found.commands[ours] = numbers(ranges[theirs], f'commands: {theirs}', 2)
    free = [name for name, pair in found.commands.items() if pair is None]
    if free:
        found.assume(f'command ranges: none for {", ".join(free)}; they are not limited')


def _read_action(
    found: ImportedContract, content: dict[str, Any], pose: list[float], where: str
) -> None:
    actions = needed(content, 'actions', where)
    if list(actions) != ['JointPositionAction']:
        raise ModelError(
            f'{where}: actions: found {", ".join(actions)}, expected JointPositionAction alone'
        )
    action = actions['JointPositionAction']
    ids = action.get('joint_ids')
    whole = ids is None or ids == [None, None, None]  # slice(None)
    names = found.joints if whole else [found.joints[int(at)] for at in ids]
    places = [found.joints.index(name) for name in names]
    scale = numbers(needed(action, 'scale', where), f'{where}: action scale', len(names))
    offset = action.get('offset')
    offset = [0.0] * len(names) if offset is None else numbers(offset, 'offset', len(names))
    found.action = {'relative_to': 'default_pose'}
    if not whole:
        found.action['joints'] = names
    found.action['scale'] = simple(scale)
    if offset != [pose[at] for at in places]:
        found.action['relative_to'] = 'zero'
        found.action['offset'] = simple(offset)
    if action.get('clip') is not None:
        found.action['target_clip'] = action['clip']
        found.assume('clip of the action: applied to the target, in rad, as its runtime does')


def _read_observations(found: ImportedContract, content: dict[str, Any], where: str) -> None:
    terms = needed(content, 'observations', where)
    nested = [name for name, entry in terms.items() if _is_group(entry)]
    if nested:
        if len(nested) != 1:
            raise ModelError(
                f'{where}: observations: found the groups {", ".join(nested)}, expected one: a '
                'network with several inputs needs a runtime of its own'
            )
        found.observation['input'] = nested[0]
        terms = terms[nested[0]]
    per_frame = bool(terms.get('use_gym_history', False))
    scale_first = bool(terms.get('scale_first', False))
    if 'scale_first' not in terms:
        found.assume('clip of a term: applied before its scale (the file has no scale_first)')
    entries = {name: entry or {} for name, entry in terms.items() if name not in SWITCHES}
    lengths = {name: int(entry.get('history_length') or 1) for name, entry in entries.items()}
    longest = max(lengths.values(), default=1)
    if longest > 1:
        found.observation['history'] = {
            'length': longest,
            'layout': 'per_frame' if per_frame else 'per_term',
            'order': 'oldest_first',
            'first': 'repeat',
        }
        found.assume('history: oldest first, at the start the first frame repeated')
    found.observation['terms'] = []
    for name, entry in entries.items():
        term = _term(found, name, entry, scale_first, where)
        if lengths[name] != longest:
            term['history'] = lengths[name]
        found.observation['terms'].append(term)


def _is_group(entry: Any) -> bool:
    return isinstance(entry, dict) and any(
        isinstance(value, dict) and 'history_length' in value for value in entry.values()
    )


def _term(
    found: ImportedContract, name: str, entry: dict[str, Any], scale_first: bool, where: str
) -> dict[str, Any]:
    term = term_of(name, where)
    parameters = entry.get('params') or {}
    if term['source'] == 'gravity':
        found.assume('gravity: a unit vector, (0, 0, -1) upright')
    if term['source'] == 'phase':
        period = float(needed(parameters, 'period', f'{where}: {name}'))
        start = math.tau / period / found.control_rate
        found.phase = {'frequency': 1.0 / period, 'start': [start], 'wrap': 'two_pi'}
        found.assume('gait clock: moves on before the first step, and while the command is zero')
    ids = (parameters.get('asset_cfg') or {}).get('joint_ids')
    if isinstance(ids, list) and ids != [None, None, None]:
        term['joints'] = [found.joints[int(at)] for at in ids]
    if entry.get('scale') is not None:
        scale = entry['scale']
        values = [float(scale)] if isinstance(scale, int | float) else numbers(scale, name)
        if set(values) != {1.0}:
            term['scale'] = simple(values)
    if entry.get('clip') is not None:
        term['clip_scaled' if scale_first else 'clip'] = entry['clip']
    return term
