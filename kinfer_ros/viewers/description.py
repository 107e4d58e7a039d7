"""The URDF of a robot: the file that its YAML names, or what its MJCF says.

One place that chooses: the command and the node would else describe two robots.
"""

from __future__ import annotations

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.viewers.urdf import MAX_BYTES


def describe(robot: Robot) -> tuple[str, tuple[str, ...]]:
    """
    Give the URDF of a robot.

    :return: the text, and what of the MJCF it cannot say exactly, a line each.
    :raises RobotError: the robot has neither a URDF nor an MJCF, or it cannot be used.
    """
    if robot.urdf is not None:
        return _read(robot), ()
    if robot.mjcf is None:
        raise RobotError(
            f"robot '{robot.name}' has no description: found neither 'urdf' nor 'mjcf' in "
            f'{robot.path}, expected the path of one'
        )
    from kinfer_ros.viewers.mjcf_urdf import urdf_of_mjcf  # MuJoCo, which a URDF does not need

    made = urdf_of_mjcf(robot)
    return made.text, made.notes


def _read(robot: Robot) -> str:
    assert robot.urdf is not None
    try:
        with robot.urdf.open('rb') as file:
            data = file.read(MAX_BYTES + 1)
        return data.decode()
    except (OSError, ValueError) as error:
        raise RobotError(
            f'URDF {robot.urdf} (named in {robot.path}) cannot be read: {error}'
        ) from None
