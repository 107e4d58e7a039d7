"""Fits an MJCF to a robot YAML: finds joints, actuators, base and IMU by name.

Hold of the base and IMU sensors are added. A file that does not fit is refused before anything
moves.
"""

import copy
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kinfer_ros.arrays import Float64
from kinfer_ros.arrays import Indices
from kinfer_ros.bridges.mujoco.added_parts import add_parts
from kinfer_ros.bridges.mujoco.imu_mounting import check_mounting
from kinfer_ros.bridges.mujoco.imu_site import USUAL_SITES
from kinfer_ros.bridges.mujoco.imu_site import ImuSite
from kinfer_ros.bridges.mujoco.imu_site import find_imu_site
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.untrusted import check_mjcf
from kinfer_ros.yaml_file import did_you_mean

BASE = 'kinfer_ros_base'
HOLD = 'kinfer_ros_hold'
IMU = 'kinfer_ros_imu'
HOLD_SOLIMP = (0.9999, 0.9999, 0.001, 0.5, 2.0)
"""Nearly rigid: with a time constant of two physics steps a held base moves by 1e-6 m."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A compiled model, and the addresses of the robot's parts in the YAML's joint order."""

    model: Any
    """mujoco.MjModel; gains are written into it."""
    qpos: Indices
    """Addresses of the joints in qpos."""
    dof: Indices
    """Addresses of the joints in qvel."""
    actuator: Indices
    servo: NDArray[np.bool_]
    """True for a servo of positions or velocities, False for a motor."""
    by_velocity: NDArray[np.bool_]
    """True for a servo of velocities, as the MJCF means it."""
    gear: Float64
    """Actuator length per rad."""
    motor_gain: Float64
    """Joint torque per unit of a motor's ctrl, Nm."""
    passive_kd: Float64
    """Damping (Nms/rad) of joints whose servo has none of its own: it is then part of the
    servo's kd; 0 for all others."""
    torque_cap: Float64
    """Torque limit of the MJCF, Nm; inf if it has none."""
    base: int
    """Body id of the base."""
    free_qpos: int
    """Address of the base's pose in qpos; -1 if the base is fixed to the world."""
    free_dof: int
    hold: int
    """Equality constraint that holds a free base; -1 if the base is fixed."""
    gyro: slice
    """The IMU's readings in sensordata."""
    accel: slice
    quat: slice
    imu: ImuSite
    imu_is_fixed: bool
    """The IMU's body cannot move: MuJoCo's accelerometer reads zero there, a real one gravity."""
    home_key: int
    """Keyframe `home`, or -1."""
    unlisted: tuple[str, ...]
    """Actuated joints of the MJCF that the YAML does not name; they get no command."""
    added: tuple[str, ...]
    """What was added, in words, since the MJCF lacks it."""
    mounting_warning: str = ''
    seeming_lean: float = 0.0
    """rad by which an upright base leans, as the policy takes the IMU."""
    spec: Any = None
    """mujoco.MjSpec: what `model` was compiled from."""

    def copy(self) -> 'FittedModel':
        """Return the same with a model of its own: gains and errors are written into it."""
        return replace(self, model=copy.copy(self.model))


def fit_model(robot: Robot, timestep: float | None = None) -> FittedModel:
    """
    Load the robot's MJCF, add hold of the base and IMU sensors, and find all parts.

    :param timestep: physics step in s, instead of the MJCF's.
    :raises RobotError: the file cannot be used, or does not fit the YAML.
    """
    path = _mjcf_path(robot)
    spec = read_spec(path)
    _check_joints(robot, spec, path)
    base = _base_body(robot, spec, path)
    free = any(joint.type == mujoco.mjtJoint.mjJNT_FREE for joint in base.joints)
    if free:
        spec.add_equality(
            name=HOLD,
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=base.name,
            name2='world',
        )
    imu = _imu_site(robot, spec, base, path)
    _add_imu(robot, spec, base, imu.name)
    added = add_parts(robot, spec, free=free)
    try:
        model = spec.compile()
    except ValueError as error:
        raise RobotError(f'MJCF {path} does not compile: {_one_line(error)}') from None
    if timestep is not None:
        model.opt.timestep = timestep
    fitted = _locate(robot, model, base.name, free, path, imu, added)
    if imu.name is None:
        return replace(fitted, spec=spec)
    warning, lean = check_mounting(robot, model, fitted.base, imu.name)
    return replace(fitted, mounting_warning=warning, seeming_lean=lean, spec=spec)


def _mjcf_path(robot: Robot) -> Path:
    if robot.mjcf is None:
        raise RobotError(
            f"robot '{robot.name}' has no MuJoCo model: found no key 'mjcf' in {robot.path}, "
            'expected the path of an MJCF there, or one given: mjcf:=FILE (--mjcf FILE)'
        )
    if not robot.mjcf.is_file():
        raise RobotError(f'MJCF {robot.mjcf} (of {robot.path}, or given): no such file')
    return robot.mjcf


