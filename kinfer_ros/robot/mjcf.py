"""Reads joints, limits, torques and IMU from an MJCF, to draft a robot file."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.imu_site import USUAL_SITES
from kinfer_ros.bridges.mujoco.imu_site import ImuSite
from kinfer_ros.bridges.mujoco.imu_site import find_imu_site
from kinfer_ros.bridges.mujoco.model import BASE
from kinfer_ros.bridges.mujoco.model import is_velocity_servo
from kinfer_ros.bridges.mujoco.model import read_spec
from kinfer_ros.errors import RobotError


@dataclass(frozen=True)
class MjcfJoint:
    """One hinge of the robot; rad and Nm, None where the MJCF sets no limit."""

    name: str
    lower: float | None
    upper: float | None
    torque_limit: float | None
    servo: tuple[float, float] | None
    """kp and kd of its servo, if it has one; kp 0 of a servo of velocities."""
    is_wheel: bool
    """It has a servo of velocities, and no limits."""


@dataclass(frozen=True)
class MjcfFacts:
    """The joints in actuator order, the base and the IMU."""

    path: Path
    joints: tuple[MjcfJoint, ...]
    actuated: bool
    """False: the MJCF has no actuator, and the joints are in its own order."""
    base: str
    imu: ImuSite
    imu_mounting: tuple[float, ...]
    """Quaternion w x y z of the site in the base frame, all joints at zero."""
    imu_position: tuple[float, ...]
    """m, of the site in the base frame, all joints at zero."""
    home: dict[str, float]
    """rad by joint name, of the keyframe `home`; empty where there is none."""


def read_mjcf(path: Path) -> MjcfFacts:
    """
    Read an MJCF; one without any actuator has its hinges in the order of the file.

    :raises RobotError: it cannot be read or has no actuated hinge.
    """
    spec = read_spec(path)
    try:
        model = spec.compile()
    except (ValueError, OSError) as error:
        raise RobotError(f'MJCF {path} cannot be read: {" ".join(str(error).split())}') from None
    hinges = _driven_hinges(model) if model.nu else [(None, j) for j in _largest_tree(model)]
    if not hinges:
        found = 'actuated hinge joint' if model.nu else 'actuator and no named hinge joint'
        raise RobotError(f'MJCF {path}: found no {found}, expected those of a robot')
    root = model.body_rootid[model.jnt_bodyid[hinges[0][1]]]
    base = spec.bodies[root]
    base.name = base.name or BASE
    imu = find_imu_site(spec, base, None, USUAL_SITES if model.nu else _imu_sites(spec))
    quat, place = _mounting(model, imu.name, root)
    return MjcfFacts(
        path=path,
        joints=tuple(_joint(model, actuator, joint) for actuator, joint in hinges),
        actuated=bool(model.nu),
        base=model.body(root).name or 'base_link',
        imu=imu,
        imu_mounting=quat,
        imu_position=place,
        home=_home(model, [joint for _, joint in hinges]),
    )


def _imu_sites(spec: Any) -> tuple[str, ...]:
    """:return: sites that are called so: where actuators are added in code, so are sensors."""
    return (*USUAL_SITES, *(site.name for site in spec.sites if 'imu' in site.name.lower()))


def _driven_hinges(model: Any) -> list[tuple[int | None, int]]:
    """:return: (actuator, joint) of each hinge that an actuator drives."""
    driven = [
        (index, int(model.actuator_trnid[index, 0]))
        for index in range(model.nu)
        if model.actuator_trntype[index] == mujoco.mjtTrn.mjTRN_JOINT
    ]
    return [(a, j) for a, j in driven if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE]


def _largest_tree(model: Any) -> list[int]:
    """:return: the named hinges of the child of the world that has most: a scene has doors too."""
    trees: dict[int, list[int]] = {}
    for joint in range(model.njnt):
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE and model.joint(joint).name:
            root = int(model.body_rootid[model.jnt_bodyid[joint]])
            trees.setdefault(root, []).append(joint)
    return max(trees.values(), key=len, default=[])


def _joint(model: Any, actuator: int | None, joint: int) -> MjcfJoint:
    limited = bool(model.jnt_limited[joint])
    low, high = (float(edge) for edge in model.jnt_range[joint])
    torque = math.inf
    if model.jnt_actfrclimited[joint]:
        torque = float(np.abs(model.jnt_actfrcrange[joint]).min())
    if actuator is not None:
        torque = min(torque, _actuator_torque(model, actuator))
    return MjcfJoint(
        name=model.joint(joint).name,
        lower=low if limited else None,
        upper=high if limited else None,
        torque_limit=torque if 0.0 < torque < math.inf else None,
        servo=None if actuator is None else _servo(model, actuator, joint),
        is_wheel=actuator is not None and not limited and is_velocity_servo(model, actuator),
    )


def _servo(model: Any, actuator: int, joint: int) -> tuple[float, float] | None:
    """:return: kp and kd of a servo; of one of positions without kv, the joint's damping is kd."""
    if is_velocity_servo(model, actuator):
        gear = float(model.actuator_gear[actuator, 0]) ** 2
        return 0.0, round(float(model.actuator_gainprm[actuator, 0]) * gear, 6)
    kp, bias = float(model.actuator_gainprm[actuator, 0]), model.actuator_biasprm[actuator]
    affine = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_AFFINE
    if not affine or kp <= 0.0 or bias[1] != -kp or bias[2] > 0.0:
        return None
    gear = float(model.actuator_gear[actuator, 0]) ** 2
    damping = -float(bias[2]) * gear or float(model.dof_damping[model.jnt_dofadr[joint]])
    return round(kp * gear, 6), round(damping, 6)


def _home(model: Any, joints: list[int]) -> dict[str, float]:
    key = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_KEY, 'home')
    if key < 0:
        return {}
    pose = model.key_qpos[key]
    return {model.joint(j).name: round(float(pose[model.jnt_qposadr[j]]), 6) for j in joints}


def _actuator_torque(model: Any, actuator: int) -> float:
    """:return: Nm, inf where its force and control are not limited."""
    gear = abs(float(model.actuator_gear[actuator, 0]))
    torque = math.inf
    if model.actuator_forcelimited[actuator]:
        torque = min(torque, gear * float(np.abs(model.actuator_forcerange[actuator]).min()))
    is_motor = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    if is_motor and model.actuator_ctrllimited[actuator]:
        gain = gear * abs(float(model.actuator_gainprm[actuator, 0]))
        torque = min(torque, gain * float(np.abs(model.actuator_ctrlrange[actuator]).min()))
    return torque


def _mounting(
    model: Any, site: str | None, base: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return orientation and place of a site in the base; without a site it is the base."""
    if site is None:
        return (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    into_base = data.xmat[base].reshape(3, 3).T
    rotation = into_base @ data.site(site).xmat.reshape(3, 3)
    place = into_base @ (data.site(site).xpos - data.xpos[base])
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, rotation.ravel())
    return _rounded(quat, 9), _rounded(place, 6)


def _rounded(values: Float64, digits: int) -> tuple[float, ...]:
    return tuple(round(value, digits) + 0.0 for value in values.tolist())
