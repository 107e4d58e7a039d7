"""Reads what a height scan of a policy spec consists of: its points, and their order.

On the topic and in `values` of the sources the points stand row by row, as in an image: a row has
one y, from right to left, and in it x goes from the rear to the front.
"""

import math
from dataclasses import dataclass

import numpy as np

from kinfer_ros.arrays import Float64
from kinfer_ros.yaml_file import Section
from kinfer_ros.yaml_vectors import MAX_COUNT

MAX_POINTS = MAX_COUNT
ORDERS = ('xy', 'yx')
"""Of a network: xy, x runs fastest, as on the topic; yx, y runs fastest."""
MIN_RESOLUTION, MAX_SIZE = 0.001, 100.0


@dataclass(frozen=True)
class ScanGrid:
    """Points at equal distances below the base, turned with its heading, not with its tilt."""

    size: tuple[float, float]
    """m, along x (forward) and y (left)."""
    resolution: float
    """m between two points."""
    center: tuple[float, float] = (0.0, 0.0)
    """m, in the base's frame."""

    @property
    def rows(self) -> int:
        """Points along y."""
        return self._count(1)

    @property
    def columns(self) -> int:
        """Points along x."""
        return self._count(0)

    def _count(self, axis: int) -> int:
        # Both ends belong to it; 1.6 / 0.1 is a little less than 16.
        return int(self.size[axis] / self.resolution + 1e-6) + 1

    def points(self) -> Float64:
        """Return x and y of each point, m, [rows * columns, 2]."""
        x, y = (
            self.center[axis] - self.size[axis] / 2 + self.resolution * np.arange(count)
            for axis, count in ((0, self.columns), (1, self.rows))
        )
        return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)


@dataclass(frozen=True)
class HeightScan:
    """The height scan that a policy takes."""

    rows: int
    """1 where it has no grid."""
    columns: int
    grid: ScanGrid | None
    """None: its points are elsewhere; nothing but their number is known."""
    order: str = 'xy'

    @property
    def size(self) -> int:
        """Number of points."""
        return self.rows * self.columns

    def places(self) -> list[int]:
        """Return where each number of the network stands on the topic."""
        index = np.arange(self.size).reshape(self.rows, self.columns)
        return list((index.T if self.order == 'yx' else index).ravel().tolist())


NO_SCAN = HeightScan(1, 1, None)
"""In place of one that cannot be read."""


def read_scan(section: Section) -> HeightScan:
    """Read `grid` or `count` of a term."""
    if section.has('grid') == section.has('count'):
        found = 'both' if section.has('grid') else 'neither'
        expected = 'grid (size, resolution, order), or, for other points, their count'
        section.problem(f'found {found} of grid and count, expected {expected}', 'source')
        section.allow_all_keys()
        return NO_SCAN
    if section.has('count'):
        return HeightScan(1, section.integer('count', 1, MAX_POINTS), None)
    return _read_grid(section)


def _read_grid(term: Section) -> HeightScan:
    section = term.section('grid')
    if section is None:
        return NO_SCAN
    size = section.numbers('size', 2, 'm')
    center = section.numbers('center', 2, 'm') if section.has('center') else (0.0, 0.0)
    resolution = section.number('resolution', 'm', MIN_RESOLUTION, MAX_SIZE)
    # Required: the points of a square grid would be taken for each other.
    order = section.choice('order', ORDERS)
    if not all(map(math.isfinite, (*size, *center, resolution))):
        return NO_SCAN  # their problems are noted
    if not all(0.0 <= each <= MAX_SIZE for each in size):
        section.problem(f'found {list(size)}, expected two numbers from 0 to {MAX_SIZE:g}', 'size')
        return NO_SCAN
    grid = ScanGrid((size[0], size[1]), resolution, (center[0], center[1]))
    if grid.rows * grid.columns > MAX_POINTS:
        section.problem(
            f'found {grid.columns} x {grid.rows} points, expected at most {MAX_POINTS}', 'size'
        )
        return NO_SCAN
    return HeightScan(grid.rows, grid.columns, grid, order)
