"""Measures how far a simulated robot is above the ground, to start it on its feet."""

import math
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

REACH = 5.0
"""m within which the ground is looked for."""


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
