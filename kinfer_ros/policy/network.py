"""Matches a network's inputs and outputs to its spec: observation, action, recurrent states.

Some sizes in an ONNX file are open, so the graph is run once on zeros and the shapes of its
outputs are compared with the spec.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.bound_graph import Port
from kinfer_ros.policy.bound_graph import State
from kinfer_ros.policy.bound_graph import Wiring
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.graph import Tensor
from kinfer_ros.policy.metadata import Problems
from kinfer_ros.policy.network_shapes import check_input_type
from kinfer_ros.policy.network_shapes import fixed_shape
from kinfer_ros.policy.network_shapes import input_shape
from kinfer_ros.policy.number_types import DTYPES
from kinfer_ros.policy.number_types import FLOATS
from kinfer_ros.policy.number_types import as_carried
from kinfer_ros.policy.spec.observation import Block
from kinfer_ros.policy.spec.spec import BY_NAME
from kinfer_ros.policy.spec.spec import BY_POSITION
from kinfer_ros.policy.spec.spec import NetworkSpec
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.spec import States
from kinfer_ros.yaml_vectors import format_value

MAX_STATE = 16 * 1024 * 1024
_ROLE_WORDS = {'in', 'out', 'input', 'output', 'next', 'new', 'prev', 'previous', 'last'}


@dataclass(frozen=True)
class Wanted:
    """What a spec says about one of its networks."""

    blocks: tuple[Block, ...]
    outputs: Mapping[str | None, tuple[int, str]]
    """Numbers of each output that is used, and what they are."""
    states: States | None
    output_key: str
    """Key of the spec that names an output."""
    prefix: str = ''
    """Of the keys of the spec."""


@dataclass(frozen=True)
class Network:
    """The roles of a graph's inputs and outputs, with their shapes at run time."""

    wiring: Wiring
    places: tuple[tuple[str, slice], ...]
    """Of each block: its input, and where it stands in that."""
    outputs: Mapping[str | None, str]
    """Names of the outputs that are used, by what the spec calls them."""
    initial: Float32
    """Initial values of the states, as in the carry."""
    unused: tuple[str, ...]
    """Outputs without a role."""


def policy_wanted(spec: PolicySpec) -> Wanted:
    """Return what a spec says about the policy's own network."""
    outputs = {
        name: (len(joints), f'one for each of action.joints: {", ".join(joints)}')
        for name, joints in spec.action.outputs.items()
    }
    return Wanted(spec.observation, outputs, spec.states, 'action.output')


def network_wanted(spec: PolicySpec, network: NetworkSpec) -> Wanted:
    """Return what a spec says about a network that runs before the policy's."""
    outputs = {
        output: (count, f'as the count of the terms that read it: source network, {name}')
        for (name, output), count in spec.network_outputs.items()
        if name == network.name
    }
    key = f'output of the terms with source network, name {network.name}'
    prefix = f'networks.{network.name}.'
    return Wanted(network.observation, outputs, network.states, key, prefix)


def read_network(graph: Graph, wanted: Wanted, where: str) -> Network:
    """
    Find and check the roles of all inputs and outputs.

    :param where: file and spec, for errors.
    :raises ModelError: naming every input, output or state that does not fit the spec.
    """
    problems = Problems(where)
    fed = _fed_inputs(graph, wanted, problems)
    outputs = {
        name: _find_role(graph.outputs, name, 'output', wanted.output_key, problems)
        for name in wanted.outputs
    }
    problems.raise_if_any()
    used = {name: node for name, node in outputs.items() if node is not None}
    pairs = _pair_states(graph, set(fed), {node.name for node in used.values()}, wanted, problems)
    inputs = tuple(_input_port(node, blocks, problems) for node, blocks in fed.values())
    _check_types(used, pairs, problems)
    problems.raise_if_any()
    states = tuple(
        State(node.name, to.name, fixed_shape(node.shape), DTYPES[node.dtype])
        for node, to in pairs
    )
    shapes = [state.shape for state in states]
    if sum(map(math.prod, shapes)) > MAX_STATE:
        problems.add('states', f'{shapes}', f'at most {MAX_STATE} numbers')
    problems.raise_if_any()
    given = graph.run_once(
        {each.name: np.zeros(each.shape, each.dtype) for each in inputs}
        | {state.input: np.zeros(state.shape, state.dtype) for state in states}
    )
    _check_outputs(given, used, states, wanted, problems)
    initial = _initial_states(states, wanted, problems)
    problems.raise_if_any()
    ports = tuple(
        Port(node.name, given[node.name].shape, DTYPES[node.dtype]) for node in used.values()
    )
    roles = {port.name for port in ports} | {state.output for state in states}
    return Network(
        wiring=Wiring(graph, inputs, ports, states),
        places=_block_places(fed, wanted),
        outputs={name: node.name for name, node in used.items()},
        initial=initial,
        unused=tuple(node.name for node in graph.outputs if node.name not in roles),
    )


