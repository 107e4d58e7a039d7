"""Reads the ONNX custom metadata that Isaac Lab and mjlab style exporters attach to a network.

`joint_names`, `default_joint_pos`, `joint_stiffness`, `joint_damping`, `action_scale`,
`observation_names`, `command_names` and, since mjlab's pull request 903, scale, clip, history and
its flattening of each term (`observation_terms_...`). What is not in the file is assumed, and what
is in the file and not read is listed. A term is clipped, then scaled, then stacked (mjlab's and
Isaac Lab's ObservationManager). Holosoma writes dof_names, kp, kd and command_ranges, and neither
pose, scale nor terms: these are places to fill in.
"""

import math
from pathlib import Path
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.contract import LARGEST
from kinfer_ros.policy.importers.contract import TWIST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import read_numbers
from kinfer_ros.policy.importers.contract import spec_term
from kinfer_ros.policy.importers.metadata_gains import read_gains
from kinfer_ros.policy.importers.metadata_keys import MetadataKeys
from kinfer_ros.policy.importers.network_motion import MOTION_COMMAND
from kinfer_ros.policy.importers.network_motion import draft_network_motion
from kinfer_ros.policy.importers.network_motion import expand_motion
from kinfer_ros.policy.importers.network_motion import holds_motion
from kinfer_ros.policy.importers.scans import size_scans
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec.terms import MAX_LENGTH

JOINTS = ('joint_names', 'dof_names')
POSE = ('default_joint_pos', 'default_joint_angles')
LENGTHS = (
    'observation_terms_history_length', 'observation_history_lengths', 'history_length',
)  # fmt: skip
FLATTEN = 'observation_terms_flatten_history_dim'
RATES = ('control_rate', 'control_rate_hz', 'policy_frequency')
PERIODS = ('step_dt', 'control_dt', 'policy_dt')
MIN_RATE_HZ = 0.1
VELOCITIES = (
    'twist', 'velocity', 'base_velocity', 'velocity_command', 'velocity_commands', 'base_twist',
)  # fmt: skip
"""Commands, by the names of command_names, that are vx, vy and yaw rate."""
RANGES = {
    'lin_vel_x': 'xvel', 'lin_vel_y': 'yvel', 'ang_vel_z': 'yawrate', 'ang_vel_yaw': 'yawrate',
    **{name: name for name in TWIST},
}  # fmt: skip
"""Commands, by the names of command_ranges."""
MOTIONS = ('motion', 'reference_motion', 'tracking')
GENERIC_TERMS = ('command', 'commands', 'generated_commands')
"""Observation terms that say nothing about their command."""


def read_onnx_metadata(graph: Graph, path: Path) -> ImportedContract:
    """
    Read a contract from a network's metadata.

    :raises ModelError: a key is missing or wrong, or the network does not match.
    """
    keys = MetadataKeys(graph.metadata, f'{path}: custom metadata')
    joints = keys.names(*JOINTS)
    if joints is not None and len(set(joints)) != len(joints):
        raise keys.wrong(keys.first(JOINTS), 'each name once')
    pose = keys.numbers(joints or (), *POSE) if joints else None
    terms = keys.names('observation_names')
    scaled = keys.names('action_joint_names') or joints
    scale = keys.numbers(scaled, 'action_scale') if scaled else None
    wanted = {JOINTS[0]: joints, POSE[0]: pose, 'action_scale': scale, 'observation_names': terms}
    missing = [key for key, value in wanted.items() if value is None]
    if joints is None or scaled is None or (missing and 'observation_names' in keys.there()):
        raise ModelError(
            f'{keys.where}: found {", ".join(keys.there()) or "nothing"}; expected a value for '
            f'{", ".join(missing)} as well. Write a policy spec by hand (docs/specs.md), or '
            'import the deploy.yaml beside it'
        )
    if pose is not None:
        pose = read_numbers(pose, f'{keys.where}: {POSE[0]}')
    contract = ImportedContract(path.stem, joints, pose, robot_joints=joints)
    contract.assume('joint order: that of joint_names, for every list')
    contract.assume('numbers: as the exporter rounded them, often to three decimals')
    read_gains(contract, keys)
    _read_rate(contract, keys)
    _read_action(contract, keys, scaled, scale)
    if terms is None:
        _draft_terms(contract, keys, graph)
    else:
        _read_terms(contract, keys, graph, terms)
    if holds_motion(graph):
        draft_network_motion(contract, keys, graph)
    _read_roles(contract, graph)
    contract.urdf = keys.text('robot_urdf')
    if unread := keys.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _read_rate(contract: ImportedContract, keys: MetadataKeys) -> None:
    rate = keys.number('Hz', MIN_RATE_HZ, MAX_RATE_HZ, *RATES)
    period = keys.number('s', 1.0 / MAX_RATE_HZ, 1.0 / MIN_RATE_HZ, *PERIODS)
    if rate is not None and period is not None and abs(rate * period - 1.0) > 1e-3:
        raise ModelError(
            f'{keys.where}: found a control rate of {rate:g} Hz and a period of {period:g} s, '
            'expected one to be the inverse of the other'
        )
    if rate is not None:
        contract.control_rate = rate
    elif period is not None:
        contract.control_rate = round(1.0 / period, 6)
    else:
        contract.assume('control rate: 50 Hz (the metadata has none)')


