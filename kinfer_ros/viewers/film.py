"""Films a simulated robot into a file, rendered off-screen.

Rendering a frame takes longer than many physics steps: 100 to 200 ms of processor time where there
is no GPU. The film therefore has a thread and a model of its own, fed with copies of the pose: in
real time a frame that comes too soon is left out (the next one stands for it), so that the robot
does not wait for its film; in lockstep, where nobody waits for a clock, the simulation does, and
every frame is drawn, with smoothed edges. Without a GPU, film in lockstep.
"""

import os
import queue
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.viewers.film_progress import FilmProgress
from kinfer_ros.viewers.film_progress import Say
from kinfer_ros.viewers.scenery import film_model
from kinfer_ros.viewers.shot import DEFAULT_SHOT
from kinfer_ros.viewers.shot import Shot
from kinfer_ros.viewers.shot import camera

Pose = tuple[int, Float64]

SECOND = 1_000_000_000
BACKLOG = 4
"""Poses that wait to be drawn: few, since a closed film has to be finished in time."""
MAX_GAP = 10
"""s that one picture may stand for."""
SHADOW_SIZE = 2048
"""Finer shadows cost more than everything else without a GPU."""
SHADOW_CLIP = 3.0
"""
Smallest extent of the shadow map, as a share of the model's: depths in a smaller one are so close
together that lit round surfaces are speckled with their own shadow.
"""
SOFTWARE = ('llvmpipe', 'softpipe', 'swrast', 'software')
"""Names of OpenGL's renderers without a GPU."""
START_TIMEOUT = 30.0
CLOSE_TIMEOUT = 2.5
"""s; a process has to be down within 4 s of a signal."""


class Film:
    """
    An mp4 of the robot, in simulated time.

    :param path: the file; it is overwritten.
    :param shot: camera, size of the frames, and how many there are in a second.
    :param waits: whether `show` waits for the drawing when it falls behind (else frames are left
        out, and counted).
    :param say: takes lines on how it is drawn, how long that takes, and how far it is; it is
        called by the thread of the film.
    :param seconds: length of the film, None where nobody knows it.
    :raises ConfigError: imageio-ffmpeg is not installed, or the file has no folder or suffix.
    :raises BridgeError: off-screen rendering does not work here.
    """

    def __init__(
        self,
        path: Path,
        robot: MujocoRobot,
        *,
        waits: bool,
        shot: Shot = DEFAULT_SHOT,
        say: Say = lambda _: None,
        seconds: float | None = None,
    ) -> None:
        _check_path(path)
        shot.check()
        camera(robot, shot.camera)
        self._ffmpeg = _ffmpeg()
        self.path = path
        self._robot = robot
        self.waits = waits
        self._shot = shot
        self._say = say
        self._progress = FilmProgress(say, shot.video_fps, seconds) if waits else None
        self._frame = -1
        self._skipped = 0
        self._written = 0
        self._error: Exception | None = None
        self._poses: queue.Queue[Pose | None] = queue.Queue(BACKLOG)
        self._ready = threading.Event()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name='film', daemon=True)
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT):
            raise BridgeError(f'off-screen rendering did not start within {START_TIMEOUT:g} s')
        if self._error is not None:
            raise _no_rendering(self._error) from None

    def show(self, time_ns: int) -> None:
        """Film the present state, if a frame is due at this simulated time."""
        frame = int(time_ns * self._shot.video_fps) // SECOND
        if frame <= self._frame or not self._thread.is_alive():
            return
        self._frame = frame
        try:
            self._poses.put((frame, self._robot.data.qpos.copy()), block=self.waits, timeout=10.0)
        except queue.Full:
            self._skipped += 1

    def close(self, timeout: float = CLOSE_TIMEOUT) -> str:
        """
        Draw what still waits, for a bounded time, and finish the file.

        :param timeout: s; by default what a process has that was told to end.
        :return: one line on what was written, or why not.
        """
        deadline = time.monotonic() + timeout
        while self._thread.is_alive():
            try:
                self._poses.put(None, timeout=0.05)
                break
            except queue.Full:
                if time.monotonic() > deadline - 1.0:
                    self._giving_up.set()
        self._thread.join(max(0.1, deadline - 1.0 - time.monotonic()))
        self._giving_up.set()
        self._thread.join(max(0.1, deadline - time.monotonic()))
        if self._error is not None:
            return f'film {self.path} failed: {self._error}'
        left_out = f', {self._skipped} frames left out' if self._skipped else ''
        return f'film {self.path}: {self._written / self._shot.video_fps:.1f} s{left_out}'

    def _run(self) -> None:
        """Draw and write until told to end; the thread of the OpenGL context."""
        try:
            renderer = Renderer(self._robot, self._shot, smooth=self.waits)
        except Exception as error:  # the loaders of OpenGL raise whatever they like
            self._error = error
            self._ready.set()
            return
        try:
            writer = self._ffmpeg.write_frames(
                str(self.path), self._shot.size, fps=self._shot.video_fps, quality=7,
                macro_block_size=2, ffmpeg_log_level='error',
            )  # fmt: skip
            writer.send(None)
            self._describe(renderer.engine)
            self._ready.set()
            self._draw_all(renderer, writer)
            writer.close()
        except Exception as error:
            self._error = error
            self._ready.set()
        finally:
            renderer.close()

    def _describe(self, engine: str) -> None:
        """Say what draws, if that is slow, and whether frames will be missing."""
        if any(name in engine.lower() for name in SOFTWARE):
            self._say(f'film: software rendering ({engine}): this machine offers no GPU for it')
        if not self.waits:
            self._say(
                'film: in real time, frames that come too soon are left out, in lockstep none'
            )

    def _draw_all(self, renderer: 'Renderer', writer: Any) -> None:
        last, longest = 0, round(MAX_GAP * self._shot.video_fps)
        while not self._giving_up.is_set():
            pose = self._poses.get()
            if pose is None:
                return
            frame, qpos = pose
            picture = renderer.draw(qpos)
            if self._progress is not None:
                self._progress.picture()
            for _ in range(min(frame - last, longest) if last else 1):
                writer.send(picture)
                self._written += 1
            last = frame


