"""How a simulated robot is shown: by which camera, how large, how often."""

from dataclasses import dataclass
from typing import Any

import mujoco

from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import ConfigError
from kinfer_ros.parameters import fixed
from kinfer_ros.yaml_file import did_you_mean

FREE, USUAL = 'free', 'track'
MIN_SIZE, MAX_SIZE = 16, 4096


@dataclass(frozen=True)
class Shot:
    """Camera, size and frame rate. Each field is a parameter of the bridge."""

    # fmt: off
    camera: str = fixed(
        '', '', 'Camera of the film, and of the window at first: one of the MuJoCo model, or '
        "free: it stands still; empty: the model's `track`, else one that follows the base.")
    video_size: tuple[int, int] = fixed(
        (960, 720), '', 'Width and height of the film in pixels: even, 16 to 4096.')
    video_fps: float = fixed(
        30.0, 'Hz', 'Frames of the film in a second of simulated time.', 1.0, 240.0)
    viewer_fps: float = fixed(
        60.0, 'Hz', 'Frames of the window in a second.', 1.0, 240.0)
    # fmt: on

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.video_size[0], self.video_size[1]

    def check(self) -> None:
        """:raises ConfigError: a size that no film can have."""
        found = list(self.video_size)
        if len(found) != 2 or not all(
            MIN_SIZE <= each <= MAX_SIZE and each % 2 == 0 for each in found
        ):
            raise ConfigError(
                f'parameter video_size: found {found}, expected width and height in pixels, even '
                f'numbers from {MIN_SIZE} to {MAX_SIZE}'
            )


DEFAULT_SHOT = Shot()


def camera(robot: MujocoRobot, name: str = '') -> Any:
    """
    Return a camera.

    :param name: as of `Shot.camera`.
    :raises ConfigError: the MJCF has no such camera.
    """
    found = mujoco.MjvCamera()
    fixed_id = mujoco.mj_name2id(robot.model, mujoco.mjtObj.mjOBJ_CAMERA, name or USUAL)
    if fixed_id >= 0:
        found.type = mujoco.mjtCamera.mjCAMERA_FIXED
        found.fixedcamid = fixed_id
        return found
    if name not in ('', FREE):
        known = [FREE, *(robot.model.camera(i).name for i in range(robot.model.ncam))]
        raise ConfigError(
            f'parameter camera: found {name!r}{did_you_mean(name, known)}, expected '
            f'{", ".join(each for each in known if each)}, or nothing'
        )
    if name == FREE:
        found.type = mujoco.mjtCamera.mjCAMERA_FREE
        found.lookat[:] = robot.data.xpos[robot.fitted.base]
    else:
        found.type = mujoco.mjtCamera.mjCAMERA_TRACKING
        found.trackbodyid = robot.fitted.base
    found.distance = max(1.0, 2.0 * robot.model.stat.extent)
    found.azimuth = 130.0
    found.elevation = -15.0
    return found
