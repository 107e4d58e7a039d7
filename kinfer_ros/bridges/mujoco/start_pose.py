"""Puts the base of a simulated robot where it starts: on its feet, or as high as asked."""

import math
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

from kinfer_ros.bridges.mujoco.model import FittedModel
from kinfer_ros.bridges.mujoco.scene import Scene
from kinfer_ros.errors import ConfigError

REACH = 5.0
"""m within which the ground is looked for."""
MAX_DEPTH = 0.01
"""m of the ground that a foot may start in."""


def check_start(fitted: FittedModel, scene: Scene) -> None:
    """:raises ConfigError: the scene is wrong, or asks for a start that this base cannot have."""
    turned = scene.orientation is not None
    if not math.isfinite(scene.start_height):
        raise ConfigError(f'parameter start_height: found {scene.start_height}, expected a number')
    if fitted.hold >= 0:
        return
    for name, asked in (('start_height', scene.start_height), ('initial_orientation', turned)):
        if asked:
            raise ConfigError(
                f'parameter {name}: the base of the MuJoCo model is fixed to the world (it has no '
                '<freejoint/>), expected a model with a free base'
            )


def place_base(fitted: FittedModel, data: Any, scene: Scene, keep: bool) -> str:
    """
    Put a free base where it starts.

    :param keep: the height in `data` is right, if nothing else is asked for.
    :return: a warning, or ''.
    :raises ConfigError: the height that was asked for is in the ground.
    """
    start, orientation = fitted.free_qpos, scene.orientation
    if orientation is not None:
        data.qpos[start + 3 : start + 7] = orientation
    if scene.start_height > 0.0:
        data.qpos[start + 2] = scene.start_height
        _refuse_ground(scene, height_above_ground(fitted.model, data, fitted.base))
    elif scene.fixed_base or orientation is not None or not keep:
        height = height_above_ground(fitted.model, data, fitted.base)
        if not math.isfinite(height):
            return (
                'no part of the robot collides with the ground: it starts at the height of the '
                'MJCF, and falls through. Check its contype, conaffinity and <contact>'
            )
        data.qpos[start + 2] += scene.clearance - height
    return ''


def _refuse_ground(scene: Scene, height: float) -> None:
    if height < -MAX_DEPTH:
        asked = scene.start_height
        raise ConfigError(
            f'parameter start_height: found {asked:g} m, which puts the robot {-height:.3f} m '
            f'into the ground; expected at least {asked - height:.3f} m, or 0: just above it'
        )


def height_above_ground(model: Any, data: Any, base: int) -> float:
    """
    Return the smallest distance (m) between the tree `base` and the fixed world.

    Only geoms that collide count: by contype and conaffinity, or by a <pair>.

    :return: inf if nothing is within 5 m.
    """
    mujoco.mj_kinematics(model, data)
    nearest = REACH
    for ground, geom in _colliding(model, base):
        nearest = min(nearest, mujoco.mj_geomDistance(model, data, ground, geom, REACH, None))
    return nearest if nearest < REACH else math.inf


def _colliding(model: Any, base: int) -> Iterator[tuple[int, int]]:
    """Yield (geom of the fixed world, geom of the tree) that MuJoCo lets collide."""
    fixed = model.body_weldid[model.geom_bodyid] == 0
    own = model.body_rootid[model.geom_bodyid] == base
    for first, second in zip(model.pair_geom1, model.pair_geom2, strict=True):
        if fixed[first] and own[second]:
            yield int(first), int(second)
        elif fixed[second] and own[first]:
            yield int(second), int(first)
    excluded = set(model.exclude_signature.tolist())
    contype, conaffinity, body = model.geom_contype, model.geom_conaffinity, model.geom_bodyid
    for ground in np.flatnonzero(fixed):
        for geom in np.flatnonzero(own):
            if not contype[ground] & conaffinity[geom] | contype[geom] & conaffinity[ground]:
                continue
            low, high = sorted((int(body[ground]), int(body[geom])))
            if (low << 16) + high not in excluded:
                yield int(ground), int(geom)
