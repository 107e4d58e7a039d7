"""The URDF of a robot: the file named in its YAML, or one made from its MJCF."""

from kinfer_ros.errors import RobotError
from kinfer_ros.robot.robot import Robot
from kinfer_ros.untrusted import MAX_XML_BYTES
from kinfer_ros.untrusted import read_bytes


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
    path = robot.urdf
    assert path is not None

    def fail(text: str) -> RobotError:
        return RobotError(f'URDF {path} (named in {robot.path}) {text}')

    try:
        return read_bytes(path, MAX_XML_BYTES, fail).decode()
    except UnicodeDecodeError as error:
        raise fail(f'cannot be read: {error}') from None
