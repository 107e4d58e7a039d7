"""Holds what a replay gave against what a run had recorded: to the bit, and how far off.

Without this module "the same" would mean "looks the same".
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float64

Row = npt.NDArray[Any]
"""float32, or float64 where messages are compared."""


@dataclass(frozen=True)
class Difference:
    """One number that is not the recorded one."""

    step_id: int
    tensor: str
    index: int
    recorded: float
    replayed: float
    note: str = ''

    @property
    def size(self) -> float:
        """How far apart the two are; infinite where one is no number, 0.0 for -0.0 and 0.0."""
        apart = abs(self.replayed - self.recorded)
        return apart if apart == apart else float('inf')


@dataclass
class Comparison:
    """
    What became of one tensor over a run.

    :ivar compared: records in which it was compared.
    :ivar differing: of these, those in which any bit differs.
    :ivar beyond: of these, those in which a number is off by more than the tolerance.
    :ivar first: the first difference of all; `largest` the largest one.
    :ivar squares: [P] sum of squared differences, for a root mean square by index.
    """

    tolerance: float
    compared: int = 0
    differing: int = 0
    beyond: int = 0
    first: Difference | None = None
    largest: Difference | None = None
    squares: Float64 = field(default_factory=lambda: np.zeros(0))
    worst: Float64 = field(default_factory=lambda: np.zeros(0))

    def compare(self, step_id: int, tensor: str, recorded: Row, replayed: Row) -> None:
        """Count one record; the arrays have one shape."""
        self.compared += 1
        if self.squares.size != recorded.size:
            self.squares = np.zeros(recorded.size)
            self.worst = np.zeros(recorded.size)
        bits = np.dtype(f'u{recorded.itemsize}')
        same = recorded.view(bits) == replayed.view(bits)
        if same.all():
            return
        self.differing += 1
        apart = np.abs(replayed.astype(np.float64) - recorded.astype(np.float64))
        apart[same] = 0.0
        apart[np.isnan(apart)] = np.inf
        self.squares += np.square(apart)
        np.maximum(self.worst, apart, out=self.worst)
        self.beyond += bool((apart > self.tolerance).any())
        if self.first is None:
            self.first = _at(step_id, tensor, int(np.flatnonzero(~same)[0]), recorded, replayed)
        if self.largest is None or apart.max() > self.largest.size:
            self.largest = _at(step_id, tensor, int(apart.argmax()), recorded, replayed)

    def differ(self, difference: Difference) -> None:
        """Count a record that differs as a whole, by the note of the difference."""
        self.compared += 1
        self.differing += 1
        self.beyond += 1
        self.first = self.first or difference
        self.largest = difference

    @property
    def rms(self) -> Float64:
        """Root mean square of the difference, by index."""
        return np.sqrt(self.squares / max(self.compared, 1))

    def as_json(self) -> dict[str, Any]:
        """Say it as plain data."""
        return {
            'compared': self.compared,
            'differing': self.differing,
            'beyond_tolerance': self.beyond,
            'tolerance': self.tolerance,
            'first': difference_facts(self.first),
            'largest': difference_facts(self.largest),
        }


def _at(step_id: int, tensor: str, index: int, recorded: Row, replayed: Row) -> Difference:
    return Difference(step_id, tensor, index, float(recorded[index]), float(replayed[index]))


def difference_facts(difference: Difference | None) -> dict[str, Any] | None:
    """Say a difference as plain data; a number that JSON cannot hold as text."""
    if difference is None:
        return None
    numbers = {'recorded': difference.recorded, 'replayed': difference.replayed}
    return {
        'step_id': difference.step_id,
        'tensor': difference.tensor,
        'index': difference.index,
        'note': difference.note,
        'difference': difference.size if np.isfinite(difference.size) else None,
        **{key: value if np.isfinite(value) else str(value) for key, value in numbers.items()},
    }