Fed = dict[str, tuple[Tensor, list[Block]]]
"""Inputs that blocks fill, and these, by name."""


def _fed_inputs(graph: Graph, wanted: Wanted, problems: Problems) -> Fed:
    fed: Fed = {}
    key = f'{wanted.prefix}observation.input'
    for name in dict.fromkeys(block.input for block in wanted.blocks):
        node = _find_role(graph.inputs, name, 'input', key, problems)
        if node is not None:
            fed[node.name] = node, [block for block in wanted.blocks if block.input == name]
    return fed


def _block_places(fed: Fed, wanted: Wanted) -> tuple[tuple[str, slice], ...]:
    starts = dict.fromkeys(fed, 0)
    only = next(iter(fed), '')
    places = []
    for block in wanted.blocks:
        name = block.input or only
        end = starts[name] + block.size
        places.append((name, slice(starts[name], end)))
        starts[name] = end
    return tuple(places)


def _input_port(node: Tensor, blocks: list[Block], problems: Problems) -> Port:
    check_input_type(node, blocks, problems)
    shape = input_shape(node, blocks, problems)
    return Port(node.name, shape, DTYPES.get(node.dtype, DTYPES[FLOATS[0]]))


def _find_role(
    nodes: tuple[Tensor, ...], name: str | None, what: str, key: str, problems: Problems
) -> Tensor | None:
    """Return the node that the spec names, or the only one there is."""
    names = ', '.join(node.name for node in nodes) or 'none'
    if name is None:
        if len(nodes) == 1:
            return nodes[0]
        problems.add(f'{what}s', names, f'the spec to say which it is: {key}')
        return None
    match = next((node for node in nodes if node.name == name), None)
    if match is None:
        problems.add(f'{key} of the spec', repr(name), f'one of the {what}s: {names}')
    return match


def _pair_states(
    graph: Graph, fed: set[str], used: set[str], wanted: Wanted, problems: Problems
) -> list[tuple[Tensor, Tensor]]:
    """Pair each other input with the output that feeds it in the next step."""
    inputs = [node for node in graph.inputs if node.name not in fed]
    outputs = [node for node in graph.outputs if node.name not in used]
    if wanted.states is None:
        if inputs:
            problems.add(
                'inputs',
                f'{_names(inputs)} beside {", ".join(sorted(fed))}',
                f'{_entries(wanted)}; or, for the states of a recurrent network, '
                f'{wanted.prefix}states, the outputs that feed them in the next step: states: '
                f'{{pair: {BY_NAME}}} would give {_guess(inputs, outputs)}, or name them: '
                f'{{pair: {{input: output}}}} (outputs: {_names(outputs)})',
            )
        return []
    rule = wanted.states.pair
    pairs = rule if isinstance(rule, dict) else _rule_pairs(rule, inputs, outputs)
    by_output = {node.name: node for node in outputs}
    unknown = [n for n in pairs if n not in {node.name for node in inputs}]
    missing = [node.name for node in inputs if pairs.get(node.name) not in by_output]
    if missing or unknown or len(set(pairs.values())) != len(pairs):
        lack = f', none for {", ".join(missing)}' if missing else ''
        problems.add(
            f'{wanted.prefix}states (pair: {format_value(rule)})',
            f'pairs {format_value(pairs)}{lack}',
            f'a different output for each of the inputs {_names(inputs)}, from {_names(outputs)}; '
            f'for an input that is no state {_entries(wanted)}',
        )
        return []
    return [(node, by_output[pairs[node.name]]) for node in inputs]


def _entries(wanted: Wanted) -> str:
    return (
        f'an entry of {wanted.prefix}observation with its terms: observation: [{{input: NAME, '
        'terms: [...]}, ...] (a counter of the steps: source step; a flag of the first one: '
        'source first_step)'
    )


