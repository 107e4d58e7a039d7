"""Reads rl_sar's policy/ROBOT/NAME/config.yaml, with policy/ROBOT/base.yaml above it.

Semantics as in rl_sar's rl_sdk: a file has one key, ROBOT/NAME; its keys come before those of the
base. `joint_names` are in the robot's order, every other list in the policy's, and `joint_mapping`
gives the robot's joint of each. Older files have `state_mapping`, and names in the policy's order.
Frame 0 of `observations_history` is the newest.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import FindNames
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import action_runs
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import names_or_none
from kinfer_ros.policy.importers.contract import network_beside
from kinfer_ros.policy.importers.contract import read_required
from kinfer_ros.policy.importers.contract import refuse_stiff_wheels
from kinfer_ros.policy.importers.contract import velocity_command
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec.terms import MAX_LENGTH
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import MAX_COUNT
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

TERMS: dict[str, dict[str, Any]] = {
    'lin_vel': {'source': 'linear_velocity'},
    **{key: {'source': 'gyroscope'} for key in ('ang_vel', 'ang_vel_body', 'ang_vel_world')},
    'gravity_vec': {'source': 'gravity', 'unit': 'unit'},
    'commands': {'source': 'command'},
    'dof_pos': {'source': 'joint_positions', 'relative': True},
    'dof_vel': {'source': 'joint_velocities'},
    'actions': {'source': 'last_action', 'which': 'raw'},
    'g1_phase': {'source': 'phase', 'encoding': ['sin', 'cos']},
}
SCALES = {
    'linear_velocity': 'lin_vel_scale', 'gyroscope': 'ang_vel_scale', 'command': 'commands_scale',
    'joint_positions': 'dof_pos_scale', 'joint_velocities': 'dof_vel_scale',
}  # fmt: skip
UNKNOWN_SIZES = {'phase': 6, 'g1_mimic_phase': 1}
"""Numbers of the terms that a spec cannot say."""
G1_PERIOD = 0.8
"""s, of g1_phase: it stands in the runtime."""
NOT_NEEDED = ('fixed_kp', 'fixed_kd', 'joint_controller_names', 'framework')


def is_rl_sar(root: Section) -> bool:
    """Whether the content is that of a config.yaml of rl_sar."""
    keys = root.keys()
    inner = root.plain(keys[0]) if len(keys) == 1 else None
    return isinstance(inner, dict) and 'observations' in inner and 'rl_kp' in inner


def read_rl_sar(file: YamlFile, find_names: FindNames) -> ImportedContract:
    """
    Read a contract from a config.yaml.

    :param find_names: for a file without joint names, in the robot's order.
    :raises ModelError: keys are missing or wrong, each with its line.
    """
    (key,) = file.root.keys()
    config = file.root.section(key)
    if config is None:
        file.finish()
        raise file.root.error('cannot be read', key)
    for name in NOT_NEEDED:
        config.has(name)
    base_file = _base_file(file.path, key)
    base = None if base_file is None else base_file.root.section(base_file.root.keys()[0])
    count = config.integer('num_of_dofs', 1, MAX_COUNT)
    contract = ImportedContract(key.rpartition('/')[2] or 'policy', [], None)
    contract.joints = _read_joints(contract, config, base, count, find_names)
    contract.robot_joints = contract.joints
    places = contract.joints or [f'joint {index}' for index in range(count)]
    contract.default_pose = read_required(config, 'default_dof_pos', places, 'rad')
    contract.kp = read_required(config, 'rl_kp', places, 'Nm/rad', 0.0)
    contract.kd = read_required(config, 'rl_kd', places, 'Nm s/rad', 0.0)
    if config.plain('torque_limits') is not None:
        limits = read_vector(config, 'torque_limits', places, 'Nm', minimum=1e-6)
        contract.torque_limit = list(limits or ())
    _read_rate(contract, config, base)
    _read_action(contract, config, places)
    _read_observation(contract, config, count)
    _read_network(contract, config, file.path)
    for each in (file, base_file):
        if each is not None:
            each.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _base_file(path: Path, key: str) -> YamlFile | None:
    """:return: the base.yaml of the robot, as many folders up as the key has names."""
    depth = key.count('/')
    place = path.absolute().parents[min(depth, len(path.absolute().parents) - 1)] / 'base.yaml'
    if not place.is_file():
        return None
    base = YamlFile(place, 'file', ModelError, foreign=True)
    if len(base.root.keys()) != 1:
        raise ModelError(f'{place}: found {format_value(base.root.keys())}, expected one robot')
    return base


def _either(config: Section, base: Section | None, key: str) -> Section | None:
    """:return: the file that has a key: the policy's, else that of the robot."""
    return next((s for s in (config, base) if s is not None and s.plain(key) is not None), None)


