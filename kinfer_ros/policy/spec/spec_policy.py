"""Makes a Policy from an ONNX file with flat inputs and its policy spec.

It has the interface of a kinfer policy: named arrays in, absolute joint targets out, one carry.
"""

import math
import os
from dataclasses import replace
from itertools import chain

from kinfer_ros.policy.archive import Archive
from kinfer_ros.policy.archive import read_archive
from kinfer_ros.policy.archive import with_networks
from kinfer_ros.policy.contract import SPEC_INPUTS
from kinfer_ros.policy.contract import Contract
from kinfer_ros.policy.contract import Input
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.motion.load import load_timeline
from kinfer_ros.policy.network import Network
from kinfer_ros.policy.network import Wanted
from kinfer_ros.policy.network import check_bare_onnx
from kinfer_ros.policy.network import network_wanted
from kinfer_ros.policy.network import policy_wanted
from kinfer_ros.policy.network import read_network
from kinfer_ros.policy.number_types import FLOAT32
from kinfer_ros.policy.spec.action import ActionSpec
from kinfer_ros.policy.spec.scan import HeightScan
from kinfer_ros.policy.spec.sources import IMU_SUFFIX
from kinfer_ros.policy.spec.sources import input_sizes
from kinfer_ros.policy.spec.spec import NormFrequency
from kinfer_ros.policy.spec.spec import Phase
from kinfer_ros.policy.spec.spec import PolicySpec
from kinfer_ros.policy.spec.spec import load_spec
from kinfer_ros.policy.spec.spec_session import SpecSession
from kinfer_ros.policy.spec.terms import ACTION
from kinfer_ros.policy.spec.terms import STEP
from kinfer_ros.policy.spec.terms import UNIT


def read_files(
    path: str | os.PathLike[str], spec: str | os.PathLike[str] | None
) -> tuple[Archive, PolicySpec | None]:
    """
    Read the file of a policy, its spec, and the networks that the spec names.

    :raises ModelError: naming the file, what was found and what was expected.
    """
    archive = read_archive(path)
    if spec is None:
        return archive, None
    check_bare_onnx(archive.init_fn is None, str(archive.path))
    policy_spec = load_spec(spec)
    return with_networks(archive, policy_spec.network_files), policy_spec


def read_with_spec(
    archive: Archive,
    spec: PolicySpec,
    threads: int = 1,
    control_rate_hz: float | None = None,
) -> tuple[Contract, SpecSession]:
    """
    Make contract and session of a bare ONNX file with a spec.

    :param control_rate_hz: instead of the spec's.
    :raises ModelError: naming what does not fit, in the files, the spec, or between them.
    """
    check_bare_onnx(archive.init_fn is None, str(archive.path))
    if control_rate_hz is not None:
        spec = replace(spec, control_rate_hz=control_rate_hz)
    networks = [
        _read_network(archive.networks[each.name], network_wanted(spec, each), spec, threads)
        for each in spec.networks
    ]
    networks.append(_read_network(archive, policy_wanted(spec), spec, threads))
    timeline = load_timeline(spec, networks[-1].wiring.graph, archive.path)
    session = SpecSession(spec, networks, timeline)
    return _contract(archive, spec, networks, session), session


def _read_network(archive: Archive, wanted: Wanted, spec: PolicySpec, threads: int) -> Network:
    graph = Graph(archive.step_fn, str(archive.path), threads, archive.external)
    return read_network(graph, wanted, f'{graph.where} with the spec {spec.path}')


def _contract(
    archive: Archive, spec: PolicySpec, networks: list[Network], session: SpecSession
) -> Contract:
    size = session.initial_carry.size
    prefixes = [*(f'{name}.' for name in spec.network_files), '']
    parts = {
        prefix + state.input: state.carried
        for prefix, network in zip(prefixes, networks, strict=True)
        for state in network.wiring.states
    }
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
        provenance=_provenance(spec, session),
        metadata=dict(session.graph.metadata),
        spec=spec,
        carry_parts=parts | session.memory.sizes(),
        assumptions=assumptions(spec, networks),
    )


