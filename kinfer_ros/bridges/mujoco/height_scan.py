"""Casts the rays of a height scan: where the ground is below points around the base.

As Isaac Lab's ray caster does: the points turn with the base's heading and stay level, rays start
high above it, and a hit counts whatever is below it. The robot itself is no ground.
"""

import math

import mujoco
import numpy as np

from kinfer_ros.arrays import Float32
from kinfer_ros.arrays import Float64
from kinfer_ros.bridges.mujoco.robot import MujocoRobot
from kinfer_ros.policy.spec.scan import ScanGrid
from kinfer_ros.rotations import yaw_of

START = 20.0
"""m above the base at which rays start; a ceiling below that is what they hit."""
NOTHING = 20.0
"""m below the base: what a ray that hits nothing gives."""
STEP = 1e-4
"""m by which a ray goes on behind a hit of the robot itself."""
_DOWN = np.array([0.0, 0.0, -1.0])


class HeightScanner:
    """
    Measures the heights of a grid of points.

    :ivar heights: [rows * columns] m, the newest scan: the base's origin above the ground.
    """

    def __init__(self, robot: MujocoRobot, grid: ScanGrid) -> None:
        self._model, self._data, self._base = robot.model, robot.data, robot.fitted.base
        model = self._model
        root = model.body_rootid[self._base]
        self._own = (model.body_rootid[model.geom_bodyid] == root).tolist()
        self._points = grid.points()
        self._geom = np.zeros(1, np.int32)
        self._ray = np.zeros(3)
        self.shape = (grid.rows, grid.columns)
        self.heights: Float32 = np.zeros(len(self._points), np.float32)

    def scan(self) -> None:
        """Measure all points in the present state."""
        x, y, z = self._data.xpos[self._base].tolist()
        yaw = yaw_of(*self._data.xquat[self._base].tolist())
        cos, sin = math.cos(yaw), math.sin(yaw)
        at: Float64 = self._points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
        for index, (px, py) in enumerate(at.tolist()):
            self.heights[index] = self._depth(px, py, z)

    def _depth(self, x: float, y: float, z: float) -> float:
        """Return how far below z the ground is at a point."""
        travelled = 0.0
        # Each round ends the ray or passes a surface of the robot: it has two a geom at most.
        for _ in range(2 * len(self._own) + 1):
            self._ray[:] = x, y, z + START - travelled
            found: float = mujoco.mj_ray(
                self._model, self._data, self._ray, _DOWN, None, True, -1, self._geom
            )
            if found < 0.0:
                return NOTHING
            travelled += found
            if not self._own[self._geom[0]]:
                return travelled - START
            travelled += STEP
        return NOTHING
