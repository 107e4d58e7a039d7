"""Adds what a film lacks: a sky, a light, and squares on a floor that nobody has painted.

Only the model of the film has them. The one that is simulated stays as it is.
"""

from typing import Any

import mujoco

from kinfer_ros.bridges.mujoco.added_parts import FLOOR

NAME = 'kinfer_ros_scenery'
SKY_TOP, SKY_BOTTOM = (0.45, 0.62, 0.80), (0.93, 0.95, 0.97)
TILES = (0.86, 0.88, 0.90), (0.78, 0.81, 0.84)
SUN = (0.65, 0.63, 0.60)


def film_model(model: Any, spec: Any) -> Any:
    """
    Return a model of the film: a sky, a light and a painted floor where there is none.

    :param model: the simulated one.
    :param spec: what it was compiled from, a mujoco.MjSpec.
    """
    kinds = [texture.type for texture in spec.textures]
    missing = {
        'sky': mujoco.mjtTexture.mjTEXTURE_SKYBOX not in kinds,
        'sun': model.nlight == 0,
        'floor': any(geom.name == FLOOR for geom in spec.geoms),
    }
    copied = spec.copy()
    if missing['sky']:
        _add_sky(copied)
    if missing['sun']:
        _add_sun(copied)
    if missing['floor']:
        _paint(copied)
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


def _add_sun(spec: Any) -> None:
    spec.worldbody.add_light(
        name=f'{NAME}_sun',
        pos=[1.5, -2.0, 4.0],
        dir=[-0.35, 0.45, -1.0],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        castshadow=True,
        diffuse=SUN,
    )
    spec.visual.headlight.ambient = [0.35] * 3


def _paint(spec: Any) -> None:
    """Paint the floor that was added: on a plain one, nobody sees that a robot moves."""
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
    spec.geom(FLOOR).material = f'{NAME}_tiles'
