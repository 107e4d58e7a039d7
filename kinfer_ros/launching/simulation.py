"""The arguments of the simulated robot, and the parameters of the MuJoCo bridge that they set."""

import math
from collections.abc import Mapping

from kinfer_ros.errors import ConfigError
from kinfer_ros.launching.argument import Argument
from kinfer_ros.launching.argument import switch
from kinfer_ros.robot.changes import change_robot
from kinfer_ros.robot.changes import read_numbers
from kinfer_ros.robot.changes import read_quaternion
from kinfer_ros.robot.robot import Robot
from kinfer_ros.robot.robot import load_robot

MJCF = 'mjcf'
"""Value of imu_mounting: the orientation of the site in the MuJoCo model."""
RAW = 'raw'
"""Value of imu_mounting: none, the policy takes what the IMU measures in its own frame."""

ROBOT_ARGUMENTS = (
    Argument(
        'mjcf',
        '',
        "MuJoCo model (bridge:=mujoco, robot_state:=true), in place of the robot YAML's.",
    ),
    Argument(
        'imu_site',
        '',
        "Site of the IMU in the MuJoCo model, in place of the robot YAML's (bridge:=mujoco).",
    ),
    Argument(
        'imu_mounting',
        '',
        "Orientation of the IMU in the base, in place of the robot YAML's: a quaternion "
        '[w, x, y, z]; mjcf: that of the site in the MuJoCo model; raw: none, for a policy that '
        "was trained with the IMU's own frame, whose z axis has to point up.",
    ),
)

SIMULATION_ARGUMENTS = (
    switch('fixed_base', 'false', 'Hold the base for the whole run, as on a gantry.'),
    Argument(
        'start_height',
        '0.0',
        'm, height of the base at the start; 0: the feet just above the ground, with fixed_base '
        '0.3 m.',
    ),
    Argument(
        'initial_orientation', '', 'Orientation of the base at the start, [w, x, y, z]; empty: '
        "the model's own.",
    ),
    switch('gravity', 'true', 'Simulate gravity.'),
    Argument('physics_rate', '0.0', "Hz of the physics steps; 0: the MuJoCo model's own."),
    Argument(
        'slowdown',
        '1.0',
        'How many times slower than real time, 1 to 100. Over 1 it implies use_sim_time.',
    ),
    Argument(
        'camera',
        '',
        "Camera of film and window: one of the MuJoCo model, or free; empty: the model's "
        '`track`, else one that follows the base.',
    ),
    Argument('video_size', '[960, 720]', 'Width and height of the film in pixels.'),
    Argument('video_fps', '30.0', 'Frames of the film in a second of simulated time.'),
    Argument('viewer_fps', '60.0', 'Frames of the window in a second.'),
)  # fmt: skip

_SWITCHES = ('fixed_base', 'gravity')
_NUMBERS = ('start_height', 'physics_rate', 'slowdown', 'video_fps', 'viewer_fps')


def refuse_on_hardware(changed: set[str], bridge: str) -> None:
    """:raises ConfigError: an argument of the simulation, and no simulation."""
    given = [each.name for each in SIMULATION_ARGUMENTS if each.name in changed]
    given += ['imu_site'] if 'imu_site' in changed else []
    if given:
        raise ConfigError(
            f'argument {", ".join(given)}: found with bridge:={bridge}, expected bridge:=mujoco: '
            'only a simulated robot has it'
        )


def simulation_parameters(
    arguments: Mapping[str, str], changed: set[str]
) -> 'dict[str, bool | float | str | list[float] | list[int]]':
    """
    Return the parameters of the bridge for the arguments that differ from their defaults.

    :raises ConfigError: a value of the wrong type.
    """
    found: dict[str, bool | float | str | list[float] | list[int]] = {}
    for name in changed.intersection(_SWITCHES):
        found[name] = arguments[name] == 'true'
    for name in changed.intersection(_NUMBERS):
        (found[name],) = read_numbers(name, arguments[name], 1)
    for name in changed.intersection(('mjcf', 'imu_site', 'camera')):
        found[name] = arguments[name]
    if 'initial_orientation' in changed:
        text = arguments['initial_orientation']
        found['initial_orientation'] = _read_quaternion('initial_orientation', text)
    if 'video_size' in changed:
        size = read_numbers('video_size', arguments['video_size'], 2)
        if any(each != math.floor(each) for each in size):
            raise ConfigError(
                f'argument video_size: found {arguments["video_size"]!r}, expected whole pixels: '
                '[width, height]'
            )
        found['video_size'] = [math.floor(each) for each in size]
    return found


def read_mounting(arguments: Mapping[str, str]) -> list[float]:
    """
    Return the mounting of the IMU that imu_mounting asks for, w x y z; [] for the robot file's.

    :raises KinferRosError: it is none, or the MuJoCo model that is to tell it does not.
    """
    text = arguments['imu_mounting'].strip()
    if not text:
        return []
    if text == RAW:
        return [1.0, 0.0, 0.0, 0.0]
    if text != MJCF:
        return _read_quaternion('imu_mounting', text, f'{MJCF}, {RAW}, or ')
    robot = change_robot(
        load_robot(arguments['robot']), mjcf=arguments['mjcf'], imu_site=arguments['imu_site']
    )
    return mounting_of_mjcf(robot)


def robot_of(arguments: Mapping[str, str]) -> Robot:
    """
    Return the robot that `robot` and ROBOT_ARGUMENTS name, as the bridge and the policy take it.

    :raises KinferRosError: its file is wrong, or an argument.
    """
    return change_robot(
        load_robot(arguments['robot']),
        mjcf=arguments['mjcf'],
        imu_site=arguments['imu_site'],
        imu_mounting=read_mounting(arguments),
    )


def mounting_of_mjcf(robot: Robot) -> list[float]:
    """:raises KinferRosError: its MJCF cannot be used, or has no IMU site rigid with the base."""
    # Imported here: a robot without a simulation needs no MuJoCo.
    from kinfer_ros.bridges.mujoco.imu_mounting import site_mounting
    from kinfer_ros.bridges.mujoco.model import fit_model

    # Any mounting that is asked for: the file's need not fit.
    fitted = fit_model(change_robot(robot, imu_mounting=(1.0, 0.0, 0.0, 0.0)))
    found = site_mounting(fitted.model, fitted.base, fitted.imu.name)
    if found is None:
        raise ConfigError(f'argument imu_mounting: found mjcf, but {fitted.imu.describe()}')
    return [float(value) for value in found]


def _read_quaternion(name: str, text: str, besides: str = '') -> list[float]:
    """:raises ConfigError: no unit quaternion."""
    try:
        return [float(each) for each in read_quaternion(name, read_numbers(name, text, 4))]
    except ConfigError:
        raise ConfigError(
            f'argument {name}: found {text!r}, expected {besides}a unit quaternion [w, x, y, z]'
        ) from None
