"""Reads the ONNX files that kinfer wrote before 0.4, for K-Scale's first robots.

Their inputs are the observation in parts, in SI units, and two states: the last output and the
observations of the last steps, which the network stacks itself. Outputs are the targets relative
to the default pose, the raw actions and the next observations. Metadata are JSON under
`kinfer_metadata`, or a key each; no file has the names of its joints.
"""

import json
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.policy.early_kinfer import plain_name
from kinfer_ros.policy.graph import Graph
from kinfer_ros.policy.importers.contract import FindNames
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.contract import names_or_none
from kinfer_ros.policy.importers.contract import read_numbers
from kinfer_ros.policy.importers.contract import velocity_command
from kinfer_ros.untrusted import json_text

TERMS: dict[str, dict[str, Any]] = {
    'x_vel': {'source': 'command', 'entries': ['xvel']},
    'y_vel': {'source': 'command', 'entries': ['yvel']},
    'rot': {'source': 'command', 'entries': ['yawrate']},
    't': {'source': 'time'},
    'dof_pos': {'source': 'joint_positions', 'relative': True},
    'dof_vel': {'source': 'joint_velocities'},
    'projected_gravity': {'source': 'gravity', 'unit': 'unit'},
    'imu_ang_vel': {'source': 'gyroscope'},
    'imu_euler_xyz': {'source': 'euler'},
}
STATES = {'prev_actions': 1, 'buffer': 2}
"""Inputs that an output feeds in the next step, by its place."""
KEYS = (
    'sim_dt', 'sim_decimation', 'default_standing', 'robot_stiffness', 'robot_damping',
    'robot_effort', 'tau_factor',
)  # fmt: skip


IN_THE_NETWORK = (
    'input_params', 'num_parameters', 'embodiment', 'cycle_time', 'action_scale', 'lin_vel_scale',
    'ang_vel_scale', 'quat_scale', 'dof_pos_scale', 'dof_vel_scale', 'frame_stack',
    'num_single_obs', 'clip_observations', 'clip_actions', 'use_projected_gravity', 'num_actions',
    'num_observations', 'num_joints', 'pd_decimation',
)  # fmt: skip


def read_early_kinfer(graph: Graph, name: str, find_names: FindNames) -> ImportedContract:
    """
    Read the contract of such a file.

    :raises ModelError: it has other inputs or outputs, or a number is none.
    """
    known = [*TERMS, *STATES]
    unknown = [each.name for each in graph.inputs if plain_name(each.name) not in known]
    if unknown or len(graph.outputs) != 3:
        raise ModelError(
            f'{graph.where}: found the inputs {", ".join(unknown) or "of kinfer before 0.4"} and '
            f'{len(graph.outputs)} outputs; expected of {", ".join(known)}, and 3 outputs'
        )
    count = graph.outputs[0].shape[-1]
    if not isinstance(count, int):
        raise ModelError(f'{graph.where}: the number of actions is not fixed')
    joints, told_by = names_or_none(find_names, count)
    contract = ImportedContract(name, joints[:count], None, robot_joints=joints)
    if joints:
        contract.assume(f'joints: {told_by}, the first {count}')
    velocity_command(contract)
    contract.observation_inputs = [
        {'input': each.name, 'terms': [dict(TERMS[plain_name(each.name)])]}
        for each in graph.inputs
        if plain_name(each.name) in TERMS
    ]
    pairs = {
        each.name: graph.outputs[STATES[plain_name(each.name)]].name
        for each in graph.inputs
        if plain_name(each.name) in STATES
    }
    contract.states = {'pair': pairs}
    contract.action = {
        'output': graph.outputs[0].name, 'relative_to': 'default_pose', 'scale': 1.0
    }  # fmt: skip
    if any(plain_name(each.name) == 'projected_gravity' for each in graph.inputs):
        contract.assume('gravity: of length 1, as in their sim2sim.py')
    _read_numbers(contract, graph, count)
    return contract


def _read_numbers(contract: ImportedContract, graph: Graph, count: int) -> None:
    """Read rate, pose and gains."""
    keys = _metadata(graph)
    try:
        period = float(keys['sim_dt']) * float(keys['sim_decimation'])
        contract.control_rate = round(1.0 / period, 6)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        contract.unknown_rate = True
    contract.default_pose = _vector(contract, graph, keys, 'default_standing', count)
    contract.kp = _vector(contract, graph, keys, 'robot_stiffness', count)
    contract.kd = _vector(contract, graph, keys, 'robot_damping', count)
    effort = _vector(contract, graph, keys, 'robot_effort', count)
    factor = keys.get('tau_factor')
    if effort is not None and isinstance(factor, int | float):
        contract.torque_limit = [round(limit * factor, 6) for limit in effort]
    if unread := [key for key in keys if key not in (*KEYS, *IN_THE_NETWORK)]:
        contract.assume(f'in the file, and not read: {", ".join(unread)}')


def _vector(
    contract: ImportedContract, graph: Graph, keys: dict[str, Any], key: str, count: int
) -> list[float] | None:
    """Return one number a joint; None where the file has none, or another number of them."""
    if keys.get(key) is None:
        return None
    numbers = read_numbers(keys[key], f'{graph.where}: {key}')
    if 2 * len(numbers) == count:
        contract.assume(f'{key}: those of one leg, for both, as in their sim2sim.py')
        return numbers * 2
    if len(numbers) != count:
        contract.assume(f'in the file, and not read: {key}, {len(numbers)} numbers for {count}')
        return None
    return numbers


def _metadata(graph: Graph) -> dict[str, Any]:
    """Return the metadata as values; what is no JSON is left as text."""
    found: dict[str, Any] = {}
    for key, text in graph.metadata.items():
        try:
            found[key] = json.loads(json_text(text))
        except (ValueError, RecursionError):
            found[key] = text
    nested = found.get('kinfer_metadata')
    return nested if isinstance(nested, dict) else found