def _read_joints(
    contract: ImportedContract,
    config: Section,
    base: Section | None,
    count: int,
    find_names: FindNames,
) -> list[str]:
    """:return: the names in the policy's order; empty where they are not known."""
    source = _either(config, base, 'joint_names')
    if source is None:
        names, told_by = names_or_none(find_names, count)
        if names:
            contract.assume(f"joint names: {told_by}, in the robot's order (the file has none)")
    else:
        names = list(read_names(source, 'joint_names'))
    for key in ('state_mapping', 'command_mapping'):
        if config.plain(key) is not None and source is config:
            contract.assume(f"joint names: in the policy's order (the file has {key})")
            config.has('command_mapping')
            return _expect_count(config, 'joint_names', names, count)
    mapped = _either(config, base, 'joint_mapping')
    if mapped is None:
        config.problem("missing key 'joint_mapping'")
        return []
    value = mapped.plain('joint_mapping')
    largest = len(names) if names else MAX_COUNT
    good = isinstance(value, list) and all(type(v) is int and 0 <= v < largest for v in value)
    if not good or len(set(value)) != len(value) or len(value) != count:
        mapped.problem(
            f'found {format_value(value)}, expected {count} different indices of joint_names',
            'joint_mapping',
        )
        return []
    return [names[at] for at in value] if names else []


def _expect_count(section: Section, key: str, names: list[str], count: int) -> list[str]:
    if len(names) != count:
        section.problem(f'found {len(names)} names, expected {count} (num_of_dofs)', key)
        return []
    return names


def _read_rate(contract: ImportedContract, config: Section, base: Section | None) -> None:
    step, count = _either(config, base, 'dt'), _either(config, base, 'decimation')
    if step is None or count is None:
        contract.unknown_rate = True
        return
    period = step.number('dt', 's', 1e-6, 10.0) * count.integer('decimation', 1, 10_000)
    if not 1.0 / MAX_RATE_HZ <= period <= 10.0:
        step.problem(
            f'found a period of {period:g} s with the decimation, expected up to 10 s', 'dt'
        )
        return
    contract.control_rate = round(1.0 / period, 6)


def _read_action(contract: ImportedContract, config: Section, places: list[str]) -> None:
    scale = read_required(config, 'action_scale', places, 'rad per unit')
    low, high = (
        read_required(config, f'clip_actions_{end}', places, 'network output')
        for end in ('lower', 'upper')
    )
    if any(a > b for a, b in zip(low, high, strict=False)):
        config.problem('found bounds above clip_actions_upper', 'clip_actions_lower')
    pairs = [[a, b] for a, b in zip(low, high, strict=False)]
    wheels = _read_wheels(config, places)

    def group(names: list[str]) -> dict[str, Any]:
        at = [places.index(name) for name in names]
        own = [pairs[i] for i in at]
        relative = {} if names[0] in wheels else {'relative_to': 'default_pose'}
        clip = own[0] if all(pair == own[0] for pair in own) else own
        return relative | {'scale': collapse_equal([scale[i] for i in at]), 'clip': clip}

    contract.set_action(action_runs(places, wheels, group))
    if not wheels:
        contract.action.pop('joints')
        return
    if not contract.joints:
        config.problem('found wheels, expected joint_names as well', 'wheel_indices')
    contract.assume(
        'wheels: their angles count as 0 in dof_pos, as in the runtime; their targets are rad/s'
    )
    refuse_stiff_wheels(config, 'rl_kp', contract)


