"""Changes to a robot file for one run: another MuJoCo model, site or mounting of the IMU."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import Robot


def change_robot(
    robot: Robot, *, mjcf: str = '', imu_site: str = '', imu_mounting: Sequence[float] = ()
) -> Robot:
    """
    Return the robot with what is given in place of the file's.

    :param imu_mounting: unit quaternion w x y z; empty or all zeros: the file's.
    :raises ConfigError: no quaternion.
    """
    changes: dict[str, object] = {}
    if mjcf:
        changes['mjcf'] = Path(mjcf).expanduser().absolute()
    if imu_site:
        changes['imu_site'] = imu_site
        changes['imu_position'] = None  # it is that of another site
    if any(imu_mounting):
        changes['imu_mounting'] = read_quaternion('imu_mounting', imu_mounting)
        changes['imu_mounting_is_asked'] = True
    return dataclasses.replace(robot, **changes) if changes else robot  # type: ignore[arg-type]


def read_quaternion(name: str, values: Sequence[float]) -> Float64:
    """:raises ConfigError: the parameter is no unit quaternion w x y z, to 1 percent."""
    found = np.asarray(values, np.float64)
    norm = float(np.linalg.norm(found)) if found.shape == (4,) else math.nan
    if not abs(norm - 1.0) < 0.01:
        raise ConfigError(
            f'parameter {name}: found {[float(value) for value in values]}, expected a unit '
            'quaternion w x y z'
        )
    unit: Float64 = found / norm
    unit.setflags(write=False)
    return unit


def read_numbers(name: str, text: str, count: int) -> list[float]:
    """
    Read an argument of some numbers: `0.5`, or `[1, 0, 0, 0]`, brackets or not.

    :raises ConfigError: other than `count` finite numbers.
    """
    words = text.strip().removeprefix('[').removesuffix(']').replace(',', ' ').split()
    try:
        found = [float(word) for word in words]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        expected = 'a number' if count == 1 else f'{count} numbers'
        raise ConfigError(f'argument {name}: found {text!r}, expected {expected}')
    return found
