"""Reads the robot file (YAML): joints, limits, gains, home pose and IMU.

A wrong or missing number can break the robot, so the file is read strictly: any problem rejects it
as a whole.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RobotError
from kinfer_ros.share import share_dir
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_file import YamlFile
from kinfer_ros.yaml_file import did_you_mean
from kinfer_ros.yaml_vectors import read_names

ENDLESS = 1e6
"""rad; limits of a continuous joint. A sensor number beyond is a fault."""


@dataclass(frozen=True)
class Joint:
    """One joint; angles in rad, torques in Nm."""

    name: str
    lower: float
    upper: float
    home: float
    """The pose the robot starts in."""
    kp: float
    """Default stiffness, Nm/rad; a policy's contract overrides it."""
    kd: float
    """Default damping, Nms/rad."""
    kp_max: float
    """Upper limit for every contract and parameter."""
    kd_max: float
    torque_limit: float
    velocity_limit: float
    """rad/s; used by ramps and guards."""
    id: int | None = None
    """Id of the actuator on the hardware's bus."""
    offset: float = 0.0
    """rad, added to targets sent to the hardware; applied in the bridge only."""
    sign: int = 1
    """-1 where the hardware turns the other way; applied in the bridge only."""
    continuous: bool = False
    """It turns without end: lower and upper are those of ENDLESS."""


def _column(field: str) -> cached_property[Float64]:
    """Make a property with this field of all joints, as a read-only array [joints]."""

    def read(robot: 'Robot') -> Float64:
        column = np.array([getattr(joint, field) for joint in robot.joints], np.float64)
        column.setflags(write=False)
        return column

    return cached_property(read)


@dataclass(frozen=True, eq=False)
class Robot:
    """A robot's description; every array is in the order of `joint_names` and read-only."""

    name: str
    path: Path
    """The YAML file."""
    mjcf: Path | None
    """The MuJoCo model; None where the robot has none."""
    base_frame: str
    imu_frame: str
    imu_mounting: Float64
    """Unit quaternion w x y z: orientation of the IMU frame in the base frame."""
    joints: tuple[Joint, ...]
    imu_site: str | None = None
    """Site of the IMU in the MJCF, where it has an unusual name."""
    urdf: Path | None = None
    """URDF for viewers, where it should not be made from the MJCF."""
    imu_position: tuple[float, float, float] | None = None
    """m, of the IMU in the base frame; None where it is not known."""
    gyro_unit: str = 'rad'
    """rad or deg (per second) of the hardware's gyro; converted in the bridge only."""
    imu_mounting_is_asked: bool = False
    """The operator gave the mounting, in place of the file's: a site may lie otherwise."""
    legs: tuple[str, ...] | None = None
    """Joints of its legs; None where the file does not say it, see robot/legs.py."""

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        """Names of all joints, in file order."""
        return tuple(joint.name for joint in self.joints)

    lower = _column('lower')
    upper = _column('upper')
    home = _column('home')
    kp = _column('kp')
    kd = _column('kd')
    kp_max = _column('kp_max')
    kd_max = _column('kd_max')
    torque_limit = _column('torque_limit')
    velocity_limit = _column('velocity_limit')


def load_robot(name_or_path: str | Path) -> Robot:
    """
    Read a robot's YAML.

    :param name_or_path: the name of a robot in config/robots, or the path of a YAML file
        (anything with a folder or a YAML suffix).
    :raises RobotError: no such file, or with all problems of the file.
    """
    path = _find(str(name_or_path))
    file = YamlFile(path, 'robot file', RobotError)
    root = file.root
    mjcf = root.string('mjcf') if root.has('mjcf') else None
    urdf = root.string('urdf') if root.has('urdf') else None
    imu = _read_imu(root)
    joints = _read_joints(root)
    robot = Robot(
        name=root.string('name'),
        path=path,
        mjcf=(path.parent / mjcf).resolve() if mjcf else None,
        base_frame=root.string('base_frame'),
        imu_frame=imu.frame,
        imu_mounting=imu.mounting,
        joints=joints,
        imu_site=imu.site,
        imu_position=imu.position,
        urdf=(path.parent / urdf).resolve() if urdf else None,
        gyro_unit=imu.gyro_unit,
        legs=_read_legs(root, [joint.name for joint in joints]),
    )
    file.finish()
    return robot


def _find(name: str) -> Path:
    if '/' in name or name.endswith(('.yaml', '.yml')):
        return Path(name).expanduser()
    folder = share_dir() / 'config' / 'robots'
    path = folder / f'{name}.yaml'
    if path.is_file():
        return path
    known = sorted(entry.stem for entry in folder.glob('*.yaml'))
    listed = ', '.join(known) or 'none'
    raise RobotError(
        f"no robot '{name}'{did_you_mean(name, known)}: found {listed} in {folder}; "
        'expected one of these or the path of a robot YAML'
    )