def read_spec(path: Path) -> Any:
    """
    Read an MJCF as a mujoco.MjSpec, whatever its suffix.

    :raises RobotError: it cannot be read.
    """
    included = check_mjcf(path, RobotError)
    try:
        if path.suffix.lower() == '.xml':
            return mujoco.MjSpec.from_file(str(path))
        # MuJoCo has no decoder for other names, such as robot.mjcf.
        spec = mujoco.MjSpec.from_string(path.read_text(), include=included)
        spec.modelfiledir = str(path.parent)
        return spec
    except (ValueError, OSError) as error:
        raise RobotError(f'MJCF {path} cannot be read: {_one_line(error)}') from None


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _check_joints(robot: Robot, spec: Any, path: Path) -> None:
    hinges = [j.name for j in spec.joints if j.type == mujoco.mjtJoint.mjJNT_HINGE]
    missing = [name for name in robot.joint_names if name not in hinges]
    if missing:
        hint = did_you_mean(missing[0], hinges)
        raise RobotError(
            f'MJCF {path} lacks the hinge joints {", ".join(missing)}{hint}: '
            f'{robot.path} names {", ".join(robot.joint_names)}; '
            f'found {", ".join(hinges) or "none"}'
        )


def _base_body(robot: Robot, spec: Any, path: Path) -> Any:
    """Find the one child body of the world that all of the robot's joints belong to."""
    roots: dict[str, Any] = {}
    for name in robot.joint_names:
        body = spec.joint(name).parent
        while body.parent.parent is not None:
            body = body.parent
        if not body.name:
            body.name = f'{BASE}_{len(roots)}'
        roots[body.name] = body
    if len(roots) > 1:
        raise RobotError(
            f'MJCF {path}: the joints of {robot.path} belong to several bodies of the world: '
            f'found {", ".join(roots)}, expected one base'
        )
    return next(iter(roots.values()))


def _add_imu(robot: Robot, spec: Any, base: Any, site: str | None) -> None:
    """Add gyro, accelerometer and orientation, at the base where there is no site."""
    if site is None:
        site = IMU
        place = robot.imu_position or (0.0, 0.0, 0.0)
        base.add_site(name=IMU, quat=robot.imu_mounting, pos=place)
    kinds = mujoco.mjtSensor
    for suffix, kind in (
        ('gyro', kinds.mjSENS_GYRO),
        ('accel', kinds.mjSENS_ACCELEROMETER),
        ('quat', kinds.mjSENS_FRAMEQUAT),
    ):
        spec.add_sensor(
            name=f'{IMU}_{suffix}', type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=site
        )


def _imu_site(robot: Robot, spec: Any, base: Any, path: Path) -> ImuSite:
    sites = [site.name for site in spec.sites if site.name]
    if robot.imu_site is not None and robot.imu_site not in sites:
        raise RobotError(
            f"MJCF {path} lacks the site '{robot.imu_site}' that imu_site or imu.site of "
            f'{robot.path} names'
            f'{did_you_mean(robot.imu_site, sites)}; found {", ".join(sites) or "none"}'
        )
    return find_imu_site(spec, base, robot.imu_site, (robot.imu_frame, *USUAL_SITES))


def _locate(
    robot: Robot,
    model: Any,
    base_name: str,
    free: bool,
    path: Path,
    imu: ImuSite,
    added: tuple[str, ...],
) -> FittedModel:
    joints = [model.joint(name).id for name in robot.joint_names]
    actuator = _actuators(robot, model, joints, path)
    servo = np.array([_is_servo(model, index, path) for index in actuator])
    gear = model.actuator_gear[actuator, 0].copy()
    base = model.body(base_name).id
    free_joint = model.body_jntadr[base]
    hold = model.equality(HOLD).id if free else -1
    if free:
        model.eq_solref[hold] = (2.0 * model.opt.timestep, 1.0)
        model.eq_solimp[hold] = HOLD_SOLIMP
    return FittedModel(
        model=model,
        qpos=model.jnt_qposadr[joints].astype(np.intp),
        dof=model.jnt_dofadr[joints].astype(np.intp),
        actuator=actuator,
        servo=servo,
        by_velocity=np.array([is_velocity_servo(model, index) for index in actuator]),
        gear=gear,
        motor_gain=gear * model.actuator_gainprm[actuator, 0],
        passive_kd=_passive_kd(model, joints, actuator, servo),
        torque_cap=_torque_cap(model, joints, actuator, servo),
        base=base,
        free_qpos=int(model.jnt_qposadr[free_joint]) if free else -1,
        free_dof=int(model.jnt_dofadr[free_joint]) if free else -1,
        hold=hold,
        gyro=_sensor(model, 'gyro'),
        accel=_sensor(model, 'accel'),
        quat=_sensor(model, 'quat'),
        imu=imu,
        imu_is_fixed=_imu_is_fixed(model),
        home_key=mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_KEY, 'home'),
        unlisted=_unlisted(model, set(joints)),
        added=added,
    )


