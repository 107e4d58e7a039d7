"""Reads Isaac Lab's IO_descriptors.yaml (since 2.2): terms, actions, joints and rate of a policy.

Semantics as in Isaac Lab: a term is named after its function, clipped, then scaled, then stacked,
oldest first; the clip of an action applies to its target; lists are in the order of the names
beside them. Isaac Lab leaves out a term that cannot describe itself, and writes a stiffness and
damping of 0 where an actuator model computes the torque: these gains are places to fill in.
"""

from collections.abc import Sequence
from typing import Any

from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import read_open_bounds
from kinfer_ros.policy.importers.contract import read_required
from kinfer_ros.policy.importers.contract import refuse_stiff_wheels
from kinfer_ros.policy.importers.io_terms import read_terms
from kinfer_ros.policy.importers.io_terms import used_joints
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import read_names
from kinfer_ros.yaml_vectors import read_vector

POSITION, RELATIVE = 'JointPositionAction', 'RelativeJointPositionAction'
VELOCITY = 'JointVelocityAction'
KINDS = (POSITION, RELATIVE, VELOCITY)
OTHER_ACTIONS = {
    'JointEffortAction': 'torques, and a target here is a joint position or velocity',
    'JointPositionToLimitsAction': 'the soft joint limits of the training, which are not in it',
    'EMAJointPositionToLimitsAction': 'the soft joint limits of the training, which are not in it',
}
GROUP = 'policy'
ACTOR = 'actor'
"""What mjlab, and Isaac Lab with groups by network, call it."""
SAME = 1e-5
"""rad; the file has float32 numbers."""
UNLIMITED = 1e3
"""rad; a limit beyond is none."""
EFFORT = ('default_joint_effort_limits', 'joint_effort_limits', 'effort_limits')
SPEED = ('default_joint_vel_limits', 'joint_vel_limits', 'velocity_limits')
STIFFNESS = ('default_joint_stiffness', 'joint_stiffness', 'stiffness')
LISTS = (
    (STIFFNESS, 'kp', 'Nm/rad', 0.0),
    (('default_joint_damping', 'joint_damping', 'damping'), 'kd', 'Nm s/rad', 0.0),
    (EFFORT, 'torque_limit', 'Nm', 1e-6),
    (SPEED, 'velocity_limit', 'rad/s', 1e-6),
)
"""Keys of an articulation, what they are in the contract, unit and lowest value."""
INFORMATIVE = ('action_type', 'dtype', 'extras', 'mdp_type', 'name')


def is_io_descriptors(root: Section) -> bool:
    """Whether the content is that of an IO_descriptors.yaml."""
    return root.has('observations') and root.has('articulations')


def read_io_descriptors(file: YamlFile) -> ImportedContract:
    """
    Read a contract from an IO_descriptors.yaml.

    :param file: read leniently; keys that are not read are listed.
    :raises ModelError: keys are missing or wrong, each with its line.
    """
    root = file.root
    actions = root.each('actions')
    groups = [group for action in actions if (group := _read_action(action)) is not None]
    contract = ImportedContract(file.path.stem, [], None)
    robot = _find_robot(root, [name for group in groups for name in group['joints']])
    if robot is None:
        file.finish()
        raise root.error('cannot be used', 'articulations')
    terms = _group(contract, root)
    names = list(read_names(robot, 'joint_names'))
    used = {name for group in groups for name in group['joints']} | set(used_joints(terms, names))
    contract.joints = [name for name in names if name in used]
    if rest := [name for name in names if name not in used]:
        contract.assume(f'joints that the policy neither sees nor moves: {", ".join(rest)}')
    contract.robot_joints = contract.joints
    _read_rate(contract, root)
    _read_robot(contract, robot, names)
    _relate_actions(contract, groups, actions)
    read_terms(contract, terms, groups)
    _check_gains(contract, groups)
    refuse_stiff_wheels(robot, _given(robot, STIFFNESS), contract)
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _find_robot(root: Section, moved: Sequence[str]) -> Section | None:
    """:return: the articulation that has all joints of the actions; None, noted, without one."""
    section = root.section('articulations')
    if section is None:
        return None
    all_of_them = section.sections()
    lists = {key: each.plain('joint_names') for key, each in all_of_them.items()}
    fitting = [
        key
        for key, names in lists.items()
        if isinstance(names, list) and all(name in names for name in moved)
    ]
    if len(fitting) == 1 or 'robot' in fitting:
        return all_of_them['robot' if 'robot' in fitting else fitting[0]]
    listed = '; '.join(f'{key}: {format_value(names)}' for key, names in lists.items()) or 'none'
    root.problem(
        f'found {listed}, expected one with joint_names that have all joints of the actions '
        f'({", ".join(moved) or "none"})',
        'articulations',
    )
    return None


def _read_rate(contract: ImportedContract, root: Section) -> None:
    scene = root.section('scene')
    if scene is None:
        return
    period = scene.number('dt', 's', 1.0 / MAX_RATE_HZ, 10.0)
    contract.control_rate = round(1.0 / period, 6) if period > 0.0 else 50.0
    if scene.plain('physics_dt') is None or scene.plain('decimation') is None:
        return
    step = scene.number('physics_dt', 's', 1e-6, 10.0)
    count = scene.integer('decimation', 1, 10_000)
    if abs(step * count - period) > 1e-3 * period:
        scene.problem(
            f'found {period:g} s, expected physics_dt times decimation, {step * count:g} s', 'dt'
        )


