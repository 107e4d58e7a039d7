"""What the MJCF and the URDF of a robot say, put together for a robot file.

Where both are given, the MJCF's joints and limits come first, and the URDF has the speeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

from kinfer_ros.errors import RobotError
from kinfer_ros.policy.importers.contract import ImportedContract
from kinfer_ros.robot.draft import DEFAULT_KD
from kinfer_ros.robot.draft import DEFAULT_KP
from kinfer_ros.robot.draft import ERROR_AT_LIMIT
from kinfer_ros.robot.draft import JointLimits
from kinfer_ros.robot.draft import draft_robot
from kinfer_ros.robot.urdf import UrdfFacts
from kinfer_ros.robot.urdf import UrdfImu

if TYPE_CHECKING:  # it needs MuJoCo, the rest does not
    from kinfer_ros.robot.mjcf import MjcfFacts

SAME_LIMIT = 0.01
"""rad; limits of two files that are nearer are the same."""
DAMPING_TIME = DEFAULT_KD / DEFAULT_KP
"""s; kd over kp, where neither is known."""


class Named(Protocol):
    """A joint of either file."""

    @property
    def name(self) -> str:
        """Its name."""


@dataclass
class Description:
    """
    A robot without its policy.

    :ivar limits: by joint name, in the order of the file.
    :ivar imu_is_known: a file says where it is.
    :ivar gains: kp and kd of the position servos of the MJCF.
    :ivar home: rad, of the keyframe `home` of the MJCF.
    :ivar notes: what was assumed or passed over.
    """

    limits: dict[str, JointLimits] = field(default_factory=dict)
    base: str = 'base_link'
    imu: dict[str, Any] = field(
        default_factory=lambda: {'frame': 'imu_link', 'mounting': [1.0, 0.0, 0.0, 0.0]}
    )
    imu_is_known: bool = False
    mjcf: str | None = None
    urdf: str | None = None
    gains: dict[str, tuple[float, float]] = field(default_factory=dict)
    home: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def draft(self, contract: ImportedContract) -> dict[str, Any]:
        """Return the content of a robot file; what is assumed is noted in the contract."""
        contract.assumptions += self.notes
        contract.warnings += self.warnings
        if others := [name for name in self.limits if name not in contract.robot_joints]:
            contract.assume(f'robot file, left out, without a command: {", ".join(others)}')
        return draft_robot(
            contract, self.limits, base=self.base, imu=self.imu, mjcf=self.mjcf, urdf=self.urdf
        )


def describe(mjcf: 'MjcfFacts | None', urdf: UrdfFacts | None, folder: Path) -> Description:
    """
    Put together what is known of a robot.

    :param folder: of the robot file; paths below it are relative.
    """
    found = Description()
    if urdf is not None:
        _add_urdf(found, urdf, folder)
    if mjcf is not None:
        _add_mjcf(found, mjcf, folder)
    elif urdf is None or urdf.imu is None:
        found.notes.append('robot file, IMU: frame imu_link, mounted as the base')
    return found


def require_joints(names: list[str], mjcf: 'MjcfFacts | None', urdf: UrdfFacts | None) -> None:
    """:raises RobotError: a joint is not in one of the files."""
    there: list[tuple[str, Sequence[Named]]] = []
    if mjcf is not None:
        there.append((str(mjcf.path), mjcf.joints))
    if urdf is not None:
        there.append((urdf.where, urdf.joints))
    for where, joints in there:
        known = [joint.name for joint in joints]
        missing = [name for name in names if name not in known]
        if missing:
            raise RobotError(
                f'{where}: lacks the joints {", ".join(missing)}; it has {", ".join(known)}'
            )


def robot_alone(name: str, found: Description) -> tuple[dict[str, Any], ImportedContract]:
    """
    Return the content of a robot file for a robot without a policy, and what is assumed.

    Gains belong to a policy: those that stand here are used by one that has none.
    """
    joints = list(found.limits)
    contract = ImportedContract(name, joints, None, robot_joints=joints)
    contract.kp, contract.kd = [], []
    for joint in joints:
        torque = found.limits[joint].torque_limit
        kp = DEFAULT_KP if torque is None else round(torque / ERROR_AT_LIMIT, 6)
        kp, kd = found.gains.get(joint, (kp, round(kp * DAMPING_TIME, 6)))
        contract.kp.append(kp)
        contract.kd.append(kd)
    _note_gains(contract, found)
    if found.home:
        contract.default_pose = [found.home.get(joint, 0.0) for joint in joints]
        contract.assume('robot file, home: the keyframe home of the MJCF')
    return found.draft(contract), contract


def _note_gains(contract: ImportedContract, found: Description) -> None:
    limits = found.limits
    guessed = [name for name in limits if name not in found.gains]
    by_torque = [name for name in guessed if limits[name].torque_limit is not None]
    blind = [name for name in guessed if limits[name].torque_limit is None]
    if found.gains:
        contract.assume(f'robot file, kp and kd: of the servos of the MJCF for {_all(found)}')
    if by_torque:
        contract.assume(
            f'robot file, kp and kd: torque limit / {ERROR_AT_LIMIT:g} rad, and kp x '
            f'{DAMPING_TIME:g} s, for {", ".join(by_torque)}'
        )
    if blind:
        contract.assume(
            f'robot file, kp and kd: {DEFAULT_KP:g} and {DEFAULT_KD:g} for {", ".join(blind)}'
        )


def _all(found: Description) -> str:
    names = [name for name in found.limits if name in found.gains]
    return 'every joint' if len(names) == len(found.limits) else ', '.join(names)


def _add_urdf(found: Description, urdf: UrdfFacts, folder: Path) -> None:
    found.urdf = None if urdf.path is None else _shown(urdf.path, folder)
    found.base = urdf.base
    for joint in urdf.joints:
        found.limits[joint.name] = JointLimits(
            joint.lower,
            joint.upper,
            joint.torque_limit,
            joint.velocity_limit,
            continuous=joint.continuous,
        )
    for kind, names in urdf.passed_over.items():
        found.notes.append(f'in the URDF, and not in the robot file: {kind} {", ".join(names)}')
    if urdf.imu is not None:
        _add_imu(found, urdf.imu)


def _add_imu(found: Description, imu: UrdfImu) -> None:
    found.imu, found.imu_is_known = {'frame': imu.frame, 'mounting': list(imu.mounting)}, True
    others = f'; also there: {", ".join(imu.others)}' if imu.others else ''
    found.notes.append(f'robot file, IMU: the link {imu.frame} of the URDF{others}')
    if imu.joints:
        found.warnings.append(
            f'the IMU link {imu.frame} is {imu.joints} joints away from the base: it moves '
            'against it, and so do gyro and gravity of the policy'
        )


def _add_mjcf(found: Description, mjcf: 'MjcfFacts', folder: Path) -> None:
    found.mjcf = _shown(mjcf.path, folder)
    found.base = mjcf.base
    if mjcf.imu.name is not None or not found.imu_is_known:
        _add_site(found, mjcf)
    if not mjcf.actuated:
        found.notes.append(
            f'actuators: {mjcf.path.name} has none; the simulation adds a position servo for each '
            'joint, with the gains in force, and a floor if there is none. Armature and friction '
            "are the MJCF's: mjlab sets those of its motors in code"
        )
    others = found.limits
    found.limits = {}
    for joint in mjcf.joints:
        mine = JointLimits(joint.lower, joint.upper, joint.torque_limit, continuous=joint.is_wheel)
        found.limits[joint.name] = _merged(joint.name, mine, others.get(joint.name), found)
        if joint.servo is not None:
            found.gains[joint.name] = joint.servo
    found.home = dict(mjcf.home)


def _add_site(found: Description, mjcf: 'MjcfFacts') -> None:
    """Take the IMU of the MJCF, in place of that of the URDF."""
    found.imu = {'frame': 'imu_link', 'mounting': [1.0, 0.0, 0.0, 0.0]}
    if mjcf.imu.name is not None:
        found.imu |= {'mounting': list(mjcf.imu_mounting), 'site': mjcf.imu.name}
    found.imu['position'] = list(mjcf.imu_position)
    found.notes = [note for note in found.notes if not note.startswith('robot file, IMU')]
    found.notes.append(f'robot file, IMU: {mjcf.imu.describe()} ({mjcf.path.name})')
    found.warnings = [mjcf.imu.warning()] if mjcf.imu.warning() else []


def _merged(
    name: str, first: JointLimits, other: JointLimits | None, found: Description
) -> JointLimits:
    """:return: the MJCF's limits, with those of the URDF where it has none."""
    if other is None:
        return first
    if first.lower is None or first.upper is None:
        lower, upper = other.lower, other.upper
    else:
        lower, upper = first.lower, first.upper
        far = [
            f'{theirs:g} for {ours:g}'
            for ours, theirs in ((lower, other.lower), (upper, other.upper))
            if theirs is not None and abs(ours - theirs) > SAME_LIMIT
        ]
        if far:
            found.notes.append(f'limits of {name}: of the MJCF; the URDF has {", ".join(far)}')
    return JointLimits(
        lower,
        upper,
        first.torque_limit or other.torque_limit,
        other.velocity_limit,
        continuous=lower is None and (first.continuous or other.continuous),
    )


def _shown(path: Path, folder: Path) -> str:
    place = path.resolve()
    try:
        return str(place.relative_to(folder.resolve()))
    except ValueError:
        return str(place)
