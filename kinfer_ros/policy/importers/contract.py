"""A contract read from another project's files, to be written as a policy spec.

Exports of Isaac Lab, mjlab and unitree_rl_lab each contain a part of the contract. Whatever is
missing is assumed, and listed in `assumptions`; what cannot be assumed is a place to fill in
(`kinfer_ros.fill_in`), and the files are drafts.
"""

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from itertools import groupby
from pathlib import Path
from pathlib import PurePosixPath
from typing import Any

from kinfer_ros.errors import ModelError
from kinfer_ros.fill_in import fill_in
from kinfer_ros.policy.spec.terms import NOT_KNOWN
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_file import is_number
from kinfer_ros.yaml_vectors import format_value
from kinfer_ros.yaml_vectors import read_vector

FindNames = Callable[[int], tuple[list[str], str]]
"""Returns the names of at least so many joints, and where they come from, for a file without."""
TWIST = ('xvel', 'yvel', 'yawrate')
LARGEST = 1e30
"""Stands for an open end of a clip."""

TORSO = {'waist_yaw_joint': 'z', 'waist_roll_joint': 'x', 'waist_pitch_joint': 'y'}
"""Joints of a G1 between pelvis and torso, in their order, with their axes."""

TERMS: dict[str, dict[str, Any]] = {
    'base_lin_vel': {'source': 'linear_velocity'},
    'imu_lin_vel': {'source': 'imu_linear_velocity', 'frame': 'imu'},
    'base_ang_vel': {'source': 'gyroscope'},
    'imu_ang_vel': {'source': 'gyroscope', 'frame': 'imu'},
    'projected_gravity': {'source': 'gravity', 'unit': 'unit'},
    'imu_projected_gravity': {'source': 'gravity', 'unit': 'unit', 'frame': 'imu'},
    'root_quat_w': {'source': 'quaternion', 'order': 'wxyz'},
    'joint_pos': {'source': 'joint_positions', 'relative': True},
    'joint_pos_rel': {'source': 'joint_positions', 'relative': True},
    'joint_vel': {'source': 'joint_velocities'},
    'joint_vel_rel': {'source': 'joint_velocities'},
    'dof_pos': {'source': 'joint_positions', 'relative': True},
    'dof_vel': {'source': 'joint_velocities'},
    'last_action': {'source': 'last_action', 'which': 'raw'},
    'actions': {'source': 'last_action', 'which': 'raw'},
    'action': {'source': 'last_action', 'which': 'raw'},
    'prev_actions': {'source': 'last_action', 'which': 'raw'},
    'velocity_commands': {'source': 'command'},
    'velocity_command': {'source': 'command'},
    'keyboard_velocity_commands': {'source': 'command'},
    'generated_commands': {'source': 'command'},
    'commands': {'source': 'command'},
    'command': {'source': 'command'},
    'base_velocity': {'source': 'command'},
    'twist': {'source': 'command'},
    'command_lin_vel': {'source': 'command', 'entries': ['xvel', 'yvel']},
    'command_ang_vel': {'source': 'command', 'entries': ['yawrate']},
    'gait_phase': {'source': 'phase', 'encoding': ['sin', 'cos']},
    'phase': {'source': 'phase', 'encoding': ['sin', 'cos']},
    'height_scan': {'source': 'height_scan'},
    'height_scanner': {'source': 'height_scan'},
    'motion_anchor_ori_b': {'source': 'reference_anchor_orientation'},
    'motion_ref_ori_b': {'source': 'reference_anchor_orientation'},
}
"""Spec terms, by the names that Isaac Lab, mjlab, holosoma and unitree_rl_lab use."""
ANCHOR_POSITIONS = ('motion_anchor_pos_b', 'motion_ref_pos_b')


