"""The URDF of a robot: the file named in its YAML, or one made from its MJCF."""

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.viewers.urdf import MAX_BYTES


def robot_urdf(robot: Robot) -> tuple[str, tuple[str, ...]]:
    """
    Return the URDF of a robot.

    :return: the text, and one line for each part of the MJCF that it cannot represent exactly.
    :raises RobotError: the robot has neither a URDF nor an MJCF, or it cannot be used.
    """
    if robot.urdf is not None:
        return _read(robot), ()
    if robot.mjcf is None:
        raise RobotError(
            f"robot '{robot.name}' has no description: found neither 'urdf' nor 'mjcf' in "
            f'{robot.path}, expected the path of one'
        )
    from kinfer_ros.viewers.mjcf_urdf import mjcf_to_urdf  # MuJoCo, which a URDF does not need

    urdf = mjcf_to_urdf(robot)
    return urdf.text, urdf.notes


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
