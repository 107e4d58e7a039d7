"""Films and windows: missing parts give a clear error, and nothing hangs."""

import contextlib
import re
import sys
import time
from ctypes.util import find_library

import mujoco
import numpy as np
import pytest

from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers import window
from kinfer_ros.viewers.film import Film
from kinfer_ros.viewers.film import Renderer
from kinfer_ros.viewers.shot import Shot
from kinfer_ros.viewers.shot import camera
from kinfer_ros.viewers.window import PAUSE
from kinfer_ros.viewers.window import RESET
from kinfer_ros.viewers.window import STEP
from kinfer_ros.viewers.window import Window


@pytest.fixture
def robot(tmp_path):
    return MujocoRobot(load_robot(write_robot(tmp_path)))


def test_without_ffmpeg(robot, tmp_path, monkeypatch):
    """The error names the missing extra."""
    monkeypatch.setitem(sys.modules, 'imageio_ffmpeg', None)
    with pytest.raises(ConfigError, match='pip install imageio-ffmpeg'):
        Film(tmp_path / 'film.mp4', robot, waits=True)


@pytest.mark.parametrize('name', ['film.avi', 'absent/film.mp4'])
def test_bad_paths(robot, tmp_path, name):
    """Found before the walk."""
    with pytest.raises(ConfigError, match='video: found'):
        Film(tmp_path / name, robot, waits=True)


@pytest.mark.parametrize('fps', [30.0, 50.0])
def test_film_has_a_frame_for_each_part_of_a_second(robot, tmp_path, fps):
    """In lockstep no frame is left out; and so with another rate."""
    ffmpeg = pytest.importorskip('imageio_ffmpeg')
    shot = Shot(video_size=(322, 240), video_fps=fps)
    said: list[str] = []
    try:
        film = Film(
            tmp_path / 'film.mp4', robot, waits=True, shot=shot, say=said.append, seconds=0.5
        )
    except BridgeError as error:
        pytest.skip(str(error))
    for _ in range(25):
        robot.step(10)
        film.show(robot.time_ns)
    assert 'failed' not in film.close()
    assert [line for line in said if re.match(r'film: 0\.5 s of it take about \d+ s here', line)]
    frames = ffmpeg.read_frames(str(tmp_path / 'film.mp4'))
    facts = next(frames)
    assert (facts['size'], facts['fps']) == ((322, 240), fps)
    assert abs(len(list(frames)) - fps / 2) <= 1


@pytest.mark.parametrize(
    ('engine', 'waits', 'lines'),
    [
        ('llvmpipe (LLVM 15)', True, ['software rendering (llvmpipe (LLVM 15))']),
        ('NVIDIA H200/PCIe', True, []),
        ('NVIDIA H200/PCIe', False, ['in real time, frames that come too soon are left out']),
    ],
)
def test_it_says_what_makes_it_slow(robot, tmp_path, monkeypatch, engine, waits, lines):
    """A minute for ten seconds is no hang; no word where a GPU draws every frame."""
    pytest.importorskip('imageio_ffmpeg')
    monkeypatch.setattr(Renderer, '__init__', lambda self, *_, **__: None)
    monkeypatch.setattr(Renderer, 'close', lambda self: None)
    monkeypatch.setattr(Renderer, 'engine', engine, raising=False)
    said: list[str] = []
    Film(tmp_path / 'film.mp4', robot, waits=waits, say=said.append).close()
    assert len(said) == len(lines)
    assert all(line in found for line, found in zip(lines, said, strict=True))