@dataclass
class ImportedContract:
    """
    Contract of another project; vectors in `joints` order.

    Any value of `observation`, `action`, `phase` and `commands` may be a `fill_in(...)`.
    """

    name: str
    joints: list[str]
    """Empty where they are not known: to be filled in."""
    default_pose: list[float] | None
    """rad; None where it is not known: to be filled in."""
    pose_is_start: bool = False
    """The network does not use the pose: the robot starts there, and no more."""
    kp: list[float] | None = None
    kd: list[float] | None = None
    torque_limit: list[float] | None = None
    """Nm"""
    velocity_limit: list[float] | None = None
    """rad/s; for the robot file alone."""
    position_limits: Sequence[tuple[float | None, float | None]] = ()
    """rad, lowest and highest of each joint; for the robot file alone; empty where unknown."""
    unknown_gains: list[str] = field(default_factory=list)
    """Joints whose gains have to be filled in, whatever `kp` and `kd` have for them."""
    control_rate: float = 50.0
    unknown_rate: bool = False
    """True: the control rate is to be filled in."""
    commands: dict[str, list[float] | None] = field(default_factory=dict)
    phase: dict[str, Any] | None = None
    observation: dict[str, Any] = field(default_factory=dict)
    observation_inputs: list[dict[str, Any]] = field(default_factory=list)
    """Of a network with several inputs, in place of `observation`."""
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that run before the policy's, by name, in their order."""
    action: dict[str, Any] = field(default_factory=dict)
    action_groups: list[dict[str, Any]] = field(default_factory=list)
    """Of an action in several groups, in place of `action`."""
    states: dict[str, Any] | None = None
    motion: dict[str, Any] | None = None
    beside: list[Path] = field(default_factory=list)
    """Files that the spec names; they belong beside it."""
    robot_joints: list[str] = field(default_factory=list)
    """Joints in the robot's order; `joints` where it is not known."""
    model: Path | None = None
    """The network, where the file names it."""
    urdf: str | None = None
    """Text of the robot's URDF, where the file has it."""
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What the file says and is probably wrong."""

    def assume(self, text: str) -> None:
        """Note an assumption for something that is not in the file."""
        self.assumptions.append(text)

    def draft_anchor(self) -> Any:
        """Return `anchor` of a motion: the torso of a G1, noted; else a place to fill in."""
        chain = [
            {'joint': name, 'axis': axis} for name, axis in TORSO.items() if name in self.joints
        ]
        if not chain:
            return fill_in('joints from the base to the anchor: {joint: NAME, axis: z}')
        listed = ', '.join(f'{each["joint"]} ({each["axis"]})' for each in chain)
        self.assume(f'motion, anchor: the torso, behind {listed}')
        return chain

    @property
    def velocity_joints(self) -> list[str]:
        """Joints that are driven by velocity: wheels."""
        groups = [g for g in self.action_groups or [self.action] if g.get('target') == 'velocity']
        names = [group.get('joints', self.joints) for group in groups]
        return [name for each in names if isinstance(each, list) for name in each]

    @property
    def action_joints(self) -> list[str]:
        """Joints of the action, in the order of the network's output."""
        groups = self.action_groups or [self.action]
        return [name for group in groups for name in group.get('joints', self.joints)]

    def set_action(self, groups: list[dict[str, Any]]) -> None:
        """Take the groups of the action, in the order of the network's output."""
        self.action = groups[0] if groups else {}
        self.action_groups = groups if len(groups) > 1 else []

    def by_joint(self, values: Sequence[float] | None) -> dict[str, float]:
        """Return values by joint name; empty where they, or the joints, are not known."""
        if values is None or not self.joints:
            return {}
        return dict(zip(self.joints, values, strict=True))

    def spec(self) -> dict[str, Any]:
        """Return the policy spec as plain data."""
        content: dict[str, Any] = {
            'name': self.name,
            'control_rate': fill_in('Hz') if self.unknown_rate else self.control_rate,
            'joints': self.joints or fill_in("list of names, in the policy's order"),
            'default_pose': self._pose(),
        }
        gains = {
            key: self._gains(values, unit, [] if key == 'kd' else self.velocity_joints)
            for key, values, unit in (
                ('kp', self.kp, 'Nm/rad'),
                ('kd', self.kd, 'Nm s/rad'),
            )
            if values is not None or self.unknown_gains
        }
        if self.torque_limit is not None:
            gains['torque_limit'] = collapse_equal(self.torque_limit)
        if gains:
            content['gains'] = gains
        if self.commands:
            content['commands'] = self.commands
        if self.phase is not None:
            content['phase'] = self.phase
        if self.networks:
            content['networks'] = self.networks
        if self.motion is not None:
            content['motion'] = self.motion
        content['observation'] = self.observation_inputs or self.observation
        content['action'] = self.action_groups or self.action
        if self.states is not None:
            content['states'] = self.states
        return content

    def _gains(self, values: Sequence[float] | None, unit: str, zero: Sequence[str]) -> Any:
        """
        Return gains of the spec, with places to fill in for joints without one.

        :param zero: joints that have none of these gains.
        """
        if values is not None and not self.unknown_gains:
            return collapse_equal(values)
        known: dict[str, Any] = self.by_joint(values)
        unknown = self.joints if values is None else self.unknown_gains
        if set(self.joints) <= set(unknown) and not zero:
            return fill_in(f'{unit}: a number, or one a joint')
        none = [name for name in zero if name in unknown]
        return known | dict.fromkeys(unknown, fill_in(unit)) | dict.fromkeys(none, 0.0)

    def stack(self, terms: list[dict[str, Any]], lengths: list[int], per_frame: bool) -> None:
        """Write the history of `observation`, oldest first; terms with fewer frames say so."""
        longest = max(lengths, default=1)
        if longest == 1:
            return
        self.observation['history'] = {
            'length': longest,
            'layout': 'per_frame' if per_frame else 'per_term',
            'order': 'oldest_first',
            'first': 'repeat',
        }
        for term, length in zip(terms, lengths, strict=True):
            if length != longest:
                term['history'] = length

    def _pose(self) -> list[float] | str:
        if self.default_pose is None:
            return fill_in('rad, one number a joint: the default joint positions of the training')
        return self.default_pose


def collapse_equal(values: Sequence[float]) -> float | list[float]:
    """Return one number where all are equal, else the list."""
    return values[0] if len(set(values)) == 1 else list(values)