def _provenance(spec: PolicySpec, session: SpecSession) -> dict[str, str]:
    found = {'spec': str(spec.path), 'spec_sha256': spec.sha256, 'spec_name': spec.name}
    if session.motion is not None:
        timeline = session.motion.timeline
        found['motion'] = timeline.motion.where
        found['motion_sha256'] = timeline.sha256
    return found


def _input(name: str, count: int) -> Input:
    base = name.removesuffix(IMU_SUFFIX)
    known = SPEC_INPUTS[base]
    meaning = known.meaning
    if name != base:
        meaning = f"{meaning.replace('the policy frame', 'the IMU frame')} (the IMU's own frame)"
    return Input(name, (count,), known.unit, meaning)


def assumptions(spec: PolicySpec, networks: list[Network]) -> tuple[str, ...]:
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
        elif term.source == 'imu_linear_velocity':
            lines.append(f'linear velocity: of the IMU, in the {term.frame} frame, from odometry')
        elif term.scan is not None:
            lines.append(f'height scan: {_scan_text(term.scan)}')
    if spec.phase is not None:
        starts = ', '.join(f'{angle:g}' for angle in spec.phase.start)
        lines.append(
            f'gait clock: {_frequency(spec.phase)} Hz, from ({starts}) rad, command zero: '
            f'{spec.phase.still}'
        )
    lines += chain.from_iterable(map(_network_lines, networks))
    return tuple(lines)


def _scan_text(scan: HeightScan) -> str:
    if scan.grid is None:
        return f'{scan.size} points, in the order of the topic'
    x, y = scan.grid.center
    fastest = 'x' if scan.order == 'xy' else 'y'
    return (
        f'{scan.columns} x {scan.rows} points (x forward, y left), {scan.grid.resolution:g} m '
        f'apart around ({x:g}, {y:g}) m, {fastest} runs fastest, rear and right first'
    )


def _frequency(phase: Phase) -> str:
    rule = phase.frequency
    if not isinstance(rule, NormFrequency):
        return rule if isinstance(rule, str) else f'{rule:g}'
    (low, high), (first, last) = rule.norm, rule.hertz
    return f'{first:g} to {last:g} (norm of the command {low:g} to {high:g})'


def _network_lines(network: Network) -> list[str]:
    wiring = network.wiring
    lines = [
        f'number type: {port.name} is {port.dtype}, converted from or to float32'
        for port in (*wiring.inputs, *wiring.outputs)
        if port.dtype != FLOAT32
    ]
    lines += [f'state: input {each.input} takes output {each.output}' for each in wiring.states]
    return lines + [f'unused output: {name}' for name in network.unused]


def _joint_lines(spec: PolicySpec) -> list[str]:
    action = spec.action
    legs = ActionSpec(tuple(group for group in action.groups if not group.velocity))
    wheels = ActionSpec(tuple(group for group in action.groups if group.velocity))
    lines = [f'joint order: {", ".join(spec.joints)}']
    if legs.groups:
        lines.append(f'targets: {_target_formula(legs)}')
    if wheels.groups:
        names = ', '.join(wheels.joints)
        lines.append(f'velocity targets: {_target_formula(wheels)}, rad/s, of {names}')
    lines.append(f'default pose: {", ".join(f"{angle:g}" for angle in spec.default_pose)} rad')
    shares = sorted({each.share for each in action.filters if each is not None})
    if shares:
        listed = ', '.join(f'{share:g}' for share in shares)
        lines.append(f'target filter: last target + {listed} x (new target - last target)')
    if action.torque_clip is not None:
        clipped = sorted({limit for limit in action.torque_clip if math.isfinite(limit)})
        listed = ', '.join(f'{limit:g}' for limit in clipped)
        lines.append(f'target torque: kp (target - q) - kd qd within {listed} Nm')
    held = [name for name in spec.joints if name not in action.joints]
    if held:
        lines.append(f'held at the default pose: {", ".join(held)}')
    return lines


def _target_formula(action: ActionSpec) -> str:
    scales = sorted(set(action.scale))
    scale = f'{scales[0]:g}' if len(scales) == 1 else f'{scales[0]:g} to {scales[-1]:g}'
    offset = ' + offset' if any(action.offset) else ''
    return f'{action.relative_to} + {scale} x action{offset}'


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
