"""Makes a Policy from an ONNX file with flat inputs and its policy spec.

It has the interface of a kinfer policy: named arrays in, absolute joint targets out, one carry.
"""

import os
from dataclasses import replace
from itertools import chain

from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.contract import SPEC_INPUTS
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.contract import Input
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.network import Network
from kinfer_ros.policy.network import check_bare_onnx
from kinfer_ros.policy.network import policy_wanted
from kinfer_ros.policy.network import read_network
from kinfer_ros.policy.number_types import FLOAT32
from kinfer_ros.policy.sources import IMU_SUFFIX
from kinfer_ros.policy.sources import input_sizes
from kinfer_ros.policy.spec import PolicySpec
from kinfer_ros.policy.spec import load_spec
from kinfer_ros.policy.spec_session import SpecSession
from kinfer_ros.policy.spec_terms import ACTION
from kinfer_ros.policy.spec_terms import STEP
from kinfer_ros.policy.spec_terms import UNIT


def read_with_spec(
    archive: Archive,
    spec: str | os.PathLike[str] | PolicySpec,
    threads: int = 1,
    control_rate_hz: float | None = None,
) -> tuple[Contract, SpecSession]:
    """
    Read a bare ONNX file and its spec.

    :param control_rate_hz: instead of the spec's.
    :raises ModelError: naming what does not fit, in the file, the spec, or between them.
    """
    check_bare_onnx(archive.init_fn is None, str(archive.path))
    policy_spec = spec if isinstance(spec, PolicySpec) else load_spec(spec)
    if control_rate_hz is not None:
        policy_spec = replace(policy_spec, control_rate_hz=control_rate_hz)
    graph = Graph(archive.step_fn, str(archive.path), threads, archive.external)
    where = f'{graph.where} with the spec {policy_spec.path}'
    network = read_network(graph, policy_wanted(policy_spec), where)
    session = SpecSession(policy_spec, [network])
    return _contract(archive, policy_spec, network, session), session


def _contract(
    archive: Archive, spec: PolicySpec, network: Network, session: SpecSession
) -> Contract:
    size = session.initial_carry.size
    parts = {state.input: state.carried for state in network.wiring.states}
    return Contract(
        path=archive.path,
        sha256=archive.sha256,
        kind='spec',
        joint_names=spec.joints,
        command_names=tuple(spec.commands),
        inputs=tuple(_input(name, count) for name, count in input_sizes(spec).items()),
        carry_shape=(size,) if size else None,
        control_rate_hz=spec.control_rate_hz,
        joint_biases=spec.start_pose,
        joint_kp=spec.kp,
        joint_kd=spec.kd,
        joint_torque_limits=spec.torque_limit,
        command_ranges={name: pair for name, pair in spec.commands.items() if pair is not None},
        provenance={'spec': str(spec.path), 'spec_sha256': spec.sha256, 'spec_name': spec.name},
        metadata=dict(network.wiring.graph.metadata),
        spec=spec,
        carry_parts=parts | session.memory.sizes(),
        assumptions=assumptions(spec, network),
    )


def _input(name: str, count: int) -> Input:
    base = name.removesuffix(IMU_SUFFIX)
    known = SPEC_INPUTS[base]
    meaning = known.meaning
    if name != base:
        meaning = f"{meaning.replace('the policy frame', 'the IMU frame')} (the IMU's own frame)"
    return Input(name, (count,), known.unit, meaning)


def assumptions(spec: PolicySpec, network: Network) -> tuple[str, ...]:
    """List what no check can verify, for a person who knows the training."""
    lines = list(chain.from_iterable((_joint_lines(spec), _history_lines(spec))))
    for term in spec.terms:
        if term.source == 'gravity':
            length = 'a unit vector' if term.unit == UNIT else '9.81 m/s^2 long'
            sign = 'upside down: (0, 0, +) upright' if term.scale[0] < 0 else '(0, 0, -) upright'
            lines.append(f'gravity: {length}, {sign}, in the {term.frame} frame')
        elif term.source == 'joint_positions':
            lines.append(
                f'joint positions: {"minus the default pose" if term.relative else "absolute"}'
            )
        elif term.source == 'quaternion':
            lines.append(f'quaternion: {" ".join(term.order)}, {term.frame} in the world')
        elif term.source == ACTION:
            lines.append(f'last action: {term.which}, {term.ago} tick(s) back')
        elif term.source == STEP:
            end = 'from 0 again' if term.restarts else 'stays there'
            until = '' if term.last is None else f', up to {term.last}, then {end}'
            lines.append(f'step: ticks since the start, the first is 0{until}')
        elif term.source == 'linear_velocity':
            lines.append(
                f"linear velocity: of the base's origin, in the {term.frame} frame, from odometry"
            )
    if spec.phase is not None:
        starts = ', '.join(f'{angle:g}' for angle in spec.phase.start)
        lines.append(
            f'gait clock: {spec.phase.frequency} Hz, from ({starts}) rad, command zero: '
            f'{spec.phase.still}'
        )
    for port in (*network.wiring.inputs, *network.wiring.outputs):
        if port.dtype != FLOAT32:
            lines.append(f'number type: {port.name} is {port.dtype}, converted from or to float32')
    for state in network.wiring.states:
        lines.append(f'state: input {state.input} takes output {state.output}')
    for name in network.unused:
        lines.append(f'unused output: {name}')
    return tuple(lines)


def _joint_lines(spec: PolicySpec) -> list[str]:
    action = spec.action
    scales = sorted(set(action.scale))
    scale = f'{scales[0]:g}' if len(scales) == 1 else f'{scales[0]:g} to {scales[-1]:g}'
    lines = [
        f'joint order: {", ".join(spec.joints)}',
        f'targets: {action.relative_to} + {scale} x action'
        + (' + offset' if any(action.offset) else ''),
        f'default pose: {", ".join(f"{angle:g}" for angle in spec.default_pose)} rad',
    ]
    held = [name for name in spec.joints if name not in action.joints]
    if held:
        lines.append(f'held at the default pose: {", ".join(held)}')
    return lines


def _history_lines(spec: PolicySpec) -> list[str]:
    lines = []
    for block in spec.blocks:
        history = block.history
        if all(block.frames(term) == 1 for term in block.terms):
            continue
        of_input = f' of {block.input}' if len(spec.blocks) > 1 and block.input else ''
        lines.append(
            f'history{of_input}: {"whole frames" if history.per_frame else "each term together"}, '
            f'{"newest" if history.newest_first else "oldest"} first, at the start '
            f'{"zeros" if history.zero_fill else "the first frame repeated"}'
        )
    return lines
