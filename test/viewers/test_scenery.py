"""The sky and the floor of a film: added where they lack, and never to what is simulated."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from helpers.pendulum import MJCF
from helpers.pendulum import write_robot
from kinfer_ros.bridges.mujoco.added_parts import FLOOR
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.robot.robot import load_robot
from kinfer_ros.viewers.film import Renderer
from kinfer_ros.viewers.scenery import film_model
from kinfer_ros.viewers.shot import Shot

SKYBOX = mujoco.mjtTexture.mjTEXTURE_SKYBOX


@pytest.fixture
def bare(tmp_path):
    """A robot of an MJCF without sky, light and floor, as exporters write it."""
    floor = '<geom name="floor" type="plane" size="0 0 0.05"/>'
    assert floor in MJCF
    return MujocoRobot(load_robot(write_robot(tmp_path, MJCF.replace(floor, ''))))


def test_what_lacks_is_added_to_the_film_alone(bare):
    """Also twice, for a second film; poses fit, and the simulated model stays as it is."""
    before = mujoco.mj_sizeModel(bare.model)
    for _ in range(2):
        model = film_model(bare.model, bare.fitted.spec)
        assert SKYBOX in model.tex_type
        assert model.nlight == 1
        assert model.mat(model.geom(FLOOR).matid[0]).name == 'kinfer_ros_scenery_tiles'
        assert model.nq == bare.model.nq
        np.testing.assert_array_equal(model.jnt_qposadr, bare.model.jnt_qposadr)
    assert (bare.model.ntex, bare.model.nlight) == (0, 0)
    assert mujoco.mj_sizeModel(bare.model) == before


def test_a_plain_grey_floor_and_a_dim_light_are_mended(tmp_path):
    """K-Bot's scene: on its floor nobody saw that it walked, and beyond its lamp all was black."""
    lamp = '<worldbody><light pos="0 0 4" dir="0 0 -1"/>'
    dim = MujocoRobot(load_robot(write_robot(tmp_path, MJCF.replace('<worldbody>', lamp))))
    model = film_model(dim.model, dim.fitted.spec)
    assert model.mat(model.geom('floor').matid[0]).name == 'kinfer_ros_scenery_tiles'
    assert model.nlight == 1
    assert min(model.vis.headlight.ambient) > 0.3


@pytest.mark.parametrize('paint', ['rgba="0 0.3 0 1"', 'material="own"'])
def test_a_painted_floor_keeps_its_paint(paint, tmp_path):
    """Green on purpose is not plain."""
    own = '<asset><material name="own"/></asset><worldbody>'
    mjcf = MJCF.replace('<worldbody>', own).replace('type="plane"', f'type="plane" {paint}')
    robot = MujocoRobot(load_robot(write_robot(tmp_path, mjcf)))
    model = film_model(robot.model, robot.fitted.spec)
    assert 'kinfer_ros_scenery_tiles' not in {model.mat(i).name for i in range(model.nmat)}


def test_a_scene_of_its_own_is_left_alone():
    """The biped's sky, sun and floor."""
    biped = MujocoRobot(load_robot('biped'))
    model = film_model(biped.model, biped.fitted.spec)
    assert (model.ntex, model.nmat) == (biped.model.ntex, biped.model.nmat)
    assert model.nlight == biped.model.nlight
    np.testing.assert_array_equal(model.vis.rgba.haze, biped.model.vis.rgba.haze)


def test_a_bare_robot_stands_under_a_sky(bare):
    """Blue above, light tiles below; black, both, without the scenery."""
    try:
        renderer = Renderer(bare, Shot(video_size=(320, 240)))
    except (ImportError, AttributeError) as error:
        pytest.skip(str(error))
    picture = renderer.draw(bare.data.qpos).astype(float)
    assert renderer.engine
    renderer.close()
    red, _, blue = picture[:10].mean(axis=(0, 1))
    assert blue > red + 20.0
    assert blue > 120.0
    ground = picture[-40:].mean(axis=2)
    assert ground.mean() > 100.0
    assert ground.std() > 4.0, 'tiles, on which one sees that it moves'


def test_lit_round_surfaces_have_no_speckle():
    """Single pixels much darker than all around: the head of the biped, in the sun."""
    biped = MujocoRobot(load_robot('biped'))
    try:
        renderer = Renderer(biped)
    except (ImportError, AttributeError) as error:
        pytest.skip(str(error))
    head = renderer.draw(biped.data.qpos)[209:240, 460:476].astype(float).mean(axis=2)
    renderer.close()
    assert head.mean() > 200.0, 'its lit side is where it was'
    rows, columns = head.shape[0] - 2, head.shape[1] - 2
    places = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = np.stack([head[i : i + rows, j : j + columns] for i, j in places])
    assert not (head[1:-1, 1:-1] < np.median(around, axis=0) - 15.0).any()
