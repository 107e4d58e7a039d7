"""Reads the ONNX custom metadata that Isaac Lab and mjlab style exporters attach to a network.

Comma-separated lists, or JSON: `joint_names`, `default_joint_pos`, `joint_stiffness`,
`joint_damping`, `action_scale`, `observation_names`, `observation_history_lengths`,
`command_names`, `run_path`. Observation scales, control rate and command ranges are not included,
so they are assumed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import read_numbers
from kinfer_ros.policy.importers.contract import spec_term
from kinfer_ros.policy.session import Graph

ALIASES = {
    'joints': ('joint_names', 'dof_names'),
    'pose': ('default_joint_pos', 'default_joint_angles'),
    'kp': ('joint_stiffness', 'stiffness', 'kp'),
    'kd': ('joint_damping', 'damping', 'kd'),
    'scale': ('action_scale',),
    'action_joints': ('action_joint_names',),
    'offset': ('action_offset',),
    'terms': ('observation_names',),
    'lengths': ('observation_history_lengths', 'history_length'),
    'period': ('step_dt', 'control_dt', 'policy_dt'),
    'rate': ('control_rate', 'control_rate_hz', 'policy_frequency'),
}
REQUIRED = ('joints', 'pose', 'scale', 'terms')


def read_onnx_metadata(graph: Graph, path: Path) -> ImportedContract:
    """
    Read a contract from a network's metadata.

    :raises ModelError: a key is missing or wrong, or the network does not match.
    """
    where = f'{path}: custom metadata'
    metadata = {key: _read_first(graph.metadata, names, where) for key, names in ALIASES.items()}
    missing = [ALIASES[key][0] for key in REQUIRED if metadata[key] is None]
    if missing:
        listed = ', '.join(sorted(graph.metadata)) or 'nothing'
        raise ModelError(
            f'{where}: found {listed}; expected {", ".join(missing)} as well. Write a policy spec '
            'by hand (docs/policies.md), or import the deploy.yaml beside it'
        )
    joints = [str(name) for name in metadata['joints']]
    pose = read_numbers(metadata['pose'], f'{where}: {ALIASES["pose"][0]}', len(joints))
    contract = ImportedContract(path.stem, joints, pose, robot_joints=joints)
    contract.assume('joint order: that of joint_names, for every list')
    contract.assume('numbers: as the exporter rounded them, often to three decimals')
    for key in ('kp', 'kd'):
        if metadata[key] is not None:
            setattr(
                contract,
                key,
                read_numbers(metadata[key], f'{where}: {ALIASES[key][0]}', len(joints)),
            )
    _read_rate(contract, metadata)
    _read_action(contract, metadata, where)
    _read_terms(contract, metadata, graph, where)
    _read_roles(contract, graph, path)
    return contract


def _read_first(metadata: Mapping[str, str], keys: tuple[str, ...], where: str) -> Any:
    key = next((key for key in keys if metadata.get(key, '').strip()), None)
    return None if key is None else _parse(metadata[key], f'{where}: {key}')


def _parse(text: str, where: str) -> Any:
    """Parse JSON (of an object, the values) or entries separated by commas."""
    if text.lstrip()[:1] in ('[', '{'):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f'{where}: is not JSON: {error}') from None
        return list(value.values()) if isinstance(value, dict) else value
    return [entry.strip() for entry in text.split(',')]


def _read_rate(contract: ImportedContract, metadata: dict[str, Any]) -> None:
    if metadata['rate'] is not None:
        contract.control_rate = read_numbers(metadata['rate'], 'control_rate', 1)[0]
    elif metadata['period'] is not None:
        contract.control_rate = round(1.0 / read_numbers(metadata['period'], 'step_dt', 1)[0], 6)
    else:
        contract.assume('control rate: 50 Hz (the metadata has none)')


def _read_action(contract: ImportedContract, metadata: dict[str, Any], where: str) -> None:
    names = [str(name) for name in metadata['action_joints'] or contract.joints]
    unknown = [name for name in names if name not in contract.joints]
    if unknown:
        raise ModelError(f'{where}: action_joint_names: {unknown} are not in joint_names')
    scale = read_numbers(metadata['scale'], f'{where}: action_scale')
    if len(scale) == 1:
        scale *= len(names)
    scale = read_numbers(scale, f'{where}: action_scale', len(names))
    contract.action = {'relative_to': 'default_pose', 'scale': collapse_equal(scale)}
    if names != contract.joints:
        contract.action['joints'] = names
    if metadata['offset'] is not None:
        offset = read_numbers(metadata['offset'], f'{where}: action_offset', len(names))
        pose = dict(zip(contract.joints, contract.default_pose, strict=True))
        if any(abs(a - pose[n]) > 1e-3 for a, n in zip(offset, names, strict=True)):
            contract.action |= {'relative_to': 'zero', 'offset': collapse_equal(offset)}
    else:
        contract.assume('action: default_joint_pos + action_scale x output (use_default_offset)')


def _read_terms(
    contract: ImportedContract, metadata: dict[str, Any], graph: Graph, where: str
) -> None:
    names = [str(name) for name in metadata['terms']]
    terms = [spec_term(name, where) for name in names]
    if any(term['source'] == 'command' for term in terms):
        contract.commands = dict.fromkeys(TWIST)
        contract.assume('command: vx, vy (m/s) and yaw rate (rad/s), in this order, not limited')
    if any(term['source'] == 'phase' for term in terms):
        raise ModelError(
            f'{where}: observation_names has a gait phase, whose frequency is not in the metadata.'
            ' Write a policy spec by hand (docs/policies.md)'
        )
    for source, text in (
        ('gravity', 'gravity: a unit vector, (0, 0, -1) upright'),
        ('joint_positions', 'joint positions: relative to default_joint_pos'),
        ('linear_velocity', "linear velocity: the base's, in its own frame; needs odometry"),
    ):
        if any(term['source'] == source for term in terms):
            contract.assume(text)
    contract.assume('observation scales: 1, no clip (normalisation is inside the network)')
    lengths = _read_lengths(contract, metadata, terms, graph, where)
    longest = max(lengths)
    if longest > 1:
        contract.observation['history'] = {
            'length': longest,
            'layout': 'per_term',
            'order': 'oldest_first',
            'first': 'repeat',
        }
        contract.assume('history: each term together, oldest first, the first frame repeated')
    for term, length in zip(terms, lengths, strict=True):
        if length != longest:
            term['history'] = length
    contract.observation['terms'] = terms


def _read_lengths(
    contract: ImportedContract,
    metadata: dict[str, Any],
    terms: list[dict[str, Any]],
    graph: Graph,
    where: str,
) -> list[int]:
    if metadata['lengths'] is not None:
        values = [
            max(1, round(n))
            for n in read_numbers(metadata['lengths'], f'{where}: history lengths')
        ]
        values = values * len(terms) if len(values) == 1 else values
        if len(values) != len(terms):
            raise ModelError(
                f'{where}: found {len(values)} history lengths, expected {len(terms)}, one a term'
            )
        return values
    sizes = {'joint_positions': len(contract.joints), 'joint_velocities': len(contract.joints)}
    sizes |= {'last_action': len(contract.action.get('joints', contract.joints)), 'quaternion': 4}
    frame = sum(len(term.get('entries', ())) or sizes.get(term['source'], 3) for term in terms)
    width = next((n.shape[-1] for n in graph.inputs if n.shape), None)
    if isinstance(width, int) and width > frame and width % frame == 0:
        contract.assume(f'history: {width // frame} frames, from the input size {width}')
        return [width // frame] * len(terms)
    return [1] * len(terms)


def _read_roles(contract: ImportedContract, graph: Graph, path: Path) -> None:
    inputs = [node.name for node in graph.inputs]
    outputs = [node.name for node in graph.outputs]
    if len(inputs) > 1:
        contract.observation = {'input': inputs[0], **contract.observation}
        contract.states = {'pair': 'by_name'}
        contract.assume(f'observation input: the first, {inputs[0]}; states: paired by name')
    if len(outputs) > 1:
        contract.action = {'output': outputs[0], **contract.action}
        contract.assume(f'action output: the first, {outputs[0]}')
