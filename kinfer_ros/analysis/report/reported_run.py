"""ReportedRun: a run with all that a report shows of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kinfer_ros.analysis.columns import Columns
from kinfer_ros.analysis.derived import POSITION
from kinfer_ros.analysis.recorded_run import RecordedRun
from kinfer_ros.analysis.series import component_names
from kinfer_ros.arrays import Float64

Named = dict[str, Float64]
"""Curves [n] by name."""


@dataclass(frozen=True)
class ReportedRun:
    """
    A run in a report: its facts, its records, and the output of `verdict`.

    :ivar name: tells it from the others.
    """

    run: RecordedRun
    columns: Columns
    problems: Sequence[str]
    summary: Sequence[str]
    name: str = ''

    @property
    def joints(self) -> list[str]:
        """The policy's joints; indices for a log without run.json."""
        rows = self.columns.row('output', *POSITION)
        count = 0 if rows is None else rows.shape[1]
        names = self.run.facts.get('joint_order') or ()
        if count and len(names) != count:
            names = range(count)
        return [str(name) for name in names]

    @property
    def wheels(self) -> set[str]:
        """Names of the joints whose targets are velocities."""
        return {self.joints[at] for at in self.columns.wheels}

    @cached_property
    def running(self) -> tuple[float, float]:
        """First and last time in mode run, s; of a log without modes the whole of it."""
        time, modes = self.columns.time, self.columns.modes
        at = [place for place, mode in enumerate(modes) if mode in ('run', '')]
        if not at:
            return float(time[0]), float(time[-1])
        return float(time[at[0]]), float(time[at[-1]])

    @cached_property
    def fault_at(self) -> int | None:
        """Index of the first record of the first fault, or None."""
        modes = self.columns.modes
        return modes.index('fault') if 'fault' in modes else None

    def setting(self, name: str) -> float | None:
        """Return a parameter of the policy node, as run.json has it, if it is a number."""
        value = (self.run.facts.get('parameters') or {}).get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return float(value) if np.isfinite(value) else None

    def by_joint(self, rows: Float64 | None) -> Named:
        """Return the columns of rows [n, joints] by joint."""
        if rows is None:
            return {}
        return dict(zip(self.joints, rows.T, strict=False))

    def by_name(self, *keys: str) -> Named:
        """Return the columns of the first of these rows that the log has, by component."""
        for key in keys:
            rows = self.columns.rows.get(key)
            if rows is not None:
                names = component_names(self.run, key, rows.shape[1])
                return dict(zip(names, rows.T, strict=True))
        return {}
