"""Matches a network's inputs and outputs to its spec: observation, action, recurrent states.

Some sizes in an ONNX file are open, so the graph is run once on zeros and the shapes of its
outputs are compared with the spec.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.errors import ModelError
from kinfer_ros.policy.metadata import Problems
from kinfer_ros.policy.session import Graph
from kinfer_ros.policy.session import State
from kinfer_ros.policy.session import Tensor
from kinfer_ros.policy.spec import BY_NAME
from kinfer_ros.policy.spec import BY_POSITION
from kinfer_ros.policy.spec import PolicySpec
from kinfer_ros.yaml_vectors import format_value

MAX_STATE = 16 * 1024 * 1024
_FLOAT32 = 'tensor(float)'
_ROLE_WORDS = {'in', 'out', 'input', 'output', 'next', 'new', 'prev', 'previous', 'last'}


@dataclass(frozen=True)
class Network:
    """The roles of a graph's inputs and outputs, with their shapes at run time."""

    observation: tuple[str, tuple[int, ...]]
    action: tuple[str, tuple[int, ...]]
    states: tuple[State, ...]
    initial: Float32
    """Initial values of the states, flat, in their order."""
    unused: tuple[str, ...]
    """Outputs without a role."""


def read_network(graph: Graph, spec: PolicySpec) -> Network:
    """
    Find and check the roles of all inputs and outputs.

    :raises ModelError: naming every input, output or state that does not fit the spec.
    """
    problems = Problems(f'{graph.where} with the spec {spec.path}')
    observation = _find_role(graph.inputs, spec.input, 'input', 'observation.input', problems)
    action = _find_role(graph.outputs, spec.action.output, 'output', 'action.output', problems)
    problems.raise_if_any()
    assert observation is not None
    assert action is not None
    pairs = _pair_states(graph, observation, action, spec, problems)
    _check_types((observation, action, *(node for pair in pairs for node in pair)), problems)
    shape = _observation_shape(observation, spec, problems)
    states = tuple(State(node.name, to.name, _fixed_shape(node.shape)) for node, to in pairs)
    shapes = [state.shape for state in states]
    if sum(map(math.prod, shapes)) > MAX_STATE:
        problems.add('states', f'{shapes}', f'at most {MAX_STATE} numbers')
    problems.raise_if_any()
    inputs = {observation.name: shape} | {state.input: state.shape for state in states}
    outputs = graph.run_once({name: np.zeros(size, np.float32) for name, size in inputs.items()})
    _check_outputs(outputs, action.name, states, spec, problems)
    initial = _initial_states(states, spec, problems)
    problems.raise_if_any()
    used = {action.name, *(state.output for state in states)}
    return Network(
        observation=(observation.name, shape),
        action=(action.name, outputs[action.name].shape),
        states=states,
        initial=initial,
        unused=tuple(node.name for node in graph.outputs if node.name not in used),
    )


def _observation_shape(node: Tensor, spec: PolicySpec, problems: Problems) -> tuple[int, ...]:
    """Return the shape of the observation, and check it against the terms of the spec."""
    size = spec.observation_size
    shape = (*_fixed_shape(node.shape[:-1]), size)
    last = node.shape[-1] if node.shape else None
    if (isinstance(last, int) and last != size) or math.prod(shape[:-1]) != 1:
        problems.add(
            f'input {node.name!r}',
            f'shape {list(node.shape)}',
            f'{size} numbers, the sum of the terms of the spec: {_format_sizes(spec)}',
        )
    return shape


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
    graph: Graph, observation: Tensor, action: Tensor, spec: PolicySpec, problems: Problems
) -> list[tuple[Tensor, Tensor]]:
    """Pair each other input with the output that feeds it in the next step."""
    inputs = [node for node in graph.inputs if node.name != observation.name]
    outputs = [node for node in graph.outputs if node.name != action.name]
    if spec.states is None:
        if inputs:
            problems.add(
                'inputs',
                f'{", ".join(node.name for node in inputs)} beside {observation.name}',
                'states in the spec, the outputs that feed them in the next step: states: {pair: '
                f'{BY_NAME}}} would give {_guess(inputs, outputs)}, or name them: '
                f'{{pair: {{input: output}}}} (outputs: {_names(outputs)})',
            )
        return []
    rule = spec.states.pair
    wanted = rule if isinstance(rule, dict) else _rule_pairs(rule, inputs, outputs)
    by_output = {node.name: node for node in outputs}
    unknown = [n for n in wanted if n not in {node.name for node in inputs}]
    missing = [node.name for node in inputs if wanted.get(node.name) not in by_output]
    if missing or unknown or len(set(wanted.values())) != len(wanted):
        problems.add(
            f'states (pair: {format_value(rule)})',
            f'pairs {format_value(wanted)}',
            f'a different output for each of the inputs {_names(inputs)}, from {_names(outputs)}',
        )
        return []
    return [(node, by_output[wanted[node.name]]) for node in inputs]


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


def _check_types(nodes: tuple[Tensor, ...], problems: Problems) -> None:
    for node in nodes:
        if node.dtype != _FLOAT32:
            problems.add(repr(node.name), node.dtype, f'{_FLOAT32} (float32)')


def _format_sizes(spec: PolicySpec) -> str:
    parts = [f'{term.source} {term.size}x{spec.frames(term)}' for term in spec.terms]
    return ' + '.join(part.removesuffix('x1') for part in parts) or 'no terms'


def _check_outputs(
    outputs: dict[str, Any],
    action: str,
    states: tuple[State, ...],
    spec: PolicySpec,
    problems: Problems,
) -> None:
    size = len(spec.action.joints)
    shape = outputs[action].shape
    if math.prod(shape) != size or (shape and shape[-1] != size):
        problems.add(
            f'output {action!r} (the action)',
            f'shape {list(shape)}',
            f'{size} numbers, one for each of action.joints: {", ".join(spec.action.joints)}',
        )
    for state in states:
        given = outputs[state.output].shape
        if given != state.shape:
            problems.add(
                f'state {state.input} -> {state.output}',
                f'shapes {list(state.shape)} and {list(given)}',
                'the same shape for both; are they paired correctly?',
            )


def _initial_states(states: tuple[State, ...], spec: PolicySpec, problems: Problems) -> Float32:
    given = spec.states.initial if spec.states else {}
    unknown = [name for name in given if name not in {state.input for state in states}]
    if unknown:
        names = ', '.join(state.input for state in states) or 'none'
        problems.add('states.initial', f'{unknown}', f'of the states: {names}')
    parts = []
    for state in states:
        size = math.prod(state.shape)
        value = np.asarray(given.get(state.input, 0.0), np.float32).ravel()
        if value.size not in (1, size):
            problems.add(
                f'states.initial.{state.input}', f'{value.size} numbers', f'1 or {size} numbers'
            )
            value = np.zeros(1, np.float32)
        parts.append(np.broadcast_to(value, size))
    return np.concatenate([np.zeros(0, np.float32), *parts])


def check_bare_onnx(is_bare: bool, where: str) -> None:
    """:raises ModelError: the file is an archive, which has its own contract."""
    if not is_bare:
        raise ModelError(
            f'{where}: is a kinfer archive, which has its own contract; expected a bare '
            '.onnx file for a policy spec. Load it without a spec'
        )
