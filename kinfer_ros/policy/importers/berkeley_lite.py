"""Reads Berkeley-Humanoid-Lite's configs/policy_*.yaml; the observation is that of its runtime.

Semantics as in its rl_controller.py: command, gyroscope, gravity, joint positions and velocities,
last action; the action is clipped, then scaled. With `history_length` that many older frames stand
before the newest, whole frames, oldest first, zero at the start. A policy for the legs alone sees
and moves the joints of `action_indices`.
"""

from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import collapse_equal
from kinfer_ros.policy.importers.contract import network_beside
from kinfer_ros.policy.importers.contract import read_required
from kinfer_ros.policy.importers.contract import velocity_command
from kinfer_ros.policy.metadata import MAX_RATE_HZ
from kinfer_ros.policy.spec.terms import MAX_LENGTH
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_vectors import MAX_COUNT
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import read_names

SIZE = 9
"""Numbers of a frame that are not of the joints."""
OTHERS = (
    'control_dt', 'physics_dt', 'cutoff_freq', 'default_base_position', 'command_velocity',
    'ip_robot_addr', 'ip_policy_obs_port', 'ip_host_addr', 'ip_policy_acs_port',
)  # fmt: skip
"""Of the simulation and the transport."""


def is_berkeley_lite(root: Section) -> bool:
    """Whether the content is that of a configuration of Berkeley-Humanoid-Lite."""
    return all(root.has(key) for key in ('policy_dt', 'joint_kp', 'action_indices'))


def read_berkeley_lite(file: YamlFile) -> ImportedContract:
    """
    Read a contract from a configuration.

    :raises ModelError: keys are missing or wrong, each with its line.
    """
    root = file.root
    for key in OTHERS:
        root.has(key)
    joints = list(read_names(root, 'joints'))
    contract = ImportedContract(file.path.stem, joints, None, robot_joints=joints)
    contract.default_pose = read_required(root, 'default_joint_positions', joints, 'rad')
    contract.kp = read_required(root, 'joint_kp', joints, 'Nm/rad', 0.0)
    contract.kd = read_required(root, 'joint_kd', joints, 'Nm s/rad', 0.0)
    contract.torque_limit = read_required(root, 'effort_limits', joints, 'Nm', 1e-6)
    contract.control_rate = round(
        1.0 / max(root.number('policy_dt', 's', 1.0 / MAX_RATE_HZ, 10.0), 1e-9), 6
    )
    if root.plain('num_joints') not in (None, len(joints)):
        root.problem(f'found {root.plain("num_joints")}, expected {len(joints)}', 'num_joints')
    moved = _read_indices(root, joints)
    _read_action(contract, root, moved)
    _read_observation(contract, root, moved)
    name = root.string('policy_checkpoint_path') if root.has('policy_checkpoint_path') else ''
    contract.model = network_beside(file.path, name)
    if name and contract.model is None:
        contract.assume(f'network: {name}, which is not there as ONNX; give it with --model')
    file.finish()
    if unread := file.unread():
        contract.assume(f'in the file, and not read: {", ".join(unread)}')
    return contract


def _read_indices(root: Section, joints: list[str]) -> list[str]:
    """:return: the joints that the policy sees and moves, in its order."""
    value = root.plain('action_indices')
    good = isinstance(value, list) and all(type(v) is int and 0 <= v < len(joints) for v in value)
    if not good or len(set(value)) != len(value) or not value:
        root.problem(
            f'found {format_value(value)}, expected different indices of joints, from 0 on',
            'action_indices',
        )
        return joints
    if root.integer('num_actions', 1, MAX_COUNT) != len(value):
        root.problem(f'found another number than the {len(value)} indices', 'num_actions')
    return [joints[at] for at in value]


def _read_action(contract: ImportedContract, root: Section, moved: list[str]) -> None:
    scale = read_required(root, 'action_scale', moved, 'rad per unit')
    contract.action = {'relative_to': 'default_pose', 'scale': collapse_equal(scale or [1.0])}
    if moved != contract.joints:
        contract.action['joints'] = moved
        contract.assume('joints: the policy sees those that it moves (action_indices)')
    low = root.number('action_limit_lower', 'network output')
    high = root.number('action_limit_upper', 'network output')
    if low > high:
        root.problem('found a bound above action_limit_upper', 'action_limit_lower')
    contract.action['clip'] = [low, high]


def _read_observation(contract: ImportedContract, root: Section, moved: list[str]) -> None:
    number = root.integer('num_observations', 1, MAX_COUNT)
    if number != SIZE + 3 * len(moved):
        root.problem(
            f'found {number}, expected {SIZE + 3 * len(moved)}: 3 of the command, 6 of the IMU, '
            f'and 3 for each of {len(moved)} joints',
            'num_observations',
        )
    velocity_command(contract)
    contract.assume('gravity: a unit vector, (0, 0, -1) upright')
    own = {} if moved == contract.joints else {'joints': moved}
    contract.observation['terms'] = [
        {'source': 'command'},
        {'source': 'gyroscope'},
        {'source': 'gravity', 'unit': 'unit'},
        {'source': 'joint_positions', 'relative': True, **own},
        {'source': 'joint_velocities', **own},
        {'source': 'last_action', 'which': 'raw'},
    ]
    older = root.integer('history_length', 0, MAX_LENGTH - 1)
    if older > 0:
        contract.observation['history'] = {
            'length': older + 1,
            'layout': 'per_frame',
            'order': 'oldest_first',
            'first': 'zero',
        }