def _read_action(
    contract: ImportedContract, keys: MetadataKeys, names: list[str], scale: list[float] | None
) -> None:
    unknown = [name for name in names if name not in contract.joints]
    if unknown:
        raise ModelError(f'{keys.where}: action_joint_names: {unknown} are not in {JOINTS[0]}')
    factor: Any = fill_in('rad per unit of the output: one number for all joints, or a list')
    if scale is not None:
        factor = collapse_equal(read_numbers(scale, f'{keys.where}: action_scale'))
    contract.action = {'relative_to': 'default_pose', 'scale': factor}
    if names != contract.joints:
        contract.action['joints'] = names
    offset = keys.numbers(names, 'action_offset')
    if offset is None:
        contract.assume('action: default pose + action scale x output (use_default_offset)')
        return
    pose = contract.by_joint(contract.default_pose)
    if not pose or any(abs(a - pose[n]) > 1e-3 for a, n in zip(offset, names, strict=True)):
        offset = read_numbers(offset, f'{keys.where}: action_offset')
        contract.action |= {'relative_to': 'zero', 'offset': collapse_equal(offset)}


# Observation -----------------------------------------------------------------------------


def _draft_terms(contract: ImportedContract, keys: MetadataKeys, graph: Graph) -> None:
    """Holosoma's metadata has no terms: they are to be filled in, in the order of its config."""
    if keys.ranges('command_ranges'):
        _read_ranges(contract, keys)
    else:
        contract.assume('command: none (the metadata has no command_ranges)')
    width = _width(graph)
    numbers = 'as the network takes' if width is None else f'{width} numbers in all'
    contract.observation['terms'] = fill_in(
        f'list of terms in their order, {numbers}, with scale, history, commands: docs/specs.md'
    )


def _width(graph: Graph) -> int | None:
    """:return: numbers of the network's first input with a shape; None if it is open."""
    width = next((node.shape[-1] for node in graph.inputs if node.shape), None)
    return width if isinstance(width, int) else None


def _read_ranges(contract: ImportedContract, keys: MetadataKeys) -> None:
    """Make vx, vy and yaw rate the commands, with their ranges where the file has them."""
    contract.commands = dict.fromkeys(TWIST)
    found = keys.ranges('command_ranges') or {}
    for name, bounds in found.items():
        if name in RANGES:
            contract.commands[RANGES[name]] = bounds
    free = [name for name, bounds in contract.commands.items() if bounds is None]
    limited = 'not limited' if len(free) == len(TWIST) else f'{", ".join(free)} not limited'
    contract.assume(
        'command: vx, vy (m/s) and yaw rate (rad/s), in this order'
        + (f', {limited}' if free else '')
    )
    if others := [name for name in found if name not in RANGES]:
        contract.assume(f'in command_ranges, and not used: {", ".join(others)}')