@pytest.mark.skipif(find_library('EGL') is None, reason='no EGL library')
def test_a_picture_needs_no_display(robot, monkeypatch):
    """EGL is taken where MUJOCO_GL is unset, although MuJoCo would then take GLFW."""
    for name in ('MUJOCO_GL', 'DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    try:
        renderer = Renderer(robot, Shot(video_size=(320, 240)))
    except ImportError as error:  # a library without a driver
        pytest.skip(str(error))
    picture = renderer.draw(robot.data.qpos)
    renderer.close()
    assert picture.shape == (240, 320, 3)
    assert picture.std() > 1.0


def test_camera(robot):
    """Without a camera in the MJCF the film follows the base."""
    assert camera(robot).trackbodyid == robot.fitted.base
    biped = MujocoRobot(load_robot('biped'))
    assert camera(biped).fixedcamid == biped.model.camera('track').id


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='displays differ elsewhere')
def test_no_window_without_a_display(robot, monkeypatch):
    """The error suggests video:= instead."""
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(ConfigError, match=r'video:=FILE\.mp4'):
        Window(robot)
    monkeypatch.setenv('DISPLAY', ':7654')
    with pytest.raises(ConfigError, match='the display :7654 cannot be opened'):
        Window(robot)


class FakeViewer:
    """What MuJoCo's passive viewer has, without a display."""

    def __init__(self):
        self.cam, self.perturb, self.synced = mujoco.MjvCamera(), mujoco.MjvPerturb(), 0

    def is_running(self):
        return True

    def lock(self):
        return contextlib.nullcontext()

    def sync(self):
        self.synced += 1


@pytest.fixture
def viewer(monkeypatch):
    """A viewer that opens everywhere."""
    viewer_module = pytest.importorskip('mujoco.viewer')
    found = FakeViewer()
    monkeypatch.setattr(window, '_check_display', lambda: None)
    monkeypatch.setattr(viewer_module, 'launch_passive', lambda *_, **__: found)
    return found


def test_keys_of_the_window(robot, viewer):
    """Space, right arrow and backspace; others are MuJoCo's own."""
    shown = Window(robot)
    for key in (32, 262, 65, 259):
        shown.on_key(key)
    assert shown.take_asked() == [PAUSE, STEP, RESET]
    assert shown.take_asked() == []
    for _ in range(100):
        shown.on_key(32)
    assert len(shown.take_asked()) == 16, 'a key that is held down fills no memory'


def test_the_mouse_pulls_the_robot_until_it_lets_go(robot, viewer):
    """The force stays in the simulation only as long as the mouse holds it."""
    shown = Window(robot, Shot(viewer_fps=240.0))
    robot.hold_base(False)
    viewer.perturb.select = robot.fitted.base
    viewer.perturb.active = mujoco.mjtPertBit.mjPERT_TRANSLATE
    viewer.perturb.refselpos[:] = robot.data.xpos[robot.fitted.base] + [1.0, 0.0, 0.0]
    viewer.perturb.localpos[:] = 0.0
    viewer.perturb.localmass = 1.0
    shown.show()
    assert viewer.synced == 1
    assert robot.data.xfrc_applied[robot.fitted.base, 0] > 0.1
    viewer.perturb.active = 0
    time.sleep(0.01)
    shown.show()
    assert not robot.data.xfrc_applied.any()


def test_a_camera_by_name(robot):
    """As in the MJCF, or free; an unknown one is said before the run."""
    biped = MujocoRobot(load_robot('biped'))
    assert camera(biped, 'track').fixedcamid == biped.model.camera('track').id
    free = camera(biped, 'free')
    assert free.type == mujoco.mjtCamera.mjCAMERA_FREE
    np.testing.assert_allclose(free.lookat, biped.data.xpos[biped.fitted.base])
    with pytest.raises(ConfigError, match=r"camera: found 'trak' \(did you mean 'track'\?\)"):
        camera(biped, 'trak')


@pytest.mark.parametrize('size', [(640,), (640, 481), (0, 480), (5000, 480)])
def test_a_size_that_no_film_has(robot, tmp_path, size):
    """The encoder would fail in the middle of the run."""
    pytest.importorskip('imageio_ffmpeg')
    with pytest.raises(ConfigError, match='video_size: found'):
        Film(tmp_path / 'film.mp4', robot, waits=True, shot=Shot(video_size=size))
