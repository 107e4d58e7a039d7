"""Reads the ONNX custom metadata that Isaac Lab and mjlab style exporters attach to a network.

Lists with commas between their entries, or JSON: `joint_names`, `default_joint_pos`,
`joint_stiffness`, `joint_damping`, `action_scale`, `observation_names`,
`observation_history_lengths`, `command_names`, `run_path`. Scales of the observation, the rate and
the ranges of the commands are not among them; they have to be assumed, and are said to be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import numbers
from kinfer_ros.policy.importers.contract import simple
from kinfer_ros.policy.importers.contract import term_of
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
    Turn a network's metadata into a contract.

    :raises ModelError: a key is missing or wrong, or the network takes something else.
    """
    where = f'{path}: custom metadata'
    said = {ours: _first(graph.metadata, keys, where) for ours, keys in ALIASES.items()}
    missing = [ALIASES[ours][0] for ours in REQUIRED if said[ours] is None]
    if missing:
        listed = ', '.join(sorted(graph.metadata)) or 'nothing'
        raise ModelError(
            f'{where}: found {listed}; expected {", ".join(missing)} as well. Write a policy spec '
            'by hand (docs/policies.md), or import the deploy.yaml beside it'
        )
    joints = [str(name) for name in said['joints']]
    pose = numbers(said['pose'], f'{where}: {ALIASES["pose"][0]}', len(joints))
    found = ImportedContract(path.stem, joints, pose, robot_joints=joints)
    found.assume('joint order: that of joint_names, for every list')
    found.assume('numbers: as the exporter rounded them, often to three decimals')
    for key in ('kp', 'kd'):
        if said[key] is not None:
            setattr(found, key, numbers(said[key], f'{where}: {ALIASES[key][0]}', len(joints)))
    _read_rate(found, said)
    _read_action(found, said, where)
    _read_terms(found, said, graph, where)
    _read_roles(found, graph, path)
    return found


def _first(metadata: Mapping[str, str], keys: tuple[str, ...], where: str) -> Any:
    key = next((key for key in keys if metadata.get(key, '').strip()), None)
    return None if key is None else _parsed(metadata[key], f'{where}: {key}')


def _parsed(text: str, where: str) -> Any:
    """JSON, or entries with commas between them; a JSON object gives its values."""
    if text.lstrip()[:1] in ('[', '{'):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f'{where}: is not JSON: {error}') from None
        return list(value.values()) if isinstance(value, dict) else value
    return [entry.strip() for entry in text.split(',')]


def _read_rate(found: ImportedContract, said: dict[str, Any]) -> None:
    if said['rate'] is not None:
        found.control_rate = numbers(said['rate'], 'control_rate', 1)[0]
    elif said['period'] is not None:
        found.control_rate = round(1.0 / numbers(said['period'], 'step_dt', 1)[0], 6)
    else:
        found.assume('control rate: 50 Hz (the metadata has none)')


def _read_action(found: ImportedContract, said: dict[str, Any], where: str) -> None:
    names = [str(name) for name in said['action_joints'] or found.joints]
    unknown = [name for name in names if name not in found.joints]
    if unknown:
        raise ModelError(f'{where}: action_joint_names: {unknown} are not in joint_names')
    scale = numbers(said['scale'], f'{where}: action_scale')
    if len(scale) == 1:
        scale *= len(names)
    scale = numbers(scale, f'{where}: action_scale', len(names))
    found.action = {'relative_to': 'default_pose', 'scale': simple(scale)}
    if names != found.joints:
        found.action['joints'] = names
    if said['offset'] is not None:
        offset = numbers(said['offset'], f'{where}: action_offset', len(names))
        pose = dict(zip(found.joints, found.default_pose, strict=True))
        if any(abs(a - pose[n]) > 1e-3 for a, n in zip(offset, names, strict=True)):
            found.action |= {'relative_to': 'zero', 'offset': simple(offset)}
    else:
        found.assume('action: default_joint_pos + action_scale x output (use_default_offset)')


def _read_terms(found: ImportedContract, said: dict[str, Any], graph: Graph, where: str) -> None:
    names = [str(name) for name in said['terms']]
    terms = [term_of(name, where) for name in names]
    if any(term['source'] == 'command' for term in terms):
        found.commands = dict.fromkeys(TWIST)
        found.assume('command: vx, vy (m/s) and yaw rate (rad/s), in this order, not limited')
    if any(term['source'] == 'phase' for term in terms):
        raise ModelError(
            f'{where}: observation_names has a gait phase, whose frequency the metadata does not '
            'tell. Write a policy spec by hand (docs/policies.md)'
        )
    for source, text in (
        ('gravity', 'gravity: a unit vector, (0, 0, -1) upright'),
        ('joint_positions', 'joint positions: relative to default_joint_pos'),
        ('linear_velocity', "linear velocity: the base's, in its own frame; needs odometry"),
    ):
        if any(term['source'] == source for term in terms):
            found.assume(text)
    found.assume('observation scales: 1, no clip (normalisation is inside the network)')
    lengths = _lengths(found, said, terms, graph, where)
    longest = max(lengths)
    if longest > 1:
        found.observation['history'] = {
            'length': longest,
            'layout': 'per_term',
            'order': 'oldest_first',
            'first': 'repeat',
        }
        found.assume('history: each term together, oldest first, the first frame repeated')
    for term, length in zip(terms, lengths, strict=True):
        if length != longest:
            term['history'] = length
    found.observation['terms'] = terms


def _lengths(
    found: ImportedContract,
    said: dict[str, Any],
    terms: list[dict[str, Any]],
    graph: Graph,
    where: str,
) -> list[int]:
    if said['lengths'] is not None:
        values = [max(1, round(n)) for n in numbers(said['lengths'], f'{where}: history lengths')]
        values = values * len(terms) if len(values) == 1 else values
        if len(values) != len(terms):
            raise ModelError(
                f'{where}: found {len(values)} history lengths, expected {len(terms)}, one a term'
            )
        return values
    sizes = {'joint_positions': len(found.joints), 'joint_velocities': len(found.joints)}
    sizes |= {'last_action': len(found.action.get('joints', found.joints)), 'quaternion': 4}
    frame = sum(len(term.get('entries', ())) or sizes.get(term['source'], 3) for term in terms)
    width = next((n.shape[-1] for n in graph.inputs if n.shape), None)
    if isinstance(width, int) and width > frame and width % frame == 0:
        found.assume(f'history: {width // frame} frames, as the input of {width} comes to')
        return [width // frame] * len(terms)
    return [1] * len(terms)


def _read_roles(found: ImportedContract, graph: Graph, path: Path) -> None:
    inputs = [node.name for node in graph.inputs]
    outputs = [node.name for node in graph.outputs]
    if len(inputs) > 1:
        found.observation = {'input': inputs[0], **found.observation}
        found.states = {'pair': 'by_name'}
        found.assume(f'observation input: the first, {inputs[0]}; states: paired by name')
    if len(outputs) > 1:
        found.action = {'output': outputs[0], **found.action}
        found.assume(f'action output: the first, {outputs[0]}')
