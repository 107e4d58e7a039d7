"""Reads booster_gym's deploy/configs/*.yaml, for the observation of its deploy/utils/policy.py.

Lists have a number for each joint of the robot, in the order of its SDK, without names. The policy
sees and moves the last `num_actions` of them; the others are held at `default_qpos`. The gait
clock is still while the command is zero.
"""

from typing import Any

from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.importers.contract import FindNames
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import names_or_none
from kinfer_ros.policy.importers.contract import read_required
from kinfer_ros.policy.importers.contract import velocity_command
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import MAX_COUNT
from kinfer_ros.yaml_vectors import format_value

SIZE = 11
"""Numbers of the observation that are not of the joints."""
STILL = 1e-5
"""The runtime stops the clock below this norm of the command."""
OTHERS = ('prepare', 'mech')
"""Sections of the runtime alone."""


def is_booster_gym(root: Section) -> bool:
    """Whether the content is that of a configuration of booster_gym."""
    return all(isinstance(root.plain(key), dict) for key in ('common', 'policy')) and (
        'normalization' in root.plain('policy')
    )


def read_booster_gym(file: YamlFile, find_names: FindNames) -> ImportedContract:
    """
    Read a contract from a configuration.

    :param find_names: all joints of the robot, in the order of the SDK.
    :raises ModelError: keys are missing or wrong, each with its line.
    """
    root = file.root
    common, policy = root.section('common'), root.section('policy')
    control = None if policy is None else policy.section('control')
    normal = None if policy is None else policy.section('normalization')
    if common is None or policy is None or control is None or normal is None:
        file.finish()
        raise root.error('cannot be read', 'policy')
    pose = common.plain('default_qpos')
    good = isinstance(pose, list) and 0 < len(pose) <= MAX_COUNT
    if not good:
        common.problem(f'found {format_value(pose)}, expected a list', 'default_qpos')
    count = len(pose) if good else 1
    contract = ImportedContract(file.path.stem, [], None)
    names, told_by = names_or_none(find_names, count)
    if names and len(names) != count:
        common.problem(f'found {count} joints, expected {len(names)}, {told_by}', 'default_qpos')
    elif names:
        contract.assume(f'joint names: {told_by}, in the order of the SDK (the file has no names)')
        contract.joints = contract.robot_joints = names
    places = contract.joints or [f'joint {index}' for index in range(count)]
    contract.default_pose = read_required(common, 'default_qpos', places, 'rad')
    contract.kp = read_required(common, 'stiffness', places, 'Nm/rad', 0.0)
    contract.kd = read_required(common, 'damping', places, 'Nm s/rad', 0.0)
    contract.torque_limit = read_required(common, 'torque_limit', places, 'Nm', 1e-6)
    _read_rate(contract, common, control)
    moved = policy.integer('num_actions', 1, max(count, 1))
    acting: Any = contract.joints[count - moved :] if contract.joints else None
    acting = acting or fill_in(f'names of the last {moved} joints, in the order of the SDK')
    _read_action(contract, control, normal, acting)
    _read_observation(contract, policy, normal, acting, moved)
    _note(contract, root, policy)
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _read_rate(contract: ImportedContract, common: Section, control: Section) -> None:
    period = common.number('dt', 's', 1e-6, 10.0) * control.integer('decimation', 1, 10_000)
    if not 1.0 / MAX_RATE_HZ <= period <= 10.0:
        common.problem(f'found {period:g} s with the decimation, expected at most 10 s', 'dt')
        return
    contract.control_rate = round(1.0 / period, 6)


def _read_action(
    contract: ImportedContract, control: Section, normal: Section, acting: Any
) -> None:
    clip = normal.number('clip_actions', 'network output', 1e-9)
    contract.action = {
        'joints': acting,
        'relative_to': 'default_pose',
        'scale': control.number('action_scale', 'rad per unit'),
        'clip': [-clip, clip],
    }


def _read_observation(
    contract: ImportedContract, policy: Section, normal: Section, acting: Any, moved: int
) -> None:
    number = policy.integer('num_observations', 1, MAX_COUNT)
    scale = {
        key: normal.number(key, '1')
        for key in ('gravity', 'ang_vel', 'lin_vel', 'dof_pos', 'dof_vel')
    }
    velocity_command(contract)
    if number != SIZE + 3 * moved:
        contract.observation['terms'] = fill_in(
            f'list of terms in their order, {number} numbers in all: those of the runtime are '
            f'{SIZE + 3 * moved}'
        )
        return
    frequency = policy.number('gait_frequency', 'Hz', 1e-3, 1e3)
    contract.phase = {
        'frequency': frequency,
        'start': [0.0],
        'wrap': 'two_pi',
        'when_still': {'below': STILL, 'do': 'zero'},
    }
    contract.assume('gait clock: begins at 0 (the runtime takes the time since it was started)')
    contract.assume('gravity: a unit vector, (0, 0, -1) upright')
    contract.observation['terms'] = [
        {'source': 'gravity', 'unit': 'unit', 'scale': scale['gravity']},
        {'source': 'gyroscope', 'scale': scale['ang_vel']},
        {'source': 'command', 'scale': [scale['lin_vel'], scale['lin_vel'], scale['ang_vel']]},
        {'source': 'phase', 'encoding': ['cos', 'sin']},
        {
            'source': 'joint_positions',
            'relative': True,
            'joints': acting,
            'scale': scale['dof_pos'],
        },
        {'source': 'joint_velocities', 'joints': acting, 'scale': scale['dof_vel']},
        {'source': 'last_action', 'which': 'raw'},
    ]


def _note(contract: ImportedContract, root: Section, policy: Section) -> None:
    """Say what the runtime does besides, which no spec can say."""
    for key in OTHERS:
        root.has(key)
    mech = root.plain('mech')
    if isinstance(mech, dict) and (parallel := mech.get('parallel_mech_indexes')):
        contract.assume(
            'parallel mechanisms: the runtime sends torques to the joints '
            f'{format_value(parallel)} (from 0 on); here all joints get targets and gains'
        )
    contract.assume('the runtime filters targets (0.8 old, 0.2 new, each dt); here they go as is')
    contract.assume('the runtime changes a command by at most 1 per second; here it goes as is')
    if policy.plain('policy_path') is not None:
        name = policy.string('policy_path')
        contract.assume(f'network: {name} is the one of the runtime; give its ONNX with --model')
