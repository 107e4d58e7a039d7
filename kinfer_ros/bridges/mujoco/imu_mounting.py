"""Compares the IMU of a robot file with the IMU site of an MJCF, and proposes what would fit."""

import math
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.rotations import rotation_matrix

MAX_ANGLE = 0.01
"""rad between imu.mounting and the site."""
MAX_DISTANCE = 0.01
"""m between imu.position and the site."""


def check_mounting(robot: Robot, model: Any, base: int, site: str) -> tuple[str, float]:
    """
    Compare mounting and position of the robot file with those of the site in the base.

    The simulation makes readings by the site, the policy node rotates them by the mounting: if
    they differ, the robot falls.

    :return: a warning where the mounting was asked for and is another than the site's, else '';
        and the angle (rad) by which an upright base then seems to lean.
    :raises RobotError: they differ, and nobody asked for it.
    """
    site_id = model.site(site).id
    if not _is_rigid(model, base, site_id):
        return '', 0.0  # joints in between: the mounting moves and cannot be compared
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    _check_position(robot, data, base, site_id, site)
    found = _orientation(data, base, site_id)
    angle = _angle_between(found, robot.imu_mounting)
    if angle <= MAX_ANGLE:
        return '', 0.0
    if robot.imu_mounting_is_asked:
        warning = (
            f'the IMU site {site} lies in the base as {_text(found)} (w x y z), and the policy '
            f'takes its readings as if it were {_text(robot.imu_mounting)}, as was asked: right '
            'only for a policy that was trained so'
        )
        return warning, _lean(robot.imu_mounting, found)
    raise RobotError(
        f'imu.mounting of {robot.path} is {_text(robot.imu_mounting)}, but the site '
        f"'{site}' of {robot.mjcf} lies in the base as {_text(found)} (w x y z), "
        f'{angle:.3f} rad apart: expected the same to {MAX_ANGLE:g} rad. '
        f'{_proposal(robot, model, data, base, site_id)}'
    )


def _lean(mounting: Float64, site: Float64) -> float:
    """Return by which angle (rad) an upright base seems to lean if `mounting` is applied."""
    upright = float((rotation_matrix(mounting) @ rotation_matrix(site).T)[2, 2])
    return math.acos(max(-1.0, min(1.0, upright)))


def site_mounting(model: Any, base: int, site: str | None) -> Float64 | None:
    """Return the orientation of a site in the base, w x y z; None: there is no rigid one."""
    if site is None or not _is_rigid(model, base, model.site(site).id):
        return None
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    return _orientation(data, base, model.site(site).id)


def _proposal(robot: Robot, model: Any, data: Any, base: int, site: int) -> str:
    """Say which arguments would fit: the site's orientation, or another site with the file's."""
    text = "imu_mounting:=mjcf (--imu-mounting mjcf) takes the model's"
    fitting = [
        model.site(index).name
        for index in range(model.nsite)
        if index != site
        and model.site(index).name
        and _is_rigid(model, base, index)
        and _angle_between(_orientation(data, base, index), robot.imu_mounting) <= MAX_ANGLE
    ]
    if fitting:
        text += f'; of its sites {", ".join(fitting)} would fit the file (imu_site:={fitting[0]})'
    return text


def _check_position(robot: Robot, data: Any, base: int, site: int, name: str) -> None:
    if robot.imu_position is None:
        return
    place = data.xmat[base].reshape(3, 3).T @ (data.site_xpos[site] - data.xpos[base])
    if np.abs(place - robot.imu_position).max() > MAX_DISTANCE:
        text = ', '.join(f'{value:.4g}' for value in place)
        raise RobotError(
            f'imu.position of {robot.path} is {list(robot.imu_position)}, but the site '
            f"'{name}' of {robot.mjcf} is in the base at [{text}]: expected the same to "
            f'{MAX_DISTANCE:g} m'
        )


def _is_rigid(model: Any, base: int, site: int) -> bool:
    return bool(model.body_weldid[model.site_bodyid[site]] == model.body_weldid[base])


def _orientation(data: Any, base: int, site: int) -> Float64:
    relative = data.xmat[base].reshape(3, 3).T @ data.site_xmat[site].reshape(3, 3)
    found = np.empty(4)
    mujoco.mju_mat2Quat(found, relative.ravel())
    return found


def _angle_between(first: Float64, second: Float64) -> float:
    """Return the angle (rad) between two orientations."""
    return float(2.0 * np.arccos(min(1.0, abs(float(first @ second)))))


def _text(quaternion: Float64) -> str:
    return '[' + ', '.join(f'{value:.6g}' for value in quaternion) + ']'