def _sensor(model: Any, suffix: str) -> slice:
    sensor = model.sensor(f'{IMU}_{suffix}').id
    start = int(model.sensor_adr[sensor])
    return slice(start, start + int(model.sensor_dim[sensor]))


def _imu_is_fixed(model: Any) -> bool:
    site = model.sensor(f'{IMU}_gyro').objid[0]
    return bool(model.body_weldid[model.site_bodyid[site]] == 0)


def _joint_actuators(model: Any) -> list[tuple[int, int]]:
    """Return (actuator, joint) of every actuator that drives one joint."""
    kind = mujoco.mjtTrn.mjTRN_JOINT
    return [
        (index, int(model.actuator_trnid[index, 0]))
        for index in range(model.nu)
        if model.actuator_trntype[index] == kind
    ]


def _actuators(robot: Robot, model: Any, joints: list[int], path: Path) -> Indices:
    pairs = _joint_actuators(model)
    found = {joint: [a for a, driven in pairs if driven == joint] for joint in joints}
    wrong = {
        name: len(found[joint])
        for name, joint in zip(robot.joint_names, joints, strict=True)
        if len(found[joint]) != 1
    }
    if wrong:
        counted = ', '.join(f'{name} ({count})' for name, count in wrong.items())
        driven = ', '.join(model.joint(joint).name for _, joint in pairs) or 'none'
        raise RobotError(
            f'MJCF {path}: expected one actuator for each joint of {robot.path} '
            f'({", ".join(robot.joint_names)}); found another number for {counted}; '
            f'actuated joints are {driven}'
        )
    return np.array([found[joint][0] for joint in joints], np.intp)


def _is_servo(model: Any, index: int, path: Path) -> bool:
    """Tell a servo from a motor; refuse all other kinds."""
    fixed = model.actuator_gaintype[index] == mujoco.mjtGain.mjGAIN_FIXED
    static = model.actuator_dyntype[index] == mujoco.mjtDyn.mjDYN_NONE
    gain = model.actuator_gainprm[index, 0]
    bias = model.actuator_biasprm[index]
    kind = model.actuator_biastype[index]
    if fixed and static and gain != 0.0 and model.actuator_gear[index, 0] != 0.0:
        if kind == mujoco.mjtBias.mjBIAS_NONE:
            return False
        if kind == mujoco.mjtBias.mjBIAS_AFFINE and bias[0] == 0.0 and bias[1] == -gain:
            return True
        if is_velocity_servo(model, index):
            return True
    raise RobotError(
        f"MJCF {path}: actuator '{model.actuator(index).name}' is neither a <motor> nor a "
        '<position> servo without time constant, nor a <velocity> servo; expected one of these'
    )


def is_velocity_servo(model: Any, index: int) -> bool:
    """Tell whether an actuator is what MJCF calls <velocity>."""
    kv = model.actuator_gainprm[index, 0]
    bias = model.actuator_biasprm[index]
    affine = model.actuator_biastype[index] == mujoco.mjtBias.mjBIAS_AFFINE
    return bool(affine and kv > 0.0 and bias[0] == bias[1] == 0.0 and bias[2] == -kv)


def _torque_cap(
    model: Any, joints: list[int], actuator: Indices, servo: NDArray[np.bool_]
) -> Float64:
    """Return the MJCF's torque limits; a servo's force range is not one: JointDrive writes it."""
    cap = np.full(len(joints), np.inf)
    for index, (joint, act) in enumerate(zip(joints, actuator, strict=True)):
        gear = abs(model.actuator_gear[act, 0])
        if model.jnt_actfrclimited[joint]:
            cap[index] = min(cap[index], *np.abs(model.jnt_actfrcrange[joint]))
        if servo[index]:
            continue
        if model.actuator_forcelimited[act]:
            cap[index] = min(cap[index], *np.abs(gear * model.actuator_forcerange[act]))
        if model.actuator_ctrllimited[act]:
            gain = gear * model.actuator_gainprm[act, 0]
            cap[index] = min(cap[index], *np.abs(gain * model.actuator_ctrlrange[act]))
    return cap


def _passive_kd(
    model: Any, joints: list[int], actuator: Indices, servo: NDArray[np.bool_]
) -> Float64:
    """Return the joint dampings that Menagerie and MuJoCo Playground mean as a servo's kd."""
    damping = model.dof_damping[model.jnt_dofadr[joints]]
    is_kd = servo & (model.actuator_biasprm[actuator, 2] == 0.0)
    return np.where(is_kd, damping, 0.0)


def _unlisted(model: Any, joints: set[int]) -> tuple[str, ...]:
    names = {
        model.joint(joint).name for _, joint in _joint_actuators(model) if joint not in joints
    }
    return tuple(sorted(names))
