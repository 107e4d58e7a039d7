"""Reads gains, effort and velocity limits of the joints from ONNX custom metadata."""

from kinfer_ros.policy.importers.contract import LARGEST
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.policy.importers.metadata_keys import MetadataKeys
from kinfer_ros.policy.metadata import is_placeholder

KP = ('joint_stiffness', 'stiffness', 'kp')
KD = ('joint_damping', 'damping', 'kd')
TORQUE = (
    'joint_effort_limits', 'joint_effort_limit', 'effort_limits', 'effort_limit', 'joint_effort',
    'joint_torque_limits', 'torque_limits', 'torque_limit',
)  # fmt: skip
VELOCITY = (
    'joint_velocity_limits', 'joint_velocity_limit', 'joint_vel_limits', 'velocity_limits',
    'velocity_limit',
)  # fmt: skip


def read_gains(contract: ImportedContract, keys: MetadataKeys) -> None:
    """
    Read what the file has of them.

    :raises ModelError: a number is negative or not finite, or a limit is 0.
    """
    contract.kp = keys.numbers(contract.joints, *KP)
    contract.kd = keys.numbers(contract.joints, *KD)
    contract.torque_limit = keys.numbers(contract.joints, *TORQUE)
    contract.velocity_limit = keys.numbers(contract.joints, *VELOCITY)
    for values, names, positive in (
        (contract.kp, KP, False),
        (contract.kd, KD, False),
        (contract.torque_limit, TORQUE, True),
        (contract.velocity_limit, VELOCITY, True),
    ):
        if values is None:
            continue
        if not all(0.0 <= value < LARGEST for value in values) or (positive and 0.0 in values):
            bound = 'above 0' if positive else 'from 0 on'
            raise keys.wrong(keys.first(names), f'finite numbers {bound}')
        values[:] = [value + 0.0 for value in values]  # -0.0 becomes 0.0
    if is_placeholder(contract.kp, contract.kd):
        contract.warnings.append(
            'gains: kp 1 and kd 0 for every joint is what mjlab writes for actuators that are no '
            'position servos. Write the gains of the training under `gains`, or `undamped: true`; '
            '`check` fails until then'
        )