def _read_terms(
    contract: ImportedContract, keys: MetadataKeys, graph: Graph, names: list[str]
) -> None:
    terms = [spec_term(name, keys.where) for name in names]
    if any(term['source'] == 'phase' for term in terms):
        raise ModelError(
            f'{keys.where}: observation_names has a gait phase, whose frequency is not in the '
            'metadata. Write a policy spec by hand (docs/specs.md)'
        )
    for source, text in (
        ('gravity', 'gravity: a unit vector, (0, 0, -1) upright'),
        ('joint_positions', 'joint positions: relative to default_joint_pos'),
        ('linear_velocity', "linear velocity: the base's, in its own frame; needs odometry"),
    ):
        if any(term['source'] == source for term in terms):
            contract.assume(text)
    if FLATTEN in keys.there() and 'base_lin_vel' in names:
        contract.assume(
            "linear velocity: mjlab's own tasks measure base_lin_vel at the site of the IMU "
            '(imu_lin_vel), and the file does not say so: write source imu_linear_velocity and '
            'frame imu if this one does'
        )
    width = _width(graph)
    stated = _stated_lengths(keys, names)
    _read_command(contract, keys, graph, names, terms, stated)
    sizes = [_size(contract, term) for term in terms]
    size_scans(keys.where, terms, sizes, stated, width)
    lengths = stated or _guessed_lengths(contract, sizes, width)
    total = sum(size * length for size, length in zip(sizes, lengths, strict=True))
    if stated and width is not None and total != width:
        parts = ', '.join(f'{n} {s} x {k}' for n, s, k in zip(names, sizes, lengths, strict=True))
        raise ModelError(
            f'{keys.where}: found {parts}: {total} numbers; the network takes {width}'
        )
    _read_scales(contract, keys, names, terms, sizes)
    terms, lengths = expand_motion(terms, len(contract.joints), lengths, keys.where)
    _read_history(contract, keys, names, terms, lengths)
    contract.observation['terms'] = terms


def _stated_lengths(keys: MetadataKeys, names: list[str]) -> list[int] | None:
    """:return: frames of each term, 1 for none; None where the file does not say."""
    values = keys.numbers(names, *LENGTHS)
    if values is None:
        return None
    if not all(0 <= value <= MAX_LENGTH and value == round(value) for value in values):
        raise keys.wrong(
            keys.first(LENGTHS), f'whole numbers from 0 (none) to {MAX_LENGTH}, one a term'
        )
    return [max(1, round(value)) for value in values]