class Renderer:
    """
    Draws poses of the robot off-screen; to be used by the thread that made it.

    :param shot: camera and size of the frames.
    :param smooth: whether to smooth edges, which takes twice the time without a GPU.
    :ivar engine: what OpenGL draws with, in its own words; '' where it does not say.
    """

    def __init__(
        self, robot: MujocoRobot, shot: Shot = DEFAULT_SHOT, *, smooth: bool = True
    ) -> None:
        # Its own: gains are written into the other one.
        self._model = film_model(robot.model, robot.fitted.spec)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = shot.size
        quality = self._model.vis.quality
        quality.shadowsize = min(quality.shadowsize, SHADOW_SIZE)
        clip = self._model.vis.map
        clip.shadowclip = max(clip.shadowclip, SHADOW_CLIP)
        if not smooth:
            quality.offsamples = 0
        self._data = mujoco.MjData(self._model)
        self._camera = camera(robot, shot.camera)
        self._renderer = _renderer(self._model, shot.size)
        self.engine = _engine()

    def draw(self, qpos: Float64) -> NDArray[np.uint8]:
        """Return the picture [height, width, 3] of a pose."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        self._renderer.update_scene(self._data, self._camera)
        picture: NDArray[np.uint8] = self._renderer.render()
        return picture

    def close(self) -> None:
        """Free what OpenGL holds."""
        self._renderer.close()


def _engine() -> str:
    """Return the name of what draws, in the thread whose context is current."""
    try:
        from OpenGL import GL  # type: ignore[import-untyped, unused-ignore]

        name = GL.glGetString(GL.GL_RENDERER)
    except Exception:  # the loaders of OpenGL raise whatever they like
        return ''
    return name.decode(errors='replace') if isinstance(name, bytes) else ''


def _renderer(model: Any, size: tuple[int, int]) -> Any:
    """
    Make MuJoCo's off-screen renderer on what MUJOCO_GL asks for, else on EGL.

    Where MUJOCO_GL is unset, mujoco.Renderer takes GLFW, which needs a display, and it has no
    argument for the context: so the class of the context is replaced in its module. Setting
    MUJOCO_GL=egl for the process instead would make `import mujoco` fail wherever EGL is missing.
    """
    if not os.environ.get('MUJOCO_GL'):
        from mujoco.egl import GLContext

        sys.modules[mujoco.Renderer.__module__].gl_context.GLContext = GLContext
    width, height = size
    return mujoco.Renderer(model, height, width)


def _ffmpeg() -> ModuleType:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise ConfigError(
            'video: found no imageio-ffmpeg; install it: python -m pip install imageio-ffmpeg'
        ) from None
    module: ModuleType = imageio_ffmpeg
    return module


def _check_path(path: Path) -> None:
    if path.suffix.lower() != '.mp4':
        raise ConfigError(f'video: found {path}, expected a file that ends in .mp4')
    if not path.parent.is_dir():
        raise ConfigError(f'video: found no folder {path.parent.resolve()} to write {path} into')
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f'video: {path} cannot be written')


def _no_rendering(error: Exception) -> BridgeError:
    text = ' '.join(str(error).split()) or type(error).__name__
    return BridgeError(
        f'video: off-screen rendering does not work here: {text[:300]}; it needs EGL (on Debian '
        'and Ubuntu: apt install libegl1), or MUJOCO_GL set to another back end'
    )