def _group(contract: ImportedContract, root: Section) -> list[Section]:
    """:return: the terms of the group that the policy takes."""
    groups = root.section('observations')
    if groups is None:
        return []
    keys = groups.keys()
    own = next((name for name in (GROUP, ACTOR) if name in keys), None)
    if len(keys) > 1 and own is not None:
        others = ', '.join(key for key in keys if key != own)
        contract.assume(
            f'observations: the group {own}; not read: {others}, which the network must not take'
        )
        for key in keys:
            groups.has(key)
        keys = (own,)
    if len(keys) != 1:
        groups.problem(f'found {", ".join(keys) or "nothing"}, expected the group {GROUP}')
        return []
    return groups.each(keys[0])


# Actions ---------------------------------------------------------------------------------


def _read_action(action: Section) -> dict[str, Any] | None:
    """:return: a group of the spec's action, with its class; None, noted, for other actions."""
    for key in INFORMATIVE:
        action.has(key)
    kind = action.string('full_path').rpartition('.')[2]
    if kind not in KINDS:
        why = OTHER_ACTIONS.get(kind)
        told = f', which needs {why}' if why else ''
        expected = f'{POSITION}, {RELATIVE} or {VELOCITY}'
        action.problem(f'found {kind}{told}; expected {expected}', 'full_path')
        action.allow_all_keys()
        return None
    names = list(read_names(action, 'joint_names'))
    shape = action.plain('shape')
    if isinstance(shape, list) and shape != [len(names)]:
        action.problem(f'found {shape}, expected [{len(names)}], one for each joint', 'shape')
    unit = 'rad/s' if kind == VELOCITY else 'rad'
    scale = read_required(action, 'scale', names, f'{unit} per unit')
    return {
        'kind': kind,
        'joints': names,
        'scale': list(scale),
        'offset': list(read_required(action, 'offset', names, unit)),
        'clip': read_open_bounds(action, 'clip', names, unit),
    }


def _relate_actions(
    contract: ImportedContract, groups: list[dict[str, Any]], sections: list[Section]
) -> None:
    """Write the spec's action: what the offset of each group is measured from."""
    pose = contract.by_joint(contract.default_pose)
    written: list[dict[str, Any]] = []
    for group, section in zip(groups, sections, strict=False):
        names, offset = group['joints'], group['offset']
        entry: dict[str, Any] = {'relative_to': 'zero', 'scale': collapse_equal(group['scale'])}
        if group['kind'] == VELOCITY:
            entry = {'target': 'velocity', 'scale': collapse_equal(group['scale'])}
        if len(groups) > 1 or names != contract.joints:
            entry = {'joints': names, **entry}
        if group['kind'] == RELATIVE:
            entry['relative_to'] = 'joint_positions'
            contract.assume(
                'action: added to the measured positions once in a control step; Isaac Lab does '
                'so in every physics step'
            )
        elif group['kind'] == VELOCITY:
            pass
        elif all(abs(a - pose.get(n, 0.0)) < SAME for a, n in zip(offset, names, strict=True)):
            entry['relative_to'] = 'default_pose'
            offset = [0.0]
        if any(offset):
            entry['offset'] = collapse_equal(offset)
        if group['clip'] is not None and group['kind'] != RELATIVE:
            entry['target_clip'] = group['clip']
        elif group['clip'] is not None:
            entry['clip'] = _clip_of_output(section, group)
        written.append(entry)
    contract.set_action(written)


def _clip_of_output(section: Section, group: dict[str, Any]) -> list[list[float]]:
    """Return the bounds of the output that keep scale x output + offset in those of the file."""
    if not all(factor > 0.0 for factor in group['scale']):
        section.problem('found a clip and factors that are not positive, expected them', 'scale')
        return []
    parts = zip(group['clip'], group['scale'], group['offset'], strict=True)
    return [[(bound - offset) / scale for bound in pair] for pair, scale, offset in parts]


# The robot -------------------------------------------------------------------------------


def _read_robot(contract: ImportedContract, robot: Section, names: list[str]) -> None:
    """Read the lists of an articulation, each with one entry for each of `names`."""
    places = [names.index(name) for name in contract.joints]

    def pick(values: Sequence[Any] | None) -> list[Any]:
        return [values[at] for at in places] if values else []

    contract.default_pose = pick(read_required(robot, 'default_joint_pos', names, 'rad'))
    for keys, attribute, unit, minimum in LISTS:
        if key := _given(robot, keys):
            values = read_vector(robot, key, names, unit, minimum=minimum)
            setattr(contract, attribute, pick(values))
    bounds = pick(read_open_bounds(robot, 'default_joint_pos_limits', names, 'rad'))
    contract.position_limits = [
        (None if low < -UNLIMITED else low, None if high > UNLIMITED else high)
        for low, high in bounds
    ]


def _given(robot: Section, keys: Sequence[str]) -> str:
    """:return: the key that the file has, or ''."""
    return next((key for key in keys if robot.plain(key) is not None), '')


def _check_gains(contract: ImportedContract, groups: list[dict[str, Any]]) -> None:
    """Note the joints whose gains the file does not have."""
    moved = [name for group in groups for name in group['joints']]
    if contract.kp is None or contract.kd is None:
        contract.kp = contract.kd = None
        contract.unknown_gains = list(contract.joints)
        return
    kp, kd = contract.by_joint(contract.kp), contract.by_joint(contract.kd)
    contract.unknown_gains = [name for name in moved if not kp.get(name) and not kd.get(name)]
    if contract.unknown_gains:
        contract.warnings.append(
            f'gains: stiffness and damping 0 for {_list(contract.unknown_gains, moved)} is what '
            'Isaac Lab writes for an actuator model (DCMotor, IdealPDActuator, a network): fill '
            "in the gains of the training's actuator configuration"
        )


def _list(names: Sequence[str], of: Sequence[str]) -> str:
    return 'every joint' if len(names) == len(of) else ', '.join(names)