def _read_wheels(config: Section, places: Sequence[str]) -> list[str]:
    """:return: the joints of wheel_indices, in the policy's order as all lists."""
    value = config.plain('wheel_indices')
    if not value:
        return []
    good = isinstance(value, list) and all(type(v) is int and 0 <= v < len(places) for v in value)
    if not good or len(set(value)) < len(value):
        config.problem(
            f'found {format_value(value)}, expected different indices below {len(places)}',
            'wheel_indices',
        )
        return []
    return [name for at, name in enumerate(places) if at in value]


def _read_observation(contract: ImportedContract, config: Section, count: int) -> None:
    names = list(read_names(config, 'observations'))
    sizes = {'dof_pos': count, 'dof_vel': count, 'actions': count, 'g1_phase': 2}
    known = [name for name in names if name in TERMS]
    total = sum(sizes.get(name, UNKNOWN_SIZES.get(name, 3)) for name in names)
    number = config.integer('num_observations', 1, MAX_COUNT**2)
    if len(known) == len(names) and names and number != total:
        config.problem(
            f'found {number}, expected {total}, the sum of the terms', 'num_observations'
        )
    if 'commands' in names:
        velocity_command(contract)
    if 'gravity_vec' in names:
        contract.assume('gravity: a unit vector, (0, 0, -1) upright')
    if 'g1_phase' in names:
        start: Any = [math.tau / G1_PERIOD / contract.control_rate]
        if contract.unknown_rate:
            start = fill_in(f'[rad]: 2 pi / {G1_PERIOD} s / control_rate')
        contract.phase = {'frequency': 1.0 / G1_PERIOD, 'start': start, 'wrap': 'two_pi'}
        contract.assume('gait clock: g1_phase of the runtime, 0.8 s, one step on at the first one')
    wheels = contract.velocity_joints
    terms = [_read_term(config, name, contract.joints, wheels) for name in names]
    contract.observation['terms'] = terms
    clip = config.number('clip_obs', '1', 1e-6)
    contract.observation['clip'] = [-clip, clip]
    _read_history(contract, config)


def _read_term(
    config: Section, name: str, joints: Sequence[str], wheels: Sequence[str]
) -> dict[str, Any]:
    if name not in TERMS:
        size = f', {UNKNOWN_SIZES[name]} numbers' if name in UNKNOWN_SIZES else ''
        return {'source': fill_in(f'of {name}{size}, in the runtime: docs/specs.md')}
    term = dict(TERMS[name])
    key = SCALES.get(term['source'])
    if key is not None:
        labels = TWIST if term['source'] == 'command' else ('all',)
        scale = read_required(config, key, labels, '1')
        if set(scale) != {1.0}:
            term['scale'] = collapse_equal(scale)
    if wheels and term['source'] == 'joint_positions':
        factor = term.get('scale', 1.0)
        term['scale'] = [0.0 if joint in wheels else factor for joint in joints]
    return term


def _read_history(contract: ImportedContract, config: Section) -> None:
    frames = config.plain('observations_history') or []
    priority = 'time'
    if config.plain('observations_history_priority') is not None:
        priority = config.choice('observations_history_priority', ('time', 'term'))
    if frames in ([], [0]):
        return
    good = isinstance(frames, list) and all(type(v) is int for v in frames)
    ordered = list(range(len(frames))) if good else []
    if not good or len(frames) > MAX_LENGTH or frames not in (ordered, ordered[::-1]):
        config.problem(
            f'found {format_value(frames)}, expected 0, 1, 2, ... (0 is the newest), or backwards',
            'observations_history',
        )
        return
    contract.observation['history'] = {
        'length': len(frames),
        'layout': 'per_frame' if priority == 'time' else 'per_term',
        'order': 'newest_first' if frames == ordered else 'oldest_first',
        'first': 'zero',
    }
    contract.assume('history: zero before the first frame, as the buffer of the runtime begins')


def _read_network(contract: ImportedContract, config: Section, path: Path) -> None:
    name = config.string('model_name') if config.plain('model_name') is not None else ''
    contract.model = network_beside(path, name)
    if name and contract.model is None:
        contract.assume(f'network: {name} is the one of the runtime; give its ONNX with --model')
