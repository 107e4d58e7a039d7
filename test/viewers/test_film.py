"""Films and windows: missing parts give a clear error, and nothing hangs."""

import sys
from ctypes.util import find_library

import pytest

from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.errors import BridgeError
from kinfer_ros.errors import ConfigError
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers.film import Film
from kinfer_ros.viewers.film import Renderer
from kinfer_ros.viewers.film import Window
from kinfer_ros.viewers.film import camera


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


def test_film_has_a_frame_for_each_thirtieth_of_a_second(robot, tmp_path):
    """In lockstep no frame is left out."""
    ffmpeg = pytest.importorskip('imageio_ffmpeg')
    try:
        film = Film(tmp_path / 'film.mp4', robot, waits=True, size=(320, 240))
    except BridgeError as error:
        pytest.skip(str(error))
    for _ in range(25):
        robot.step(10)
        film.show(robot.time_ns)
    assert 'failed' not in film.close()
    frames = ffmpeg.read_frames(str(tmp_path / 'film.mp4'))
    assert next(frames)['size'] == (320, 240)
    assert 14 <= len(list(frames)) <= 16


@pytest.mark.skipif(find_library('EGL') is None, reason='no EGL library')
def test_a_picture_needs_no_display(robot, monkeypatch):
    """EGL is taken where MUJOCO_GL is unset, although MuJoCo would then take GLFW."""
    for name in ('MUJOCO_GL', 'DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    try:
        renderer = Renderer(robot, (320, 240))
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
