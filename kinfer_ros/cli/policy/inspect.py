"""`python -m kinfer_ros inspect`: show inputs, outputs, contract and latency of a policy file.

Of a policy set: its policies side by side, and their transitions.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from kinfer_ros.cli.common import command
from kinfer_ros.cli.parsers import add_policy_arguments
from kinfer_ros.cli.parsers import command_parser
from kinfer_ros.cli.parsers import refuse_spec_of_set
from kinfer_ros.contract.set_report import transition_table
from kinfer_ros.contract.set_report import transitions_json
from kinfer_ros.errors import ModelError
from kinfer_ros.errors import TrialError
from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.motion.timeline import describe
from kinfer_ros.policy.onnx_header import read_opset
from kinfer_ros.policy.policy import Policy
from kinfer_ros.policy.policy import load_model
from kinfer_ros.policy.sets.loaded_set import LoadedSet
from kinfer_ros.policy.sets.loaded_set import load_set
from kinfer_ros.policy.sets.policy_set import MemberSpec
from kinfer_ros.policy.sets.policy_set import is_set_file
from kinfer_ros.policy.spec.spec_policy import read_files
from kinfer_ros.text import aligned

ROUNDS = 2000
SHOWN = 120
"""Maximum characters of a printed metadata value."""


def make_parser() -> argparse.ArgumentParser:
    """:return: the parser of the command."""
    parser = command_parser(
        'inspect',
        'Describe a policy file: inputs, outputs, joints, commands, carry, rate, size, opset,'
        ' hash, and its latency on this machine; or the policies of a policy set.',
        'inspect walk.kinfer',
        'inspect set.yaml',
        'inspect policy.onnx --spec policy.spec.yaml --json',
        codes='0: the file can be used; 1: it is described, and cannot be run as it is',
    )
    add_policy_arguments(parser)
    return parser


@command(make_parser)
def main(arguments: argparse.Namespace) -> int:
    """:return: the exit code: 0, 1 if it cannot be run, 2 for a user error, told on stderr."""
    if is_set_file(arguments.model):
        refuse_spec_of_set(arguments)
        return _inspect_set(arguments)
    archive, _ = read_files(arguments.model, arguments.spec)
    more: dict[str, Any] = {}
    try:
        more = _policy_facts(load_model(arguments.model, spec=arguments.spec))
    except TrialError:
        raise
    except ModelError as error:
        if arguments.spec is not None or archive.init_fn is not None:
            raise
        # A bare network: print what is known without a spec.
        more['not_runnable'] = str(error)
    # Last: the trial of load_model has loaded the same graph within bounds.
    facts = _file_facts(archive) | more
    print(json.dumps(facts, indent=2, allow_nan=False) if arguments.json else _text(facts))
    return 1 if 'not_runnable' in facts else 0


def _inspect_set(arguments: argparse.Namespace) -> int:
    loaded = load_set(arguments.model)
    policy_set = loaded.policy_set
    facts = {}
    for name, policy in loaded.policies.items():
        member = policy_set.members[name]
        archive, _ = read_files(member.model, member.spec)
        own = {'spec': str(member.spec) if member.spec else None, **member.settings()}
        facts[name] = _file_facts(archive) | own | _policy_facts(policy)
    if arguments.json:
        content = {
            'policy_set': str(policy_set.path),
            'enter': policy_set.entry,
            'policies': facts,
            'transitions': transitions_json(policy_set),
        }
        print(json.dumps(content, indent=2, allow_nan=False))
    else:
        print(_set_text(loaded, facts))
    return 0


def _set_text(loaded: LoadedSet, facts: dict[str, dict[str, Any]]) -> str:
    policy_set = loaded.policy_set
    rate = loaded.entry.contract.control_rate_hz
    table = [
        ['policy', 'joints', 'carry', 'latency us', 'motion', 'commands', 'settings', 'model']
    ]
    for name, each in facts.items():
        timeline = loaded.policies[name].timeline
        table.append(
            [
                name,
                str(len(each['joints'])),
                _joined(each['carry_shape'] or 'none'),
                f'{each["latency_us"]["p50"]:g}',
                f'{timeline.ticks} ticks, then {timeline.spec.end}' if timeline else 'none',
                ', '.join(each['commands']) or 'none',
                _settings(policy_set.members[name]),
                each['file'],
            ]
        )
    lines = [
        f'policy set        {policy_set.path}',
        f'runs first        {policy_set.entry}',
        f'control rate hz   {f"{rate:g}" if rate else "none"}',
        'policies',
        *aligned(table, '  '),
    ]
    if policy_set.transitions:
        lines += ['transitions', *aligned(transition_table(policy_set), '  ')]
    first = policy_set.members[policy_set.entry]
    spec = f' --spec {first.spec}' if first.spec else ''
    return '\n'.join([*lines, f'all of a policy: inspect {first.model}{spec}'])


def _settings(member: MemberSpec) -> str:
    return ', '.join(f'{key} {_joined(value)}' for key, value in member.settings().items()) or '-'


def _policy_facts(policy: Policy) -> dict[str, Any]:
    facts = _contract_facts(policy.contract)
    if policy.timeline is not None:
        facts['motion'] = describe(policy.timeline, policy.contract.joint_names)
    return facts | {'latency_us': _latency(policy)}


def _file_facts(archive: Archive) -> dict[str, Any]:
    graph = Graph(archive.step_fn, str(archive.path), external=archive.external)
    return {
        'file': str(archive.path),
        'kind': 'ONNX file' if archive.init_fn is None else 'kinfer archive',
        'size_bytes': archive.path.stat().st_size,
        'sha256': archive.sha256,
        'opset': read_opset(archive.step_fn),
        'network_inputs': _nodes(graph.inputs),
        'network_outputs': _nodes(graph.outputs),
        'metadata': dict(graph.metadata) | archive.metadata,
    } | (
        {'networks_before': {name: str(part.path) for name, part in archive.networks.items()}}
        if archive.networks
        else {}
    )


def _nodes(nodes: Sequence[Any]) -> list[dict[str, Any]]:
    return [{'name': n.name, 'shape': list(n.shape), 'type': n.dtype} for n in nodes]


def _contract_facts(contract: Contract) -> dict[str, Any]:
    facts: dict[str, Any] = {
        'contract': {
            'kinfer': 'the archive itself',
            'onnx': 'the metadata of the ONNX file',
            'spec': f'the policy spec {contract.spec.path if contract.spec else ""}',
        }[contract.kind],
        'inputs': [
            {'name': e.name, 'shape': list(e.shape), 'unit': e.unit, 'meaning': e.meaning}
            for e in contract.inputs
        ],
        'action': _action(contract),
        'joints': list(contract.joint_names),
        'commands': {name: contract.command_ranges.get(name) for name in contract.command_names},
        'carry_shape': list(contract.carry_shape) if contract.carry_shape is not None else None,
        'carry_parts': contract.carry_parts,
        'control_rate_hz': contract.control_rate_hz,
        'start_pose': contract.joint_biases,
        'kp': contract.joint_kp,
        'kd': contract.joint_kd,
        'torque_limits': contract.joint_torque_limits,
        'assumptions': list(contract.assumptions),
    }
    if contract.spec is not None:
        facts['observation'] = [
            {
                'source': term.source,
                'frame': term.frame,
                'numbers': term.size,
                'frames': block.frames(term),
                'of': list(term.names),
                'scale': list(term.scale),
                'input': block.input,
            }
            for block in contract.spec.blocks
            for term in block.terms
        ]
    return facts


def _action(contract: Contract) -> str:
    wheels = contract.velocity_joints
    positions = f'{len(contract.joint_names) - len(wheels)} absolute joint position targets, rad'
    return f'{positions}; velocity targets, rad/s: {", ".join(wheels)}' if wheels else positions


def _latency(policy: Policy) -> dict[str, float]:
    """Measure infer and accept for a robot at rest; :return: us."""
    policy.target_at_rest(policy.contract.joint_biases)
    for array in policy.inputs.values():
        array[:] = 0.0
    times = np.empty(ROUNDS)
    for turn in range(ROUNDS):
        begin = time.perf_counter_ns()
        policy.infer()
        policy.accept()
        times[turn] = time.perf_counter_ns() - begin
    p50, p99 = np.percentile(times[ROUNDS // 10 :], (50, 99)) / 1e3
    return {'p50': round(float(p50), 1), 'p99': round(float(p99), 1)}


def _text(facts: dict[str, Any]) -> str:
    lines = []
    for key, value in facts.items():
        label = f'{key.replace("_", " "):<18}'
        if value is None or value == [] or value == {}:
            lines.append(f'{label}none')
        elif isinstance(value, list) and isinstance(value[0], dict):
            lines.append(label.rstrip())
            lines += [f'  {_entry(entry)}' for entry in value]
        elif isinstance(value, dict):
            lines.append(label.rstrip())
            lines += [f'  {name:<26}{_short(entry)}' for name, entry in value.items()]
        elif key == 'assumptions':
            lines.append(label.rstrip())
            lines += [f'  {line}' for line in value]
        else:
            lines.append(f'{label}{_joined(value)}')
    return '\n'.join(lines)


def _entry(entry: dict[str, Any]) -> str:
    if 'meaning' in entry:
        return f'{entry["name"]}{entry["shape"]} {entry["unit"]}: {entry["meaning"]}'
    if 'type' in entry:
        return f'{entry["name"]}{entry["shape"]} {entry["type"]}'
    scales = sorted(set(entry['scale']))
    scale = f'{scales[0]:g}' if len(scales) == 1 else f'{scales[0]:g} to {scales[-1]:g}'
    return (
        f'{entry["input"] + ": " if entry["input"] else ""}'
        f'{entry["source"]:<18}{entry["numbers"]:>3} x {entry["frames"]} frame(s), scale {scale}, '
        f'{_short(", ".join(entry["of"]))}'
    )


def _joined(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ', '.join(f'{v:g}' if isinstance(v, float) else str(v) for v in value)
    return str(value)


def _short(value: Any) -> str:
    text = 'no range' if value is None else _joined(value) or 'none'
    return text if len(text) <= SHOWN else f'{text[: SHOWN - 3]}...'