def _guessed_lengths(contract: ImportedContract, sizes: list[int], width: int | None) -> list[int]:
    frame = sum(sizes)
    if width is None or width <= frame or width % frame:
        return [1] * len(sizes)
    contract.assume(f'history: {width // frame} frames, from the input size {width}')
    return [width // frame] * len(sizes)


def _size(contract: ImportedContract, term: dict[str, Any]) -> int:
    """:return: numbers in one frame of a term."""
    source = term['source']
    if source in ('joint_positions', 'joint_velocities'):
        return len(contract.joints)
    if source == MOTION_COMMAND:
        return 2 * len(contract.joints)
    if source == 'reference_anchor_orientation':
        return 6
    if source == 'last_action':
        return len(contract.action.get('joints', contract.joints))
    if source == 'command':
        return len(term.get('entries', contract.commands))
    return 4 if source == 'quaternion' else 3


def _read_command(
    contract: ImportedContract,
    keys: MetadataKeys,
    graph: Graph,
    names: list[str],
    terms: list[dict[str, Any]],
    stated: list[int] | None,
) -> None:
    """Decide what the entries of the command are: what it is called, never its width alone."""
    places = [at for at, term in enumerate(terms) if term['source'] == 'command']
    listed = keys.names('command_names') or []
    if not places:
        return
    generic = [at for at in places if names[at] in GENERIC_TERMS]
    other = [name for name in listed if name not in VELOCITIES]
    if not generic or not other:
        _read_ranges(contract, keys)
        return
    if len(listed) > 1:
        raise ModelError(
            f'{keys.where}: found the commands {", ".join(listed)} and the observation term '
            f'{names[generic[0]]!r}, which could be any of them. Write a policy spec by hand '
            '(docs/specs.md)'
        )
    (name,) = listed
    if name in MOTIONS and holds_motion(graph):
        terms[generic[0]] = {'source': MOTION_COMMAND}
        return
    if name in MOTIONS:
        raise ModelError(
            f'{keys.where}: command_names: found {name!r}, a reference motion, which is not in '
            f'the file; expected a velocity ({", ".join(VELOCITIES)}), or a policy spec that '
            'says what the command is (docs/specs.md)'
        )
    (place,) = generic
    width = _width(graph)
    rest = sum(
        _size(contract, term) * (stated[at] if stated else 1)
        for at, term in enumerate(terms)
        if at != place
    )
    frames = stated[place] if stated else 1
    count = 0 if width is None else (width - rest) // frames
    if width is None or count < 1 or rest + count * frames != width:
        raise ModelError(
            f'{keys.where}: command_names: found {name!r}, whose size is not in the file and '
            f'does not follow from the input ({width}); write a policy spec by hand '
            '(docs/specs.md)'
        )
    contract.commands = dict.fromkeys(f'{name}_{at}' for at in range(count))
    contract.assume(
        f'command {name}: {count} entries of unknown meaning and unit, not limited; zero until '
        'they are set on policy_command'
    )


def _read_scales(
    contract: ImportedContract,
    keys: MetadataKeys,
    names: list[str],
    terms: list[dict[str, Any]],
    sizes: list[int],
) -> None:
    scales = keys.entries(names, 'observation_terms_scale')
    clips = keys.entries(names, 'observation_terms_clip', 'observation_term_clip')
    if scales is None:
        contract.assume('observation scales: 1 (normalisation is inside the network)')
    if clips is None:
        contract.assume('observation clips: none')
    for at, term in enumerate(terms):
        if scales is not None:
            scale = read_numbers(
                scales[at], f'{keys.where}: observation_terms_scale of {names[at]}'
            )
            if len(scale) not in (1, sizes[at]):
                raise keys.wrong(
                    'observation_terms_scale', f'1 or {sizes[at]} numbers for {names[at]}'
                )
            if set(scale) != {1.0}:
                term['scale'] = collapse_equal(scale)
        if clips is not None:
            bounds = clips[at]
            if len(bounds) != 2 or not bounds[0] <= bounds[1]:
                key = 'observation_terms_clip'
                raise keys.wrong(key, f'lowest;highest for {names[at]}')
            if not all(map(math.isinf, bounds)):
                term['clip'] = [min(max(bound, -LARGEST), LARGEST) for bound in bounds]


def _read_history(
    contract: ImportedContract,
    keys: MetadataKeys,
    names: list[str],
    terms: list[dict[str, Any]],
    lengths: list[int],
) -> None:
    flatten = keys.flags(names, FLATTEN)
    if max(lengths) == 1:
        return
    stacked = (
        [] if flatten is None else [f for f, n in zip(flatten, lengths, strict=True) if n > 1]
    )
    per_frame = bool(stacked) and not all(stacked)
    if per_frame and (any(stacked) or len(set(lengths)) > 1):
        raise ModelError(
            f'{keys.where}: {FLATTEN}: found some terms with and some without, or lengths that '
            'differ, expected one layout: terms that are not flattened are stacked by frame'
        )
    layout = 'as the file says' if stacked else 'each term together'
    contract.assume(f'history: {layout}, oldest first, the first frame repeated')
    contract.stack(terms, lengths, per_frame)


def _read_roles(contract: ImportedContract, graph: Graph) -> None:
    inputs = [node.name for node in graph.inputs]
    outputs = [node.name for node in graph.outputs]
    if len(inputs) > 1 and contract.motion is None:
        contract.observation = {'input': inputs[0], **contract.observation}
        contract.states = {'pair': 'by_name'}
        contract.assume(f'observation input: the first, {inputs[0]}; states: paired by name')
    if len(outputs) > 1:
        count = len(contract.action.get('joints', contract.joints))
        wide = [n.name for n in graph.outputs if n.shape and n.shape[-1] == count] or outputs
        chosen = next((name for name in wide if name in ('actions', 'action')), wide[0])
        contract.action = {'output': chosen, **contract.action}
        contract.assume(f'action output: {chosen}, of {", ".join(outputs)}')