def action_runs(
    joints: Sequence[str], wheels: Sequence[str], of: Callable[[list[str]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """
    Split an action into groups of neighbours that are wheels, or are not.

    :param of: makes the rest of a group from its joints.
    """
    runs = [(wheel, list(names)) for wheel, names in groupby(joints, lambda n: n in wheels)]
    return [
        {'joints': names, **({'target': 'velocity'} if wheel else {}), **of(names)}
        for wheel, names in runs
    ]


def refuse_stiff_wheels(section: Section, key: str, contract: ImportedContract) -> None:
    """Note a problem where a joint that is driven by velocity has a stiffness."""
    kp = contract.by_joint(contract.kp)
    stiff = [name for name in contract.velocity_joints if kp.get(name)]
    if stiff:
        found = ', '.join(f'{kp[name]:g} for {name}' for name in stiff)
        section.problem(
            f'found {found}, expected 0: it is driven by velocity (torque = kd (target - speed))',
            key,
        )


def spec_term(name: str, where: str) -> dict[str, Any]:
    """
    Return the spec term for a term of another project.

    :raises ModelError: the name is not known.
    """
    if name in ANCHOR_POSITIONS:
        reason = NOT_KNOWN['reference_anchor_position']
        raise ModelError(f'{where}: observation term {name!r} is {reason}')
    if name not in TERMS:
        raise ModelError(
            f'{where}: observation term {name!r}{did_you_mean(name, TERMS)} is not known; known '
            f'are {", ".join(TERMS)}. Write a policy spec by hand (docs/specs.md)'
        )
    return dict(TERMS[name])


def read_numbers(value: Any, where: str, count: int | None = None) -> list[float]:
    """
    Read a list of finite numbers.

    :raises ModelError: it is something else, or of another length.
    """
    good = isinstance(value, Sequence) and not isinstance(value, str)
    if good:
        try:
            values = [float(entry) for entry in value]
        except (TypeError, ValueError):
            good = False
    if not good or any(abs(entry) > 1e30 or entry != entry for entry in values):
        raise ModelError(f'{where}: found {str(value)[:80]!r}, expected a list of numbers')
    if count is not None and len(values) != count:
        raise ModelError(f'{where}: found {len(values)} numbers, expected {count}')
    return values


def read_required(
    section: Section, key: str, names: Sequence[str], unit: str, minimum: float = -math.inf
) -> list[float]:
    """Read one number for each name; zeros, with the problem noted, where there are none."""
    if section.plain(key) is None:
        section.problem(f"missing key '{key}'", key if section.has(key) else '')
        return [0.0] * len(names)
    return list(read_vector(section, key, names, unit, minimum=minimum) or ())


def velocity_command(contract: 'ImportedContract') -> None:
    """Note the command that every runtime of this kind has: vx, vy and yaw rate."""
    contract.commands = dict.fromkeys(TWIST)
    contract.assume('command: vx, vy (m/s) and yaw rate (rad/s), in this order, not limited')


def names_or_none(find_names: FindNames, count: int) -> tuple[list[str], str]:
    """Return the names that are given, and where they come from; none where nobody has them."""
    try:
        names, told_by = find_names(count)
    except ModelError:
        return [], ''
    return list(names), told_by


def network_beside(path: Path, name: str) -> Path | None:
    """Return the ONNX file of a name in the folder of a file, or one above; None without one."""
    place = PurePosixPath(name)
    if place.suffix.lower() != '.onnx' or place.is_absolute() or '..' in place.parts:
        return None
    found = (folder / place for folder in (path.parent, path.parent.parent))
    return next((each for each in found if each.is_file()), None)


def read_open_bounds(
    section: Section, key: str, names: Sequence[str], unit: str
) -> list[list[float]] | None:
    """
    Read [lowest, highest] for all, or a pair for each name, whose ends may be infinite.

    :return: a pair for each; infinity as a large number. None where there are none.
    """
    value = section.plain(key)
    if value is None:
        return None
    pairs = [value] * len(names) if _is_open_pair(value) else value
    good = isinstance(pairs, list) and len(pairs) == len(names) and all(map(_is_open_pair, pairs))
    if not good:
        section.problem(
            f'found {format_value(value)}, expected [lowest, highest] ({unit}), or {len(names)} '
            'such pairs',
            key,
        )
        return None
    closed = [[min(max(float(bound), -LARGEST), LARGEST) for bound in pair] for pair in pairs]
    return None if all(pair == [-LARGEST, LARGEST] for pair in closed) else closed


def _is_open_pair(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 2
    numbers = numbers and all(isinstance(b, float) or is_number(b) for b in value)
    return bool(numbers and value[0] <= value[1])


def require_key(content: Mapping[str, Any], key: str, where: str) -> Any:
    """
    Return the value of a required key.

    :raises ModelError: the key is missing.
    """
    if content.get(key) is None:
        listed = ', '.join(str(each) for each in content) or 'nothing'
        raise ModelError(f'{where}: found {listed}; expected the key {key} as well')
    return content[key]