class _Imu(NamedTuple):
    """The section imu; the fields of Robot."""

    frame: str
    mounting: Float64
    site: str | None = None
    position: tuple[float, float, float] | None = None
    gyro_unit: str = 'rad'


def _read_imu(root: Section) -> _Imu:
    section = root.section('imu')
    mounting = np.array([1.0, 0.0, 0.0, 0.0])
    if section is None:
        return _Imu('', mounting)
    values = np.array(section.numbers('mounting', 4, 'quaternion w x y z'))
    norm = float(np.linalg.norm(values))
    if abs(norm - 1.0) < 0.01:
        mounting = values / norm
    elif math.isfinite(norm):
        section.problem(f'found a norm of {norm:.4g}, expected a unit quaternion', 'mounting')
    mounting.setflags(write=False)
    site = section.string('site') if section.has('site') else None
    unit = section.string('gyro_unit', 'rad')
    if unit not in ('rad', 'deg'):
        section.problem(f"found '{unit}', expected rad or deg (a second)", 'gyro_unit')
    position = None
    if section.has('position'):
        x, y, z = section.numbers('position', 3, 'm in the base frame')
        position = (x, y, z)
    return _Imu(section.string('frame'), mounting, site, position, unit)


def _read_joints(root: Section) -> tuple[Joint, ...]:
    section = root.section('joints')
    if section is None:
        return ()
    joints = tuple(_read_joint(name, entry) for name, entry in section.sections().items())
    if not section.keys():
        root.problem('found no joints, expected at least one', 'joints')
    owners: dict[int, str] = {}
    for joint in joints:
        if joint.id is not None and owners.setdefault(joint.id, joint.name) != joint.name:
            section.problem(f'id {joint.id} is also the id of {owners[joint.id]}', joint.name)
    return joints


def _read_legs(root: Section, joints: list[str]) -> tuple[str, ...] | None:
    if not root.has('legs'):
        return None
    if root.plain('legs') == []:
        return ()  # a robot without legs
    return read_names(root, 'legs', joints)


def _read_joint(name: str, section: Section) -> Joint:
    lower, upper, continuous = _read_range(section)
    joint = Joint(
        name=name,
        lower=lower,
        upper=upper,
        home=section.number('home', 'rad', default=0.0 if continuous else None),
        kp=section.number('kp', 'Nm/rad', 0.0),
        kd=section.number('kd', 'Nms/rad', 0.0),
        kp_max=section.number('kp_max', 'Nm/rad', 0.0),
        kd_max=section.number('kd_max', 'Nms/rad', 0.0),
        torque_limit=section.number('torque_limit', 'Nm', 0.0),
        velocity_limit=section.number('velocity_limit', 'rad/s', 0.0),
        id=section.integer('id', 0, 65535) if section.has('id') else None,
        offset=section.number('offset', 'rad', default=0.0),
        sign=_read_sign(section),
        continuous=continuous,
    )
    _check_joint(joint, section)
    return joint


def _read_range(section: Section) -> tuple[float, float, bool]:
    """:return: lower and upper, rad, and whether the joint turns without end."""
    if not section.boolean('continuous', False):
        return section.number('lower', 'rad'), section.number('upper', 'rad'), False
    for key in ('lower', 'upper'):
        if section.has(key):
            section.problem('found a limit of a continuous joint, expected none', key)
    return -ENDLESS, ENDLESS, True


def _read_sign(section: Section) -> int:
    sign = section.integer('sign', -1, 1, default=1)
    if sign == 0:
        section.problem('found 0, expected 1 or -1', 'sign')
    return sign


def _check_joint(joint: Joint, section: Section) -> None:
    """Check conditions between keys; a NaN marks a problem that is noted already."""
    if joint.lower >= joint.upper:
        section.problem(
            f'found {joint.lower:g}, expected less than upper {joint.upper:g}', 'lower'
        )
    elif joint.home < joint.lower or joint.home > joint.upper:
        limits = f'{joint.lower:g} to {joint.upper:g}'
        section.problem(f'found {joint.home:g}, expected within the limits {limits}', 'home')
    for key, limit in (('kp', joint.kp_max), ('kd', joint.kd_max)):
        value = getattr(joint, key)
        if value > limit:
            section.problem(f'found {value:g}, expected at most {key}_max {limit:g}', key)
    for key in ('torque_limit', 'velocity_limit'):
        if getattr(joint, key) == 0.0:
            section.problem('found 0, expected more', key)
