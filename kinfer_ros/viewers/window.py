"""A window on a running simulation: MuJoCo's own viewer, with keys for pause, step and reset."""

import os
import queue
import sys
import time
import warnings

import mujoco

from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import ConfigError
from kinfer_ros.viewers.shot import DEFAULT_SHOT
from kinfer_ros.viewers.shot import Shot
from kinfer_ros.viewers.shot import camera

PAUSE, STEP, RESET = 'pause', 'step', 'reset'
KEYS = {32: PAUSE, 262: STEP, 259: RESET}
"""What a key (GLFW) asks for: space, right arrow, backspace; kinfer-sim has the first and last."""
MAX_WAITING = 16
CAMERA_FIELDS = ('type', 'fixedcamid', 'trackbodyid', 'distance', 'azimuth', 'elevation')


class Window:
    """
    A window on the running simulation.

    A body that is double-clicked and pulled with Ctrl and the mouse is pulled in the simulation.

    :raises ConfigError: there is no display, or no such camera.
    """

    def __init__(self, robot: MujocoRobot, shot: Shot = DEFAULT_SHOT) -> None:
        wanted = camera(robot, shot.camera)
        _check_display()
        import mujoco.viewer

        self._robot = robot
        self._pulled = False
        self._asked: queue.Queue[str] = queue.Queue(MAX_WAITING)
        try:
            self._viewer = mujoco.viewer.launch_passive(
                robot.model,
                robot.data,
                key_callback=self.on_key,
                show_left_ui=False,
                show_right_ui=False,
            )
        except Exception as error:
            raise ConfigError(f'viewer: no window opens here: {error}') from None
        with self._viewer.lock():
            for field in CAMERA_FIELDS:
                setattr(self._viewer.cam, field, getattr(wanted, field))
            self._viewer.cam.lookat[:] = wanted.lookat
        self._period_s = 1.0 / shot.viewer_fps
        self._next_s = 0.0

    def show(self) -> None:
        """Bring the window up to date, if a frame is due on the clock."""
        now = time.monotonic()
        if now >= self._next_s and self._viewer.is_running():
            self._next_s = now + self._period_s
            self._viewer.sync()
            self._pull()

    def _pull(self) -> None:
        """Apply the force of the mouse to the simulation, until the mouse lets go."""
        pulls = self._viewer.perturb.active != 0
        if pulls or self._pulled:
            model, data = self._robot.model, self._robot.data
            data.xfrc_applied[:] = 0.0
            mujoco.mjv_applyPerturbForce(model, data, self._viewer.perturb)
        self._pulled = pulls

    def on_key(self, key: int) -> None:
        """Keep what a key asks for; called by the thread of the window."""
        word = KEYS.get(key)
        if word is not None and not self._asked.full():
            self._asked.put(word)

    def take_asked(self) -> list[str]:
        """Return what was asked for since the last call: pause, step, reset."""
        found = []
        while not self._asked.empty():
            found.append(self._asked.get())
        return found

    def close(self) -> None:
        """Close the window."""
        self._viewer.close()


def _check_display() -> None:
    """Find out whether a window can open: mujoco.viewer ends the process where it cannot."""
    instead = 'use video:=FILE.mp4 on a machine without a display'
    if not sys.platform.startswith('linux'):
        return
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise ConfigError(
            f'viewer: found no display (DISPLAY and WAYLAND_DISPLAY are not set); {instead}'
        )
    import glfw

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        works = glfw.init()
        glfw.terminate()
    if not works:
        display = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
        raise ConfigError(f'viewer: the display {display} cannot be opened; {instead}')
