"""Adds what a film lacks: a sky, a light, and tiles on a floor that nobody has painted.

Only the model of the film has them. The one that is simulated stays as it is.
"""

from typing import Any

import mujoco
import numpy as np

NAME = 'kinfer_ros_scenery'
SKY_TOP, SKY_BOTTOM = (0.45, 0.62, 0.80), (0.93, 0.95, 0.97)
TILES = (0.86, 0.88, 0.90), (0.78, 0.81, 0.84)
SUN = (0.65, 0.63, 0.60)
AMBIENT = 0.35
"""Under a blue sky, what the light does not reach is not black."""
UNPAINTED = (0.5, 0.5, 0.5, 1.0)
"""MuJoCo's own colour of a geom."""


def film_model(model: Any, spec: Any) -> Any:
    """
    Return a model of the film: a sky, a light and a painted floor where there is none.

    :param model: the simulated one.
    :param spec: what it was compiled from, a mujoco.MjSpec.
    """
    copied = spec.copy()
    if mujoco.mjtTexture.mjTEXTURE_SKYBOX not in [texture.type for texture in spec.textures]:
        _add_sky(copied)
    if model.nlight == 0:
        _add_sun(copied)
    _paint([geom for geom in copied.geoms if _is_plain_floor(geom)], copied)
    return copied.compile()


def _add_sky(spec: Any) -> None:
    spec.add_texture(
        name=f'{NAME}_sky',
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=SKY_TOP,
        rgb2=SKY_BOTTOM,
        width=512,
        height=512,
    )
    spec.visual.rgba.haze = [*SKY_BOTTOM, 1.0]
    light = spec.visual.headlight
    light.ambient = [max(AMBIENT, each) for each in light.ambient]


def _add_sun(spec: Any) -> None:
    spec.worldbody.add_light(
        name=f'{NAME}_sun',
        pos=[1.5, -2.0, 4.0],
        dir=[-0.35, 0.45, -1.0],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
        diffuse=SUN,
    )


def _is_plain_floor(geom: Any) -> bool:
    plane = geom.type == mujoco.mjtGeom.mjGEOM_PLANE
    return plane and not geom.material and np.allclose(geom.rgba, UNPAINTED)


def _paint(floors: list[Any], spec: Any) -> None:
    """Paint plain floors: on them nobody sees that a robot moves."""
    if not floors:
        return
    spec.add_texture(
        name=f'{NAME}_tiles',
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=TILES[0],
        rgb2=TILES[1],
        width=512,
        height=512,
    )
    material = spec.add_material(name=f'{NAME}_tiles', texrepeat=[2.0, 2.0], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f'{NAME}_tiles'
    for floor in floors:
        floor.material = f'{NAME}_tiles'
        floor.rgba = [1.0] * 4
