"""Reads unitree_rl_lab's deploy.yaml, which has no joint names: they come from elsewhere.

Semantics as in unitree_rl_lab's runtime (deploy/include/isaaclab): `stiffness` and `damping` are
in the motor order of the SDK, all else in policy order; `joint_ids_map` gives the motor of each
policy joint; the `clip` of an action applies to the target; the frames of a term are together,
oldest first, unless `use_gym_history` is set.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped, unused-ignore]

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import read_numbers
from kinfer_ros.policy.importers.contract import require_key
from kinfer_ros.policy.importers.contract import spec_term
from kinfer_ros.untrusted import read_yaml

SWITCHES = ('use_gym_history', 'scale_first')
RANGES = {'lin_vel_x': 'xvel', 'lin_vel_y': 'yvel', 'ang_vel_z': 'yawrate'}


class _Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """Reads Python's tags (`slice(None)`) as plain lists, without calling anything."""


def _python_tag(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Loader.add_multi_constructor('tag:yaml.org,2002:python/', _python_tag)


def is_deploy_yaml(content: Any) -> bool:
    """Whether the content is that of a deploy.yaml."""
    return isinstance(content, dict) and {'joint_ids_map', 'observations'} <= content.keys()


def read_deploy_yaml(path: Path) -> Any:
    """
    Read a YAML file of another project as plain data.

    :raises ModelError: it cannot be read.
    """
    return read_yaml(path, ModelError, 'file', _Loader)


def read_deploy(
    path: Path, content: dict[str, Any], motors: Sequence[str], source: str
) -> ImportedContract:
    """
    Read a contract from a deploy.yaml.

    :param motors: joint names in the SDK's order.
    :param source: where these names come from, for the report.
    :raises ModelError: a key is missing or has an unknown value.
    """
    where = str(path)
    order = [
        int(entry) for entry in read_numbers(content['joint_ids_map'], f'{where}: joint_ids_map')
    ]
    count = len(order)
    if sorted(order) != sorted(set(order)) or not all(0 <= at < len(motors) for at in order):
        raise ModelError(
            f'{where}: joint_ids_map: found {order}, expected each of 0 to {len(motors) - 1} at '
            f'most once: {source} names {len(motors)} joints: {", ".join(motors)}'
        )
    joints = [motors[at] for at in order]
    pose = read_numbers(
        require_key(content, 'default_joint_pos', where), 'default_joint_pos', count
    )
    contract = ImportedContract(
        path.parent.name or path.stem, joints, pose, robot_joints=list(motors)
    )
    contract.assume(f'joint names: {source}, in the order of the SDK (the file has no names)')
    contract.assume('stiffness and damping are in SDK order, all other lists in policy order')
    contract.kp = _read_by_motor(content, 'stiffness', order, where)
    contract.kd = _read_by_motor(content, 'damping', order, where)
    if content.get('step_dt') is None:
        contract.assume('control rate: 50 Hz (the file has no step_dt)')
    else:
        contract.control_rate = round(1.0 / float(content['step_dt']), 6)
    _read_commands(contract, content)
    _read_action(contract, content, pose, where)
    _read_observations(contract, content, where)
    return contract


def _read_by_motor(
    content: dict[str, Any], key: str, order: list[int], where: str
) -> list[float] | None:
    if content.get(key) is None:
        return None
    values = read_numbers(content[key], f'{where}: {key}')
    if max(order) >= len(values):
        raise ModelError(f'{where}: {key}: found {len(values)} numbers, expected one a motor')
    return [values[at] for at in order]


def _read_commands(contract: ImportedContract, content: dict[str, Any]) -> None:
    commands = content.get('commands') or {}
    ranges = (commands.get('base_velocity') or {}).get('ranges') or {}
    contract.commands = dict.fromkeys(TWIST)
    for theirs, ours in RANGES.items():
        if ranges.get(theirs) is not None:
            contract.commands[ours] = read_numbers(ranges[theirs], f'commands: {theirs}', 2)
    free = [name for name, pair in contract.commands.items() if pair is None]
    if free:
        contract.assume(f'command ranges: none for {", ".join(free)}; they are not limited')


def _read_action(
    contract: ImportedContract, content: dict[str, Any], pose: list[float], where: str
) -> None:
    actions = require_key(content, 'actions', where)
    if list(actions) != ['JointPositionAction']:
        raise ModelError(
            f'{where}: actions: found {", ".join(actions)}, expected JointPositionAction alone'
        )
    action = actions['JointPositionAction']
    ids = action.get('joint_ids')
    whole = ids is None or ids == [None, None, None]  # slice(None)
    names = contract.joints if whole else [contract.joints[int(at)] for at in ids]
    places = [contract.joints.index(name) for name in names]
    scale = read_numbers(require_key(action, 'scale', where), f'{where}: action scale', len(names))
    offset = action.get('offset')
    offset = [0.0] * len(names) if offset is None else read_numbers(offset, 'offset', len(names))
    contract.action = {'relative_to': 'default_pose'}
    if not whole:
        contract.action['joints'] = names
    contract.action['scale'] = collapse_equal(scale)
    if offset != [pose[at] for at in places]:
        contract.action['relative_to'] = 'zero'
        contract.action['offset'] = collapse_equal(offset)
    if action.get('clip') is not None:
        contract.action['target_clip'] = action['clip']
        contract.assume('clip of the action: applied to the target, in rad, as its runtime does')


def _read_observations(contract: ImportedContract, content: dict[str, Any], where: str) -> None:
    terms = require_key(content, 'observations', where)
    nested = [name for name, entry in terms.items() if _is_group(entry)]
    if nested:
        if len(nested) != 1:
            raise ModelError(
                f'{where}: observations: found the groups {", ".join(nested)}, expected one: a '
                'network with several inputs is not supported'
            )
        contract.observation['input'] = nested[0]
        terms = terms[nested[0]]
    per_frame = bool(terms.get('use_gym_history', False))
    scale_first = bool(terms.get('scale_first', False))
    if 'scale_first' not in terms:
        contract.assume('clip of a term: applied before its scale (the file has no scale_first)')
    entries = {name: entry or {} for name, entry in terms.items() if name not in SWITCHES}
    lengths = {name: int(entry.get('history_length') or 1) for name, entry in entries.items()}
    longest = max(lengths.values(), default=1)
    if longest > 1:
        contract.observation['history'] = {
            'length': longest,
            'layout': 'per_frame' if per_frame else 'per_term',
            'order': 'oldest_first',
            'first': 'repeat',
        }
        contract.assume('history: oldest first, at the start the first frame repeated')
    contract.observation['terms'] = []
    for name, entry in entries.items():
        term = _read_term(contract, name, entry, scale_first, where)
        if lengths[name] != longest:
            term['history'] = lengths[name]
        contract.observation['terms'].append(term)


def _is_group(entry: Any) -> bool:
    return isinstance(entry, dict) and any(
        isinstance(value, dict) and 'history_length' in value for value in entry.values()
    )


def _read_term(
    contract: ImportedContract, name: str, entry: dict[str, Any], scale_first: bool, where: str
) -> dict[str, Any]:
    term = spec_term(name, where)
    parameters = entry.get('params') or {}
    if term['source'] == 'gravity':
        contract.assume('gravity: a unit vector, (0, 0, -1) upright')
    if term['source'] == 'phase':
        period = float(require_key(parameters, 'period', f'{where}: {name}'))
        start = math.tau / period / contract.control_rate
        contract.phase = {'frequency': 1.0 / period, 'start': [start], 'wrap': 'two_pi'}
        contract.assume(
            'gait clock: moves on before the first step, and while the command is zero'
        )
    ids = (parameters.get('asset_cfg') or {}).get('joint_ids')
    if isinstance(ids, list) and ids != [None, None, None]:
        term['joints'] = [contract.joints[int(at)] for at in ids]
    if entry.get('scale') is not None:
        scale = entry['scale']
        values = [float(scale)] if isinstance(scale, int | float) else read_numbers(scale, name)
        if set(values) != {1.0}:
            term['scale'] = collapse_equal(values)
    if entry.get('clip') is not None:
        term['clip_scaled' if scale_first else 'clip'] = entry['clip']
    return term