def _rule_pairs(rule: str, inputs: list[Tensor], outputs: list[Tensor]) -> dict[str, str]:
    if rule == BY_POSITION:
        return {a.name: b.name for a, b in zip(inputs, outputs, strict=False)}
    stems = {_stem(node.name): node.name for node in outputs}
    return {a.name: stems[_stem(a.name)] for a in inputs if _stem(a.name) in stems}


def _stem(name: str) -> str:
    """Remove the words for a role from a name: h for h_in, h_out, next_h, h0, hn."""
    words = [word for word in re.split(r'[^a-z0-9]+', name.lower()) if word]
    kept = [word for word in words if word not in _ROLE_WORDS]
    return '_'.join(re.sub(r'^([a-z])[0n]$', r'\1', word) for word in kept)


def _guess(inputs: list[Tensor], outputs: list[Tensor]) -> str:
    pairs = _rule_pairs(BY_NAME, inputs, outputs)
    return ', '.join(f'{a}: {b}' for a, b in pairs.items()) or 'no pair'


def _names(nodes: list[Tensor]) -> str:
    return ', '.join(node.name for node in nodes) or 'none'


def _fixed_shape(shape: tuple[int | str | None, ...]) -> tuple[int, ...]:
    """Replace open sizes by 1: one robot, one step."""
    return tuple(size if isinstance(size, int) and size > 0 else 1 for size in shape)


def _check_types(
    used: Mapping[str | None, Tensor], pairs: list[tuple[Tensor, Tensor]], problems: Problems
) -> None:
    for node in used.values():
        if node.dtype not in FLOATS:
            problems.add(repr(node.name), node.dtype, f'one of {", ".join(FLOATS)}')
    for node, to in pairs:
        if node.dtype not in DTYPES:
            problems.add(repr(node.name), node.dtype, f'one of {", ".join(DTYPES)}')
        if node.dtype != to.dtype:
            problems.add(repr(to.name), to.dtype, f'{node.dtype}, as its input {node.name!r}')


def _check_outputs(
    given: dict[str, Any],
    used: Mapping[str | None, Tensor],
    states: tuple[State, ...],
    wanted: Wanted,
    problems: Problems,
) -> None:
    for name, node in used.items():
        size, what = wanted.outputs[name]
        shape = given[node.name].shape
        if math.prod(shape) != size or (shape and shape[-1] != size):
            kind = ' (the action)' if wanted.output_key == 'action.output' else ''
            problems.add(
                f'output {node.name!r}{kind}', f'shape {list(shape)}', f'{size} numbers, {what}'
            )
    for state in states:
        shape = given[state.output].shape
        if shape != state.shape:
            problems.add(
                f'state {state.input} -> {state.output}',
                f'shapes {list(state.shape)} and {list(shape)}',
                'the same shape for both; are they paired correctly?',
            )


def _initial_states(states: tuple[State, ...], wanted: Wanted, problems: Problems) -> Float32:
    given = wanted.states.initial if wanted.states else {}
    unknown = [name for name in given if name not in {state.input for state in states}]
    if unknown:
        names = ', '.join(state.input for state in states) or 'none'
        problems.add('states.initial', f'{unknown}', f'of the states: {names}')
    parts = [np.zeros(0, np.float32)]
    for state in states:
        size = math.prod(state.shape)
        key = f'{wanted.prefix}states.initial.{state.input}'
        value = np.asarray(given.get(state.input, 0.0), np.float64).ravel()
        if value.size not in (1, size):
            problems.add(key, f'{value.size} numbers', f'1 or {size} numbers')
            continue
        own = np.zeros(size, state.dtype)
        with np.errstate(over='ignore', invalid='ignore'):
            own[:] = value
        if (state.dtype.kind != 'f' and (own != value).any()) or not np.isfinite(own).all():
            problems.add(key, f'{value.tolist()}', f'numbers that are {state.dtype}')
        parts.append(as_carried(own).astype(np.float32))
    return np.concatenate(parts)


def check_bare_onnx(is_bare: bool, where: str) -> None:
    """:raises ModelError: the file is an archive, which has its own contract."""
    if not is_bare:
        raise ModelError(
            f'{where}: is a kinfer archive, which has its own contract; expected a bare '
            '.onnx file for a policy spec. Load it without a spec'
        )
