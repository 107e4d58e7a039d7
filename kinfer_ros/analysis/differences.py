"""Compares replayed with recorded numbers: bit by bit, and by the size of the difference."""

from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np
import numpy.typing as npt

from kinfer_ros.arrays import Float64

Values = npt.NDArray[Any]
"""float32, or float64 where messages are compared."""


@dataclass(frozen=True)
class Difference:
    """One number that differs from the recorded one."""

    step_id: int
    tensor: str
    index: int
    recorded: float
    replayed: float
    note: str = ''

    @property
    def size(self) -> float:
        """Absolute difference; infinite where one is NaN, 0.0 for -0.0 and 0.0."""
        error = abs(self.replayed - self.recorded)
        return error if error == error else float('inf')


@dataclass
class Comparison:
    """
    Comparison of one tensor over a run.

    :ivar compared: compared records.
    :ivar differing: records in which any bit differs.
    :ivar beyond: records in which a number differs by more than the tolerance.
    :ivar first: the first difference; `largest` the largest one.
    :ivar squares: [P] sum of squared differences, for the root mean square by index.
    """

    tolerance: float
    compared: int = 0
    differing: int = 0
    beyond: int = 0
    first: Difference | None = None
    largest: Difference | None = None
    squares: Float64 = field(default_factory=lambda: np.zeros(0))
    worst: Float64 = field(default_factory=lambda: np.zeros(0))

    def compare(self, step_id: int, tensor: str, recorded: Values, replayed: Values) -> None:
        """Compare one record; both arrays have the same shape."""
        self.compared += 1
        if self.squares.size != recorded.size:
            self.squares = np.zeros(recorded.size)
            self.worst = np.zeros(recorded.size)
        bits = np.dtype(f'u{recorded.itemsize}')
        same = recorded.view(bits) == replayed.view(bits)
        if same.all():
            return
        self.differing += 1
        error = np.abs(replayed.astype(np.float64) - recorded.astype(np.float64))
        error[same] = 0.0
        error[np.isnan(error)] = np.inf
        self.squares += np.square(error)
        np.maximum(self.worst, error, out=self.worst)
        self.beyond += bool((error > self.tolerance).any())
        if self.first is None:
            self.first = _at(step_id, tensor, int(np.flatnonzero(~same)[0]), recorded, replayed)
        if self.largest is None or error.max() > self.largest.size:
            self.largest = _at(step_id, tensor, int(error.argmax()), recorded, replayed)

    def add_difference(self, difference: Difference) -> None:
        """Count a record that differs as a whole."""
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
        """Return the comparison as plain data."""
        return {
            'compared': self.compared,
            'differing': self.differing,
            'beyond_tolerance': self.beyond,
            'tolerance': self.tolerance,
            'first': difference_json(self.first),
            'largest': difference_json(self.largest),
        }


def _at(step_id: int, tensor: str, index: int, recorded: Values, replayed: Values) -> Difference:
    return Difference(step_id, tensor, index, float(recorded[index]), float(replayed[index]))


def difference_json(difference: Difference | None) -> dict[str, Any] | None:
    """Return a difference as plain data, with non-finite numbers as text."""
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


@dataclass
class Outcome:
    """
    Result of a replay.

    :ivar records: records read; `run_records` those in mode run in which a policy ran.
    :ivar replayed: records in mode run on which the policy was run.
    :ivar missing: first and last step_id of each gap.
    :ivar skipped: records in mode run after a gap, before the next one with a carry.
    :ivar unchecked_targets: replayed records whose target could not be compared.
    :ivar unusable: records that cannot be replayed; `first_unusable` the reason of the first.
    :ivar changes: replayed parameter changes and swaps, with their step.
    """

    tensors: dict[str, Comparison]
    records: int = 0
    run_records: int = 0
    replayed: int = 0
    skipped: int = 0
    unchecked_targets: int = 0
    unusable: int = 0
    first_unusable: str = ''
    missing: list[tuple[int, int]] = field(default_factory=list)
    changes: list[tuple[int, str]] = field(default_factory=list)

    @property
    def first(self) -> Difference | None:
        """The difference with the lowest step_id."""
        firsts = [each.first for each in self.tensors.values() if each.first is not None]
        return min(firsts, key=lambda each: each.step_id, default=None)

    @property
    def identical(self) -> bool:
        """Whether records were compared and every bit is equal."""
        differing = any(each.differing for each in self.tensors.values())
        return self.replayed > 0 and not differing and not self.unusable

    @property
    def within(self) -> bool:
        """Whether records were compared and all differences are within the tolerance."""
        beyond = any(each.beyond for each in self.tensors.values())
        return self.replayed > 0 and not beyond and not self.unusable
